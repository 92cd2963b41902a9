"""Explaining everybody of a cohort, on Explain: who, a job with its progress, what came of it, the file."""

from math import isnan

import pandas as pd
import streamlit as st

from recsys_core.actions.cohort_summaries import CohortSummary, cohort_groups, reasons_file
from recsys_core.actions.cohorts import EXPLAIN, MAX_K, CohortPlan, submit_explaining
from recsys_core.actions.jobs import list_jobs, show_job
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.explain.history import quick_methods_of
from recsys_core.store.records import JobRecord
from ui import answers, cache
from ui.access import may_see_people
from ui.components import errors_as_sentences, table
from ui.job_rows import cancel_button, outcome, progress_line, resume_button, state_badge
from ui.reasons import order_name
from ui.state import Context
from ui.text import duration, plain, safe, t, when

MOST_REASONS = 10


def draw_cohort(model: LoadedModel, chosen: Context) -> None:
    """The form, and the newest run of this model; it is found again after a refresh."""
    jobs = [
        job
        for job in list_jobs(cache.workspace())
        if job.kind == EXPLAIN and job.spec["model"] == model.record.id
    ]
    with st.expander(t("cohort.heading"), key="explain_cohort", expanded=bool(jobs)):
        st.caption(t("cohort.means"))
        _draw_form(model, chosen, jobs)
        if jobs and jobs[0].is_active:
            _live(model, jobs[0].id)
        elif jobs:
            _draw_run(model, jobs[0])


def who(job: JobRecord) -> str:
    """Whose reasons a job explains, as markdown: "gender=F", or everybody."""
    return safe(", ".join(job.spec["plan"]["where"])) or t("cohort.all")


def common_reasons(model: LoadedModel, summary: CohortSummary) -> pd.DataFrame:
    """One row a history item: `title`, `n` people, `share` of all."""
    dataset = model.data.dataset
    rows = [
        (
            plain(dataset.titles[dataset.item_number(own.item_id)]),
            own.n_people,
            own.n_people / summary.n_people,
        )
        for own in summary.reasons
    ]
    return pd.DataFrame(rows, columns=["title", "n", "share"])


def _draw_form(model: LoadedModel, chosen: Context, jobs: list[JobRecord]) -> None:
    least = minimum_group(cache.workspace())
    with errors_as_sentences():
        columns = st.columns([3, 3, 2, 4], vertical_alignment="bottom")
        attribute = columns[0].selectbox(
            t("people.attribute"),
            ["", *model.data.attributes],
            format_func=lambda name: plain(name) or t("cohort.everybody"),
            key="cohort_attribute",
        )
        groups = cohort_groups(model, attribute, least) if attribute else []
        group = columns[1].selectbox(
            t("people.value"),
            groups,
            format_func=plain,
            key=f"cohort_group_{attribute}",
            placeholder=t("cohort.everybody"),
            disabled=not groups,
        )
        where = (f"{attribute}={group}",) if attribute else ()
        methods = quick_methods_of(model.ranker)
        k = columns[2].number_input("k", 1, MAX_K, value=chosen.k, key=f"cohort_k_{chosen.k}")
        method = columns[3].selectbox(
            t("explain.method"), methods, format_func=order_name, key=f"cohort_method_{methods[0]}"
        )
        if attribute:
            st.caption(t("cohort.small", least=least))
        is_busy = any(job.is_active for job in jobs)
        pressed = st.button(
            t("cohort.start"),
            key="cohort_start",
            icon=":material/play_arrow:",
            disabled=is_busy or bool(attribute and not groups),
            help=t("cohort.busy") if is_busy else None,
        )
        if pressed:
            plan = CohortPlan(int(k), method, where, chosen.as_of)
            key = f"{EXPLAIN} {model.record.id} {plan} for the {len(jobs) + 1}. time"
            submit_explaining(cache.workspace(), model.record.id, plan, key)
            st.rerun()


@st.fragment(run_every="1s")
def _live(model: LoadedModel, job_id: str) -> None:
    """A run under way; the whole page is drawn again when it has ended."""
    with errors_as_sentences():
        job = show_job(cache.workspace(), job_id)
        if not job.is_active:
            st.rerun(scope="app")
        _draw_run(model, job)


def _draw_run(model: LoadedModel, job: JobRecord) -> None:
    plan = job.spec["plan"]
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(job)
        st.markdown(t("cohort.run", who=who(job), k=plan["k"], when=when(job.created_at_s)))
    if job.is_active:
        progress_line(job)
        cancel_button(job, "cohort_cancel")
    outcome(job)
    resume_button(job, "cohort_resume")
    if job.state == "done" and job.result:
        with errors_as_sentences():
            _draw_result(model, job)


def _draw_result(model: LoadedModel, job: JobRecord) -> None:
    """How many were explained, what most of them have in common, and the file."""
    path, result = reasons_file(cache.workspace(), job), job.result or {}
    least = minimum_group(cache.workspace())
    summary = answers.cohort_summary(job.id, str(path), MOST_REASONS, least)
    figures = (
        ("people", f"{result['n_people']:,}"),
        ("rows", f"{result['n_rows']:,}"),
        ("delta", "–" if isnan(summary.largest_delta) else f"{summary.largest_delta:.4f}"),
        ("took", duration(result["seconds"])),
    )
    with st.grid(4, min_column_width=130):
        for name, value in figures:
            st.metric(t(f"cohort.{name}"), value, help=t(f"cohort.{name}_help"))
    n_without = int(result["n_without_history"])
    if n_without >= least:
        st.caption(t("cohort.no_history", n=n_without))
    numbers = common_reasons(model, summary)
    if numbers.empty:
        st.caption(t("cohort.nothing_common", least=least))
    else:
        st.caption(t("cohort.common", least=least))
        config = st.column_config
        table(
            numbers,
            "cohort_reasons",
            "cohort.csv",
            alt=t("cohort.common_alt"),
            column_config={
                "title": config.TextColumn(t("explain.title"), width="medium"),
                "n": config.NumberColumn(t("explain.people"), format="localized"),
                "share": config.NumberColumn(t("cohort.share"), format="percent"),
            },
        )
    if not may_see_people():  # the file has a row a person
        st.caption(t("people.not_for_viewers"))
        return
    st.download_button(
        t("cohort.download"),
        path.read_bytes,
        file_name="reasons.parquet",
        mime="application/vnd.apache.parquet",
        key="cohort_download",
        icon=":material/download:",
        on_click="ignore",
        help=t("cohort.download_help"),
    )
