"""The statistics beside a gap, against hand-worked numbers, scipy, and simulation."""

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from recsys_core.fairness.inference import (
    Estimate,
    Sample,
    bootstrap_mean,
    difference,
    hedges_g,
    holm,
    interval,
    minimum_detectable,
    permutation_p_value,
    pooled,
    sample_of,
    union,
    verdict_of,
)

GAINS = 1 / np.log2(np.arange(1, 11) + 1)  # NDCG@10 of a hit at rank 1…10
CHANCES = 1 / np.arange(1, 11) / np.sum(1 / np.arange(1, 11))


def ndcg_values(n: int, hit_rate: float, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.where(rng.random(n) < hit_rate, GAINS[rng.choice(10, n, p=CHANCES)], 0.0)


def welch(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return (x.mean() - y.mean()) / sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))


def exact_p_value(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """scipy's p-value over every split, two-sided in |t|; rounded, so that ties are ties to scipy too."""
    result = stats.permutation_test(
        (x, y), lambda a, b: round(abs(welch(a, b)), 9), n_resamples=10**6, alternative="greater"
    )
    return float(result.pvalue)


def estimate_around(value: float, spread: float) -> Estimate:
    """A symmetric normal bootstrap distribution."""
    draws = value + spread * stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    return Estimate(100, value, draws, spread**2, 0.0)


def test_sample_counts_equal_values():
    sample = sample_of(np.array([0.5, 0.0, 0.5, 1.0]))
    assert sample.values.tolist() == [0.0, 0.5, 1.0]
    assert sample.counts.tolist() == [1, 2, 1]
    assert (sample.n, sample.n_above_zero, sample.mean) == (4, 3, 0.5)
    assert sample.variance == pytest.approx(1 / 6)


def test_union_adds_counts_of_equal_values():
    joined = union([sample_of(np.array([0.0, 1.0])), sample_of(np.array([1.0, 2.0]))])
    assert joined.values.tolist() == [0.0, 1.0, 2.0]
    assert joined.counts.tolist() == [1, 2, 1]


def test_variance_of_one_person_is_unknown():
    assert np.isnan(sample_of(np.array([1.0])).variance)


def test_hedges_g_by_hand():
    # means 3 and 5, both variances 1, df 4: d = −2, g = −2 (1 − 3/15) = −1.6
    assert hedges_g(sample_of(np.array([2.0, 3, 4])), sample_of(np.array([4.0, 5, 6]))) == pytest.approx(-1.6)


def test_hedges_g_is_unknown_where_nobody_differs():
    assert hedges_g(sample_of(np.ones(3)), sample_of(np.ones(4))) is None


def test_minimum_detectable_by_hand():
    # variances 1 and 4, n 100 and 400: standard error √(.01 + .01); z = 1.959964 + 0.841621
    first = sample_of(np.repeat([0.0, 2.0], 50))
    second = sample_of(np.repeat([0.0, 4.0], 200))
    standard_error = sqrt(100 / 99 / 100 + 1600 / 399 / 400)
    assert minimum_detectable(first, second) == pytest.approx(2.801585 * standard_error, rel=1e-6)


def test_minimum_detectable_is_found_four_times_in_five():
    rng = np.random.default_rng(3)
    first, second = (Sample(np.array([-1.0, 1.0]), np.array([n, n])) for n in (40, 80))
    gap = minimum_detectable(first, second)
    x, y = rng.normal(gap, 1, (4000, 80)), rng.normal(0, 1, (4000, 160))
    _, p_values = stats.ttest_ind(x, y, axis=1, equal_var=False)
    assert np.mean(np.asarray(p_values) <= 0.05) == pytest.approx(0.80, abs=0.03)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04, times 4 3 2 1 = .04 .06 .06 .04, then never falling
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_holm_never_exceeds_one():
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_holm_counts_the_tests_that_are_not_shown():
    assert holm([0.01, 0.04], family_size=6) == pytest.approx([0.06, 0.20])


def test_holm_of_nothing_is_nothing():
    assert holm([]) == []


@pytest.mark.parametrize("seed", range(4))
def test_permutation_p_value_equals_scipys_exact_one(seed: int):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 5, 6) / 4 + 0.25, rng.integers(0, 5, 7) / 4
    exact = exact_p_value(x, y)
    p = permutation_p_value(sample_of(x), sample_of(y), 40_000, rng)
    assert p == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / 40_000) + 1e-4)


def test_permutation_p_value_of_distinct_values_equals_scipys_exact_one():
    rng = np.random.default_rng(8)
    x, y = rng.normal(0.8, 1, 7), rng.normal(0, 2, 6)
    exact = exact_p_value(x, y)
    p = permutation_p_value(sample_of(x), sample_of(y), 40_000, rng)
    assert p == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / 40_000) + 1e-4)


def test_permutation_p_value_of_many_distinct_values_agrees_with_welch():
    rng = np.random.default_rng(9)
    x, y = rng.normal(0.22, 1, 150), rng.normal(0, 1.5, 200)
    p = permutation_p_value(sample_of(x), sample_of(y), 9999, rng)
    _, expected = stats.ttest_ind(x, y, equal_var=False)
    assert p == pytest.approx(expected, abs=0.02)


def test_permutation_p_value_of_equal_constants_is_one():
    ones = sample_of(np.ones(20))
    assert permutation_p_value(ones, ones, 99, np.random.default_rng(0)) == 1.0


def test_permutation_p_value_of_two_constants_by_hand():
    # 3 zeros against 3 ones: 2 of the 20 splits part them as cleanly
    p = permutation_p_value(sample_of(np.zeros(3)), sample_of(np.ones(3)), 40_000, np.random.default_rng(0))
    assert p == pytest.approx(0.1, abs=0.006)


def test_permutation_p_value_is_never_zero():
    p = permutation_p_value(sample_of(np.zeros(50)), sample_of(np.ones(50)), 99, np.random.default_rng(0))
    assert p == 1 / 100


SKEWED = np.array([0.0] * 24 + [0.3, 0.4, 0.4, 0.5, 1.0, 1.0, 3.0, 8.0])


def test_interval_of_a_skewed_sample_equals_scipys_bca():
    ours = interval(bootstrap_mean(sample_of(SKEWED), 50_000, np.random.default_rng(1)))
    theirs = stats.bootstrap((SKEWED,), np.mean, n_resamples=50_000, method="BCa", rng=2).confidence_interval
    percentile = stats.bootstrap((SKEWED,), np.mean, method="percentile", rng=2).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), rel=0.03)
    assert percentile.high < 0.9 * theirs.high  # or the line above would hold for plain percentiles too


def test_interval_of_ties_equals_scipys_bca():
    values = np.array([0.0] * 9 + [1.0] * 3)
    ours = interval(bootstrap_mean(sample_of(values), 50_000, np.random.default_rng(1)))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=50_000, method="BCa", rng=2).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_interval_of_a_gap_between_skewed_samples_equals_scipys_bca():
    other = np.array([0.0] * 10 + [0.5] * 10 + [1.0] * 5 + [4.0])
    estimates = [
        bootstrap_mean(sample_of(values), 50_000, np.random.default_rng(seed))
        for seed, values in enumerate((SKEWED, other))
    ]
    theirs = stats.bootstrap(
        (SKEWED, other),
        lambda x, y, axis=-1: x.mean(axis) - y.mean(axis),
        n_resamples=50_000,
        method="BCa",
        rng=2,
    ).confidence_interval
    assert interval(difference(*estimates)) == pytest.approx((theirs.low, theirs.high), rel=0.04)


def test_drawing_rows_and_drawing_counts_give_the_same_interval():
    values = np.random.default_rng(6).random(300)
    by_rows = interval(bootstrap_mean(sample_of(values), 20_000, np.random.default_rng(1)))
    rounded = interval(
        bootstrap_mean(sample_of(np.round(values * 60) / 60), 20_000, np.random.default_rng(2))
    )
    assert by_rows == pytest.approx(rounded, abs=0.002)


def test_interval_of_a_constant_is_the_constant():
    estimate = bootstrap_mean(sample_of(np.full(30, 0.5)), 200, np.random.default_rng(0))
    assert interval(estimate) == (0.5, 0.5)


def test_pooled_strata_have_the_mean_of_all_their_people():
    rng = np.random.default_rng(7)
    parts = [ndcg_values(n, 0.4, rng) for n in (30, 70, 200)]
    estimate = pooled([bootstrap_mean(sample_of(part), 2000, rng) for part in parts])
    assert estimate.n == 300
    assert estimate.value == pytest.approx(np.concatenate(parts).mean())
    within = sum(len(part) * part.var() for part in parts) / 300**2
    assert estimate.second == pytest.approx(within)
    third = sum(((part - part.mean()) ** 3).sum() for part in parts) / 300**3
    assert estimate.third == pytest.approx(third)
    assert estimate.draws.std() == pytest.approx(sqrt(within), rel=0.1)


@pytest.mark.parametrize(
    ("value", "p_adjusted", "expected"),
    [
        (0.0, 0.5, "equivalent"),
        (0.0, 0.01, "equivalent"),  # a difference can be real and too small to matter
        (0.3, 0.05, "disparity"),
        (0.3, 0.051, "inconclusive"),
        (0.06, 0.2, "inconclusive"),
    ],
)
def test_verdict(value: float, p_adjusted: float, expected: str):
    # the 90 % interval is value ± 1.645 · 0.03 = ± 0.049; the margin is 0.1
    assert verdict_of(estimate_around(value, 0.03), 0.1, p_adjusted) == expected


def test_verdict_needs_the_ninety_percent_interval_inside_the_margin():
    # 0.0493 wide on each side: inside ± 0.0500, outside ± 0.0490, while the 95 % one is ± 0.0588
    assert verdict_of(estimate_around(0.0, 0.03), 0.0500, 1.0) == "equivalent"
    assert verdict_of(estimate_around(0.0, 0.03), 0.0490, 1.0) == "inconclusive"


def coverage(n: int, hit_rate: float, rounds: int) -> float:
    """How often the 95 % interval holds the true mean, where at least 20 people are above zero."""
    rng = np.random.default_rng(10)
    truth = hit_rate * float(CHANCES @ GAINS)
    held: list[bool] = []
    for _ in range(rounds):
        sample = sample_of(ndcg_values(n, hit_rate, rng))
        if sample.n_above_zero >= 20:
            low, high = interval(bootstrap_mean(sample, 1000, rng))
            held.append(low <= truth <= high)
    return float(np.mean(held))


@pytest.mark.parametrize(("n", "hit_rate"), [(60, 0.5), (300, 0.12), (1500, 0.1)])
def test_intervals_cover_the_truth(n: int, hit_rate: float):
    assert 0.93 <= coverage(n, hit_rate, 800) <= 0.97


def test_false_alarms_of_shuffled_labels_stay_at_five_percent():
    rng = np.random.default_rng(11)
    values = ndcg_values(600, 0.25, rng)
    group = rng.choice(4, 600, p=[0.4, 0.3, 0.2, 0.1])
    single, family, rounds = 0, 0, 600
    for _ in range(rounds):
        shuffled = rng.permutation(values)
        p_values = [
            permutation_p_value(sample_of(shuffled[group == g]), sample_of(shuffled[group != g]), 499, rng)
            for g in range(4)
        ]
        single += p_values[0] <= 0.05
        family += min(holm(p_values)) <= 0.05
    assert 0.030 <= single / rounds <= 0.070  # 600 rounds: .05 ± 2.2 standard errors
    assert family / rounds <= 0.064
