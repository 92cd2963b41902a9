"""The frame around every page: navigation, language, the context in the URL, the badge of running jobs."""

from pathlib import Path

import pytest
from app_workspace import APP, HOSTILE, TIMEOUT_S, BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.store import jobs
from recsys_core.store.workspace import Workspace
from ui.text import safe

PAGES = ("home", "data", "train", "explore", "explain", "fairness", "compare", "report", "jobs", "settings")


def sidebar(app: AppTest) -> str:
    return "\n".join(str(link.proto.label) for link in app.sidebar.get("page_link"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_in_an_empty_workspace(page: str, empty_home: Path) -> None:
    app = open_page(page)
    assert app.title and not app.exception and not app.error


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_in_a_workspace_with_models(page: str, own_shop: BuiltWorkspace) -> None:
    app = open_page(page)
    assert app.title and not app.exception and not app.error


@pytest.mark.parametrize("page", ["home", "data", "train", "report", "jobs"])
def test_hostile_names_are_written_letter_for_letter(page: str, hostile: BuiltWorkspace) -> None:
    app = open_page(page)
    assert not app.exception and not app.error
    for name in HOSTILE:
        for line in texts(app).splitlines():
            assert name not in line or safe(name) in line


def test_language_follows_the_url(shop: BuiltWorkspace) -> None:
    assert open_page("data", lang="zh").title[0].value == "数据"


def test_language_switch_changes_page_and_url(shop: BuiltWorkspace) -> None:
    app = open_page("home")
    app.sidebar.segmented_control(key="language").set_value("zh").run()
    assert app.title[0].value == "推荐了什么？为什么？对谁效果较差？"
    assert app.query_params["lang"] == "zh"


def test_context_bar_chooses_the_newest_model(shop: BuiltWorkspace) -> None:
    app = open_page("train")
    assert app.selectbox(key="bar_dataset").value == shop.dataset
    assert app.selectbox(key="bar_model").value == shop.transformer
    assert app.query_params["model"] == shop.transformer


def test_context_of_the_url_is_kept_from_page_to_page(shop: BuiltWorkspace) -> None:
    app = open_page("train", model=shop.popularity, k="7")
    app.switch_page("pages/jobs.py").run()
    app.switch_page("pages/train.py").run()
    assert app.selectbox(key="bar_model").value == shop.popularity
    assert app.number_input(key="bar_k").value == 7


def test_another_model_goes_into_the_url(shop: BuiltWorkspace) -> None:
    app = open_page("train", model=shop.popularity, item="i1")
    app.selectbox(key="bar_model").set_value(shop.item_knn).run()
    assert app.query_params["model"] == shop.item_knn
    assert "item" not in app.query_params


def test_link_to_a_model_that_is_gone_says_so(shop: BuiltWorkspace) -> None:
    app = open_page("train", model="md_gone")
    assert "isn't in this workspace" in texts(app)
    assert app.selectbox(key="bar_model").value == shop.transformer


def test_page_of_a_server_that_never_ran_the_frame_goes_into_it(shop: BuiltWorkspace) -> None:
    app = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S)
    app.query_params["k"] = "5"
    app.switch_page("pages/data.py").run()
    assert app.title[0].value == "Data"
    assert app.sidebar.segmented_control(key="language")
    assert app.query_params["k"] == "5"
    assert "page" not in app.query_params


def test_link_names_its_page_where_a_fresh_server_needs_it(shop: BuiltWorkspace) -> None:
    app = open_page("home", page="data", k="5")
    assert app.title[0].value == "Data"
    assert app.query_params["k"] == "5"
    assert "page" not in app.query_params


def test_no_badge_while_nothing_runs(shop: BuiltWorkspace) -> None:
    assert "running" not in sidebar(open_page("home"))


def test_badge_counts_running_jobs(own_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    workspace = Workspace.open(own_shop.home)
    waiting = [jobs.submit(workspace, "wait", {}, worker_module="store_job_worker") for _ in range(2)]
    try:
        assert "2 jobs running" in sidebar(open_page("home"))
    finally:
        for job in waiting:
            jobs.cancel(workspace, job.id)


def test_unusable_workspace_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("RECLENS_HOME", str(file))
    app = open_page("home")
    assert not app.exception
    assert any("is a file" in error.value for error in app.error)
