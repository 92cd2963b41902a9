"""Statistics beside a mean and beside a gap between two means; the unit is the person.

A metric such as NDCG@10 of one held-out item takes few distinct values, so a sample is kept as values and
counts, and resampling it means drawing counts: thousands of draws cost a few milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from recsys_core.fairness.result import Verdict

FEW_VALUES = 64  # up to here resampling draws counts, beyond it rows
PERMUTED_BINS = 128  # of values, where there are more than a few
CHUNK = 4_000_000  # numbers held at once while drawing
POWER, SIGNIFICANCE = 0.80, 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric value a person.

    Attributes:
        values: distinct values, ascending, float64 [n_values].
        counts: people with each value, int64 [n_values].
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of people."""
        return int(self.counts.sum())

    @property
    def n_above_zero(self) -> int:
        """Number of people whose value isn't zero."""
        return int(self.counts[self.values != 0].sum())

    @property
    def mean(self) -> float:
        """Mean value of a person."""
        return float(self.counts @ self.values) / self.n

    @property
    def variance(self) -> float:
        """Variance between people, with n − 1 below; NaN for one person."""
        if self.n < 2:
            return np.nan
        return float(self.counts @ (self.values - self.mean) ** 2) / (self.n - 1)


def sample_of(values: NDArray[np.float64]) -> Sample:
    """The sample that holds these values [n]."""
    distinct, counts = np.unique(values, return_counts=True)
    return Sample(distinct, counts.astype(np.int64))


def union(samples: Sequence[Sample]) -> Sample:
    """The sample of all people of several samples."""
    values, places = np.unique(np.concatenate([sample.values for sample in samples]), return_inverse=True)
    counts = np.zeros(len(values), dtype=np.int64)
    np.add.at(counts, places, np.concatenate([sample.counts for sample in samples]))
    return Sample(values, counts)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, or a difference of means, with its bootstrap distribution.

    Attributes:
        n: number of people.
        value: the estimate.
        draws: the estimate in each resample, float64 [n_draws].
        second: sum over people of influence².
        third: sum over people of influence³; a person's influence on a mean is (value − mean) / n.
    """

    n: int
    value: float
    draws: NDArray[np.float64]
    second: float
    third: float


def bootstrap_mean(sample: Sample, n_draws: int, rng: np.random.Generator) -> Estimate:
    """The mean of a sample, resampled with replacement within it."""
    n, deviations = sample.n, (sample.values - sample.mean) / sample.n
    if len(sample.values) <= FEW_VALUES:
        draws = rng.multinomial(n, sample.counts / n, size=n_draws) @ sample.values / n
    else:
        draws = _means_of_drawn_rows(np.repeat(sample.values, sample.counts), n_draws, rng)
    second, third = (float(sample.counts @ deviations**power) for power in (2, 3))
    return Estimate(n, sample.mean, draws, second, third)


def _means_of_drawn_rows(
    rows: NDArray[np.float64], n_draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    at_once = max(1, CHUNK // len(rows))
    means: list[NDArray[np.float64]] = []
    for start in range(0, n_draws, at_once):
        drawn = rng.integers(0, len(rows), size=(min(at_once, n_draws - start), len(rows)))
        means.append(rows[drawn].mean(axis=1))
    return np.concatenate(means)


def pooled(strata: Sequence[Estimate]) -> Estimate:
    """The mean over people of several strata, each resampled within itself."""
    n = sum(stratum.n for stratum in strata)
    shares = [stratum.n / n for stratum in strata]
    return Estimate(
        n,
        sum(share * stratum.value for share, stratum in zip(shares, strata, strict=True)),
        np.sum([share * stratum.draws for share, stratum in zip(shares, strata, strict=True)], axis=0),
        sum(share**2 * stratum.second for share, stratum in zip(shares, strata, strict=True)),
        sum(share**3 * stratum.third for share, stratum in zip(shares, strata, strict=True)),
    )


def difference(group: Estimate, reference: Estimate) -> Estimate:
    """Mean of the group − mean of the reference; the two share nobody."""
    return Estimate(
        group.n + reference.n,
        group.value - reference.value,
        group.draws - reference.draws,
        group.second + reference.second,
        group.third - reference.third,
    )


def interval(estimate: Estimate, level: float = 0.95) -> tuple[float, float]:
    """Low and high end of the bias-corrected and accelerated bootstrap interval.

    Efron (1987), "Better bootstrap confidence intervals", JASA 82, with the acceleration from the
    influence of each person, Σ u³ / (6 (Σ u²)^1.5). Metrics full of zeros are skewed, and the plain
    percentile interval then misses the truth on one side more than on the other.
    """
    if estimate.second <= 0:
        return estimate.value, estimate.value
    draws, n_draws = estimate.draws, len(estimate.draws)
    below = (np.sum(draws < estimate.value) + 0.5 * np.sum(draws == estimate.value)) / n_draws
    bias = ndtri(np.clip(below, 0.5 / n_draws, 1 - 0.5 / n_draws))
    acceleration = estimate.third / (6 * estimate.second**1.5)
    shifted = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(draws, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)


def permutation_p_value(
    group: Sample,
    reference: Sample,
    n_draws: int,
    rng: np.random.Generator,
    stops: Sequence[tuple[int, int]] = (),
) -> float:
    """Two-sided p-value of Welch's t under shuffled labels, (1 + as extreme) / (1 + draws).

    Studentised, so that it stays valid where the two variances differ: Janssen (1997), "Studentized
    permutation tests for non-i.i.d. hypotheses", Statistics & Probability Letters 36. More than 64 distinct
    values are gathered into 128 bins of equally many people first, which no label has a part in: it stays an
    exact test, of values known to within a bin.

    Args:
        group: values of the group.
        reference: values of the people it is compared with.
        n_draws: shuffles at most.
        rng: of the shuffles.
        stops: (draws, extreme): where by so many draws at least so many were as extreme, no more are drawn.
            What goes on has a p-value below all that stop there, so that no level is exceeded more often
            than it says.
            Source: Besag & Clifford, Biometrika 78 (1991).
    """
    everybody = union([group, reference])
    counts = _on(group, everybody)
    if len(everybody.values) > FEW_VALUES:
        everybody, counts = _gathered(everybody, counts)
    observed = abs(_welch_t(counts[np.newaxis], everybody)[0]) * (1 - 1e-9)
    at_once = max(1, CHUNK // len(everybody.values))
    n_extreme, drawn = 0, 0
    for end, enough in (*(stop for stop in stops if stop[0] < n_draws), (n_draws, 0)):
        while drawn < end:
            size = min(at_once, end - drawn)
            shuffled = rng.multivariate_hypergeometric(everybody.counts, group.n, size, method="marginals")
            n_extreme += int(np.sum(np.abs(_welch_t(shuffled, everybody)) >= observed))
            drawn += size
        if n_extreme >= enough:
            break
    return (1 + n_extreme) / (1 + drawn)


def gathered_places(values: NDArray[np.float64], counts: NDArray[np.int64], n_bins: int) -> NDArray[np.int64]:
    """[n_values] the bin of each ascending value, in bins of about equally many people; 0 has one of its own.

    Args:
        values: distinct values, ascending.
        counts: people with each.
        n_bins: about how many bins.
    """
    middle = np.cumsum(counts) - counts / 2
    rough = np.floor(middle / counts.sum() * n_bins).astype(np.int64)
    zero = (values == 0).astype(np.int64)
    _, places = np.unique(
        2 * rough + np.cumsum(zero) + np.concatenate([[0], np.cumsum(zero)[:-1]]), return_inverse=True
    )
    return places.astype(np.int64)


def _gathered(everybody: Sample, counts: NDArray[np.int64]) -> tuple[Sample, NDArray[np.int64]]:
    """The sample in bins, each at the mean of its people, and the counts of some of them [n_bins]."""
    places = gathered_places(everybody.values, everybody.counts, PERMUTED_BINS)
    total = np.bincount(places, everybody.counts).astype(np.int64)
    means = np.bincount(places, everybody.counts * everybody.values) / total
    return Sample(means, total), np.bincount(places, counts).astype(np.int64)


def _on(sample: Sample, everybody: Sample) -> NDArray[np.int64]:
    """The counts of a sample over everybody's values [n_values]."""
    counts = np.zeros(len(everybody.values), dtype=np.int64)
    counts[np.searchsorted(everybody.values, sample.values)] = sample.counts
    return counts


def _welch_t(counts: NDArray[np.int64], everybody: Sample) -> NDArray[np.float64]:
    """Welch's t between the people counted and all others, for each row of counts [n_draws, n_values]."""
    values = everybody.values - everybody.mean  # centred, so that squares lose no digits
    powers = np.stack([np.ones_like(values), values, values**2], axis=1)  # [n_values, 3]
    inside = counts @ powers  # [n_draws, 3]: n, sum, sum of squares
    outside = everybody.counts @ powers - inside
    means, squared_errors = zip(*(_mean_and_squared_error(side) for side in (inside, outside)), strict=True)
    gaps, errors = means[0] - means[1], np.sqrt(squared_errors[0] + squared_errors[1])
    tiny = 1e-9 * (np.ptp(values) or 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = gaps / np.where(errors > tiny, errors, 0.0)
    return np.where(np.abs(gaps) > tiny, t, 0.0)


def _mean_and_squared_error(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n, total, squares = sums[:, 0], sums[:, 1], sums[:, 2]
    mean = total / n
    variance = np.maximum(squares - n * mean**2, 0.0) / np.maximum(n - 1, 1)
    return mean, variance / n


def holm(p_values: Sequence[float], family_size: int | None = None) -> list[float]:
    """Adjusted p-values in the order given: Holm (1979), Scandinavian Journal of Statistics 6.

    Args:
        p_values: of the tests that are shown.
        family_size: number of tests that they were picked from, where that is more than are shown.
    """
    n_tests = max(family_size or 0, len(p_values))
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values, dtype=np.float64)[order] * (n_tests - np.arange(len(p_values)))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(p) for p in adjusted]


def hedges_g(group: Sample, reference: Sample) -> float | None:
    """Standardised difference (group − reference) / pooled standard deviation, corrected for small n.

    Hedges (1981), Journal of Educational Statistics 6, with his approximation 1 − 3 / (4 df − 1).
    0 means no difference; None where nobody differs from anybody, and for one person on a side.
    """
    if min(group.n, reference.n) < 2:
        return None
    freedom = group.n + reference.n - 2
    squares = (group.n - 1) * group.variance + (reference.n - 1) * reference.variance
    if squares <= 0:
        return None
    return (group.mean - reference.mean) / sqrt(squares / freedom) * (1 - 3 / (4 * freedom - 1))


def minimum_detectable(group: Sample, reference: Sample) -> float:
    """Smallest difference that a two-sided test at .05 finds with 80 % power: 2.80 standard errors."""
    standard_error = sqrt(group.variance / group.n + reference.variance / reference.n)
    return float(ndtri(1 - SIGNIFICANCE / 2) + ndtri(POWER)) * standard_error


def verdict_of(gap: Estimate, margin: float, p_adjusted: float) -> Verdict:
    """Equivalent if the 90 % interval lies within ± margin (TOST), else a disparity if p ≤ .05."""
    low, high = interval(gap, level=0.90)
    if -margin <= low and high <= margin:
        return "equivalent"
    return "disparity" if p_adjusted <= SIGNIFICANCE else "inconclusive"
