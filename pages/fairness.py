"""Fairness: for whom a model works worse, with the statistics that such a claim needs."""

import streamlit as st

from recsys_core.actions.audits import keep_audit
from recsys_core.actions.models import LoadedModel
from ui import answers, cache, state
from ui.audit_settings import choose_settings
from ui.audit_views import choose_metric, draw_attribute, draw_downloads, draw_headline, draw_open, draw_sizes
from ui.audit_words import usable_attributes
from ui.components import DATA, context_bar, empty_state, errors_as_sentences, page_header
from ui.mitigation_views import draw_mitigation
from ui.text import t
from ui.why_views import draw_why


def show(model: LoadedModel, k: int) -> None:
    """The choices, and the audit that was run with exactly these."""
    attributes = usable_attributes(model.data)
    if not attributes:
        empty_state(
            "fairness.no_attribute",
            "fairness.no_attribute_why",
            "fairness.get_attribute",
            DATA,
            "empty_attribute",
        )
        return
    settings = choose_settings(model, attributes, k)
    asked = st.button(
        t("fairness.run"),
        key="fairness_run",
        type="primary",
        icon=":material/balance:",
        disabled=settings is None,
    )
    if settings is None:
        st.caption(t("fairness.choose_first"))
        return
    first, *_ = answers.audit_plan(cache.workspace(), model, settings)
    draw_sizes(first)
    result = answers.kept_audit(model, settings)
    if asked and result is None:
        with st.spinner(t("fairness.running")):
            result = answers.run_audit(cache.workspace(), model, settings)
            keep_audit(cache.workspace(), model, result)
        state.tick("audit")
    if result is None:
        st.caption(t("fairness.not_run"))
        return
    shown = choose_metric(result)
    draw_headline(shown)
    draw_attribute(shown)
    draw_why(model, shown)
    draw_mitigation(model, shown)
    draw_open(shown)
    draw_downloads(model, result)


page_header("fairness.heading", "fairness.caption")
context = context_bar(needs_model=True)
if context is not None and context.model is not None:
    with errors_as_sentences():
        show(cache.model(context.model), context.k)
