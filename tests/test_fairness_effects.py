"""Effect sizes, power, and families of tests: hand-worked cases and scipy as reference."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from recsys_core.fairness.effects import cliffs_delta, power, smallest_gap
from recsys_core.fairness.families import adjust, benjamini_hochberg, family_of
from recsys_core.fairness.inference import sample_of


def test_cliffs_delta_by_hand():
    # pairs of {1, 2, 3} and {2, 0}: 2 > 0, 1 > 0, 3 > 0 and 3 > 2 are above, 1 < 2 below, 2 = 2 ties
    assert cliffs_delta(sample_of(np.array([1.0, 2, 3])), sample_of(np.array([2.0, 0]))) == pytest.approx(
        3 / 6
    )


def test_cliffs_delta_of_parted_samples_is_one():
    assert cliffs_delta(sample_of(np.array([5.0, 6])), sample_of(np.array([1.0, 2]))) == 1.0


@pytest.mark.parametrize("seed", range(3))
def test_cliffs_delta_is_that_of_the_mann_whitney_statistic(seed: int):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 6, 40) / 5, rng.integers(0, 8, 25) / 5
    u = stats.mannwhitneyu(x, y).statistic
    assert cliffs_delta(sample_of(x), sample_of(y)) == pytest.approx(2 * u / (40 * 25) - 1, abs=1e-12)


def test_smallest_gap_by_hand():
    # z_.975 + z_.80 = 1.959964 + 0.841621; σ = 0.4; √(1/100 + 1/400) = 0.1118034
    assert smallest_gap(0.4, 100, 400) == pytest.approx(2.801585 * 0.4 * 0.1118034, rel=1e-6)


def test_smallest_gap_has_eighty_percent_power_in_its_family():
    gap = smallest_gap(0.4, 100, 400, 0.05 / 6)
    assert power(gap, 0.4, 100, 400, 0.05 / 6) == pytest.approx(0.80, abs=1e-4)
    assert gap > smallest_gap(0.4, 100, 400)


def test_power_of_no_gap_is_the_level():
    assert power(0.0, 0.4, 100, 400) == pytest.approx(0.05)


def test_power_is_how_often_a_normal_gap_is_found():
    rng = np.random.default_rng(1)
    x, y = rng.normal(0.5, 1, (4000, 60)), rng.normal(0, 1, (4000, 90))
    _, p_values = stats.ttest_ind(x, y, axis=1)
    found = np.mean(np.asarray(p_values) <= 0.05)
    assert power(0.5, 1.0, 60, 90) == pytest.approx(found, abs=4 * sqrt(0.16 / 4000))


def test_any_gap_is_found_where_nobody_differs():
    assert power(0.1, 0.0, 20, 20) == 1.0


@pytest.mark.parametrize("p_values", [[0.04, 0.01, 0.03, 0.02], [0.6, 0.9, 0.001], [0.02, 0.02, 0.5], [0.3]])
def test_benjamini_hochberg_equals_scipys(p_values: list[float]):
    expected = stats.false_discovery_control(p_values, method="bh")
    assert benjamini_hochberg(p_values) == pytest.approx(list(expected), abs=1e-15)


def test_benjamini_hochberg_counts_the_tests_that_are_not_shown():
    assert benjamini_hochberg([0.01, 0.04], family_size=6) == pytest.approx([0.06, 0.12])


def test_benjamini_hochberg_of_nothing_is_nothing():
    assert benjamini_hochberg([]) == []


def test_each_family_is_adjusted_by_its_own_rule():
    adjusted = adjust(
        [0.01, 0.02, 0.03, 0.04],
        ["primary", "exploratory", "primary", "exploratory"],
        {"primary": 2, "exploratory": 2},
    )
    assert adjusted == pytest.approx([0.02, 0.04, 0.03, 0.04])  # 2p, p and min(2p, .04), p


def test_all_attributes_are_primary_where_none_was_named():
    assert [family_of("age", primary) for primary in (None, ("age",), ("gender",), ())] == [
        "primary", "primary", "exploratory", "exploratory",
    ]  # fmt: skip
