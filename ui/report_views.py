"""What the Report page draws: the choice of an audit and its parts, downloads, and the report itself."""

from importlib.util import find_spec

import streamlit as st

from recsys_core.actions.audits import KeptAudit
from recsys_core.report.contents import SECTIONS, Section
from recsys_core.report.formats import FORMATS, Format, report_bytes
from recsys_core.report.words import LANGUAGES, Language
from recsys_core.store.records import AuditRecord
from ui import state
from ui.audit_names import attribute_name
from ui.components import metric_name
from ui.text import plain, t, when

PREVIEW_HEIGHT = 900
LANGUAGE_NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}
MIME: dict[Format, str] = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
    "pdf": "application/pdf",
}
ICONS: dict[Format, str] = {"html": "description", "json": "data_object", "csv": "table", "pdf": "print"}


def choose_audit(audits: list[AuditRecord]) -> str:
    """Draws the choice among kept audits, newest first; the id of the chosen one."""
    names = {record.id: audit_name(record) for record in audits}
    return st.selectbox(t("report.audit"), list(names), format_func=names.__getitem__, key="report_audit")


def audit_name(record: AuditRecord) -> str:
    """A kept audit as people tell it from others: model, attributes, metric, and when it was made."""
    by, metric = record.details.get("by"), record.details.get("metric")
    if not by or not metric:
        return plain(record.name)
    model = plain(record.name).rpartition(" by ")[0] or plain(record.name)
    attributes = ", ".join(attribute_name(str(name)) for name in by)
    return " · ".join((model, attributes, metric_name(str(metric)), when(record.created_at_s)))


def choose_sections(kept: KeptAudit) -> tuple[Section, ...]:
    """Draws the choice among the parts that this audit has something for."""
    extras = kept.evidence.extras
    empty = {
        "items": extras.items is None,
        "rates": not extras.rates,
        "no_profiling": not extras.no_profiling,
    }
    there: list[Section] = [section for section in SECTIONS if not empty.get(section, False)]
    chosen = st.pills(
        t("report.sections"),
        there,
        selection_mode="multi",
        default=there,
        format_func=lambda section: t(f"report.section_{section}"),
        key=f"report_sections_{kept.record.id}",
        help=t("report.sections_help"),
    )
    return tuple(section for section in there if section in chosen)


def choose_language() -> Language:
    """Draws the choice of the report's language, which is the interface's at first."""
    spoken = state.context().lang
    state.begin_anew("report_language", spoken, spoken)
    chosen = st.segmented_control(
        t("report.language"),
        LANGUAGES,
        format_func=LANGUAGE_NAMES.__getitem__,
        required=True,
        key="report_language",
        help=t("report.language_help"),
    )
    return chosen or spoken


def draw_downloads(kept: KeptAudit, sections: tuple[Section, ...], notes: str, language: Language) -> None:
    """A button for each format; PDF where what makes it is installed."""
    has_pdf = find_spec("weasyprint") is not None
    with st.container(horizontal=True):
        for form in FORMATS:
            if form != "pdf" or has_pdf:
                st.download_button(
                    t(f"report.download_{form}"),
                    lambda form=form: report_bytes(
                        kept.result, kept.evidence, form, sections, notes, language
                    ),
                    file_name=f"report.{form}",
                    mime=MIME[form],
                    key=f"report_{form}",
                    icon=f":material/{ICONS[form]}:",
                    type="primary" if form == "html" else "secondary",
                    on_click="ignore",
                )
    if not has_pdf:
        st.caption(t("report.no_pdf"))
    st.caption(t("report.command"))
    st.code(kept.evidence.context.command, language=None, wrap_lines=True)


def draw_preview(kept: KeptAudit, sections: tuple[Section, ...], notes: str, language: Language) -> None:
    """The HTML report as it will be handed over; its own policy lets nothing in it run or load."""
    st.subheader(t("report.preview"), anchor=False)
    html = report_bytes(kept.result, kept.evidence, "html", sections, notes, language).decode()
    st.iframe(html, height=PREVIEW_HEIGHT, alt=t("report.preview_alt"))
