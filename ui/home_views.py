"""What the home page draws: the doors for a newcomer, the checklist, the latest models."""

from math import isnan

import streamlit as st

from recsys_core.actions.samples import open_sample
from recsys_core.store.records import DatasetRecord, ModelRecord
from recsys_core.store.workspace import Workspace
from ui import cache, state
from ui.components import (
    DATA,
    EXPLAIN,
    EXPLORE,
    FAIRNESS,
    TRAIN,
    errors_as_sentences,
    figure_of,
    help_text,
    metric_name,
)
from ui.text import safe, t

HEADLINES = ("ndcg@10", "hr@10")
LATEST = 3


def draw_doors(workspace: Workspace, models: list[ModelRecord]) -> None:
    """Three ways to begin; the newest model can be opened where there is one."""
    opens_sample, brings_data, opens_newest = (column for column in st.columns(3, border=True))
    with opens_sample:
        _door("sample", "play_circle")
        label, kind = t("home.door_sample_button"), "secondary" if models else "primary"
        opened = st.button(label, key="open_sample", type=kind, width="stretch")
    with brings_data:
        _door("data", "upload_file")
        if st.button(t("home.door_data_button"), key="bring_data", width="stretch"):
            state.choose_view("data_view", "import")
            st.switch_page(DATA)
    with opens_newest:
        _door("model", "model_training")
        label, hint = t("home.door_model_button"), None if models else t("home.door_model_none")
        if st.button(label, key="open_newest", width="stretch", disabled=not models, help=hint):
            _open_model(models[0])
    if opened:
        with errors_as_sentences():
            with st.spinner(t("home.opening_sample"), show_time=True):
                _choose_sample(workspace)
            st.switch_page(EXPLORE)


def _door(name: str, icon: str) -> None:
    st.subheader(t(f"home.door_{name}"), anchor=False, icon=f":material/{icon}:")
    st.caption(t(f"home.door_{name}_why"))
    st.space("stretch")


def _choose_sample(workspace: Workspace) -> None:
    """Opens the sample at the first person whose list can be checked against a held-out item."""
    dataset, model = open_sample(workspace)
    data = cache.dataset(dataset.id)
    held_out = data.split.test_row >= 0
    first = str(data.dataset.users["user_id"].to_numpy()[held_out][0])
    state.update(dataset=dataset.id, model=model.id, user=first)


def draw_steps(workspace: Workspace, models: list[ModelRecord]) -> None:
    """The five steps from data to audit, each ticked off once it was taken."""
    taken = state.ticked()
    audited = "audit" in taken or bool(workspace.audits())
    steps = (
        ("data", True, DATA),
        ("model", bool(models), TRAIN),
        ("person", "person" in taken, EXPLORE),
        ("why", "why" in taken, EXPLAIN),
        ("audit", audited, FAIRNESS),
    )
    st.subheader(t("home.steps"), anchor=False)
    st.caption(t("home.steps_done", done=sum(done for _, done, _ in steps)))
    grid = st.grid(5, min_column_width=170, border=True, key="steps")
    for number, (name, done, page) in enumerate(steps, start=1):
        with grid.cell():
            mark = ":green[:material/check_circle:]" if done else f":gray[{number}]"
            st.markdown(f"{mark} **{t(f'home.step_{name}')}**")
            st.caption(t(f"home.step_{name}_why"))
            st.page_link(
                page, label=t("home.step_done" if done else "home.step_open"), icon=":material/arrow_forward:"
            )


def draw_latest_models(datasets: list[DatasetRecord], models: list[ModelRecord]) -> None:
    """The newest models with their headline figures."""
    if not models:
        return
    st.subheader(t("home.models"), anchor=False)
    names = {record.id: record.name for record in datasets}
    grid = st.grid(LATEST, min_column_width=280, border=True, key="latest_models")
    for model in models[:LATEST]:
        with grid.cell():
            _model_card(model, names.get(model.dataset_id, ""))


def _model_card(model: ModelRecord, dataset_name: str) -> None:
    st.markdown(f"**{safe(model.name)}**")
    ranker = t(f"rankers.{model.details['ranker']}")
    st.caption(t("home.learnt_from", ranker=ranker, dataset=safe(dataset_name)))
    for metric, column in zip(HEADLINES, st.columns(len(HEADLINES), wrap=False), strict=True):
        value = figure_of(model, metric)
        shown = "–" if isnan(value) else f"{value:.3f}"
        column.metric(metric_name(metric), shown, help=help_text(metric))
    if st.button(t("home.open_model"), key=f"open_{model.id}", icon=":material/arrow_forward:"):
        _open_model(model)


def _open_model(model: ModelRecord) -> None:
    state.update(dataset=model.dataset_id, model=model.id)
    st.switch_page(EXPLORE)
