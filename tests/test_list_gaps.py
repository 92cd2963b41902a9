"""Popularity lift and bias disparity: hand-worked cases, hidden and small groups, and intervals that hold."""

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.list_gaps import ShownGroups, bias_disparity, popularity_lift


def groups(*sizes: int, hidden: frozenset[str] = frozenset()) -> ShownGroups:
    names = tuple("abcd"[: len(sizes)])
    return ShownGroups(names, np.repeat(np.arange(len(sizes)), sizes), hidden)


def test_popularity_lift_by_hand():
    # a: histories .2, lists .3 on average: + 50 %; b: .4 and .2: − 50 %
    history = np.repeat([0.1, 0.3, 0.4], [20, 20, 30])
    listed = np.repeat([0.2, 0.4, 0.2], [20, 20, 30])
    first, second = popularity_lift(groups(40, 30), history, listed, 500, [1])
    assert (first.value, first.history, first.listed) == pytest.approx((0.5, 0.2, 0.3))
    assert second.value == pytest.approx(-0.5)
    assert first.ci_low is not None and first.ci_high is not None
    assert first.ci_low < 0.5 < first.ci_high


def test_people_without_a_list_are_left_out_of_the_lift():
    history, listed = np.full(60, 0.2), np.full(60, 0.3)
    history[:30], listed[:30] = 0.9, np.nan
    (row,) = popularity_lift(groups(60), history, listed, 200, [1])
    assert (row.value, row.history) == pytest.approx((0.5, 0.2))


def test_hidden_group_has_no_row_and_a_small_one_no_figure():
    history, listed = np.full(60, 0.2), np.full(60, 0.3)
    rows = popularity_lift(groups(30, 15, 15, hidden=frozenset("c")), history, listed, 200, [1])
    assert [row.group for row in rows] == ["a", "b"]
    assert (rows[1].value, rows[1].ci_low, rows[1].history) == (None, None, None)
    assert rows[1].reason is not None and rows[1].reason.startswith("insufficient data")


def test_bias_disparity_by_hand():
    # histories: a has 3 x and 1 y each, b 1 x and 3 y: P(x) = ½, B(a, x) = ¾ / ½ = 1.5
    # lists: a has 4 x, b 2 x and 2 y: P(x) = 6/8, B(a, x) = 1 / (6/8) = 4/3: (4/3 − 3/2) / (3/2) = −1/9
    history = np.repeat([[3.0, 1], [1, 3]], [30, 30], axis=0)
    listed = np.repeat([[4.0, 0], [2, 2]], [30, 30], axis=0)
    rows = bias_disparity(groups(30, 30), ["x", "y"], history, listed, 200, [1])
    found = {(row.group, row.category): row.value for row in rows}
    assert found["a", "x"] == pytest.approx(-1 / 9)
    assert found["a", "y"] == pytest.approx(-1.0)  # never listed for a
    assert found["b", "y"] == pytest.approx((0.5 / 0.25) / (0.75 / 0.5) - 1)


def test_lists_like_the_histories_have_no_disparity():
    history = np.random.default_rng(1).integers(1, 6, (80, 3)).astype(float)
    rows = bias_disparity(groups(40, 40), ["x", "y", "z"], history, 2 * history, 300, [1])
    assert [row.value for row in rows] == pytest.approx([0.0] * 6, abs=1e-12)


def test_category_that_a_group_never_touched_is_unknown():
    history = np.repeat([[4.0, 0], [2, 2]], [30, 30], axis=0)
    rows = bias_disparity(groups(30, 30), ["x", "y"], history, history, 200, [1])
    unknown = next(row for row in rows if (row.group, row.category) == ("a", "y"))
    assert unknown.value is None and unknown.reason is not None


def test_data_without_categories_are_refused():
    with pytest.raises(DataError, match="0 categories are named"):
        bias_disparity(groups(30), [], np.ones((30, 0)), np.ones((30, 0)), 200, [1])


def sample(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    history = rng.beta(2, 8, 100)
    return history, 1.3 * history + 0.01 * rng.normal(size=100)


def test_interval_of_the_lift_holds_the_truth():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        (row,) = popularity_lift(groups(100), *sample(rng), 300, [int(rng.integers(1 << 30))])
        assert row.ci_low is not None and row.ci_high is not None
        held += row.ci_low <= 0.3 <= row.ci_high
    assert 0.90 * 200 <= held <= 0.99 * 200
