"""Report: a kept audit to hand over, with the parts that are wanted and a few words of one's own."""

import streamlit as st

from recsys_core.actions.audits import open_audit
from ui import cache
from ui.components import FAIRNESS, empty_state, errors_as_sentences, page_header
from ui.report_views import choose_audit, choose_language, choose_sections, draw_downloads, draw_preview
from ui.text import t


def main() -> None:
    """Draws the page."""
    page_header("report.heading", "report.caption")
    audits = cache.workspace().audits()
    if not audits:
        empty_state("report.none", "report.none_why", "report.go_audit", FAIRNESS, key="empty_audits")
        return
    with errors_as_sentences():
        kept = open_audit(cache.workspace(), choose_audit(audits))
        sections, language = choose_sections(kept), choose_language()
        notes = st.text_area(
            t("report.notes"),
            key="report_notes",
            placeholder=t("report.notes_example"),
            max_chars=4_000,
            persist_state="session",
        )
        draw_downloads(kept, sections, notes or "", language)
        draw_preview(kept, sections, notes or "", language)


main()
