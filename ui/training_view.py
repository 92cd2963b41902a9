"""A training run as it goes: progress, time left, cancel, and its curves; then the leaderboard."""

import pandas as pd
import streamlit as st
from numpy import nan_to_num

from recsys_core.actions.jobs import job_events, list_jobs, show_job
from recsys_core.config import NeuralSettings, make_settings
from recsys_core.store.records import JobRecord, ModelRecord
from ui import cache, state
from ui.charts import training_curves
from ui.components import EXPLORE, chart, errors_as_sentences, figure_of, help_text, metric_name, table
from ui.job_rows import cancel_button, job_title, outcome, progress_line, resume_button, state_badge
from ui.text import plain, t, when

TRAINING_KINDS = ("train",)
LEADERBOARD_METRICS = ("ndcg@10", "hr@10", "coverage@10")


def latest_training(dataset_id: str) -> JobRecord | None:
    """The newest training job of a data set, so that it is found again after a refresh."""
    jobs = list_jobs(cache.workspace())
    return next(
        (job for job in jobs if job.kind in TRAINING_KINDS and job.spec["dataset"] == dataset_id), None
    )


def draw_run(job: JobRecord) -> None:
    """Draws a run; while it is under way, once a second."""
    st.subheader(t("train.run"), anchor=False)
    if job.is_active:
        _live(job.id)
    else:
        _draw(job)


@st.fragment(run_every="1s")
def _live(job_id: str) -> None:
    with errors_as_sentences():
        job = show_job(cache.workspace(), job_id)
        if not job.is_active:
            st.rerun(scope="app")
        _draw(job)


def _draw(job: JobRecord) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(job)
        st.markdown(job_title(job))
        if job.state == "done" and job.result and st.button(t("jobs.open_model"), key="open_trained"):
            state.update(dataset=job.spec["dataset"], model=job.result["model"])
            st.switch_page(EXPLORE)
    if job.is_active:
        progress_line(job)
        cancel_button(job, "cancel_training")
    outcome(job)
    resume_button(job, "resume_training")
    epochs = pd.DataFrame(job_events(cache.workspace(), job.id))
    if len(epochs) > 0:
        _curves(epochs, _planned_epochs(job))
        if job.state == "done":
            st.caption(t("train.curves_kept"))


def _planned_epochs(job: JobRecord) -> int:
    spec = job.spec
    settings = make_settings(spec["ranker"], spec["preset"], spec["changes"])
    return settings.epochs if isinstance(settings, NeuralSettings) else 1


def _curves(epochs: pd.DataFrame, n_planned: int) -> None:
    metric = metric_name("ndcg@10")
    figure = training_curves(epochs, t("train.epoch"), t("train.loss"), t("train.valid", metric=metric))
    figure.update_xaxes(range=[0.5, n_planned + 0.5], dtick=max(1, n_planned // 10))
    numbers = epochs[["number", "loss", "valid_ndcg", "elapsed_s", "targets_per_s"]].rename(
        columns={
            "number": t("train.epoch"),
            "loss": t("train.loss"),
            "valid_ndcg": t("train.valid", metric=metric),
            "elapsed_s": t("train.seconds"),
            "targets_per_s": t("train.speed"),
        }
    )
    last, best = epochs.iloc[-1], epochs.iloc[int(epochs["valid_ndcg"].fillna(-1.0).argmax())]
    st.caption(
        t(
            "train.curves_why",
            epoch=int(last["number"]),
            best=int(best["number"]),
            value=f"{best['valid_ndcg']:.4f}",
            speed=f"{last['targets_per_s']:,.0f}",
        )
    )
    chart(figure, "training_curves", t("train.curves_alt"), numbers)


def draw_leaderboard(models: list[ModelRecord]) -> None:
    """The models of a data set, best NDCG@10 first."""
    config = {
        metric_name(metric): st.column_config.NumberColumn(format="%.4f", help=help_text(metric))
        for metric in LEADERBOARD_METRICS
    }
    means = [model.details["ratings"]["rmse_of_mean"] for model in models if model.details.get("ratings")]
    if means:
        about = t("train.rmse_help", mean=f"{means[0]:.4f}")
        config[t("train.rmse")] = st.column_config.NumberColumn(format="%.4f", help=about)
    config[t("train.seconds")] = st.column_config.NumberColumn(format="%.1f", help=t("train.seconds_help"))
    table(
        _leaderboard(models),
        "leaderboard",
        "leaderboard.csv",
        alt=t("train.leaderboard"),
        column_config=config,
    )


def _leaderboard(models: list[ModelRecord]) -> pd.DataFrame:
    ranked = sorted(models, key=lambda model: -nan_to_num(figure_of(model, "ndcg@10"), nan=-1.0))
    columns: dict[str, list[object]] = {
        t("frame.model"): [plain(model.name) for model in ranked],
        t("train.ranker"): [t(f"rankers.{model.details['ranker']}") for model in ranked],
        t("train.preset"): [t(f"rankers.preset_{model.details['preset']}") for model in ranked],
    }
    for metric in LEADERBOARD_METRICS:
        columns[metric_name(metric)] = [figure_of(model, metric) for model in ranked]
    errors = [model.details.get("ratings") for model in ranked]
    if any(errors):
        columns[t("train.rmse")] = [own["rmse"] if own else None for own in errors]
    columns[t("train.seconds")] = [model.details["seconds"] for model in ranked]
    columns[t("train.trained")] = [when(model.created_at_s) for model in ranked]
    return pd.DataFrame(columns)
