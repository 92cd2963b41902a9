"""Two models over the same people: is one better, or could it be chance?

The unit is the person: each has one difference between the models, and people are resampled with replacement,
both values of a person together. Differences of a rank metric take few distinct values, so resampling draws
how often each value comes, not people one by one.
"""

from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import FloatArray
from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.inference import Estimate, Sample, bootstrap_mean, interval, sample_of

N_DRAWS, FEWEST_DRAWS = 10_000, 100
ROWS_A_VALUE = 4  # with fewer people than this for each distinct value, drawing people is the faster way
CHUNK = 4_000_000  # numbers held at once while drawing


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean difference of two models over the same people.

    Attributes:
        n: people with a value from both.
        first: mean of the first model.
        second: mean of the second model.
        difference: first − second; 0 = no difference.
        ci_low: low end of the 95 % interval of the difference.
        ci_high: high end of it.
        p_value: two-sided; how often chance alone would give a difference this large.
        n_better: people for whom the first model is better; the rest are worse off or see no difference.
        n_worse: people for whom the second model is better.
    """

    n: int
    first: float
    second: float
    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    n_better: int
    n_worse: int


def paired_bootstrap(
    first: FloatArray, second: FloatArray, n_draws: int = N_DRAWS, seed: int = 0
) -> PairedDifference:
    """The mean of first − second with its 95 % interval and p-value, from resampled people.

    The interval is bias-corrected and accelerated (Efron, JASA 1987). The p-value is the share of resamples
    whose mean lies as far from the observed difference as that lies from 0, (1 + as far) / (1 + draws): the
    bootstrap shifted to the null hypothesis (Efron & Tibshirani 1993, section 16.4; for rankings Sakai,
    SIGIR 2006).

    Args:
        first: [n_users] values of the first model; NaN for people who have none.
        second: [n_users] values of the second model for the same people in the same order.
        n_draws: how many resamples; the smallest possible p-value is 1 / (1 + n_draws).
        seed: of the resampling.

    Raises:
        ConfigError: fewer than 100 draws.
        DataError: the models don't have the same people, or fewer than two have a value from both.
    """
    if n_draws < FEWEST_DRAWS:
        raise ConfigError(f"draws is {n_draws}; an interval needs at least {FEWEST_DRAWS}")
    if first.shape != second.shape:
        raise DataError(
            f"one model has {len(first):,} people, the other {len(second):,}; they must be the same"
        )
    both = ~(np.isnan(first) | np.isnan(second))
    if both.sum() < 2:
        raise DataError(
            f"{int(both.sum())} people have a value from both models; a comparison needs at least 2"
        )
    own, other = first[both], second[both]
    differences = sample_of(own - other)
    estimate = _resampled(differences, n_draws, np.random.default_rng(seed))
    ci_low, ci_high = interval(estimate)
    return PairedDifference(
        n=int(both.sum()),
        first=float(own.mean()),
        second=float(other.mean()),
        difference=estimate.value,
        ci_low=ci_low,
        ci_high=ci_high,
        p_value=_p_value(estimate),
        n_better=int((own > other).sum()),
        n_worse=int((own < other).sum()),
    )


def _resampled(differences: Sample, n_draws: int, generator: np.random.Generator) -> Estimate:
    n_values = len(differences.values)
    if n_values * ROWS_A_VALUE > differences.n:
        return bootstrap_mean(differences, n_draws, generator)
    at_once = max(1, CHUNK // n_values)
    shares = differences.counts / differences.n
    draws = [
        generator.multinomial(differences.n, shares, size=min(at_once, n_draws - start)) @ differences.values
        for start in range(0, n_draws, at_once)
    ]
    influence = (differences.values - differences.mean) / differences.n
    return Estimate(
        n=differences.n,
        value=differences.mean,
        draws=np.concatenate(draws) / differences.n,
        second=float(differences.counts @ influence**2),
        third=float(differences.counts @ influence**3),
    )


def _p_value(estimate: Estimate) -> float:
    distance = abs(estimate.value) * (1 - 1e-9)
    as_far = np.abs(estimate.draws - estimate.value) >= distance
    return float((1 + as_far.sum()) / (1 + len(estimate.draws)))
