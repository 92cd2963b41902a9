"""Explain for lists made elsewhere: a model is taught them, says how far it agrees, and explains."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from recsys_core.actions.models import LoadedModel, list_for_user
from recsys_core.actions.surrogates import explain_listed
from recsys_core.explain.surrogate import Surrogate
from ui import answers, state
from ui.components import EXPLORE, empty_state, errors_as_sentences
from ui.people import categories
from ui.person_finder import choose_person
from ui.reason_choices import choose_item
from ui.reason_views import draw_contributions
from ui.reasons import listed, main_reasons
from ui.state import Context
from ui.text import plain, safe, t


def draw_list_reasons(lists: LoadedModel, chosen: Context) -> None:
    """What lists made elsewhere lack, and the way to a model in their place; its agreement comes first."""
    empty_state("explain.imported", "explain.imported_why", "explain.imported_go", EXPLORE, "empty_imported")
    asked = f"surrogate {lists.record.id} {chosen.k}"
    if st.button(t("lists.run"), key="surrogate_run", icon=":material/model_training:"):
        state.ask_for(asked)
    if not state.is_asked_for(asked):
        st.caption(t("lists.means"))
        return
    with errors_as_sentences():
        with st.spinner(t("lists.running")):
            surrogate = answers.surrogate(lists, chosen.k)
        _draw_agreement(surrogate)
        if surrogate.explains:
            _draw_reasons(lists, surrogate)


def _draw_agreement(surrogate: Surrogate) -> None:
    found = surrogate.agreement
    st.subheader(t("lists.agreement", k=found.k), anchor=False)
    values = {"overlap": f"{found.overlap:.0%}", "ndcg": f"{found.ndcg:.2f}", "people": f"{found.n_people:,}"}
    with st.grid(3, min_column_width=130):
        for name, value in values.items():
            st.metric(t(f"lists.{name}"), value, help=t(f"lists.{name}_help", k=found.k))
    said = "lists.explains" if surrogate.explains else "lists.refuses"
    st.markdown(t(said, least=f"{surrogate.min_agreement:.0%}"))


def _draw_reasons(lists: LoadedModel, surrogate: Surrogate) -> None:
    """Why an item is on a person's list, by the model that was taught the lists."""
    chosen = choose_person(lists)
    item = None if chosen.user is None else choose_item(lists, chosen)
    if chosen.user is None or item is None:
        return
    table = reasons_table(lists, surrogate, chosen.user, item)
    title = safe(lists.data.dataset.titles[lists.data.dataset.item_number(item)])
    is_listed = bool((list_for_user(lists, chosen.user, chosen.k)["item_id"] == item).any())
    with st.container(border=True, key="list_sentence"):
        st.markdown(reasons_sentence(f"**{title}**", main_reasons(table), is_listed, chosen.k))
        if not is_listed and not main_reasons(table):
            st.caption(t("lists.not_listed", k=chosen.k))
    draw_contributions(table)


def reasons_sentence(item: str, reasons: Sequence[str], is_listed: bool, k: int) -> str:
    """Why an item is on a list, or what speaks for one that isn't, by the model that was taught the lists.

    Args:
        item: its title, as markdown.
        reasons: the titles that speak for it most.
        is_listed: whether it is among the first k.
        k: length of the list.
    """
    named = listed([f"*{safe(name)}*" for name in reasons])
    if not named:
        return t("lists.because_nothing", item=item)
    if not is_listed:
        return t("lists.because_not_listed", item=item, reasons=named, k=k)
    return t("lists.because", item=item, reasons=named)


def reasons_table(lists: LoadedModel, surrogate: Surrogate, user_id: str, item_id: str) -> pd.DataFrame:
    """What each history item adds by the surrogate, with the columns of `ui.reasons.contributions`.

    Raises:
        DataError, ConfigError: what `explain_listed` raises.
    """
    dataset = lists.data.dataset
    history, found = explain_listed(lists, surrogate, user_id, item_id)
    return pd.DataFrame(
        {
            "position": range(1, len(history) + 1),
            "title": [plain(title) for title in dataset.titles[history]],
            "category": categories(lists.data, history),
            "attribution": found.values,
            "item_id": dataset.item_ids[history],
        }
    )
