"""What lists are like beside being right: how much of the catalogue they show, how known, how alike.

`lists` is [n, k] item numbers everywhere, best first, 0 = empty. A value a person comes as [n], NaN for
an empty list. None of these says that a list is good: random lists are novel and diverse.
"""

import numpy as np
from numpy.typing import NDArray

from recsys_core.metrics.popularity import ItemPopularity
from recsys_core.metrics.ranks import FloatArray, IntArray


def coverage(lists: IntArray, n_items: int) -> float:
    """Share of the catalogue that appears in at least one list.

    Range 0 to 1; higher means that more of the catalogue is shown; 0 = nothing is shown at all.
    """
    shown = np.unique(lists)
    return float((shown > 0).sum() / n_items)


def exposure(lists: IntArray, n_items: int) -> FloatArray:
    """[n_items] Σ of position weights 1 / log2(1 + place) with which each item is shown, over all lists.

    Source: Singh & Joachims, KDD 2018, with the discount of DCG as position bias.
    """
    weights = np.broadcast_to(1 / np.log2(np.arange(2, lists.shape[1] + 2)), lists.shape)
    shown = np.bincount(lists.ravel(), weights.ravel(), minlength=n_items + 1)
    return shown[1:].astype(np.float64)


def gini(amounts: FloatArray) -> float:
    """Gini index of amounts ≥ 0, one an item: how unevenly exposure is spread.

    Range 0 to 1 − 1 / n; lower is more even; 0 = all items alike; NaN where nothing is shown.
    Σ (2i − n − 1) x_(i) / (n Σ x), x ascending. Source: Gini, 1912; for recommendations Fleder & Hosanagar,
    Management Science 2009.
    """
    n, total = len(amounts), float(amounts.sum())
    if total <= 0:
        return float("nan")
    return float((2 * np.arange(1, n + 1) - n - 1) @ np.sort(amounts) / (n * total))


def novelty(lists: IntArray, popularity: ItemPopularity) -> FloatArray:
    """[n] mean self-information −log2 φ of a list's items in bits, φ = (n + 1) / (U + 1).

    Range 0 to log2(U + 1); higher = less known; 0 = everybody in training touched all of it.
    Source: Zhou et al., PNAS 2010, self-information; Vargas & Castells, RecSys 2011.
    """
    return _mean_over_list(lists, popularity.information)


def mean_popularity(lists: IntArray, popularity: ItemPopularity) -> FloatArray:
    """[n] average recommendation popularity: mean φ of a list's items, the share of people who touched them.

    Range 0 to 1; higher = more mainstream; 0 = nobody in training touched any of it.
    Source: Yin et al., VLDB 2012; Abdollahpouri et al., RMSE 2019; here as a share, not a count.
    """
    return _mean_over_list(lists, popularity.shares)


def unit_vectors(item_vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """[n_items + 1, d] the vectors at length 1; the padding's and those that are zero stay zero."""
    lengths = np.linalg.norm(item_vectors, axis=1, keepdims=True)
    unit = np.divide(item_vectors, lengths, out=np.zeros_like(item_vectors), where=lengths > 0)
    unit[0] = 0
    return unit


def diversity(lists: IntArray, unit: NDArray[np.floating]) -> FloatArray:
    """[n] intra-list diversity: 1 − mean cosine of all pairs of a list's items; NaN for under two items.

    Range 0 to 2, or 0 to 1 where no vector has a negative number; higher = less alike; 0 = all alike.
    An item whose vector is zero is like no other. Source: Ziegler et al., WWW 2005 (intra-list similarity).

    Args:
        lists: [n, k] item numbers.
        unit: [n_items + 1, d] from `unit_vectors`.
    """
    together = unit[lists].sum(
        axis=1, dtype=np.float64
    )  # [n, d]; its square holds each pair twice, and each item
    alone = np.any(unit != 0, axis=1)[lists].sum(axis=1)
    n_listed = (lists > 0).sum(axis=1)
    n_pairs_twice = n_listed * (n_listed - 1)
    cosines = ((together**2).sum(axis=1) - alone) / np.maximum(n_pairs_twice, 1)
    return np.where(n_pairs_twice > 0, 1 - cosines, np.nan)


def _mean_over_list(lists: IntArray, values: FloatArray) -> FloatArray:
    listed = lists > 0
    n_listed = listed.sum(axis=1)
    total = np.where(listed, values[lists], 0.0).sum(axis=1)
    return np.where(n_listed > 0, total / np.maximum(n_listed, 1), np.nan)
