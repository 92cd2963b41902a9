"""Home: three doors for a newcomer; then how far one has come, the latest models, and what is running."""

import streamlit as st

from recsys_core.actions.jobs import list_jobs
from recsys_core.store.workspace import Workspace
from ui import cache
from ui.components import JOBS, errors_as_sentences, page_header
from ui.home_views import draw_doors, draw_latest_models, draw_steps
from ui.job_rows import job_title, progress_line
from ui.text import t


def main() -> None:
    """Draws the page."""
    page_header("home.title", "home.caption")
    workspace = cache.workspace()
    datasets, models = workspace.datasets(), workspace.models()
    if not datasets:
        draw_doors(workspace, models)
        return
    draw_steps(workspace, models)
    if any(job.is_active for job in list_jobs(workspace)):
        st.subheader(t("home.jobs"), anchor=False)
        _running_jobs(workspace)
    draw_latest_models(datasets, models)
    st.subheader(t("home.more"), anchor=False)
    draw_doors(workspace, models)


@st.fragment(run_every="2s")
def _running_jobs(workspace: Workspace) -> None:
    with errors_as_sentences():
        running = [job for job in list_jobs(workspace) if job.is_active]
        if not running:
            st.rerun(scope="app")
        for job in running:
            st.markdown(job_title(job))
            progress_line(job)
        st.page_link(JOBS, label=t("home.all_jobs"), icon=":material/arrow_forward:")


main()
