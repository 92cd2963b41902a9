"""How large a gap is beside the spread between people, and how large it must be to be found."""

from math import sqrt

import numpy as np
from scipy.special import ndtr, ndtri

from recsys_core.fairness.inference import POWER, SIGNIFICANCE, Sample


def cliffs_delta(group: Sample, reference: Sample) -> float:
    """P(a person of the group is above one of the reference) − P(below); ties count for neither.

    Range −1 to 1; 0 = neither side tends to be higher. Needs no spread, so it is known where Hedges' g isn't.
    Source: Cliff, Psychological Bulletin 114 (1993).
    """
    values = np.union1d(group.values, reference.values)
    own, other = (_counts_on(sample, values) for sample in (group, reference))
    below = np.cumsum(other) - other  # people of the reference under each value
    above = reference.n - below - other
    return float(own @ (below - above)) / (group.n * reference.n)


def _counts_on(sample: Sample, values: np.ndarray) -> np.ndarray:
    counts = np.zeros(len(values))
    counts[np.searchsorted(values, sample.values)] = sample.counts
    return counts


def smallest_gap(deviation: float, n: int, n_reference: int, alpha: float = SIGNIFICANCE) -> float:
    """Smallest difference that a two-sided test at `alpha` finds with 80 % power.

    (z_{1−α/2} + z_{.80}) σ √(1/n + 1/m), the normal approximation. Source: Cohen, Statistical Power Analysis,
    1988, chapter 2.

    Args:
        deviation: standard deviation between people, known before groups are looked at.
        n: people of the group.
        n_reference: people it is compared with.
        alpha: level of the test; for the strictest step of Holm in a family of m, .05 / m.
    """
    return float(ndtri(1 - alpha / 2) + ndtri(POWER)) * deviation * sqrt(1 / n + 1 / n_reference)


def power(gap: float, deviation: float, n: int, n_reference: int, alpha: float = SIGNIFICANCE) -> float:
    """Probability that a true difference of `gap` is found by a two-sided test at `alpha`."""
    error = deviation * sqrt(1 / n + 1 / n_reference)
    if error == 0:
        return 1.0 if gap != 0 else alpha
    critical = ndtri(1 - alpha / 2)
    return float(ndtr(abs(gap) / error - critical) + ndtr(-abs(gap) / error - critical))
