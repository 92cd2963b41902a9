"""The search for a person, the same on every page that looks at one."""

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from recsys_core.actions.models import LoadedModel
from ui import state
from ui.access import may_see_people
from ui.people import Order, attribute_values, find_people
from ui.state import AsOf, Context
from ui.text import plain, t

MOST_OFFERED = 500  # people in one select box; a browser is slow with more
MOMENTS: tuple[AsOf, ...] = ("test", "now")
ORDERS: tuple[Order, ...] = ("by_id", "best", "worst")


def choose_person(model: LoadedModel) -> Context:
    """Draws the search in the sidebar, and person and moment on the page; the context with the choice.

    Its `user` is None where nobody was found and nobody was chosen before, and where nobody may be seen: then
    a sentence says so, whoever a link names.
    """
    if not may_see_people():
        st.info(t("people.not_for_viewers"), icon=":material/group:")
        return replace(state.context(), user=None)
    with st.sidebar:
        found = _search(model)
    if state.context().user is None and len(found):
        state.update(user=str(found[0]))
    columns = st.columns([5, 2, 5], vertical_alignment="bottom")
    with columns[0]:
        _pick(model, found)
    columns[1].button(
        t("people.random"),
        key="person_random",
        icon=":material/casino:",
        disabled=len(found) == 0,
        width="stretch",
        on_click=lambda: state.update(user=str(np.random.default_rng().choice(found))),
    )
    with columns[2]:
        _moment()
    st.caption(t(f"people.as_of_{state.context().as_of}_means"))
    return state.context()


def _search(model: LoadedModel) -> NDArray[np.object_]:
    st.subheader(t("people.find"), anchor=False)
    contains = st.text_input(
        t("people.search"),
        key="person_search",
        placeholder=t("people.search_example"),
        type="search",
        live=True,
        on_change=_let_go,
        persist_state="session",
    )
    attributes = model.data.attributes
    attribute = st.selectbox(
        t("people.attribute"),
        ["", *attributes],
        format_func=lambda name: plain(name) or t("people.anybody"),
        key="person_attribute",
        on_change=_let_go,
        persist_state="session",
    )
    value = _value(model, attribute) if attribute else None
    order: Order = st.segmented_control(
        t("people.order"),
        ORDERS,
        default=ORDERS[0],
        required=True,
        format_func=lambda name: t(f"people.order_{name}"),
        key="person_order",
        help=t("people.order_help"),
        on_change=_let_go,
        persist_state="session",
    )
    found = find_people(model.data, model.test.ranks, order, contains or "", attribute or None, value)
    shown = min(len(found), MOST_OFFERED)
    st.caption(t("people.found" if len(found) == shown else "people.found_many", n=len(found), shown=shown))
    return found


def _value(model: LoadedModel, attribute: str) -> str | None:
    return st.selectbox(
        t("people.value"),
        attribute_values(model.data, attribute),
        format_func=lambda text: plain(text) or t("people.missing"),
        key=f"person_value_{model.data.attributes.index(attribute)}",
        on_change=_let_go,
        persist_state="session",
    )


def _pick(model: LoadedModel, found: NDArray[np.object_]) -> None:
    user = state.context().user
    offered = [str(user_id) for user_id in found[:MOST_OFFERED]]
    if user is not None and user not in offered:
        offered.insert(0, user)
    ranks = dict(zip(model.data.dataset.users["user_id"], model.test.ranks.tolist(), strict=True))
    st.session_state["person"] = user
    st.selectbox(
        t("people.person"),
        offered,
        format_func=lambda user_id: _person_name(user_id, ranks.get(user_id, 0)),
        key="person",
        placeholder=t("people.nobody"),
        on_change=lambda: state.update(user=st.session_state["person"]),
    )


def _person_name(user_id: str, rank: int) -> str:
    return t("people.person_at", user=plain(user_id), rank=rank) if rank > 0 else plain(user_id)


def _moment() -> None:
    st.session_state["as_of"] = state.context().as_of
    st.segmented_control(
        t("people.as_of"),
        MOMENTS,
        required=True,
        format_func=lambda moment: t(f"people.as_of_{moment}"),
        key="as_of",
        on_change=lambda: state.update(as_of=st.session_state["as_of"]),
    )


def _let_go() -> None:
    """Another search shows the first person that it finds."""
    state.update(user=None)
