"""Jobs: what is under way, what has ended and why, logs, cancel."""

import time
from pathlib import Path

import pytest
from app_workspace import BuiltWorkspace, open_page, texts

from recsys_core.store import jobs
from recsys_core.store.records import JobRecord
from recsys_core.store.workspace import Workspace

PATIENCE_S = 30.0


@pytest.fixture
def workspace(own_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace of one's own, in which the tests' worker can be started."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    return Workspace.open(own_shop.home)


def run_until(workspace: Workspace, kind: str, states: tuple[str, ...]) -> JobRecord:
    job = jobs.submit(workspace, kind, {"name": f"**{kind}**"}, worker_module="store_job_worker")
    start = time.monotonic()
    while (job := jobs.show(workspace, job.id)).state not in states:
        assert time.monotonic() - start < PATIENCE_S, job.state
        time.sleep(0.05)
    return job


def test_no_job_leads_to_training(shop: BuiltWorkspace) -> None:
    app = open_page("jobs")
    assert "No job has run yet" in texts(app)
    app.button(key="empty_jobs").click().run()
    assert app.title[0].value == "Train"


def test_running_job_is_cancelled_with_one_click(workspace: Workspace) -> None:
    job = run_until(workspace, "wait", ("running",))
    app = open_page("jobs")
    start = time.monotonic()
    app.button(key=f"cancel_{job.id}").click().run()
    assert time.monotonic() - start < 5.0
    assert jobs.show(workspace, job.id).state == "cancelled"
    assert "Nothing is running." in texts(app)
    assert "no model of it was kept" in texts(app)


def test_failed_job_says_why(workspace: Workspace) -> None:
    run_until(workspace, "refuse", ("failed",))
    app = open_page("jobs")
    assert [error.value.replace("\\", "") for error in app.error] == ["Row 17: no item_id."]
    table = app.dataframe[0].value
    assert table["State"].tolist() == ["Failed"]
    assert table["Why it ended"].tolist() == ["row 17: no item_id"]


def test_log_is_shown_as_it_is(workspace: Workspace) -> None:
    job = run_until(workspace, "refuse", ("failed",))
    log = workspace.job_folder(job.id) / jobs.LOG_FILE
    log.write_text("**loud** <script>\n", encoding="utf-8")
    assert open_page("jobs").code[0].value == "**loud** <script>"


def test_hostile_job_name_is_literal(workspace: Workspace) -> None:
    run_until(workspace, "refuse", ("failed",))
    app = open_page("jobs")
    assert app.dataframe[0].value["Job"].tolist() == ["**refuse**"]
    assert "**refuse**" not in texts(app)


def test_several_jobs_can_be_looked_at(workspace: Workspace) -> None:
    first = run_until(workspace, "refuse", ("failed",))
    run_until(workspace, "refuse", ("failed",))
    app = open_page("jobs")
    assert len(app.dataframe[0].value) == 2
    app.selectbox(key="show_job").set_value(first.id).run()
    assert app.error and not app.exception


def test_job_of_another_kind_offers_no_resuming(workspace: Workspace) -> None:
    run_until(workspace, "refuse", ("failed",))
    assert "resume_job" not in [button.key for button in open_page("jobs").button]


def test_failed_training_is_resumed_with_one_click(
    workspace: Workspace, own_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"name": "Again", "dataset": own_shop.dataset, "ranker": "popularity"}
    job = jobs.submit(workspace, "train", spec, worker_module="store_job_worker")  # which knows no such kind
    while jobs.show(workspace, job.id).is_active:
        time.sleep(0.05)
    resumed: list[str] = []
    monkeypatch.setattr("ui.job_rows.resume_job", lambda _, job_id: resumed.append(job_id))
    open_page("jobs").button(key="resume_job").click().run()
    assert resumed == [job.id]
