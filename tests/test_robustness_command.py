"""`reclens suspicious` and `feedback` on the small shop, in which frauds are planted."""

import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions import audit_checks


@pytest.fixture
def reclens(own_shop: BuiltWorkspace) -> Command:
    return Command(own_shop.home)


def test_an_audit_without_flagged_accounts_tells_verdicts_and_no_figures(reclens: Command):
    found = reclens.json(
        "suspicious", "Test item-knn", "--by", "region", "--metric", "hr@60", "--draws", "200"
    )
    assert 1 <= found["n_flagged"] <= 8
    assert found["reasons"]["clockwork"] >= 1
    assert found["gaps"]
    allowed = {"attribute", "group", "reference", "with_all", "without_flagged", "flips"}
    assert all(set(row) == allowed for row in found["gaps"])
    assert found["n_flips"] == sum(row["with_all"] != row["without_flagged"] for row in found["gaps"])


def test_rounds_of_acceptance_have_bands_over_seeds(reclens: Command):
    words = ("--by", "region", "--metric", "hr@20", "--rounds", "2", "--seeds", "2")
    found = reclens.json("feedback", "Test item-knn", *words)
    assert [row["number"] for row in found["rounds"]] == [0, 1, 2]
    assert found["learns"] is True and found["n_seeds"] == 2
    first = found["rounds"][0]
    assert first["gap"]["low"] == first["gap"]["high"] == pytest.approx(first["gap"]["mean"])
    for row in found["rounds"]:
        assert row["gap"]["low"] <= row["gap"]["mean"] <= row["gap"]["high"]
        assert 0 < row["gini"]["mean"] < 1
    text = reclens.run("feedback", "Test item-knn", *words).stdout
    assert (
        "fitted anew in each round, the first too, to training and validation events" in text
        and "value: hr@20; gap: the best-served of" in text
    )


def test_a_group_of_too_few_drawn_people_forms_no_gap(reclens: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit_checks, "MOST_PEOPLE", 20)  # two groups of 11 don't fit into 20 people
    words = ("--by", "region", "--rounds", "1", "--seeds", "1")
    assert "fewer than 2 groups that may be shown" in reclens.refusal("feedback", "Test item-knn", *words)


def test_a_model_that_is_not_fitted_again_says_so(reclens: Command):
    words = ("--by", "region", "--metric", "hr@20", "--rounds", "1", "--seeds", "1")
    assert reclens.json("feedback", "Test transformer", *words)["learns"] is False
    assert "only histories grow" in reclens.run("feedback", "Test transformer", *words).stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["feedback", "Test item-knn", "--by", "region", "--rounds", "0"],
            "rounds is 0; allowed are 1 to 50",
        ),
        (["feedback", "Test item-knn", "--by", "tea"], "'tea' is not an attribute"),
        (["suspicious", "Test item-knn", "--by", "tea"], "'tea' is not an attribute"),
        (["suspicious", "Test item-knn", "--by", "region", "--metric", "x@1"], "no metric 'x@1'"),
    ],
)
def test_bad_input_is_one_sentence(reclens: Command, words: list[str], sentence: str):
    assert sentence in reclens.refusal(*words)
