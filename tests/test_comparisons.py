"""Models held against each other: compare, leaderboard, slices, and data that are split by time."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import Command

from recsys_core.actions import comparisons
from recsys_core.actions.comparisons import compare_models, popularity_values, values_of
from recsys_core.actions.data import open_dataset
from recsys_core.actions.loaded import MODEL_FILE, RANKS_FILE, LoadedModel
from recsys_core.actions.models import evaluate_model, open_model
from recsys_core.actions.samples import SAMPLE_FOLDER
from recsys_core.data.simulate import ShopSize, simulate_shop, write_shop
from recsys_core.files import read_json
from recsys_core.ranker.evaluation import Part
from recsys_core.ranker.kept_evaluation import from_columns
from recsys_core.store.workspace import Workspace


@pytest.fixture(scope="module")
def reclens(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """One shop, split in both ways, with models of each."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(simulate_shop(1, ShopSize(200, 150, 7_000)), folder)
    command = Command(tmp_path_factory.mktemp("home"))
    rows = ["--interactions", str(folder / "interactions.csv")]
    command.json("ingest", "shop", *rows)
    command.json("ingest", "later", *rows, "--split", "time")
    for ranker in ("item-knn", "popularity", "transitions"):
        command.json("train", "shop", "--ranker", ranker, "--name", ranker)
    command.json("train", "later", "--ranker", "item-knn", "--name", "later-knn")
    return command


@pytest.fixture(scope="module")
def workspace(reclens: Command) -> Workspace:
    return Workspace.open(reclens.workspace)


def test_compare_answers_with_the_difference_and_its_interval(reclens: Command):
    found = reclens.json("compare", "transitions", "popularity")
    first, second = (reclens.json("evaluate", name) for name in ("transitions", "popularity"))
    assert found["value_a"] == pytest.approx(first["ndcg@10"])
    assert found["value_b"] == pytest.approx(second["ndcg@10"])
    assert found["difference"] == pytest.approx(first["ndcg@10"] - second["ndcg@10"])
    assert found["ci_low"] < found["difference"] < found["ci_high"]
    assert found["n_users"] == first["n_users"] >= found["n_better"] + found["n_worse"]
    assert 0 < found["p_value"] <= 1


def test_transitions_are_surely_better_than_popularity_in_the_simulated_shop(reclens: Command):
    found = reclens.json("compare", "transitions", "popularity", "--metric", "hr@20")
    assert found["ci_low"] > 0
    assert found["p_value"] < 0.01
    assert found["n_better"] > found["n_worse"]


def test_a_model_differs_from_itself_by_nothing(reclens: Command):
    found = reclens.json("compare", "item-knn", "item-knn", "--metric", "auc", "--split", "valid")
    assert (found["difference"], found["ci_low"], found["ci_high"], found["p_value"]) == (0, 0, 0, 1)
    assert (found["n_better"], found["n_worse"], found["split"]) == (0, 0, "valid")


def test_compare_in_words_says_who_is_better_for_how_many(reclens: Command):
    text = reclens.run("compare", "transitions", "popularity", "--draws", "500").stdout
    assert "95 % interval +" in text
    assert "transitions is better for" in text


def test_lists_can_be_compared_at_a_length_that_was_not_kept(reclens: Command):
    found = reclens.json("compare", "item-knn", "popularity", "--metric", "novelty@5", "--draws", "500")
    assert found["value_a"] > found["value_b"]
    assert found["ci_low"] > 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["compare", "item-knn", "later-knn"], "'item-knn' learned from 'shop' and 'later-knn' from 'later'"),
        (["compare", "item-knn", "nothing"], "no model 'nothing'"),
        (["compare", "item-knn", "popularity", "--metric", "ndcg"], "no metric 'ndcg'"),
        (["compare", "item-knn", "popularity", "--metric", "gini@10"], "no single person has one"),
        (["compare", "item-knn", "popularity", "--split", "train"], "the split is 'train'"),
        (["compare", "item-knn", "popularity", "--draws", "3"], "draws is 3; an interval needs at least 100"),
        (["leaderboard", "nothing"], "no data set 'nothing'"),
        (["leaderboard", "shop", "--metric", "tea@5"], "no metric 'tea@5'"),
        (["ingest", "x", "--interactions", "x.csv", "--split", "random"], "no split 'random'"),
    ],
)
def test_bad_input_is_one_sentence(reclens: Command, words: list[str], sentence: str):
    assert sentence in reclens.refusal(*words)


def test_the_leaderboard_holds_every_model_against_popularity(reclens: Command):
    rows = {row["name"]: row for row in reclens.json("leaderboard", "shop")["models"]}
    assert set(rows) == {"item-knn", "popularity", "transitions"}
    values = [row["value"] for row in reclens.json("leaderboard", "shop")["models"]]
    assert values == sorted(values, reverse=True)
    assert (rows["popularity"]["difference"], rows["popularity"]["p_value"]) == (0, 1)
    paired = reclens.json("compare", "transitions", "popularity")
    for figure in ("difference", "ci_low", "ci_high", "p_value"):
        assert rows["transitions"][figure] == pytest.approx(paired[figure])
    assert rows["transitions"]["p_adjusted"] == pytest.approx(min(1, 3 * paired["p_value"]))


def test_the_leaderboard_of_data_without_models_is_empty(reclens: Command, workspace: Workspace):
    pairs = [f"u{n % 5},i{n},{1_700_000_000 + n}" for n in range(40)]
    file = reclens.workspace / "few.csv"
    file.write_text("\n".join(["user,item,time", *pairs]))
    reclens.json("ingest", "few", "--interactions", str(file))
    assert comparisons.leaderboard(workspace, "few").standings == ()
    assert "nothing here yet" in reclens.run("leaderboard", "few").stdout


def test_slices_come_with_their_sizes(reclens: Command):
    found = reclens.json("evaluate", "item-knn", "--slices")
    slices = {row["slice"]: row for row in found["slices"]}
    for one, other in (
        ("cold people", "warm people"),
        ("cold items", "warm items"),
        ("head items", "tail items"),
    ):
        assert slices[one]["n_users"] + slices[other]["n_users"] == found["n_users"]
        parts = [slices[name] for name in (one, other) if slices[name]["n_users"]]
        whole = sum(part["n_users"] * part["ndcg@10"] for part in parts) / found["n_users"]
        assert whole == pytest.approx(found["ndcg@10"])
    assert "tail items" in reclens.run("evaluate", "item-knn", "--slices").stdout


def test_evaluate_answers_with_figures_beyond_accuracy(reclens: Command):
    found = reclens.json("evaluate", "item-knn")
    assert {
        "f1@10",
        "auc",
        "gini@10",
        "novelty@10",
        "popularity@10",
        "diversity@10",
        "serendipity@10",
    } <= set(found)
    assert 0.5 < found["auc"] < 1
    assert reclens.json("evaluate", "popularity")["serendipity@10"] == 0


def test_data_split_by_time_test_what_came_later(reclens: Command, tmp_path: Path):
    reclens.json("split", "later", "--out", str(tmp_path))
    train, valid, test = (
        pd.read_parquet(tmp_path / f"{part}.parquet") for part in ("train", "valid", "test")
    )
    assert train["timestamp_s"].max() < valid["timestamp_s"].min()
    assert valid["timestamp_s"].max() < test["timestamp_s"].min()
    assert reclens.json("evaluate", "later-knn")["n_users"] == len(test) == test["user_id"].nunique()


def test_the_check_of_a_split_finds_no_pair_and_tells_the_limit_of_leaving_one_out(
    reclens: Command, tmp_path: Path
):
    person, time = (
        reclens.json("split", name, "--out", str(tmp_path), "--check")["leakage"]
        for name in ("shop", "later")
    )
    for found in (person, time):
        assert (found["in_training"], found["in_history"], found["held_out_twice"]) == (0, 0, 0)
    assert person["later_training_share"] > 0.01
    assert time["later_training_share"] == 0
    assert (
        "later than a test target" in reclens.run("split", "shop", "--out", str(tmp_path), "--check").stdout
    )


def test_data_sets_of_earlier_versions_are_left_one_out(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    """Their split.json holds a seed and nothing else."""
    monkeypatch.setattr("recsys_core.actions.data.read_json", lambda path: {"seed": 0})
    dataset = open_dataset(workspace, "later")
    assert dataset.split.test_rows.lengths.max() == 1
    assert (dataset.split.test_length - dataset.split.train_length).max() == 1


def aged(model: LoadedModel) -> LoadedModel:
    """The model as an earlier version would have kept it: ranks and coverage."""
    table = pd.DataFrame({"valid": model.valid.ranks, "test": model.test.ranks})
    valid, test = (from_columns(table, part, 10, 0.5, math.nan) for part in ("valid", "test"))
    return replace(model, valid=valid, test=test)


def test_what_an_earlier_version_did_not_keep_is_worked_out_when_asked_for(workspace: Workspace):
    model = open_model(workspace, "item-knn")
    old = aged(model)
    np.testing.assert_allclose(values_of(old, "ndcg@7", "test"), model.test.per_person("ndcg@7"))
    for metric in ("auc", "novelty@10", "serendipity@3"):
        np.testing.assert_allclose(values_of(old, metric, "valid"), model.valid.per_person(metric))
    assert evaluate_model(old, "test").summary() == pytest.approx(model.test.summary())


def test_a_kept_model_answers_without_ranking_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("ranked again")

    monkeypatch.setattr("recsys_core.actions.models.evaluate", refuse)
    found = compare_models(workspace, "item-knn", "popularity", "diversity@10", "valid", 500)
    assert found.result.n > 100


def test_the_sample_that_an_earlier_version_kept_can_be_read():
    folder = SAMPLE_FOLDER / "model"
    kept, ranks = read_json(folder / MODEL_FILE), pd.read_parquet(folder / RANKS_FILE)
    figures = read_json(folder / "details.json")["details"]["test"]
    found = from_columns(ranks, "test", 10, kept["coverage"]["test"], math.nan)
    for metric in ("ndcg@10", "hr@10", "mrr@10", "coverage@10"):
        assert found.mean(metric) == pytest.approx(figures[metric])


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("metric", ["ndcg@10", "hr@100", "auc", "serendipity@3", "novelty@10"])
def test_one_order_for_everybody_tells_what_ranking_by_popularity_finds(
    workspace: Workspace, part: Part, metric: str
):
    model = open_model(workspace, "popularity")
    found = popularity_values(model.data, metric, part)
    np.testing.assert_array_equal(found, values_of(model, metric, part))
