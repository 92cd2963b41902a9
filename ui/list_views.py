"""What Explore draws of one person: their history, what-ifs, the ranked list, and the way to a reason."""

import pandas as pd
import streamlit as st

from recsys_core.actions.models import LoadedModel, list_source
from recsys_core.ranker.protocol import ScoreKind
from ui import state
from ui.components import EXPLAIN, table
from ui.lists import history_columns, list_columns, ranked_list, readable
from ui.people import held_out_item
from ui.reasons import is_the_same_for_all
from ui.state import AsOf
from ui.text import plain, safe, t

ORDERS = ("model", "mmr", "calibration", "popularity", "cap")
ROWS_AT_ONCE, TABLE_HEIGHT = 10, 422  # a longer history scrolls in as many pixels


def draw_history(history: pd.DataFrame) -> None:
    """What is known of the person, latest first; without a column of times where there are none."""
    st.subheader(t("explore.history", n=len(history)), anchor=False, help=t("explore.history_help"))
    if history.empty:
        st.caption(t("explore.no_history"))
        return
    shown = history if history["time"].notna().any() else history.drop(columns="time")
    table(
        shown.assign(item_id=shown["item_id"].map(plain)),
        "explore_history",
        "history.csv",
        alt=t("explore.history_alt"),
        column_config=history_columns(),
        height=TABLE_HEIGHT if len(shown) > ROWS_AT_ONCE else "auto",
    )


def draw_what_if(model: LoadedModel, user_id: str, k: int, as_of: AsOf, history: pd.DataFrame) -> None:
    """The ranked list, redrawn without the items of the history that are dropped."""
    st.subheader(t("explore.list", k=k), anchor=False)
    dropped = _choose_dropped(model, user_id, as_of, history) if len(history) else []
    rerank = _choose_order(model)
    shown = ranked_list(model, user_id, k, as_of, dropped, rerank)
    source = list_source(model, user_id, as_of, dropped)
    if shown.empty:
        st.caption(t("explore.nothing_left"))
        return
    if dropped:
        same = is_the_same_for_all(model)
        st.caption(t("explore.dropped_same" if same else "explore.dropped", n=len(dropped)))
    if rerank:
        st.caption(t("explore.reordered"))
    if source in ("profile", "popularity") and not is_the_same_for_all(model):
        st.caption(t(f"explore.source_{source}"))
    elif not dropped and not rerank and as_of == "test":
        st.caption(_held_out_sentence(model, user_id, k))
    draw_list(shown, "explore_list", model.ranker.score_kind)
    _ask_why(shown)


def draw_list(shown: pd.DataFrame, key: str, score_kind: ScoreKind) -> None:
    """A ranked list as a table."""
    table(readable(shown), key, "list.csv", alt=t("explore.list_alt"), column_config=list_columns(score_kind))


def _choose_dropped(model: LoadedModel, user_id: str, as_of: AsOf, history: pd.DataFrame) -> list[str]:
    """Items of which every event is to be taken out of the history; nobody inherits another's choice."""
    titles = dict(zip(history["item_id"], history["title"], strict=True))
    state.begin_anew("explore_drop", f"{model.data.record.id}/{as_of}/{user_id}", [])
    return st.multiselect(
        t("explore.drop"),
        list(titles),
        format_func=lambda item_id: titles.get(item_id, item_id),
        key="explore_drop",
        placeholder=t("explore.drop_placeholder"),
        help=t("explore.drop_help"),
    )


def _choose_order(model: LoadedModel) -> str | None:
    """How the list is to be put in another order: `mmr:0.3`, for instance; None for the model's own order."""
    if model.ranker.score_kind == "imported":
        return None
    columns = st.columns([6, 4], vertical_alignment="bottom")
    order = columns[0].selectbox(
        t("explore.order"),
        ORDERS,
        format_func=lambda name: t(f"explore.order_{name}"),
        key="explore_order",
        help=t("explore.order_help"),
    )
    if order == "model":
        return None
    if order == "cap":
        most = columns[1].number_input(t("explore.most"), 1, 20, 2, key="explore_most")
        return f"cap:{most}"
    strength = columns[1].slider(t("explore.how_much"), 0.0, 1.0, 0.3, 0.05, key=f"explore_{order}")
    return f"{order}:{strength:g}"


def _held_out_sentence(model: LoadedModel, user_id: str, k: int) -> str:
    """Where the held-out item is on the whole list."""
    number = held_out_item(model.data, user_id)
    if number == 0:
        return t("explore.no_held_out")
    rank = int(model.test.ranks[model.data.dataset.user_number(user_id)])
    if rank == 0:
        return t("explore.is_off_list", item=safe(model.data.dataset.titles[number]))
    key = "explore.is_hit" if rank <= k else "explore.is_miss"
    return t(key, item=safe(model.data.dataset.titles[number]), rank=f"{rank:,}", k=k)


def _ask_why(shown: pd.DataFrame) -> None:
    """Takes an item of the list to the page that explains it."""
    titles = {
        item_id: f"{rank}. {title}"
        for item_id, rank, title in zip(shown["item_id"], shown["rank"], shown["title"], strict=True)
    }
    columns = st.columns([7, 3], vertical_alignment="bottom")
    item = columns[0].selectbox(
        t("explore.ask"), list(titles), format_func=titles.__getitem__, key="explore_item"
    )
    if columns[1].button(t("explore.why"), key="explore_why", icon=":material/lightbulb:", width="stretch"):
        state.update(item=item)
        st.switch_page(EXPLAIN)
