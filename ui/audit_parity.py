"""Are explanations as true, as short and as steady for everybody? Drawn on Fairness, once it is asked for."""

import streamlit as st

from recsys_core.actions.explanation_parity import (
    MEASURES,
    N_PEOPLE,
    ExplanationParity,
    audit_explanations,
)
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.result import AuditResult
from ui import cache
from ui.audit_answers import measured_alike, on_request
from ui.audit_attribute import choose_attribute
from ui.audit_small import draw_small_audit
from ui.components import help_text, metric_name
from ui.text import has, safe, t

SIZES = (100, N_PEOPLE, 1_000)


def draw_parity(model: LoadedModel, result: AuditResult) -> None:
    """How many people to draw, the button with its progress, and an audit of each of three measures."""
    st.subheader(t("causes.parity"), anchor=False, help=t("causes.parity_help"))
    n_people = st.segmented_control(
        t("causes.parity_people"),
        list(SIZES),
        default=N_PEOPLE,
        required=True,
        format_func=lambda n: f"{n:,}",
        key="parity_people",
    )
    asked = measured_alike(result.settings)

    def explain() -> ExplanationParity:
        bar = st.progress(0.0)
        try:
            return audit_explanations(
                model,
                asked,
                n_people,
                lambda share, _: bar.progress(share, t("causes.parity_share", share=f"{share:.0%}")) and None,
                cache.workspace(),
            )
        finally:
            bar.empty()

    words = t("causes.parity_run"), t("causes.parity_not_run"), t("causes.parity_running")
    found = on_request("parity", (model.record.id, asked, n_people), words, ":material/lightbulb:", explain)
    if found is not None:
        _draw(found, list(asked.by))


def _draw(found: ExplanationParity, by: list[str]) -> None:
    with st.container(horizontal=True):
        measure = st.segmented_control(
            t("causes.parity_measure"),
            list(MEASURES),
            default=MEASURES[0],
            required=True,
            format_func=metric_name,
            key="parity_measure",
        )
        attribute = choose_attribute(by, "parity_attribute")
    method = t(f"explain.method_{found.method}") if has(f"explain.method_{found.method}") else found.method
    st.caption(t("causes.parity_means", n=found.n, method=safe(method), means=help_text(measure)))
    draw_small_audit(found.audits[measure], attribute, "parity")
