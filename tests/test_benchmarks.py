"""What the benchmarks work out from what they measured."""

import math

import numpy as np
import pytest

from benchmarks.children import ChildFailed, run_own, spread
from benchmarks.growth import exponent
from benchmarks.scoring_speed import compare
from benchmarks.training_speed import Compared


def test_the_exponent_of_quadratic_growth_is_two():
    assert exponent([1, 10, 100], [3.0, 300.0, 30_000.0]) == "2.00"


def test_the_exponent_leaves_failed_stages_out():
    assert exponent([1, 10, 100], [1.0, 10.0, math.nan]) == "1.00"
    assert exponent([1, 10], [1.0, math.nan]) == "–"


def test_a_peer_is_compared_with_the_mean_of_our_runs_around_it():
    figures = [{"targets_per_s": value} for value in (30.0, 10.0, 50.0)]
    assert Compared(*figures).ratio == 4.0


def test_a_spread_is_the_median_and_the_range():
    assert spread([3.0, 1.0, 2.0], "{:.0f}") == "2 (1–3)"
    assert spread([3.0], "{:.0f}") == "3"


def test_lists_are_compared_by_the_scores_where_items_differ(tmp_path):
    np.save(tmp_path / "vectors.npy", np.array([[1.0], [1.0], [2.0]], dtype=np.float32))
    np.save(tmp_path / "states.npy", np.array([[1.0], [1.0]], dtype=np.float32))
    np.save(tmp_path / "items_own.npy", np.array([[2, 0], [2, 0]]))
    np.save(tmp_path / "items.npy", np.array([[2, 1], [0, 2]]))  # a tie, then two real differences
    assert compare(tmp_path) == "3 of 4 places differ, by 1e+00 at most; 2 beyond rounding"


def test_a_child_that_fails_says_how():
    with pytest.raises(ChildFailed, match="No module named"):
        run_own("missing")
