"""Compare: two models over the same people: figures, who gains and who loses, their lists side by side."""

import streamlit as st

from recsys_core.actions.models import LoadedModel
from ui import cache, state
from ui.audit_names import attribute_name, usable_attributes
from ui.audit_words import METRIC_NAMES
from ui.compare_views import draw_figures, draw_groups, draw_lists, draw_sentence, draw_wins
from ui.components import (
    TRAIN,
    context_bar,
    empty_state,
    errors_as_sentences,
    metric_name,
    names_of,
    page_header,
)
from ui.person_finder import choose_person
from ui.state import Context
from ui.text import t


def choose_other(chosen: Context) -> str | None:
    """Draws the choice of the second model; its id, or None once the empty state is drawn."""
    models = [
        model
        for model in cache.workspace().models()
        if model.dataset_id == chosen.dataset and model.id != chosen.model
    ]
    if not models:
        empty_state("compare.no_other", "compare.no_other_why", "frame.get_model", TRAIN, key="empty_other")
        return None
    ids = [model.id for model in models]
    other = chosen.other if chosen.other in ids else ids[0]
    state.update(other=other)
    st.session_state["compare_other"] = other
    st.selectbox(
        t("compare.other"),
        ids,
        format_func=names_of(models),
        key="compare_other",
        on_change=lambda: state.update(other=st.session_state["compare_other"]),
    )
    return other


def show(own: LoadedModel, other: LoadedModel, k: int) -> None:
    """All that two models of one data set can be compared by."""
    columns = st.columns([4, 6])
    metric = columns[0].selectbox(
        t("compare.metric"),
        METRIC_NAMES,
        format_func=lambda name: metric_name(f"{name}@{k}"),
        key="compare_metric",
        persist_state="session",
    )
    attributes = usable_attributes(own.data)
    by = columns[1].multiselect(
        t("compare.by"),
        attributes,
        default=attributes[:1],
        format_func=attribute_name,
        key="compare_by",
        persist_state="session",
    )
    draw_sentence(own, other, f"{metric}@{k}")
    draw_figures(own, other, k)
    draw_wins(own, other, f"{metric}@{k}")
    if by:
        draw_groups(own, other, f"{metric}@{k}", tuple(by))


page_header("compare.heading", "compare.caption")
context = context_bar(needs_model=True)
if context is not None and context.model is not None:
    second = choose_other(context)
    if second is not None:
        first_model, second_model = cache.model(context.model), cache.model(second)
        with errors_as_sentences():
            show(first_model, second_model, context.k)
        st.subheader(t("compare.lists"), anchor=False)
        context = choose_person(first_model)
        if context.user is not None:
            with errors_as_sentences():
                draw_lists(first_model, second_model, context.user, context.k, context.as_of)
