"""`reclens mitigate`: a frontier, its side effects, and the chosen point as a model like any other."""

import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions.mitigation import mitigate
from recsys_core.actions.models import open_model
from recsys_core.store.workspace import Workspace

WORDS = ("--by", "gender", "--metric", "hr@20", "--draws", "200", "--max-loss", "0.2")
SPECS = ("--rerank", "popularity:0.3", "--rerank", "calibration:0.3")


@pytest.fixture
def reclens(own_wider_shop: BuiltWorkspace) -> Command:
    return Command(own_wider_shop.home)


def test_the_frontier_has_a_chosen_point_and_what_it_does_beside(reclens: Command):
    found = reclens.json("mitigate", "Test item-knn", *WORDS, *SPECS)
    assert sum(point["chosen"] for point in found["points"]) == 1
    assert found["n_fitting"] + found["n_showing"] <= 420
    gaps = [point["fit_gap"] for point in found["points"]]
    assert gaps == sorted(gaps, reverse=True)
    for point in found["points"]:
        for change in (point["utility"], point["gap"], *point["groups"].values()):
            assert change["difference"] == pytest.approx(change["after"] - change["before"])
            assert change["ci_low"] <= change["ci_high"]
    assert {row["attribute"] for row in found["side_effects"]} >= {"gender"}
    assert all(row["n"] >= 11 for row in found["side_effects"])
    assert {row["name"] for row in found["items"]} >= {"coverage@10", "gini@10"}


def test_the_chosen_point_is_kept_as_a_model_that_is_audited_like_any_other(reclens: Command):
    found = reclens.json("mitigate", "Test item-knn", *WORDS, *SPECS, "--name", "milder")
    assert found["model"]
    audited = reclens.json("audit", "milder", "--by", "gender", "--metric", "hr@20", "--draws", "200")
    assert audited["overall"]["n"] > 0
    lists = reclens.json("recommend", "milder", "--all", "--k", "20")["recommendations"]
    assert lists
    compared = reclens.json("compare", "milder", "Test item-knn", "--metric", "hr@20", "--draws", "500")
    assert compared["n_users"] == audited["overall"]["n"]


def test_the_kept_model_ranks_as_the_frontier_said(own_wider_shop: BuiltWorkspace, reclens: Command):
    reclens.json("mitigate", "Test item-knn", *WORDS, *SPECS, "--name", "milder")
    workspace = Workspace.open(own_wider_shop.home)
    model = open_model(workspace, own_wider_shop.item_knn)
    done, ranker = mitigate(model, "gender", ("popularity:0.3", "calibration:0.3"), "hr@20", 0.2, 200)
    kept = open_model(workspace, "milder")
    known = [ranker.policy, kept.ranker.policy]  # type: ignore[union-attr]
    assert known[0] == known[1] == done.policy
    assert kept.settings.model_dump()["by"] == "gender"


def test_in_words_it_says_who_chose_and_who_shows(reclens: Command):
    text = reclens.run("mitigate", "Test item-knn", *WORDS, *SPECS).stdout
    assert "chosen by" in text and "keep the chosen point with --name" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--by", "tea"], "'tea' is not an attribute"),
        (["--by", "gender", "--rerank", "tea:1"], "'tea:1' is no re-ranking"),
        (["--by", "gender", "--max-loss", "2"], "may lose is 2.0; it must lie from 0 to 1"),
        (["--by", "gender", "--metric", "tea@3"], "no metric 'tea@3'"),
        (["--by", "gender", "--draws", "3"], "draws is 3"),
        (["--by", "gender", "--name", "Test item-knn"], "Test item-knn"),
    ],
)
def test_bad_input_is_one_sentence(reclens: Command, words: list[str], sentence: str):
    assert sentence in reclens.refusal("mitigate", "Test item-knn", *words)
