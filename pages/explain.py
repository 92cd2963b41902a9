"""Explain: why one item is on one person's list, and whether that answer is true."""

import streamlit as st

from recsys_core.actions.models import LoadedModel, list_for_user, list_source
from ui import cache, state
from ui.components import EXPLORE, context_bar, empty_state, errors_as_sentences, page_header
from ui.model_report import draw_model_report
from ui.people import history_table
from ui.person_finder import choose_person
from ui.reason_curves import draw_curves
from ui.reason_part_views import (
    draw_components,
    draw_contrast,
    draw_side_by_side,
    draw_smallest_change,
    draw_without_history,
)
from ui.reason_views import (
    draw_contributions,
    draw_faithfulness,
    draw_figures,
    draw_sentence,
    draw_verification,
)
from ui.reasons import ask, contributions, fitting_methods, is_the_same_for_all
from ui.state import Context
from ui.text import plain, safe, t


def choose_item(model: LoadedModel, chosen: Context) -> str | None:
    """Draws the choice among the items of the list; the item's id, or None where the list is empty."""
    shown = list_for_user(model, chosen.user or "", chosen.k, chosen.as_of)
    titles = {
        str(item_id): f"{rank}. {plain(title)}"
        for item_id, rank, title in zip(shown["item_id"], shown["rank"], shown["title"], strict=True)
    }
    asked = chosen.item or next(iter(titles), None)
    if asked is None:
        st.caption(t("explain.no_list"))
        return None
    is_known = (model.data.dataset.items["item_id"] == asked).any()
    if is_known:
        titles.setdefault(asked, plain(model.data.dataset.titles[model.data.dataset.item_number(asked)]))
    st.session_state["explain_item"] = asked if is_known else None
    st.selectbox(
        t("explain.item"),
        list(titles),
        format_func=titles.__getitem__,
        key="explain_item",
        on_change=lambda: state.update(item=st.session_state["explain_item"]),
    )
    return asked


def choose_method(model: LoadedModel) -> str:
    """Draws the choice among the methods that fit the ranker."""
    methods = fitting_methods(model)
    return st.selectbox(
        t("explain.method"),
        methods,
        format_func=lambda name: t(f"explain.method_{name}"),
        key=f"explain_method_{methods[0]}",
        help=t("explain.method_help"),
        persist_state="session",
    )


def show(model: LoadedModel, chosen: Context) -> None:
    """The explanation of one item of the person's list."""
    columns = st.columns([7, 5], vertical_alignment="bottom")
    with columns[0]:
        item = choose_item(model, chosen)
    with columns[1]:
        method = choose_method(model)
    if item is None or chosen.user is None:
        return
    title = safe(model.data.dataset.titles[model.data.dataset.item_number(item)])
    if history_table(model.data, chosen.user, chosen.as_of).empty:
        source = list_source(model, chosen.user, chosen.as_of)
        key = "reasons.no_history_profile" if source == "profile" else "reasons.no_history"
        st.markdown(t(key, item=f"**{title}**"))
        draw_without_history(model, chosen.user, item, chosen.k, chosen.as_of)
        return
    with st.spinner(t("explain.asking")):
        evidence = ask(model, chosen.user, item, method, chosen.as_of)
    state.tick("why")
    explanation = evidence.explanation
    contributed = contributions(model, explanation)
    if explanation.rank > chosen.k:
        st.caption(t("explain.off_list", item=title, k=chosen.k, rank=f"{explanation.rank:,}"))
    draw_sentence(model, explanation, contributed)
    if is_the_same_for_all(model):
        st.caption(t("explain.same_for_all"))
        return
    draw_figures(model, explanation)
    draw_contributions(contributed)
    draw_components(model, chosen.user, item, chosen.as_of)
    draw_contrast(model, chosen.user, item, explanation, chosen.k, chosen.as_of)
    draw_smallest_change(model, chosen.user, item, chosen.k, chosen.as_of)
    draw_faithfulness(evidence)
    draw_curves(explanation)
    if explanation.verification is not None:
        draw_verification(explanation.verification)
    draw_side_by_side(model, chosen.user, item, chosen.as_of)


page_header("explain.heading", "explain.caption")
context = context_bar(needs_model=True)
if context is not None and context.model is not None:
    loaded = cache.model(context.model)
    if loaded.ranker.score_kind == "imported":
        empty_state(
            "explain.imported", "explain.imported_why", "explain.imported_go", EXPLORE, "empty_imported"
        )
    else:
        context = choose_person(loaded)
        if context.user is not None:
            with errors_as_sentences():
                show(loaded, context)
        draw_model_report(loaded)
