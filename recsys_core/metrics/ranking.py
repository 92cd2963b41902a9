"""Ranking metrics of many people at once, from the ranks of what they really chose.

Everything that leave-one-out evaluation knows of a person is one number: the rank of the held-out
item among all candidates. All metrics of one relevant item follow from it, so a person's rank is what
is kept, and any metric at any k can be computed later. Ranks start at 1; 0 means that the person has
no held-out item and every metric is NaN for them.

Range of every metric here: 0 to 1, higher is better, 0 = the held-out item is not in the first k.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsys_core.errors import ConfigError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def target_ranks(scores: NDArray[np.float32], targets: IntArray, seen: IntArray) -> IntArray:
    """[n] rank of each target among all items that the person hasn't seen, from 1; ties by item number.

    Args:
        scores: [n, n_items + 1]; column 0, the padding, is never a candidate.
        targets: [n] item numbers; 0 gives rank 0.
        seen: [n, any] item numbers left out of the ranking, filled up with 0.

    Raises:
        ConfigError: a score is NaN, which has no rank.
    """
    if np.isnan(scores).any():
        raise ConfigError(
            "a score is NaN, so the items can't be ranked; train the model again with a lower rate"
        )
    rows = np.arange(len(scores))
    target_scores = scores[rows, targets][:, None]  # [n, 1]
    ahead = scores > target_scores  # [n, n_items + 1]
    ahead |= (scores == target_scores) & (np.arange(scores.shape[1]) < targets[:, None])
    ahead[rows[:, None], seen] = False
    ahead[:, 0] = False
    return np.where(targets > 0, 1 + ahead.sum(axis=1), 0)


def hit_at_k(ranks: IntArray, k: int) -> FloatArray:
    """[n] 1 where the held-out item is among the first k. With one relevant item, recall is the same."""
    return _where_ranked(ranks, (ranks <= k).astype(np.float64))


def precision_at_k(ranks: IntArray, k: int) -> FloatArray:
    """[n] share of the first k that is relevant: 1/k at a hit."""
    return hit_at_k(ranks, k) / k


def ndcg_at_k(ranks: IntArray, k: int) -> FloatArray:
    """[n] 1 / log2(rank + 1) within the first k: with one relevant item the ideal DCG is 1.

    Source: Järvelin & Kekäläinen, TOIS 2002, binary relevance.
    """
    gains = 1 / np.log2(np.maximum(ranks, 1) + 1)
    return _where_ranked(ranks, np.where(ranks <= k, gains, 0.0))


def mrr_at_k(ranks: IntArray, k: int) -> FloatArray:
    """[n] 1 / rank within the first k. With one relevant item, average precision is the same."""
    return _where_ranked(ranks, np.where(ranks <= k, 1 / np.maximum(ranks, 1), 0.0))


METRICS: dict[str, Callable[[IntArray, int], FloatArray]] = {
    "ndcg": ndcg_at_k,
    "hr": hit_at_k,
    "recall": hit_at_k,
    "precision": precision_at_k,
    "mrr": mrr_at_k,
    "map": mrr_at_k,
}


def per_person(metric: str, ranks: IntArray) -> FloatArray:
    """[n] values of a metric written like `ndcg@10`.

    Raises:
        ConfigError: there is no such metric, or k is not a whole number from 1.
    """
    name, _, k = metric.partition("@")
    if name not in METRICS or not k.isdecimal() or int(k) < 1:
        raise ConfigError(
            f"there is no metric '{metric}'; write NAME@K with NAME one of {', '.join(METRICS)}"
        )
    return METRICS[name](ranks, int(k))


def coverage(lists: IntArray, n_items: int) -> float:
    """Share of the catalogue that appears in at least one list; `lists`: [n, k] item numbers, 0 = empty.

    Range 0 to 1; higher means that more of the catalogue is shown.
    """
    shown = np.unique(lists)
    return float((shown > 0).sum() / n_items)


def _where_ranked(ranks: IntArray, values: FloatArray) -> FloatArray:
    return np.where(ranks > 0, values, np.nan)
