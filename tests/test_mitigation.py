"""Closing a gap by re-ranking: policies by hand, a frontier that is honest, and the kept model."""

import numpy as np
import pytest

from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.mitigation import FrontierPoint, frontier, paired_change, policies

GROUPS = np.array([0, 0, 1, 1])


def worth(*by_option: tuple[float, float]) -> np.ndarray:
    """[n_options, 4] everybody of a group gets what is said for the group."""
    return np.array([[first, first, second, second] for first, second in by_option])


def test_the_list_as_it_is_is_always_among_the_policies():
    assert (0, 0) in policies(worth((0.2, 0.4), (0.1, 0.1)), GROUPS, 2, 0.0)


def test_each_gap_has_the_policy_of_highest_utility():
    """Group 0 can be raised from .2 to .3, group 1 from .4 to .5, or lowered to .38 within 5 % of .4."""
    values = worth((0.2, 0.4), (0.3, 0.5), (0.1, 0.38))
    found = set(policies(values, GROUPS, 2, 0.05))
    assert found == {(0, 0), (1, 1), (1, 0), (1, 2)}


def test_no_group_loses_more_than_it_may():
    values = worth((0.2, 0.4), (0.2, 0.2), (0.2, 0.35))
    assert set(policies(values, GROUPS, 2, 0.0)) == {(0, 0)}
    assert (0, 2) in policies(values, GROUPS, 2, 0.15)
    assert (0, 1) not in policies(values, GROUPS, 2, 0.15)
    assert (0, 1) in policies(values, GROUPS, 2, 0.5)


def world(seed: int, n: int = 3_000) -> tuple[np.ndarray, np.ndarray]:
    """Group 1 is served worse by .1; option 1 gives it all of that back, option 2 is as good for nobody."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(-1, 2, n)
    base = rng.random(n) - 0.1 * (groups == 1)
    return np.stack([base, base + np.where(groups == 1, 0.1, -0.02), base - 0.05]), groups


@pytest.fixture(scope="module")
def points() -> tuple[FrontierPoint, ...]:
    return frontier(*world(1), *world(2), 2, draws=400)


def test_the_chosen_point_closes_a_gap_that_can_be_closed(points: tuple[FrontierPoint, ...]):
    (chosen,) = [point for point in points if point.chosen]
    assert chosen.options == (0, 1)
    assert chosen.gap.difference < -0.05
    assert chosen.gap.ci_high < 0
    assert chosen.utility.ci_low > 0
    assert [change.difference for change in chosen.groups] == pytest.approx([0, 0.1])


def test_the_list_as_it_is_changes_nothing(points: tuple[FrontierPoint, ...]):
    same = next(point for point in points if point.options == (0, 0))
    for change in (same.utility, same.gap, *same.groups):
        assert (change.difference, change.ci_low, change.ci_high) == (0, 0, 0)


def test_what_is_shown_comes_from_the_showing_people(points: tuple[FrontierPoint, ...]):
    values, groups = world(2)
    chosen = next(point for point in points if point.chosen)
    after = np.where(groups == 1, values[1], values[0])
    assert chosen.utility.before == pytest.approx(values[0].mean())
    assert chosen.utility.after == pytest.approx(after.mean())
    gap = abs(after[groups == 1].mean() - after[groups == 0].mean())
    assert chosen.gap.after == pytest.approx(gap)


def test_points_come_from_the_widest_gap_to_the_smallest(points: tuple[FrontierPoint, ...]):
    gaps = [point.fit_gap for point in points]
    assert gaps == sorted(gaps, reverse=True)
    assert points[-1].chosen


def test_where_nothing_helps_the_list_as_it_is_is_chosen():
    rng = np.random.default_rng(3)
    groups = np.repeat([0, 1], 500)
    base = rng.random(1_000) - 0.2 * (groups == 1)
    values = np.stack([base, base - 0.3])
    (point,) = frontier(values, groups, values, groups, 2, max_loss=0.05, draws=200)
    assert (point.options, point.chosen) == ((0, 0), True)


def test_luck_of_the_choosing_people_is_not_shown_as_a_gain():
    """Options that differ by chance alone: what was chosen for its luck has none among the others."""
    gains = list[float]()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        groups = rng.integers(0, 2, 400)
        fitting, showing = (rng.random((6, 400)) for _ in range(2))
        found = frontier(fitting, groups, showing, groups, 2, max_loss=1.0, draws=200)
        gains.append(max(found, key=lambda point: point.fit_utility).utility.difference)
    assert np.mean(gains) == pytest.approx(0, abs=0.012)


def test_a_paired_interval_is_that_of_the_differences():
    rng = np.random.default_rng(4)
    before = rng.random(800)
    change = paired_change(before, before + rng.normal(0.02, 0.05, 800), draws=2_000)
    error = 0.05 / np.sqrt(800)
    assert change.difference == pytest.approx(0.02, abs=4 * error)
    assert change.ci_high - change.ci_low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_another_training_is_for_everybody_or_nobody():
    """Option 2 would be best for group 1 alone, and costs group 0 a tenth: within 5 % it is no policy."""
    values = worth((0.2, 0.4), (0.25, 0.4), (0.18, 0.6))
    found = set(policies(values, GROUPS, 2, 0.05, n_for_all=1))
    assert found == {(0, 0), (1, 0)}
    assert set(policies(values, GROUPS, 2, 0.2, n_for_all=1)) == {(0, 0), (1, 0), (2, 2)}


def test_people_of_no_group_get_another_training_too_but_no_reranking():
    """Groups gain .1 by either option, the person of no group 1 by the training alone: (4 · .1 + 1) / 5."""
    groups = np.array([0, 0, 1, 1, -1])
    base = np.array([0.2, 0.2, 0.4, 0.4, 0.0])
    values = np.stack([base, base + 0.1, base + np.array([0.1, 0.1, 0.1, 0.1, 1.0])])
    found = {point.options: point for point in frontier(values, groups, values, groups, 2, 1.0, 200, 0, 1)}
    assert found[1, 1].utility.difference == pytest.approx(0.4 / 5)
    assert found[2, 2].utility.difference == pytest.approx(1.4 / 5)
    assert found[2, 2].fit_utility == pytest.approx(1.2 / 5 + 1.4 / 5)


def test_those_who_show_have_no_say_in_what_is_chosen():
    fitting, groups = world(6)
    for seed in (7, 8):
        showing = np.random.default_rng(seed).random((3, 3_000))
        found = frontier(fitting, groups, showing, groups, 2, draws=200)
        assert [point.options for point in found if point.chosen] == [(0, 1)]


def test_bad_input_is_refused():
    values, groups = world(5, 60)
    with pytest.raises(ConfigError, match=r"may lose is 1.5; it must lie from 0 to 1"):
        policies(values, groups, 2, 1.5)
    with pytest.raises(ConfigError, match="draws is 10"):
        frontier(values, groups, values, groups, 2, draws=10)
    with pytest.raises(DataError, match="nobody in one half"):
        frontier(values, groups, values, np.zeros(60, dtype=np.int64), 2, draws=200)
    with pytest.raises(DataError, match="0 values before and 0 after"):
        paired_change(np.zeros(0), np.zeros(0))
