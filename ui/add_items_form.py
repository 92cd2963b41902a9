"""The form that gives a trained model items which nobody has touched yet."""

import streamlit as st

from recsys_core.actions.added_items import add_items_to_model
from recsys_core.config import SETTINGS, NeuralSettings
from recsys_core.store.records import ModelRecord
from ui import cache, imports, state
from ui.components import errors_as_sentences
from ui.messages import in_words
from ui.text import safe, t


def draw_add_items(model: ModelRecord, taken: set[str]) -> None:
    """A button with the form behind it; nothing for models that know items by who touched them alone."""
    kind = SETTINGS.get(str(model.details["ranker"]))
    if kind is None or not issubclass(kind, NeuralSettings):
        return
    with st.popover(t("train.add_items"), icon=":material/add_circle:", key="add_items_box"):
        st.caption(t("train.add_items_why"))
        given = imports.given_upload(
            st.file_uploader(t("train.add_items_file"), key="new_items", help=t("train.add_items_file_help"))
        )
        numbered = (f"{model.name[:90]} + {number}" for number in range(1, 1_000))
        state.begin_anew(
            "grown_name", f"{model.id}/{len(taken)}", next(n for n in numbered if n not in taken)
        )
        name = st.text_input(t("train.name"), key="grown_name", max_chars=100)
        if st.button(t("train.add_items_yes"), key="add_items", type="primary", disabled=given is None):
            with errors_as_sentences():
                if given is not None:
                    _add(model, given, name)


def _add(model: ModelRecord, given: imports.Given, name: str) -> None:
    with st.spinner(t("train.adding"), show_time=True), imports.on_disk({"items": given}) as paths:
        done = add_items_to_model(cache.workspace(), model.id, paths["items"], name)
    state.update(model=done.record.id)
    st.toast(
        t("train.added", n=len(done.item_ids), name=safe(done.record.name)), icon=":material/check_circle:"
    )
    if done.warning:
        st.toast(safe(in_words(done.warning)), icon=":material/warning:")
    st.rerun()
