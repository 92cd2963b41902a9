"""Data: bring files in, see what was found in them, and look at the data sets that are kept."""

import streamlit as st

from ui import cache, state
from ui.components import page_header
from ui.dataset_view import draw_datasets
from ui.import_form import draw_import
from ui.text import t

VIEWS = ("sets", "import")


def main() -> None:
    """Draws the page."""
    page_header("data.heading", "data.caption")
    records = cache.workspace().datasets()
    if not records:
        draw_import()
        return
    state.take_view("data_view", "sets")
    view = st.segmented_control(
        t("data.view"),
        VIEWS,
        format_func=lambda name: t(f"data.view_{name}"),
        required=True,
        key="data_view",
        label_visibility="collapsed",
    )
    if view == "import":
        draw_import()
    else:
        draw_datasets(records)


main()
