"""For whom a model works worse, and the report of it."""

import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from recsys_core.actions.loaded import LoadedModel, content_sha256
from recsys_core.data.validate import INTERACTIONS
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditResult, AuditSettings
from recsys_core.files import write_atomically, write_json
from recsys_core.ranker.evaluation import per_person_table
from recsys_core.report.audit_html import ReportContext, audit_html
from recsys_core.store.records import AuditRecord
from recsys_core.store.workspace import Workspace

AUDIT_FILE = "audit.json"
PACKAGES = ("reclens", "torch", "fairlearn", "numpy", "pandas")


def audit_model(model: LoadedModel, settings: AuditSettings) -> AuditResult:
    """Compares groups of people by a metric of the lists that the model makes for them (test targets).

    Raises:
        DataError: an attribute that doesn't exist or can't make groups, or a hidden reference.
        ConfigError: no such metric.
    """
    values = per_person_table(model.data.dataset, model.test, settings.metric)
    return audit(values, model.data.dataset.users, settings)


def keep_audit(workspace: Workspace, model: LoadedModel, result: AuditResult) -> AuditRecord:
    """Keeps an audit in the workspace; its name says what was compared, of which model, and when."""
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    name = f"{model.record.name[:40]} by {', '.join(result.settings.by)[:30]}, {moment}"
    details = {"model": model.record.id, "metric": result.settings.metric, "by": list(result.settings.by)}
    return workspace.add_audit(
        name, details, lambda folder: write_json(folder / AUDIT_FILE, result.to_record())
    )


def report_html(model: LoadedModel, result: AuditResult) -> str:
    """The audit as one self-contained HTML page, with what another person needs to run it again."""
    data = model.data.record
    context = ReportContext(
        title=f"Audit of {model.record.name}",
        dataset=data.name,
        dataset_sha256=data.folder_sha256[INTERACTIONS],
        model=f"{model.record.name} ({model.ranker_name}, seed {model.seed})",
        model_sha256=content_sha256(model.record),
        command=rerun_command(model, result.settings),
        versions={"python": sys.version.split()[0]} | {name: version(name) for name in PACKAGES},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        as_of="test",
    )
    return audit_html(result, context)


def write_report(model: LoadedModel, result: AuditResult, out: Path) -> None:
    """Writes the HTML report to a file.

    Raises:
        StoreError: the file can't be written.
    """
    html = report_html(model, result)
    write_atomically(out, lambda path: path.write_text(html, encoding="utf-8"))


def rerun_command(model: LoadedModel, settings: AuditSettings) -> str:
    """The command line that gives the same figures again."""
    parts = ["reclens", "audit", model.record.name]
    for attribute in settings.by:
        parts += ["--by", attribute]
    parts += ["--metric", settings.metric, "--reference", settings.reference]
    if settings.margin is not None:
        parts += ["--margin", str(settings.margin)]
    return shlex.join([*parts, "--draws", str(settings.draws), "--seed", str(settings.seed)])
