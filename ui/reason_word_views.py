"""What Explain draws of words: the explained item's text and one of the history's, shaded."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from recsys_core.actions.models import LoadedModel
from recsys_core.actions.words import why_no_words
from recsys_core.explain.explanation import Explanation
from recsys_core.explain.words import ItemReasons, WordChain
from ui import answers
from ui.components import errors_as_sentences, table
from ui.reason_words import levels_table, parts_sentence, shaded, words_table
from ui.state import AsOf
from ui.text import plain, safe, t

LONG = 700  # characters; a longer text scrolls
HEIGHT = 260  # pixels


def draw_words(model: LoadedModel, user_id: str, item_id: str, explanation: Explanation, as_of: AsOf) -> None:
    """The words of the item and of a history item, once somebody asks for them; or why there are none."""
    st.subheader(t("words.heading"), anchor=False, help=t("words.heading_help"))
    refused = why_no_words(model)
    if refused is not None:
        st.caption(t(f"words.{refused}"))
        return
    if not st.toggle(t("words.run"), key="explain_words_run"):
        st.caption(t("words.not_run"))
        return
    with errors_as_sentences():
        place = _choose_place(model, explanation)
        with st.spinner(t("words.running")):
            chain = answers.words(model, user_id, item_id, place, as_of)
        titles = model.data.dataset.titles
        both = (chain.explained, *chain.history)
        for column, own, key in zip(st.columns(2, gap="medium"), both, ("item", "history"), strict=True):
            with column:
                _draw_text(own, str(titles[own.item_number]), key)
        st.caption(t("words.legend"))
        _draw_levels(chain, titles)


def _draw_levels(chain: WordChain, titles: NDArray[np.object_]) -> None:
    """How far each level adds up."""
    st.caption(t("words.levels"))
    numbers = levels_table(chain, titles)
    config = st.column_config
    table(
        numbers,
        "explain_levels",
        "levels.csv",
        alt=t("words.levels_alt"),
        column_config={
            "level": config.TextColumn(t("words.level"), width="large"),
            "explained": config.NumberColumn(t("words.explained"), format="%+.4f"),
            "sum": config.NumberColumn(t("words.sum"), format="%+.4f"),
            "delta": config.NumberColumn(t("explain.delta"), format="%+.1e", help=t("explain.delta_help")),
            "relative_delta": config.NumberColumn(t("explain.relative_delta"), format="percent"),
        },
    )


def _choose_place(model: LoadedModel, explanation: Explanation) -> int:
    """Draws the choice among the events that the model reads, the strongest first; a place from 0."""
    values, items = explanation.attributions.values, explanation.history
    first = max(0, len(items) - model.ranker.max_length)
    places = sorted(range(first, len(items)), key=lambda place: -abs(float(values[place])))
    titles = model.data.dataset.titles
    names = {
        place: f"{plain(titles[items[place]])} ({t('words.at', place=place + 1)}, {values[place]:+.4f})"
        for place in places
    }
    return st.selectbox(
        t("words.of_which"),
        places,
        format_func=names.__getitem__,
        key=f"explain_words_of_{explanation.user_id}_{explanation.item_number}",
    )


def _draw_text(own: ItemReasons, title: str, key: str) -> None:
    """One text with what it is the sum of, and its numbers."""
    st.markdown(parts_sentence(own, f"**{safe(title)}**"))
    if not own.text.words:
        st.caption(t("words.no_words"))
        return
    height = HEIGHT if len(own.text.text) > LONG else "content"
    with st.container(border=True, key=f"explain_text_{key}", height=height):
        st.html(shaded(own.text))
    with st.expander(t("frame.show_numbers"), key=f"explain_words_{key}_expander", type="compact"):
        config = st.column_config
        table(
            words_table(own.text),
            f"explain_words_{key}",
            f"words_{key}.csv",
            alt=t(f"words.alt_{key}"),
            column_config={
                "word": config.TextColumn(t("words.word"), width="medium"),
                "attribution": config.NumberColumn(t("explain.attribution"), format="%+.4f"),
            },
        )
