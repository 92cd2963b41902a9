"""Ranking metrics of many people at once, from the ranks of what they really chose.

All metrics of a person follow from the ranks of their relevant items among all candidates, so ranks are
what is kept, and any metric at any k is computed when it is asked for. Ranks start at 1 and equal scores
are ranked by item number. A person without a relevant item has no value: NaN.

Range of every metric here but DCG: 0 to 1. Higher is better. 0 = no relevant item is among the first k.
Formulas with several relevant items are those of trec_eval (P, recall, map_cut, ndcg_cut, success).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from recsys_core.errors import ConfigError
from recsys_core.metrics.ranks import FloatArray, IntArray, RelevantRanks

AUC = "auc"


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


def hit_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] 1 where at least one relevant item is among the first k, else 0."""
    return np.minimum(ranks.total(ranks.within(k)), 1)


def recall_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] share of the relevant items that is among the first k."""
    return ranks.total(ranks.within(k)) / _at_least_one(ranks)


def precision_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] share of the first k that is relevant; a list shorter than k counts as k."""
    return ranks.total(ranks.within(k)) / k


def f1_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] harmonic mean of precision and recall: 2 · found / (k + relevant).

    Source: van Rijsbergen, Information Retrieval, 1979, E measure with equal weights.
    """
    return 2 * ranks.total(ranks.within(k)) / (k + ranks.n_relevant)


def mrr_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] 1 / rank of the first relevant item within the first k.

    Source: Voorhees, TREC-8 Question Answering Track Report, 1999.
    """
    return _largest(ranks, ranks.within(k) / np.maximum(ranks.ranks, 1))


def map_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] average precision: Σ precision at each relevant item within the first k / all relevant items.

    The divisor is everything that is relevant, as in trec_eval's map_cut, not the smaller of that and k.
    """
    if ranks.n_relevant.max(initial=0) <= 1:
        return mrr_at_k(ranks, k)
    people = ranks.people
    found = ranks.within(k)
    order = np.lexsort((ranks.ranks, ~found, people))  # each person's found items first, best first
    nth = np.arange(len(order)) - ranks.offsets[people] + 1
    precision = found[order] * nth / np.maximum(ranks.ranks[order], 1)
    return ranks.total(precision) / _at_least_one(ranks)


def dcg_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] Σ 1 / log2(rank + 1) over the relevant items within the first k.

    Range: 0 to `ideal_dcg`, which grows with k. Source: Järvelin & Kekäläinen, TOIS 2002, binary
    relevance, with the discount from the first place on, as trec_eval has it.
    """
    return ranks.total(ranks.within(k) / np.log2(np.maximum(ranks.ranks, 1) + 1.0))


def ndcg_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] DCG over that of the ideal list: with one relevant item 1 / log2(rank + 1).

    Source: Järvelin & Kekäläinen, TOIS 2002, binary relevance.
    """
    best = int(min(k, ranks.n_relevant.max(initial=1)))
    ideal = np.cumsum(1 / np.log2(np.arange(2, best + 2)))  # [best] DCG of 1, 2, … relevant items on top
    return dcg_at_k(ranks, k) / ideal[np.clip(ranks.n_relevant, 1, best) - 1]


def serendipity_at_k(ranks: RelevantRanks, k: int) -> FloatArray:
    """[n] share of the first k that is relevant and that popularity wouldn't have shown among its first k.

    0 = nothing relevant but what is popular, as for a list by popularity; at most the precision. NaN
    where popularity's ranks aren't known. Source: Ge, Delgado-Battenfeld & Jannach, RecSys 2010,
    |unexpected ∩ useful| / |list|, with popularity as the primitive recommender and held-out items as the
    useful ones.
    """
    if ranks.popular_ranks is None:
        return np.full(len(ranks), np.nan)
    return ranks.total(ranks.within(k) & (ranks.popular_ranks > k)) / k


def auc(ranks: RelevantRanks) -> FloatArray:
    """[n] share of (relevant, other) pairs of candidates in the right order; ½ on average if shuffled.

    NaN where the number of candidates or the rank of a relevant item isn't known, and where nothing but
    relevant items was ranked. 1 − (Σ rank − R (R + 1) / 2) / (R (C − R)) with R relevant items among C
    candidates. Source: Mann & Whitney, Annals of Mathematical Statistics 1947.
    """
    if ranks.n_candidates is None:
        return np.full(len(ranks), np.nan)
    n_relevant = ranks.n_relevant
    n_pairs = n_relevant * (ranks.n_candidates - n_relevant)
    known = (n_pairs > 0) & (ranks.total(ranks.ranks == 0) == 0)
    n_wrong = ranks.total(ranks.ranks) - n_relevant * (n_relevant + 1) / 2
    return np.where(known, 1 - n_wrong / np.maximum(n_pairs, 1), np.nan)


METRICS: dict[str, Callable[[RelevantRanks, int], FloatArray]] = {
    "ndcg": ndcg_at_k,
    "hr": hit_at_k,
    "recall": recall_at_k,
    "precision": precision_at_k,
    "f1": f1_at_k,
    "mrr": mrr_at_k,
    "map": map_at_k,
    "dcg": dcg_at_k,
    "serendipity": serendipity_at_k,
}


def name_and_k(metric: str) -> tuple[str, int]:
    """What is before and behind the @ of `ndcg@10`; k is 0 where nothing sensible is behind it."""
    name, _, k = metric.partition("@")
    return name, int(k) if k.isascii() and k.isdecimal() else 0


def per_person(metric: str, ranks: RelevantRanks) -> FloatArray:
    """[n] values of a metric written like `ndcg@10`, or `auc`, which has no k.

    Raises:
        ConfigError: there is no such metric, or k is not a whole number from 1.
    """
    if metric == AUC:
        return auc(ranks)
    name, k = name_and_k(metric)
    if name not in METRICS or k < 1:
        raise ConfigError(
            f"there is no metric '{metric}'; write NAME@K with NAME one of {', '.join(METRICS)}, or {AUC}"
        )
    return METRICS[name](ranks, k)


def metric_table(metrics: Sequence[str], ranks: RelevantRanks) -> FloatArray:
    """[n, n_metrics] several metrics at any k: one row a person.

    Raises:
        ConfigError: as `per_person`.
    """
    return np.stack([per_person(metric, ranks) for metric in metrics], axis=1)


def _at_least_one(ranks: RelevantRanks) -> IntArray:
    return np.maximum(ranks.n_relevant, 1)


def _largest(ranks: RelevantRanks, values: FloatArray) -> FloatArray:
    """[n] the largest value among each person's relevant items; NaN for a person who has none."""
    has_any = ranks.n_relevant > 0
    largest = np.full(len(ranks), np.nan)
    if has_any.any():
        largest[has_any] = np.maximum.reduceat(values, ranks.offsets[:-1][has_any])
    return largest
