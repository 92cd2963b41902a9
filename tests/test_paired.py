"""Two models over the same people: intervals cover, and chance is seldom called a difference."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from recsys_core.errors import DataError
from recsys_core.fairness import paired
from recsys_core.fairness.paired import paired_bootstrap

FloatArray = NDArray[np.float64]


def gains(n: int, shift: float, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """NDCG of two models over the same people, mostly 0; in a share of `shift` the first ranks best."""
    ranks = generator.geometric(0.05, n)
    noisy = np.maximum(1, ranks + generator.integers(-3, 4, n))
    swapped = generator.random(n) < 0.5  # or one of the two would be better on average
    first, second = np.where(swapped, noisy, ranks), np.where(swapped, ranks, noisy)
    first = np.where(generator.random(n) < shift, 1, first)
    gain_first, gain_second = (np.where(rank <= 10, 1 / np.log2(rank + 1), 0) for rank in (first, second))
    return gain_first, gain_second


def test_means_and_difference_by_hand():
    first, second = np.array([1.0, 0, 0.5, np.nan, 0.9]), np.array([0.5, 0, 1, 0.7, np.nan])
    found = paired_bootstrap(first, second, n_draws=500)
    assert (found.n, found.first, found.second, found.difference) == (3, 0.5, 0.5, 0.0)
    assert (found.n_better, found.n_worse) == (1, 1)


def test_the_same_values_differ_by_nothing_and_surely_so():
    values = np.random.default_rng(0).random(50)
    found = paired_bootstrap(values, values)
    assert (found.difference, found.ci_low, found.ci_high, found.p_value) == (0, 0, 0, 1)


def test_a_constant_difference_is_certain():
    values = np.linspace(0, 0.5, 64)  # these differences are exact
    found = paired_bootstrap(values + 0.5, values, n_draws=999)
    assert found.ci_low == pytest.approx(0.5)
    assert found.ci_high == pytest.approx(0.5)
    assert found.p_value == pytest.approx(0.001)


def test_exchanging_the_models_turns_the_sign():
    first, second = gains(300, 0.05, np.random.default_rng(3))
    there, back = paired_bootstrap(first, second), paired_bootstrap(second, first)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.n_better, there.n_worse) == (back.n_worse, back.n_better)
    assert there.ci_low == pytest.approx(-back.ci_high, abs=0.005)


def test_the_seed_decides_the_draws():
    first, second = gains(300, 0.05, np.random.default_rng(3))
    once, again, other = (paired_bootstrap(first, second, 500, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_the_interval_is_near_that_of_scipys_bootstrap():
    first, second = gains(400, 0.1, np.random.default_rng(4))
    expected = stats.bootstrap((first - second,), np.mean, n_resamples=5_000, random_state=0, method="BCa")
    found = paired_bootstrap(first, second)
    assert found.ci_low == pytest.approx(expected.confidence_interval.low, abs=0.003)
    assert found.ci_high == pytest.approx(expected.confidence_interval.high, abs=0.003)


@pytest.mark.parametrize("people_for_each_value", [0, 10**9], ids=["counts are drawn", "people are drawn"])
def test_both_ways_of_drawing_agree_with_the_t_test(
    people_for_each_value: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(paired, "ROWS_A_VALUE", people_for_each_value)
    generator = np.random.default_rng(5)
    first = generator.normal(0.02, 0.2, 500)
    found = paired_bootstrap(first, np.zeros(500), n_draws=4_000)
    expected = stats.ttest_1samp(first, 0)
    low, high = expected.confidence_interval()
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=0.003)


@pytest.mark.slow
def test_chance_is_called_a_difference_as_seldom_as_it_should_be():
    """800 times no difference: 5 % ± 1.6 % of p-values are under 5 %, and 95 % of intervals hold 0."""
    generator = np.random.default_rng(6)
    found = [
        paired_bootstrap(*rows, n_draws=1_000, seed=run)
        for run, rows in enumerate(gains(300, 0.0, generator) for _ in range(800))
    ]
    truth = 0.0
    alarms = np.mean([result.p_value <= 0.05 for result in found])
    covered = np.mean([result.ci_low <= truth <= result.ci_high for result in found])
    assert 0.034 <= alarms <= 0.066
    assert 0.93 <= covered <= 0.97


def test_people_must_be_the_same():
    with pytest.raises(DataError, match="3 people, the other 2"):
        paired_bootstrap(np.zeros(3), np.zeros(2))


def test_one_person_is_too_few():
    with pytest.raises(DataError, match="1 people have a value from both models"):
        paired_bootstrap(np.array([1.0, np.nan]), np.array([0.0, 1.0]))
