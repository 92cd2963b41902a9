"""The dashboard: which pages there are, and the frame around each of them."""

from itertools import chain
from pathlib import Path

import streamlit as st

from recsys_core.actions.jobs import list_jobs
from ui import cache, state
from ui.components import (
    COMPARE,
    DATA,
    EXPLAIN,
    EXPLORE,
    FAIRNESS,
    HOME,
    JOBS,
    REPORT,
    SETTINGS,
    TRAIN,
    errors_as_sentences,
)
from ui.text import t

ASSETS = Path(__file__).parent / "assets"
LANGUAGES = {"en": "English", "zh": "中文"}
SECTIONS = {
    None: ((HOME, "home", "home"),),
    "frame.section_prepare": ((DATA, "data", "database"), (TRAIN, "train", "model_training")),
    "frame.section_look": (
        (EXPLORE, "explore", "travel_explore"),
        (EXPLAIN, "explain", "lightbulb"),
        (FAIRNESS, "fairness", "balance"),
        (COMPARE, "compare", "compare_arrows"),
        (REPORT, "report", "description"),
    ),
    "frame.section_work": ((JOBS, "jobs", "pending_actions"), (SETTINGS, "settings", "settings")),
}


def main() -> None:
    """Draws the frame, and in it the page that the person has chosen."""
    st.set_page_config(page_title="RecLens", page_icon=str(ASSETS / "icon.png"), layout="wide")
    st.logo(str(ASSETS / "logo.svg"), icon_image=str(ASSETS / "icon.png"), size="large")
    state.start()
    page = st.navigation(_pages(), expanded=True)
    _go_to_wanted()
    with st.sidebar:
        _running_jobs()
        _language()
    with errors_as_sentences():
        page.run()


def _go_to_wanted() -> None:
    """Follows a link that named its page as a parameter."""
    wanted = st.query_params.pop("page", None)
    for path, name, _ in chain.from_iterable(SECTIONS.values()):
        if name == wanted:
            st.switch_page(path, query_params=state.url_parameters(state.context()))


def _pages() -> dict[str, list[st.Page]]:
    return {
        t(section) if section else "": [
            st.Page(
                path,
                title=t(f"frame.{name}"),
                icon=f":material/{icon}:",
                help=t(f"frame.{name}_help"),
                default=path == HOME,
            )
            for path, name, icon in pages
        ]
        for section, pages in SECTIONS.items()
    }


@st.fragment(run_every="5s")
def _running_jobs() -> None:
    """A badge with the number of running jobs; nothing while there are none."""
    with errors_as_sentences():
        n = sum(job.is_active for job in list_jobs(cache.workspace()))
        if n:
            st.page_link(JOBS, label=f":blue[{t('frame.running', n=n)}]", icon=":material/progress_activity:")


def _language() -> None:
    st.session_state["language"] = state.context().lang
    st.segmented_control(
        t("frame.language"),
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        required=True,
        key="language",
        label_visibility="collapsed",
        on_change=lambda: state.update(lang=st.session_state["language"]),
    )


main()
