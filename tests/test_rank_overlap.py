"""Rank-biased overlap: the paper's extremes, sums by hand, shorter lists, bad input."""

import numpy as np
import pytest

from recsys_core.errors import ConfigError
from recsys_core.metrics.rank_overlap import rank_biased_overlap


def overlap(first: list[int], second: list[int], persistence: float = 0.9) -> float:
    return float(rank_biased_overlap(np.array([first]), np.array([second]), persistence)[0])


def test_the_same_list_overlaps_wholly():
    assert overlap([3, 1, 2], [3, 1, 2]) == pytest.approx(1)


def test_lists_without_a_common_item_do_not_overlap():
    assert overlap([1, 2, 3], [4, 5, 6]) == 0


def test_a_swap_by_hand():
    """Lists 1 2 and 2 1, p = .5: X = 0, 2; X_2/2 · p² = 1/4; (1 − p)/p · (0 + 2/2 · 1/4) = 1/4."""
    assert overlap([1, 2], [2, 1], 0.5) == pytest.approx(0.5)


def test_half_of_the_items_in_common_by_hand():
    """Lists 1 2 and 1 3, p = .5: X = 1, 1; 1/2 · 1/4 + (1/2 + 1/2 · 1/4) = 3/4."""
    assert overlap([1, 2], [1, 3], 0.5) == pytest.approx(0.75)


def test_a_change_on_top_counts_more_than_one_below():
    assert overlap([1, 2, 3, 4], [9, 2, 3, 4]) < overlap([1, 2, 3, 4], [1, 2, 3, 9])


def test_shorter_lists_are_compared_as_far_as_they_go():
    assert overlap([1, 2, 0], [2, 1, 0], 0.5) == pytest.approx(overlap([1, 2], [2, 1], 0.5))
    assert np.isnan(overlap([0, 0], [0, 0]))


def test_every_person_has_a_value_of_their_own():
    found = rank_biased_overlap(np.array([[1, 2], [1, 2]]), np.array([[1, 2], [3, 4]]))
    assert found == pytest.approx([1, 0])


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="persistence is 1"):
        overlap([1], [1], 1)
    with pytest.raises(ConfigError, match="can't be held against"):
        rank_biased_overlap(np.zeros((1, 2), dtype=np.int64), np.zeros((1, 3), dtype=np.int64))
