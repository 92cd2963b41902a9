"""The first k items of many score rows, in an order that doesn't depend on the machine."""

import numpy as np
import torch

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.errors import ConfigError
from recsys_core.ranker.protocol import ScoreArray, ScoreKind


def mask_seen(scores: ScoreArray, seen: Histories) -> ScoreArray:
    """The scores with the padding and each row's seen items at −∞: what is left are the candidates.

    Args:
        scores: [n, n_items + 1]; changed in place and returned.
        seen: [n] item numbers that are no candidates.
    """
    scores[:, 0] = -np.inf
    scores[seen.rows, seen.items] = -np.inf
    return scores


def candidate_scores(scores: ScoreArray, seen: Histories, score_kind: ScoreKind) -> FloatArray:
    """[n, n_items + 1] scores as people see them: −∞ for what is no candidate, log-probabilities of the rest.

    In double precision, so that normalising never makes two different scores equal. `scores` is changed
    in place, as by `mask_seen`.
    """
    masked = mask_seen(scores, seen).astype(np.float64)
    some_left = np.isfinite(masked).any(axis=1)
    if score_kind == "log-probability":
        logits = masked[some_left]
        logits -= logits.max(axis=1, keepdims=True)
        masked[some_left] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return masked


def top_k(scores: ScoreArray, k: int) -> IntArray:
    """[n, min(k, n_items)] item numbers, best first, ties by item number; 0 where no candidate is left.

    Args:
        scores: [n, n_items + 1] with −∞ for what is no candidate (see `mask_seen`).
        k: length of the lists, at least 1.

    Raises:
        ConfigError: k is under 1.
    """
    if k < 1:
        raise ConfigError(f"k is {k}; a list has at least 1 item")
    k = min(k, scores.shape[1] - 1)
    values, items = (array.numpy() for array in torch.topk(torch.from_numpy(scores), k + 1, dim=1))
    cut_through = np.isfinite(values[:, k]) & (values[:, k] == values[:, k - 1])
    items = items[:, :k]
    for row in np.flatnonzero(cut_through):  # among equal scores topk takes any
        items[row] = np.lexsort((np.arange(scores.shape[1]), -scores[row]))[:k]
    values = np.take_along_axis(scores, items, axis=1)
    order = np.lexsort((items, -values), axis=1)
    items, values = np.take_along_axis(items, order, axis=1), np.take_along_axis(values, order, axis=1)
    return np.where(np.isfinite(values), items, 0)
