"""The form that holds other items of a data set out to test models: the same rows under another name."""

import streamlit as st

from recsys_core.actions.data import SPLIT_KINDS, split_again, split_kind_of
from recsys_core.store.records import DatasetRecord
from ui import cache, state
from ui.components import errors_as_sentences
from ui.text import safe, t


def draw_split_again(record: DatasetRecord) -> None:
    """A button with the form behind it."""
    with st.popover(t("data.split_again"), icon=":material/content_cut:", key="split_box"):
        st.caption(t("data.split_again_why"))
        with errors_as_sentences():
            now = split_kind_of(cache.workspace(), record.id)
            others = [kind for kind in SPLIT_KINDS if kind != now]
            kind = st.selectbox(
                t("data.split"),
                others,
                format_func=lambda kind: t(f"data.split_{kind}"),
                key="split_again_kind",
                help=t("data.split_help"),
            )
            state.begin_anew("split_name", f"{record.id}/{kind}", f"{record.name} ({kind})"[:100])
            name = st.text_input(t("data.name"), key="split_name", max_chars=100)
            if st.button(t("data.split_again_yes"), key="split_again", type="primary"):
                made = split_again(cache.workspace(), record.id, name, kind)
                state.update(dataset=made.id)
                st.toast(t("data.kept", name=safe(made.name)), icon=":material/check_circle:")
                st.rerun()
