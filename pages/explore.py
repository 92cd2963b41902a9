"""Explore: one person, their history, the list that a model ranks for them, and what-ifs."""

import streamlit as st

from recsys_core.actions.models import LoadedModel
from ui import answers, cache
from ui.components import context_bar, errors_as_sentences, page_header
from ui.list_views import draw_history, draw_list, draw_what_if
from ui.lists import with_knowledge
from ui.people import attributes_of, history_table
from ui.person_finder import choose_person
from ui.text import safe, t


def show_known(model: LoadedModel) -> None:
    """Somebody who is in the data."""
    chosen = choose_person(model)
    if chosen.user is None:
        return
    with errors_as_sentences():
        history = history_table(model.data, chosen.user, chosen.as_of)
        attributes = attributes_of(model.data, chosen.user).items()
        if attributes:
            st.caption(" · ".join(f"{safe(name)}: {safe(value)}" for name, value in attributes))
        left, right = st.columns([5, 7], gap="large")
        with left:
            draw_history(history)
        with right:
            draw_what_if(model, chosen.user, chosen.k, chosen.as_of, history)


def show_new(model: LoadedModel, k: int) -> None:
    """Somebody of whom only a wish is known."""
    wish = st.text_input(
        t("explore.wish"), key="explore_wish", placeholder=t("explore.wish_placeholder"), max_chars=400
    )
    st.caption(t("explore.wish_means"))
    if not wish or not wish.strip():
        return
    with errors_as_sentences():
        with st.spinner(t("explore.reading")):
            ranked = answers.wish_list(cache.workspace(), model, wish, k)
        st.subheader(t("explore.list", k=k), anchor=False)
        draw_list(with_knowledge(model.data, ranked, "similarity"), "explore_wish_list", "similarity")


page_header("explore.heading", "explore.caption")
context = context_bar(needs_model=True)
if context is not None and context.model is not None:
    mode = st.segmented_control(
        t("explore.mode"),
        ("known", "new"),
        default="known",
        required=True,
        format_func=lambda name: t(f"explore.mode_{name}"),
        key="explore_mode",
        label_visibility="collapsed",
    )
    if mode == "new":
        show_new(cache.model(context.model), context.k)
    else:
        show_known(cache.model(context.model))
