"""Fairness: for whom a model works worse, with the statistics that such a claim needs."""

from collections.abc import Callable

import streamlit as st

from recsys_core.actions.audits import keep_audit
from recsys_core.actions.item_audits import DEFAULT_K
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.fairness.exposure_result import ItemAudit
from recsys_core.fairness.result import AuditResult
from recsys_core.metrics.ranking import name_and_k
from ui import answers, cache, state
from ui.audit_checks import draw_feedback, draw_suspicious
from ui.audit_gaps import draw_attribute
from ui.audit_item_views import ItemsAsked, draw_items, known_items
from ui.audit_leakage import draw_leakage
from ui.audit_membership import draw_membership
from ui.audit_names import usable_attributes
from ui.audit_parity import draw_parity
from ui.audit_people import draw_people
from ui.audit_settings import choose_section, choose_settings
from ui.audit_subgroup import draw_subgroup
from ui.audit_views import choose_metric, draw_downloads, draw_headline, draw_open, draw_sizes
from ui.components import DATA, context_bar, empty_state, errors_as_sentences, page_header
from ui.mitigation_views import draw_mitigation
from ui.text import t
from ui.why_views import draw_why

DRAWS = 1_000  # of the item side where there are no groups of people, and so no settings


def show(model: LoadedModel, k: int) -> None:
    """The choices, the audit that was run with exactly these, and one part of it at a time."""
    attributes = usable_attributes(model.data)
    if not attributes:
        why = ("fairness.no_attribute", "fairness.no_attribute_why", "fairness.get_attribute")
        empty_state(*why, DATA, "empty_attribute")
        draw_items(model, ItemsAsked(k, DRAWS, seed=0, minimum_group=minimum_group(cache.workspace())))
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
    with errors_as_sentences():
        PARTS[choose_section(list(PARTS))](model, result, shown)
    draw_downloads(model, result, known_items(model, _items_asked(result)))


def _items_asked(result: AuditResult) -> ItemsAsked:
    """The item side goes with the audit: the same places, draws and seed."""
    asked = result.settings
    k = name_and_k(asked.metric)[1] or DEFAULT_K
    return ItemsAsked(k, asked.draws, asked.seed, asked.minimum_group)


def _groups(model: LoadedModel, result: AuditResult, shown: AuditResult) -> None:
    draw_people(model, shown, draw_attribute(shown))
    draw_open(shown)


def _items(model: LoadedModel, result: AuditResult, shown: AuditResult) -> None:
    def keep(items: ItemAudit) -> None:
        keep_audit(cache.workspace(), model, result, items)

    draw_items(model, _items_asked(result), keep)


def _why(model: LoadedModel, result: AuditResult, shown: AuditResult) -> None:
    draw_why(model, shown)
    draw_subgroup(model, shown, usable_attributes(model.data, derived=False))
    draw_parity(model, shown)


def _attribute(model: LoadedModel, result: AuditResult, shown: AuditResult) -> None:
    draw_leakage(model, shown, _items_asked(result).k)


def _checks(model: LoadedModel, result: AuditResult, shown: AuditResult) -> None:
    draw_suspicious(model, shown)
    draw_feedback(model, shown)
    draw_membership(model, shown)


def _mitigation(model: LoadedModel, result: AuditResult, shown: AuditResult) -> None:
    draw_mitigation(model, shown)


PARTS: dict[str, Callable[[LoadedModel, AuditResult, AuditResult], None]] = {
    "groups": _groups,
    "items": _items,
    "why": _why,
    "attribute": _attribute,
    "mitigation": _mitigation,
    "checks": _checks,
}

page_header("fairness.heading", "fairness.caption")
context = context_bar(needs_model=True)
if context is not None and context.model is not None:
    with errors_as_sentences():
        show(cache.model(context.model), context.k)
