"""Train: pick a ranker and a preset, start a job, watch its curves, and compare what came of it."""

import streamlit as st

from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace
from ui import cache, state
from ui.add_items_form import draw_add_items
from ui.components import context_bar, errors_as_sentences, names_of, page_header
from ui.text import safe, t
from ui.training_form import draw_form
from ui.training_view import draw_leaderboard, draw_run, latest_training


def main() -> None:
    """Draws the page."""
    page_header("train.heading", "train.caption")
    chosen = context_bar(needs_model=False)
    if chosen is None or chosen.dataset is None:
        return
    workspace = cache.workspace()
    models = [model for model in workspace.models() if model.dataset_id == chosen.dataset]
    draw_form(chosen.dataset, models)
    job = latest_training(chosen.dataset)
    if job is not None:
        draw_run(job)
    if models:
        st.subheader(t("train.leaderboard"), anchor=False)
        draw_leaderboard(models)
        _keep_or_delete(workspace, models)


def _keep_or_delete(workspace: Workspace, models: list[ModelRecord]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ids = [model.id for model in models]
        picked = st.selectbox(
            t("train.manage"), ids, format_func=names_of(models), key="managed_model", width=360
        )
        name = next(model.name for model in models if model.id == picked)
        with st.popover(t("train.rename"), icon=":material/edit:", key="rename_box"):
            state.begin_anew("new_name", f"{picked}/{name}", name)
            new_name = st.text_input(t("train.new_name"), key="new_name", max_chars=100)
            if st.button(t("train.rename_yes"), key="rename_model", type="primary"):
                with errors_as_sentences():
                    workspace.rename("model", picked, new_name)
                    st.rerun()
        record = next(model for model in models if model.id == picked)
        draw_add_items(record, {model.name for model in workspace.models()})
        with st.popover(t("data.delete"), icon=":material/delete:", key="delete_model_box"):
            st.markdown(t("train.delete_sure", name=safe(name)))
            if st.button(t("data.delete_yes"), key="delete_model", type="primary"):
                with errors_as_sentences():
                    workspace.delete("model", picked)
                    state.update(model=None)
                    st.rerun()


main()
