"""Train: the form, the job that it starts, its curves, the leaderboard."""

import json
import time
from pathlib import Path

import pytest
from app_workspace import BuiltWorkspace, open_page, texts

from recsys_core.actions.jobs import list_jobs
from recsys_core.config import SETTINGS
from recsys_core.store import jobs
from recsys_core.store.records import JobRecord
from recsys_core.store.workspace import Workspace

pytestmark = pytest.mark.slow  # many processes are started

PATIENCE_S = 60.0


def ended(workspace: Workspace) -> JobRecord:
    """The newest job, once it is over."""
    start = time.monotonic()
    while (job := list_jobs(workspace)[0]).is_active:
        assert time.monotonic() - start < PATIENCE_S, f"{job.message} for over {PATIENCE_S} s"
        time.sleep(0.1)
    return job


def fake_run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: str) -> JobRecord:
    """A training job that waits for ever, with the events of two epochs."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    spec = {"dataset": dataset, "ranker": "transformer", "name": "Live", "preset": "quick", "changes": []}
    job = jobs.submit(workspace, "wait", spec, worker_module="store_job_worker")
    epochs = [
        {"number": 1, "loss": 5.0, "valid_ndcg": 0.1, "elapsed_s": 1.0, "targets_per_s": 100.0},
        {"number": 2, "loss": 4.0, "valid_ndcg": 0.2, "elapsed_s": 2.0, "targets_per_s": 100.0},
    ]
    events = workspace.job_folder(job.id) / jobs.EVENTS_FILE
    events.write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs), encoding="utf-8")
    return job


def test_without_data_the_page_leads_to_it(empty_home: Path) -> None:
    app = open_page("train")
    assert "There is no data set yet" in texts(app)
    app.button(key="empty_no_data").click().run()
    assert app.button(key="open_sample")


def test_every_ranker_is_offered(shop: BuiltWorkspace) -> None:
    assert len(open_page("train").radio(key="ranker").options) == len(SETTINGS)


def test_preset_fills_the_parameters(shop: BuiltWorkspace) -> None:
    app = open_page("train")
    assert app.number_input(key="set_transformer_epochs").value == 20
    app.segmented_control(key="preset").set_value("quick").run()
    assert app.number_input(key="set_transformer_epochs").value == 8
    assert app.number_input(key="set_transformer_epochs").max == 1_000


def test_suggested_name_is_free(shop: BuiltWorkspace) -> None:
    app = open_page("train")
    app.radio(key="ranker").set_value("popularity").run()
    assert app.text_input(key="model_name").value == "Popularity 2"


def test_earlier_run_gives_the_estimate(shop: BuiltWorkspace) -> None:
    app = open_page("train")
    assert "Last time on this data set" not in texts(app)
    app.segmented_control(key="preset").set_value("quick").run()
    assert "Last time on this data set" in texts(app)


def test_leaderboard_is_best_first(shop: BuiltWorkspace) -> None:
    board = open_page("train").dataframe[0].value
    assert sorted(board["Model"]) == ["Test item-knn", "Test popularity", "Test transformer"]
    assert board["NDCG@10"].is_monotonic_decreasing
    kept = {model.name: model.details for model in Workspace.open(shop.home).models()}
    assert board["HR@10"].tolist() == [kept[name]["test"]["hr@10"] for name in board["Model"]]


def test_taken_name_is_a_sentence_and_starts_nothing(own_shop: BuiltWorkspace) -> None:
    app = open_page("train")
    app.text_input(key="model_name").set_value("Test popularity").run()
    app.button(key="start_training").click().run()
    assert len(app.error) == 1
    assert "Test popularity" in app.error[0].value.replace("\\", "")
    assert list_jobs(Workspace.open(own_shop.home)) == []


def test_contradicting_parameters_are_a_sentence(own_shop: BuiltWorkspace) -> None:
    app = open_page("train")
    app.text_input(key="set_transformer_encoder").set_value("").run()
    app.button(key="start_training").click().run()
    assert "encoder" in app.error[0].value
    assert list_jobs(Workspace.open(own_shop.home)) == []


def test_started_job_trains_a_model_that_joins_the_leaderboard(own_shop: BuiltWorkspace) -> None:
    workspace = Workspace.open(own_shop.home)
    app = open_page("train")
    app.radio(key="ranker").set_value("item-knn").run()
    app.number_input(key="set_item-knn_n_neighbours").set_value(5).run()
    app.text_input(key="model_name").set_value("Mine").run()
    app.button(key="start_training").click().run()
    assert not app.error
    job = ended(workspace)
    assert (job.state, job.error) == ("done", None)
    assert job.spec["changes"] == ["n_neighbours=5"]
    app.run()
    assert "Mine" in app.dataframe[0].value["Model"].tolist()
    app.button(key="open_trained").click().run()
    assert app.query_params["model"] == workspace.resolve("model", "Mine").id


def test_hitting_start_twice_starts_one_job(own_shop: BuiltWorkspace) -> None:
    app, other = open_page("train"), open_page("train")
    for page in (app, other):
        page.radio(key="ranker").set_value("popularity").run()
        page.text_input(key="model_name").set_value("Once").run()
        page.button(key="start_training").click()
    for page in (app, other):
        page.run()
    workspace = Workspace.open(own_shop.home)
    assert len(list_jobs(workspace)) == 1
    ended(workspace)


def test_running_job_shows_its_curves_in_a_new_session(
    own_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.training_view.TRAINING_KINDS", ("wait",))
    workspace = Workspace.open(own_shop.home)
    job = fake_run(workspace, monkeypatch, own_shop.dataset)
    try:
        app = open_page("train")
        assert not app.exception and not app.error
        assert "Epoch 2 · best so far: epoch 2, validation NDCG@10 0.2000" in texts(app)
        assert len(app.get("plotly_chart")) == 1
        app.button(key="cancel_training").click().run()
        assert workspace.resolve("job", job.id).state == "cancelled"
        assert "no model of it was kept" in texts(app)
    finally:
        jobs.cancel(workspace, job.id)


def test_model_is_renamed_and_deleted(own_shop: BuiltWorkspace) -> None:
    workspace = Workspace.open(own_shop.home)
    app = open_page("train")
    app.selectbox(key="managed_model").set_value(own_shop.popularity).run()
    app.text_input(key="new_name").set_value("Yardstick").run()
    app.button(key="rename_model").click().run()
    assert workspace.resolve("model", own_shop.popularity).name == "Yardstick"
    app.button(key="delete_model").click().run()
    assert own_shop.popularity not in [model.id for model in workspace.models()]
    assert not app.exception and not app.error
