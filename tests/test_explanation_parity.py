"""Explanations by group: sizes and overlaps by hand, and the audits of a small shop."""

import numpy as np
import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions.explanation_parity import overlap, share_that_carries, strongest


def test_the_smallest_share_of_items_that_carries_four_fifths():
    history = np.array([1, 2, 3, 4])
    assert share_that_carries(history, np.array([0.8, 0.1, 0.05, 0.05])) == 1 / 4
    assert share_that_carries(history, np.array([0.5, -0.3, 0.1, 0.1])) == 2 / 4
    assert share_that_carries(history, np.ones(4)) == 1
    assert np.isnan(share_that_carries(history, np.zeros(4)))


def test_an_item_that_comes_twice_is_one():
    assert share_that_carries(np.array([1, 2, 1, 3]), np.array([0.4, 0.1, 0.4, 0.1])) == pytest.approx(1 / 3)
    assert strongest(np.array([1, 2, 1]), np.array([0.3, 0.5, 0.3]), 1) == {1}


def test_the_strongest_are_those_of_the_largest_absolute_values():
    assert strongest(np.array([5, 6, 7, 8]), np.array([0.1, -0.9, 0.5, 0.2]), 2) == {6, 7}
    assert strongest(np.array([5]), np.array([0.1])) == {5}


def test_overlap_is_jaccards():
    assert overlap({1, 2, 3}, {2, 3, 4}) == 2 / 4
    assert overlap({1}, {1}) == 1
    assert overlap({1}, {2}) == overlap(set(), set()) == 0


def test_the_command_has_an_audit_of_each_measure(own_shop: BuiltWorkspace):
    reclens = Command(own_shop.home)
    words = ("--by", "region", "--people", "80", "--draws", "200")
    found = reclens.json("explanation-parity", "Test item-knn", *words)
    assert found["method"] == "counts"
    assert 60 <= found["n"] <= 80
    assert set(found["measures"]) == {"faithfulness", "size", "stability"}
    for name, result in found["measures"].items():
        assert result["overall"]["metric"] == name
        assert result["overall"]["n"] == found["n"]
    assert found["measures"]["faithfulness"]["overall"]["value"] > 0
    for name in ("size", "stability"):
        assert 0 < found["measures"][name]["overall"]["value"] <= 1
    assert "stability" in reclens.run("explanation-parity", "Test item-knn", *words).stdout


def test_counts_of_a_sum_are_perfectly_stable(own_shop: BuiltWorkspace):
    """Item-kNN adds up its history: an item's part doesn't depend on which others are there."""
    found = Command(own_shop.home).json(
        "explanation-parity", "Test item-knn", "--by", "region", "--people", "40", "--draws", "200"
    )
    assert found["measures"]["stability"]["overall"]["value"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--by", "tea", "--people", "12"], "'tea' is not an attribute"),
        (["--by", "region", "--people", "0"], "people is 0; allowed are 1 to 5000"),
    ],
)
def test_bad_input_is_one_sentence(own_shop: BuiltWorkspace, words: list[str], sentence: str):
    assert sentence in Command(own_shop.home).refusal("explanation-parity", "Test item-knn", *words)
