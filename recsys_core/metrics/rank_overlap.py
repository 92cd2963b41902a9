"""How alike two ranked lists are, the first places counting most."""

import numpy as np

from recsys_core.errors import ConfigError
from recsys_core.metrics.ranks import FloatArray, IntArray

PERSISTENCE = 0.9  # a reader goes on to the next place with this probability: ten places on average


def rank_biased_overlap(first: IntArray, second: IntArray, persistence: float = PERSISTENCE) -> FloatArray:
    """[n] extrapolated rank-biased overlap of two lists a person.

    Range 0 to 1; 1 = the same items in the same order, 0 = no item in common. Source: Webber, Moffat &
    Zobel, ACM TOIS 2010, equation 23: X_k / k · p^k + (1 − p) / p · Σ_d X_d / d · p^d, X_d the items
    that the first d places have in common. NaN where either list is empty.

    Args:
        first: [n, k] item numbers, best first, 0 behind shorter lists, no item twice.
        second: [n, k] likewise, for the same people.
        persistence: p, above 0 and below 1.

    Raises:
        ConfigError: the lists don't have the same shape, or p is out of bounds.
    """
    if first.shape != second.shape:
        raise ConfigError(f"lists of shape {first.shape} can't be held against lists of {second.shape}")
    if not 0 < persistence < 1:
        raise ConfigError(f"persistence is {persistence}; it must lie between 0 and 1")
    n, k = first.shape
    depths = np.arange(1, k + 1)
    lengths = np.minimum((first > 0).sum(axis=1), (second > 0).sum(axis=1))  # [n]
    same = (first[:, :, None] == second[:, None, :]) & (first[:, :, None] > 0)  # [n, k, k]
    people, place, other = np.nonzero(same)
    met = np.zeros((n, k))
    np.add.at(met, (people, np.maximum(place, other)), 1.0)
    agreement = np.cumsum(met, axis=1) / depths  # [n, k] X_d / d
    inside = depths <= lengths[:, None]
    total = (agreement * persistence**depths * inside).sum(axis=1)
    last = agreement[np.arange(n), np.maximum(lengths, 1) - 1] if k else np.zeros(n)
    overlap = last * persistence**lengths + (1 - persistence) / persistence * total
    return np.where(lengths > 0, overlap, np.nan)
