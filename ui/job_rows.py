"""Jobs as a person sees them: what each one does, how far it is, how long it will take, how to stop it."""

import time

import streamlit as st

from recsys_core.actions.jobs import can_resume, cancel_job, resume_job
from recsys_core.store.records import JobRecord
from ui import cache, state
from ui.components import EXPLAIN, EXPLORE, errors_as_sentences, sentence
from ui.messages import in_words
from ui.text import about, has, plain, safe, t

_COLOURS = {
    "queued": "gray",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "gray",
    "lost": "red",
}
_ICONS = {
    "queued": "hourglass_empty",
    "running": "progress_activity",
    "done": "check_circle",
    "failed": "error",
    "cancelled": "cancel",
    "lost": "help",
}
_LEAST_PROGRESS = 0.03  # before that an estimate of the time left would be a guess


def job_title(job: JobRecord) -> str:
    """What a job does, as markdown: "Train “Films v2” (Transformer)"."""
    name, ranker = job.spec.get("name", job.id), str(job.spec.get("ranker", ""))
    shown = t(f"rankers.{ranker}") if has(f"rankers.{ranker}") else safe(ranker)
    if job.kind == "explain":
        return t("jobs.title_explain", name=safe(name))
    return t("jobs.title_train", name=safe(name), ranker=shown) if job.kind == "train" else safe(job.kind)


def state_badge(job: JobRecord) -> None:
    """The state as a badge: an icon, a word and a colour."""
    colour, icon = _COLOURS[job.state], f":material/{_ICONS[job.state]}:"
    st.badge(t(f"jobs.state_{job.state}"), icon=icon, color=colour)  # pyright: ignore[reportArgumentType]


def progress_line(job: JobRecord) -> None:
    """The bar of a job under way, with what it is doing and about how long it will take."""
    doing = t("jobs.doing_explain") if job.kind == "explain" else safe(in_words(job.message))
    parts = [f"{job.progress:.0%}", doing if job.message else t(f"jobs.state_{job.state}")]
    left = seconds_left(job, time.time())
    if left is not None:
        parts.append(t("jobs.left", duration=about(left)))
    st.progress(min(max(job.progress, 0.0), 1.0), text=" · ".join(parts))


def seconds_left(job: JobRecord, now_s: float) -> float | None:
    """An estimate from the share that is done; None while it is too early to say."""
    if job.state != "running" or job.started_at_s is None or job.progress < _LEAST_PROGRESS:
        return None
    return (now_s - job.started_at_s) * (1 - job.progress) / job.progress


def cancel_button(job: JobRecord, key: str) -> None:
    """Stops the job, and waits until it is gone."""
    if st.button(t("jobs.cancel"), key=key, icon=":material/stop_circle:"):
        with errors_as_sentences(), st.spinner(t("jobs.cancelling")):
            cancel_job(cache.workspace(), job.id)
        st.rerun()


def resume_button(job: JobRecord, key: str) -> None:
    """Starts a job again that ended without a result; nothing for any other."""
    if can_resume(job) and st.button(
        t("jobs.resume"), key=key, icon=":material/resume:", help=t("jobs.resume_help")
    ):
        with errors_as_sentences():
            resume_job(cache.workspace(), job.id)
            st.rerun()


def outcome(job: JobRecord) -> None:
    """Why a job ended without a result, in a sentence."""
    if job.error:
        st.error(safe(sentence(job.error)), icon=":material/error:")
    elif job.state == "cancelled":
        st.caption(t("jobs.was_cancelled_explain" if job.kind == "explain" else "jobs.was_cancelled"))


def open_button(job: JobRecord, key: str) -> None:
    """Leads to what a finished job has made; nothing for any other."""
    if job.state != "done" or not job.result or job.kind not in ("train", "explain"):
        return
    if st.button(t("jobs.open_reasons" if job.kind == "explain" else "jobs.open_model"), key=key):
        if job.kind == "explain":
            state.update(model=job.spec["model"])
            st.switch_page(EXPLAIN)
        state.update(dataset=job.spec["dataset"], model=job.result["model"])
        st.switch_page(EXPLORE)


def job_label(job: JobRecord) -> str:
    """A job's name for select boxes and tables, which show text as it is."""
    return plain(job.spec.get("name", job.id))
