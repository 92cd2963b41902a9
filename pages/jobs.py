"""Jobs: what is under way, with progress and cancel; what has ended, and why; the log of any of them."""

import pandas as pd
import streamlit as st

from recsys_core.actions.jobs import job_log, list_jobs
from recsys_core.store.records import JobRecord
from recsys_core.store.workspace import Workspace
from ui import cache
from ui.components import TRAIN, empty_state, errors_as_sentences, page_header, table
from ui.job_rows import (
    cancel_button,
    job_label,
    job_title,
    open_button,
    outcome,
    progress_line,
    resume_button,
    state_badge,
)
from ui.messages import in_words
from ui.text import duration, plain, t, when


def main() -> None:
    """Draws the page."""
    page_header("jobs.heading", "jobs.caption")
    workspace = cache.workspace()
    jobs = list_jobs(workspace)
    if not jobs:
        empty_state("jobs.none", "jobs.none_why", "jobs.go_train", TRAIN, key="empty_jobs")
        return
    st.subheader(t("jobs.running"), anchor=False)
    _under_way(workspace, frozenset(job.id for job in jobs if job.is_active))
    ended = [job for job in jobs if not job.is_active]
    if ended:
        st.subheader(t("jobs.ended"), anchor=False)
        table(_ended_table(ended), "ended_jobs", "jobs.csv", alt=t("jobs.table_alt"))
    _one_job(workspace, jobs)


@st.fragment(run_every="2s")
def _under_way(workspace: Workspace, known: frozenset[str]) -> None:
    """The running jobs; the whole page is drawn again when one of them has ended or a new one began."""
    with errors_as_sentences():
        running = [job for job in list_jobs(workspace) if job.is_active]
        if frozenset(job.id for job in running) != known:
            st.rerun(scope="app")
        for job in running:
            with st.container(border=True, key=f"job_{job.id}"):
                st.markdown(job_title(job))
                progress_line(job)
                cancel_button(job, f"cancel_{job.id}")
        if not running:
            st.caption(t("jobs.in_order"))


def _ended_table(jobs: list[JobRecord]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            t("jobs.column_job"): [job_label(job) for job in jobs],
            t("jobs.column_state"): [t(f"jobs.state_{job.state}") for job in jobs],
            t("jobs.column_started"): [when(job.started_at_s or job.created_at_s) for job in jobs],
            t("jobs.column_took"): [duration(_took_s(job)) for job in jobs],
            t("jobs.column_error"): [plain(in_words(job.error or "")) for job in jobs],
        }
    )


def _took_s(job: JobRecord) -> float:
    start = job.started_at_s or job.created_at_s
    return (job.finished_at_s or start) - start


def _one_job(workspace: Workspace, jobs: list[JobRecord]) -> None:
    by_id = {job.id: job for job in jobs}
    labels = {job.id: f"{job_label(job)} · {when(job.created_at_s)}" for job in jobs}
    chosen = st.selectbox(t("jobs.show"), list(by_id), format_func=labels.__getitem__, key="show_job")
    job = by_id[chosen]
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(job)
        st.markdown(job_title(job))
    parts = [t("jobs.started", when=when(job.started_at_s or job.created_at_s))]
    if not job.is_active:
        parts.append(t("jobs.took", duration=duration(_took_s(job))))
    st.caption(" · ".join(parts))
    outcome(job)
    resume_button(job, "resume_job")
    open_button(job, "open_job_model")
    with st.expander(t("jobs.log"), expanded=job.state in ("failed", "lost"), key="job_log"):
        st.code(job_log(workspace, job.id) or t("jobs.log_empty"), language=None, height=300)


main()
