"""What Explain draws beside the history: components, contrast, the smallest change, who has no history."""

import pandas as pd
import streamlit as st

from recsys_core.actions.counterfactuals import list_after
from recsys_core.actions.models import LoadedModel, list_for_user
from recsys_core.errors import ConfigError
from recsys_core.explain.components import parts_of
from recsys_core.explain.explanation import Explanation
from recsys_core.explain.standing import Change
from ui import answers, charts, charts_reasons
from ui.components import chart, errors_as_sentences, table
from ui.lists import rank_changes
from ui.reason_parts import (
    change_sentence,
    components_sentence,
    components_table,
    contrast_sentence,
    contrast_table,
)
from ui.state import AsOf
from ui.text import plain, safe, t

MIN_ROWS = 10  # of the lists before and after a change
ROW_HEIGHT = 35  # pixels, of a table's row


def draw_components(model: LoadedModel, user_id: str, item_id: str, as_of: AsOf) -> None:
    """A waterfall from the score of nothing known to the score; a sentence where there are no parts."""
    st.subheader(t("reasons.components"), anchor=False, help=t("reasons.components_help"))
    try:
        parts_of(model.ranker)
    except ConfigError:
        st.caption(t("reasons.no_parts"))
        return
    found = answers.components(model, user_id, item_id, as_of)
    item = f"**{safe(model.data.dataset.titles[model.data.dataset.item_number(item_id)])}**"
    st.markdown(components_sentence(item, found))
    numbers = components_table(found)
    figure = charts_reasons.waterfall(numbers, t("reasons.log_probability"))
    chart(figure, "explain_components", t("reasons.components_alt"), numbers.drop(columns="is_total"))
    st.caption(t("reasons.components_means"))


def draw_contrast(
    model: LoadedModel, user_id: str, item_id: str, explanation: Explanation, k: int, as_of: AsOf
) -> None:
    """Why this item rather than another one of the list."""
    st.subheader(t("reasons.contrast"), anchor=False, help=t("reasons.contrast_help"))
    other = _choose_other(model, user_id, item_id, k, as_of, "explain_over", t("reasons.other"))
    if other is None:
        st.caption(t("reasons.no_other"))
        return
    with errors_as_sentences():
        method = explanation.attributions.method
        found = answers.contrast(model, user_id, item_id, other, method, as_of, explanation.baseline)
        numbers = contrast_table(model, found)
        st.markdown(contrast_sentence(model, found, numbers, explanation.verified))
        bars = charts.attribution_bars(numbers, t("explain.position"), t("reasons.to_margin"))
        shown = numbers.drop(columns=["item_id", "category"])
        chart(bars, "explain_contrast", t("reasons.contrast_alt"), shown)
        st.caption(t("reasons.margin", margin=f"{found.margin:+.4f}"))


def draw_smallest_change(model: LoadedModel, user_id: str, item_id: str, k: int, as_of: AsOf) -> None:
    """The smallest change that moves the item, and the list that it really leaves, if it is applied."""
    st.subheader(t("reasons.change"), anchor=False, help=t("reasons.change_help"))
    ranked = list_for_user(model, user_id, k, as_of)
    goals = ["leave", "overtaken"] if (ranked["item_id"] == item_id).any() else ["enter"]
    goal = st.segmented_control(
        t("reasons.goal"),
        goals,
        format_func=lambda name: t(f"reasons.goal_{name}", k=k),
        key=f"explain_goal_{goals[0]}",
    )
    if goal is None:
        return
    with errors_as_sentences():
        change = _change(model, user_id, item_id, goal, k, as_of)
        if change is None:
            st.caption(t("reasons.no_other"))
            return
        st.markdown(change_sentence(model, change))
        st.caption(t("reasons.ranked_anew", n=f"{change.n_ranked:,}"))
        if len(change.items):
            _draw_what_if(model, user_id, item_id, change, k, as_of)


def draw_without_history(model: LoadedModel, user_id: str, item_id: str, k: int, as_of: AsOf) -> None:
    """What explains a list that was made without a history: profile and popularity."""
    dataset = model.data.dataset
    number = dataset.item_number(item_id)
    counts = answers.popularity(model.data)
    place = 1 + int((counts[1:] > counts[number]).sum())
    st.markdown(
        t(
            "reasons.popular_place",
            item=f"**{safe(dataset.titles[number])}**",
            n=int(counts[number]),
            place=f"{place:,}",
            items=f"{dataset.n_items:,}",
        )
    )
    draw_components(model, user_id, item_id, as_of)
    if not (list_for_user(model, user_id, k, as_of)["item_id"] == item_id).any():
        draw_smallest_change(model, user_id, item_id, k, as_of)  # there is nothing to take away


def _choose_other(
    model: LoadedModel,
    user_id: str,
    item_id: str,
    k: int,
    as_of: AsOf,
    key: str,
    label: str,
    below: bool = False,
) -> str | None:
    """Draws the choice among the other items of the list, the next one below first."""
    ranked = list_for_user(model, user_id, max(k, 10), as_of)
    places = dict(zip(ranked["item_id"], ranked["rank"], strict=True))
    own = places.get(item_id, 0)
    titles = {
        item: f"{rank}. {plain(title)}"
        for item, rank, title in zip(ranked["item_id"], ranked["rank"], ranked["title"], strict=True)
        if item != item_id and (rank > own or not below)
    }
    if not titles:
        return None
    first = next((place for place, item in enumerate(titles) if places[item] > own), 0)
    return st.selectbox(
        label, list(titles), index=first, format_func=titles.__getitem__, key=f"{key}_{item_id}"
    )


def _change(model: LoadedModel, user_id: str, item_id: str, goal: str, k: int, as_of: AsOf) -> Change | None:
    """The smallest change for a goal; None where there is no item that could overtake."""
    rival = None
    if goal == "overtaken":
        label = t("reasons.by_whom")
        rival = _choose_other(model, user_id, item_id, k, as_of, "explain_rival", label, below=True)
        if rival is None:
            return None
    with st.spinner(t("reasons.searching")):
        if goal == "enter":
            return answers.addition(model, user_id, item_id, k, as_of)
        return answers.removal(model, user_id, item_id, k, rival, as_of)


def _draw_what_if(
    model: LoadedModel, user_id: str, item_id: str, change: Change, k: int, as_of: AsOf
) -> None:
    """The list before and after, side by side; the item is marked on both."""
    if not st.toggle(
        t("reasons.apply"), key=f"explain_apply_{change.goal.kind}", help=t("reasons.apply_help")
    ):
        return
    length = max(k, MIN_ROWS)
    n_items = model.data.dataset.n_items
    whole = list_for_user(model, user_id, n_items, as_of)
    before = _first(whole, length, item_id)
    after = _first(list_after(model, user_id, change, n_items, as_of), length, item_id)
    places = whole.set_index("item_id")["rank"]
    moves = rank_changes(places.reindex(after["item_id"]).tolist(), after["rank"].tolist())
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption(t("reasons.before"))
        _draw_list(before, item_id, "explain_before", t("reasons.before"))
    with right:
        st.caption(t("reasons.after"))
        _draw_list(after.assign(change=moves), item_id, "explain_after", t("reasons.after"))
    if change.goal.kind == "enter":
        st.caption(t("reasons.added_leave"))


def _first(ranked: pd.DataFrame, n: int, item_id: str) -> pd.DataFrame:
    """The first n rows of a whole list, and the explained item's row wherever it is."""
    return ranked[(ranked["rank"] <= n) | (ranked["item_id"] == item_id)].reset_index(drop=True)


def _draw_list(ranked: pd.DataFrame, item_id: str, key: str, alt: str) -> None:
    config = st.column_config
    marks = ["▶" if own == item_id else "" for own in ranked["item_id"]]
    columns = ["rank", "change", "title"] if "change" in ranked else ["rank", "title"]
    shown = ranked[columns].assign(title=[plain(title) for title in ranked["title"]])
    shown.insert(0, "mark", marks)
    table(
        shown,
        key,
        f"{key.removeprefix('explain_')}.csv",
        alt=alt,
        column_config={
            "mark": config.TextColumn("", width=30, help=t("reasons.mark_help")),
            "rank": config.NumberColumn(t("explain.rank"), width=60),
            "change": config.TextColumn(t("reasons.move"), width=65, help=t("reasons.move_help")),
            "title": config.TextColumn(t("explain.title"), width="medium"),
        },
        height=ROW_HEIGHT * (1 + min(len(shown), MIN_ROWS + 1)) + 2,
    )
