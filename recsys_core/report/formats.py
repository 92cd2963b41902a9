"""A report in each of its forms: HTML for people, JSON and CSV for machines, PDF for archives."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any, Literal

import pandas as pd

from recsys_core.errors import ConfigError
from recsys_core.fairness.result import AuditResult
from recsys_core.report.audit_html import audit_html
from recsys_core.report.contents import SECTIONS, Evidence, Section
from recsys_core.report.law import clauses
from recsys_core.report.words import Language

Format = Literal["html", "json", "csv", "pdf"]
FORMATS: tuple[Format, ...] = ("html", "json", "csv", "pdf")
CSV_COLUMNS = [
    "section",
    "attribute",
    "group",
    "reference",
    "measure",
    "n",
    "value",
    "ci_low",
    "ci_high",
    "p_adjusted",
    "verdict",
    "note",
]

_FORMULA = re.compile(r"^\s*[=+\-@\t\r\n|%]|^\s+[=+\-@]")
_NUMBER = re.compile(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")


def report_bytes(
    result: AuditResult,
    evidence: Evidence,
    form: Format,
    sections: Sequence[Section] = SECTIONS,
    notes: str = "",
    language: Language = "en",
) -> bytes:
    """The report as the content of a file; HTML and PDF in a language, JSON and CSV as programs know them.

    Raises:
        ConfigError: a PDF is asked for, and WeasyPrint or a library of the system that it needs isn't there.
    """
    if form == "json":
        found = report_json(result, evidence, sections, notes)
        return (json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()
    if form == "csv":
        return csv_bytes(report_table(result, evidence, sections))
    html = audit_html(result, evidence.context, evidence.extras, sections, notes, language)
    return pdf_bytes(html) if form == "pdf" else html.encode()


def checked_format(word: str) -> Format:
    """`html`, `json`, `csv` or `pdf`.

    Raises:
        ConfigError: anything else.
    """
    for form in FORMATS:
        if word == form:
            return form
    raise ConfigError(f"there is no report in the format '{word}'; formats are {', '.join(FORMATS)}")


def report_json(
    result: AuditResult, evidence: Evidence, sections: Sequence[Section] = SECTIONS, notes: str = ""
) -> dict[str, Any]:
    """Everything that the report says, as plain JSON."""
    extras = evidence.extras
    parts: dict[Section, dict[str, Any]] = {
        "groups": {"audit": result.to_json()},
        "items": {"items": extras.items.to_json() if extras.items else None},
        "rates": {"scoring_rates": [asdict(row) for row in extras.rates]},
        "no_profiling": {"no_profiling": [asdict(row) for row in extras.no_profiling]},
        "rules": {"rules": [asdict(row) for row in clauses(evidence, extras.items is not None)]},
        "data": {"data": [asdict(fact) for fact in extras.data]},
        "model": {"model": [asdict(fact) for fact in extras.model]},
    }
    found: dict[str, Any] = {
        "context": asdict(evidence.context),
        "question": extras.question,
        "notes": notes,
        "settings": asdict(result.settings),
        "margin": result.margin,
    }
    for section in sections:
        found |= parts[section]
    return found


def report_table(
    result: AuditResult, evidence: Evidence, sections: Sequence[Section] = SECTIONS
) -> pd.DataFrame:
    """Every figure of the report, one a row; what is hidden or not computed says so in `note`."""
    extras, metric = evidence.extras, result.settings.metric
    overall = result.overall
    rows: list[dict[str, Any]] = [
        {"section": "overall", "measure": metric, "n": overall.n, "value": overall.value}
        | {"ci_low": overall.ci_low, "ci_high": overall.ci_high}
    ]
    if "groups" in sections:
        rows += _group_rows(result)
    if "items" in sections and extras.items is not None:
        rows += [{"section": "items"} | asdict(figure) for figure in extras.items.figures]
        rows += [_open("items", row.attribute, row.group, row.reason) for row in extras.items.not_computed]
    if "rates" in sections:
        for row in extras.rates:
            own = {"section": "rates", "attribute": row.attribute, "group": row.group, "n": row.n}
            note = "hidden" if row.n is None else "under 2 %" if row.is_small else ""
            rows.append(own | {"measure": "scoring_rate", "value": row.rate, "note": note})
            rows.append(own | {"measure": "impact_ratio", "value": row.impact_ratio, "note": note})
    if "no_profiling" in sections:
        for row in extras.no_profiling:
            own = {"section": "no_profiling", "attribute": row.attribute, "group": row.group, "n": row.n}
            ends = {"ci_low": row.ci_low, "ci_high": row.ci_high, "note": "hidden" if row.n is None else ""}
            rows.append(own | {"measure": f"{metric} without profiles", "value": row.value_without})
            rows.append(own | {"measure": f"{metric}, difference", "value": row.difference} | ends)
    return pd.DataFrame(rows, columns=pd.Index(CSV_COLUMNS))


def inert(cell: object) -> object:
    """The cell, with an apostrophe before a text that a spreadsheet would run; numbers stay numbers."""
    if not isinstance(cell, str) or not _FORMULA.match(cell) or _NUMBER.match(cell):
        return cell
    return f"'{cell}"


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8 with a byte order mark, which makes Excel read Chinese right."""
    texts = frame.select_dtypes(exclude=["number", "bool", "datetime"]).columns
    shown = frame.assign(**{column: frame[column].map(inert) for column in texts})
    shown.columns = [str(inert(str(column))) for column in frame.columns]
    return shown.to_csv(index=False).encode("utf-8-sig")


def pdf_bytes(html: str) -> bytes:
    """The HTML report as a PDF.

    Raises:
        ConfigError: WeasyPrint isn't installed, or a library of the system that it needs is missing.
    """
    try:
        weasyprint = import_module("weasyprint")
    except ModuleNotFoundError as error:
        raise ConfigError(
            "a PDF needs WeasyPrint; install it with: pip install 'reclens[pdf]', or print the HTML report "
            "to a PDF in a browser"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"WeasyPrint is installed, but a library of the system is missing ({error}); install Pango, or "
            "print the HTML report to a PDF in a browser"
        ) from error
    return weasyprint.HTML(string=html).write_pdf()


def _group_rows(result: AuditResult) -> list[dict[str, Any]]:
    metric = result.settings.metric
    rows: list[dict[str, Any]] = [
        {"section": "groups", "measure": metric, "note": "hidden" if row.suppressed else ""} | asdict(row)
        for row in result.by_group
    ]
    rows += [
        {"section": "gaps", "measure": f"{metric}, difference", "value": row.difference} | asdict(row)
        for row in result.gaps
    ]
    return rows + [_open("gaps", row.attribute, row.group, row.reason) for row in result.not_computed]


def _open(section: str, attribute: str, group: str, reason: str) -> dict[str, Any]:
    return {"section": section, "attribute": attribute, "group": group, "note": reason}
