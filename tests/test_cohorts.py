"""Explaining many lists: the same reasons as one by one, in one file, that can be gone on with."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions import cohorts, jobs
from recsys_core.actions.cohorts import CohortPlan, explain_cohort, people_where
from recsys_core.actions.models import LoadedModel, open_model, request_for
from recsys_core.errors import CancelledError, ConfigError, DataError, StoreError
from recsys_core.explain import cohort
from recsys_core.explain.cohort import COLUMNS, parts_by_length
from recsys_core.explain.history import attribute
from recsys_core.explain.scoring import Question
from recsys_core.ranker.lists import recommend
from recsys_core.store.workspace import Workspace


@pytest.fixture
def model(shop: BuiltWorkspace) -> LoadedModel:
    return open_model(Workspace.open(shop.home), shop.transformer)


def test_people_are_parted_by_the_length_that_the_ranker_reads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cohort, "PEOPLE_A_PART", 2)
    parts = parts_by_length(np.array([5, 0, 1, 9, 30, 2]), max_length=10)
    assert [part.tolist() for part in parts] == [[2, 5], [0, 3], [4]]


def test_nobody_with_a_history_makes_no_part():
    assert parts_by_length(np.array([0, 0]), 10) == []


def test_a_cohort_s_reasons_are_those_of_each_person(model: LoadedModel, tmp_path: Path):
    """Every value of five people against an explanation of that item alone; scores and ranks as on lists."""
    result = explain_cohort(model, CohortPlan(k=3), tmp_path / "reasons.parquet")
    found = pd.read_parquet(tmp_path / "reasons.parquet")
    assert tuple(found.columns) == COLUMNS
    assert len(found) == result.n_rows
    assert result.n_people == found["user_id"].nunique()
    dataset = model.data.dataset
    for user_id in found["user_id"].unique()[::30]:
        request = request_for(model, user_id)
        listed = recommend(model.ranker, dataset, [request], 3)
        own = found[found["user_id"] == user_id]
        assert own["item_id"].unique().tolist() == listed["item_id"].tolist()
        for rank, (item_id, score) in enumerate(
            zip(listed["item_id"], listed["score"], strict=True), start=1
        ):
            rows = own[own["rank"] == rank].sort_values("position")
            number = dataset.item_number(item_id)
            question = Question(request.history, number, request.seen, request.context, request.askers)
            alone = attribute(model.ranker, question, "integrated-gradients")
            first = max(0, len(request.history) - model.ranker.max_length)
            assert rows["score"].to_numpy() == pytest.approx(score, abs=1e-5)
            assert rows["position"].tolist() == list(range(first + 1, len(request.history) + 1))
            ids = [dataset.item_ids[number] for number in request.history[first:]]
            assert rows["history_item_id"].tolist() == ids
            np.testing.assert_allclose(rows["attribution"], alone.values[first:], rtol=0, atol=2e-3)
            assert rows["delta"].abs().max() <= 1e-3 * max(abs(alone.score - alone.baseline_score), 0.01)
            assert set(rows["method"]) == {"integrated-gradients"}


def test_a_stopped_run_goes_on_with_its_parts(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Stopped before the third part; the second run explains only what is missing, to the same file."""
    monkeypatch.setattr(cohort, "PEOPLE_A_PART", 40)
    whole, stopped = tmp_path / "whole.parquet", tmp_path / "stopped.parquet"
    explain_cohort(model, CohortPlan(k=1), whole)
    n_reports = 0

    def stop(share: float, message: str) -> None:
        nonlocal n_reports
        n_reports += 1
        if n_reports == 3:
            raise CancelledError("the job was cancelled")

    with pytest.raises(CancelledError):
        explain_cohort(model, CohortPlan(k=1), stopped, stop)
    assert not stopped.exists()
    folder = tmp_path / "stopped.parquet.parts"
    assert sorted(file.name for file in folder.iterdir()) == ["000000.parquet", "000001.parquet", "plan.json"]
    kept = (folder / "000000.parquet").stat().st_mtime_ns
    explained = list[int]()
    original = cohort.attribute_people
    monkeypatch.setattr(
        cohort, "attribute_people", lambda *args: explained.append(len(args[1])) or original(*args)
    )
    result = explain_cohort(model, CohortPlan(k=1), stopped)
    assert sum(explained) == result.n_people - 80
    assert kept > 0
    assert not folder.exists()
    pd.testing.assert_frame_equal(pd.read_parquet(stopped), pd.read_parquet(whole))


def test_parts_of_another_plan_are_not_gone_on_with(model: LoadedModel, tmp_path: Path):
    def stop(share: float, message: str) -> None:
        raise CancelledError("the job was cancelled")

    with pytest.raises(CancelledError):
        explain_cohort(model, CohortPlan(k=1), tmp_path / "a.parquet", stop)
    with pytest.raises(ConfigError, match=r"a\.parquet\.parts holds parts of another run"):
        explain_cohort(model, CohortPlan(k=2), tmp_path / "a.parquet")


def test_a_damaged_part_is_a_sentence(model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cohort, "PEOPLE_A_PART", 100)
    n_reports = 0

    def stop(share: float, message: str) -> None:
        nonlocal n_reports
        n_reports += 1
        if n_reports == 2:
            raise CancelledError("the job was cancelled")

    out = tmp_path / "a.parquet"
    with pytest.raises(CancelledError):
        explain_cohort(model, CohortPlan(k=1), out, stop)
    (tmp_path / "a.parquet.parts" / "000000.parquet").write_bytes(b"no parquet")
    with pytest.raises(StoreError, match=r"a part of a\.parquet can't be read"):
        explain_cohort(model, CohortPlan(k=1), out)
    assert not out.exists()


def test_a_cohort_is_who_has_all_of_its_attributes(model: LoadedModel):
    users = model.data.dataset.users
    name = next(str(column) for column in users.columns if column != "user_id")
    value = str(users[name].iloc[0])
    inside = people_where(model, [f"{name}={value}"])
    assert inside.tolist() == np.flatnonzero(users[name].astype(str) == value).tolist()
    assert len(people_where(model, [])) == len(users)
    with pytest.raises(DataError, match="nobody is in the cohort"):
        people_where(model, [f"{name}=no such value"])
    with pytest.raises(ConfigError, match=r"'colour=blue' names no group; .* attributes are"):
        people_where(model, ["colour=blue"])
    with pytest.raises(ConfigError, match=f"'{name}' names no group"):
        people_where(model, [name])


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (CohortPlan(k=0), "k is 0; a list to be explained has 1 to 100 items"),
        (CohortPlan(k=101), "k is 101"),
        (
            CohortPlan(method="counts"),
            "'counts' doesn't fit this ranker; methods that do: integrated-gradients",
        ),
        (CohortPlan(method="tea-leaves"), "'tea-leaves' doesn't fit"),
        (CohortPlan(max_relative_delta=0.0), "max_relative_delta is 0"),
    ],
)
def test_a_bad_plan_is_refused_before_anything_is_written(
    model: LoadedModel, tmp_path: Path, plan: CohortPlan, message: str
):
    with pytest.raises(ConfigError, match=message):
        explain_cohort(model, plan, tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_counting_rankers_are_explained_by_their_counts(shop: BuiltWorkspace, tmp_path: Path):
    model = open_model(Workspace.open(shop.home), shop.item_knn)
    explain_cohort(model, CohortPlan(k=2), tmp_path / "a.parquet")
    found = pd.read_parquet(tmp_path / "a.parquet")
    sums = found.groupby(["user_id", "rank"]).agg(total=("attribution", "sum"), score=("score", "first"))
    np.testing.assert_allclose(sums["total"], sums["score"], rtol=1e-4, atol=1e-6)
    assert set(found["method"]) == {"counts"}


def test_the_command_writes_the_file_and_says_how_many(shop: BuiltWorkspace, tmp_path: Path):
    out = tmp_path / "reasons.parquet"
    command = Command(shop.home)
    found = command.json("explain-cohort", shop.transformer, "--out", str(out), "--k", "2")
    assert found["n_rows"] == pq.read_metadata(out).num_rows
    assert found["method"] == "integrated-gradients"
    text = command.run("explain-cohort", shop.item_knn, "--out", str(out), "--k", "1").stdout
    assert "reasons of" in text
    assert "'k' is" not in command.refusal("explain-cohort", shop.transformer, "--out", str(out), "--k", "0")


@pytest.mark.slow
def test_a_job_explains_and_can_be_resumed(own_shop: BuiltWorkspace):
    workspace = Workspace.open(own_shop.home)
    job = cohorts.submit_explaining(workspace, own_shop.transformer, CohortPlan(k=1))
    for _ in range(300):
        job = jobs.show_job(workspace, job.id)
        if not job.is_active:
            break
        time.sleep(0.1)
    assert job.state == "done", job.error
    result = json.loads(json.dumps(job.result))
    assert len(pd.read_parquet(result["file"])) == result["n_rows"]
    assert not jobs.can_resume(job)
    with pytest.raises(ConfigError, match="k is 0"):
        cohorts.submit_explaining(workspace, own_shop.transformer, CohortPlan(k=0))
