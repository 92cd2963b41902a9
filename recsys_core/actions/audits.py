"""For whom a model works worse: the audit, kept with what its report needs, and the report of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recsys_core.actions.audit_questions import audit_table, audited_values
from recsys_core.actions.audit_records import keep_audited
from recsys_core.actions.disclosures import held_against
from recsys_core.actions.evidence import evidence_of
from recsys_core.actions.loaded import LoadedModel
from recsys_core.actions.models import open_model
from recsys_core.actions.preferences import with_threshold
from recsys_core.fairness.audit import audit
from recsys_core.fairness.exposure_result import ItemAudit
from recsys_core.fairness.result import AuditResult, AuditSettings
from recsys_core.files import read_json, write_atomically, write_json
from recsys_core.report.audit_html import audit_html
from recsys_core.report.contents import SECTIONS, Evidence, Section
from recsys_core.report.formats import Format, report_bytes
from recsys_core.report.words import Language
from recsys_core.store.records import AuditRecord
from recsys_core.store.workspace import Workspace

AUDIT_FILE, EVIDENCE_FILE = "audit.json", "evidence.json"


@dataclass(frozen=True, slots=True)
class KeptAudit:
    """An audit as it was kept, with all that its report tells."""

    record: AuditRecord
    result: AuditResult
    evidence: Evidence


def audit_model(
    model: LoadedModel, settings: AuditSettings, workspace: Workspace | None = None
) -> AuditResult:
    """Compares groups of people by a metric of the lists that the model makes for them (test targets).

    In a workspace, what was shown before is taken into account, and what this shows is added to it.

    Raises:
        DataError: an attribute that doesn't exist or can't make groups, or a hidden reference.
        ConfigError: no such metric.
    """
    dataset_id, settings = model.data.record.id, with_threshold(settings, workspace)
    earlier = held_against(workspace, dataset_id)
    values, users = audited_values(model, settings.metrics), audit_table(model.data, settings, earlier)
    result = audit(values, users, settings, earlier)
    keep_audited(workspace, model.data, values, users, settings, earlier, result.shown)
    return result


def keep_audit(
    workspace: Workspace, model: LoadedModel, result: AuditResult, items: ItemAudit | None = None
) -> AuditRecord:
    """Keeps an audit in the workspace; its name says what was compared, of which model, and when."""
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    name = f"{model.record.name[:40]} by {', '.join(result.settings.by)[:30]}, {moment}"
    details: dict[str, Any] = {
        "model": model.record.id,
        "metric": result.settings.metric,
        "by": list(result.settings.by),
        "items_by": list(items.settings.by) if items else [],
    }
    evidence = evidence_of(model, result, items)

    def write(folder: Path) -> None:
        write_json(folder / AUDIT_FILE, result.to_record())
        write_json(folder / EVIDENCE_FILE, evidence.to_record())

    return workspace.add_audit(name, details, write)


def open_audit(workspace: Workspace, audit_id: str) -> KeptAudit:
    """An audit by id or name, as it was found then; what earlier versions didn't keep is worked out now.

    Raises:
        NotFoundError: there is none of that id or name, or the model of an old one is gone.
        StoreError: a file of it is damaged.
    """
    record = workspace.resolve("audit", audit_id)
    folder = workspace.checked_folder(record)
    result = AuditResult.from_record(read_json(folder / AUDIT_FILE))
    if EVIDENCE_FILE in record.folder_sha256:
        evidence = Evidence.from_record(read_json(folder / EVIDENCE_FILE))
    else:
        evidence = evidence_of(open_model(workspace, str(record.details["model"])), result)
    return KeptAudit(record, result, evidence)


def report_html(
    model: LoadedModel, result: AuditResult, items: ItemAudit | None = None, language: Language = "en"
) -> str:
    """The audit as one self-contained HTML page, with what another person needs to run it again."""
    evidence = evidence_of(model, result, items)
    return audit_html(result, evidence.context, evidence.extras, language=language)


def write_report(
    kept: KeptAudit,
    out: Path,
    form: Format = "html",
    sections: tuple[Section, ...] = SECTIONS,
    notes: str = "",
    language: Language = "en",
) -> None:
    """Writes the report of a kept audit to a file.

    Raises:
        ConfigError: a PDF is asked for, and what makes PDFs isn't there.
        StoreError: the file can't be written.
    """
    content = report_bytes(kept.result, kept.evidence, form, sections, notes, language)
    write_atomically(out, lambda path: path.write_bytes(content))
