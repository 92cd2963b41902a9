"""Late fusion: scores of several rankers made comparable and added up, weighted by held-out items.

Shapes: n people, V = n_items + 1, m rankers, K (person, item) pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.errors import DataError
from recsys_core.metrics.ranking import ndcg_at_k
from recsys_core.metrics.ranks import one_each
from recsys_core.ranker.protocol import Ranker, ScoreArray, ScoreKind

Fusion = Literal["log-probability", "standardised", "reciprocal-rank"]

RANK_OFFSET = 60  # Cormack, Clarke & Büttcher, SIGIR 2009
SMOOTHING = 0.1  # of the mean score: what an item that was never counted is taken to have
BATCH_USERS = 512
STEPS = np.linspace(0, 1, 21)
MAX_ROUNDS = 20


def comparable(scores: ScoreArray, histories: Histories, kind: ScoreKind, fusion: Fusion) -> ScoreArray:
    """[n, V] scores of one ranker on a scale that all rankers share; the order of each row stays.

    `log-probability`: the log-softmax over all items; scores that are no log-probabilities become
    logarithms of shares where none is negative, and are standardised first where one is.
    `standardised`: mean 0 and standard deviation 1 over what isn't in the history.
    `reciprocal-rank`: 1 / (60 + rank among what isn't in the history), from 1.

    Args:
        scores: [n, V] as a ranker gives them; column 0, the padding, means nothing and becomes 0.
        histories: [n] what the scores were made from.
        kind: what they mean.
        fusion: the scale.
    """
    values = torch.from_numpy(scores.copy())
    candidate = torch.ones(values.shape, dtype=torch.bool)
    candidate[:, 0] = False
    candidate[torch.from_numpy(histories.rows), torch.from_numpy(histories.items)] = False
    if fusion == "reciprocal-rank":
        shared = 1 / (RANK_OFFSET + _ranks(values, candidate))
    elif fusion == "standardised":
        shared = _standardised(values, candidate)
    else:
        shared = _log_probabilities(values, kind)
    shared[:, 0] = 0
    return shared.numpy()


def fit_weights(
    rankers: Sequence[Ranker], known: Histories, wanted: IntArray, fusion: Fusion = "log-probability"
) -> FloatArray:
    """[m] weights ≥ 0 that sum to 1, with the highest NDCG@10 that a search from the best ranker on finds.

    Each round looks along the lines from the weights so far to each ranker alone, in steps of 5 %. With
    two rankers that tries all weights there are.

    Args:
        rankers: [m] at least 1.
        known: [n] what is known of each person.
        wanted: [n] the held-out item of each person, not in their history; 0 where there is none.
        fusion: the scale on which scores are added.

    Raises:
        DataError: nobody has a held-out item.
    """
    people = np.flatnonzero(wanted > 0)
    if len(people) == 0:
        raise DataError("nobody has a held-out item, so no weights can be chosen; write them: weights=1,1")
    rivals = _rivals(rankers, known.take(people), wanted[people], fusion)
    corners = np.eye(len(rankers))
    quality = [rivals.ndcg(corner) for corner in corners]
    weights, best = corners[int(np.argmax(quality))], max(quality)
    for _ in range(MAX_ROUNDS):
        tried = [(1 - step) * weights + step * corner for corner in corners for step in STEPS]
        quality = [rivals.ndcg(weighting) for weighting in tried]
        if max(quality) <= best:
            break
        weights, best = tried[int(np.argmax(quality))], max(quality)
    return weights


@dataclass(frozen=True, slots=True)
class _Rivals:
    """How far each item is ahead of a person's held-out one, where any ranker has it ahead or level.

    Attributes:
        margins: [m, K] score of the item less that of the held-out one, by each ranker.
        rows: [K] the person.
        is_first: [K] whether the item comes first where the fused scores are equal.
        n: how many people.
    """

    margins: ScoreArray
    rows: IntArray
    is_first: np.ndarray[tuple[int], np.dtype[np.bool_]]
    n: int

    def ndcg(self, weights: FloatArray) -> float:
        """Mean NDCG@10 of the fused scores, 0 to 1."""
        fused = weights.astype(np.float32) @ self.margins
        ahead = (fused > 0) | ((fused == 0) & self.is_first)
        return float(ndcg_at_k(one_each(1 + np.bincount(self.rows[ahead], minlength=self.n)), 10).mean())


def _rivals(rankers: Sequence[Ranker], known: Histories, wanted: IntArray, fusion: Fusion) -> _Rivals:
    parts = list(_rivals_of_batches(rankers, known, wanted, fusion))
    margins, rows, is_first = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    return _Rivals(margins, rows, is_first, len(known))


def _rivals_of_batches(
    rankers: Sequence[Ranker], known: Histories, wanted: IntArray, fusion: Fusion
) -> Iterator[tuple[ScoreArray, IntArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    for start in range(0, len(known), BATCH_USERS):
        people = np.arange(start, min(start + BATCH_USERS, len(known)))
        batch, targets = known.take(people), wanted[people]
        margins = np.stack([_margins(ranker, batch, targets, fusion) for ranker in rankers])
        candidate = np.ones(margins.shape[1:], dtype=bool)
        candidate[:, 0] = False
        candidate[batch.rows, batch.items] = False
        candidate[np.arange(len(people)), targets] = False
        rows, items = np.nonzero(candidate & (margins >= 0).any(axis=0))
        yield margins[:, rows, items], people[rows], items < targets[rows]


def _margins(ranker: Ranker, batch: Histories, targets: IntArray, fusion: Fusion) -> ScoreArray:
    shared = comparable(ranker.score(batch), batch, ranker.score_kind, fusion)
    return shared - shared[np.arange(len(batch)), targets][:, None]


def _ranks(values: torch.Tensor, candidate: torch.Tensor) -> torch.Tensor:
    """[n, V] the rank that each item has, or would have, among the candidates; ties by item number."""
    order = values.argsort(dim=1, descending=True, stable=True)
    before = candidate.gather(1, order).cumsum(1) - candidate.gather(1, order).long()
    return torch.empty_like(before).scatter_(1, order, before + 1)


def _standardised(values: torch.Tensor, candidate: torch.Tensor) -> torch.Tensor:
    n = candidate.sum(1, keepdim=True).clamp(min=1)
    exact = values.double()
    centred = exact - exact.where(candidate, 0).sum(1, keepdim=True) / n
    deviation = (centred.where(candidate, 0).square().sum(1, keepdim=True) / n).sqrt()
    return (centred / deviation.clamp(min=torch.finfo(torch.float32).tiny)).where(deviation > 0, 0).float()


def _log_probabilities(values: torch.Tensor, kind: ScoreKind) -> torch.Tensor:
    """What is in the history counts as well: it moves all scores of a row alike, and no rank."""
    items = values[:, 1:]
    if kind != "log-probability":
        share = items + (SMOOTHING * items.mean(1, keepdim=True)).clamp(min=torch.finfo(torch.float32).tiny)
        none_negative = (items >= 0).all(1, keepdim=True)
        items = torch.where(
            none_negative, share.clamp(min=0).log(), _standardised(items, torch.ones_like(items) > 0)
        )
    return torch.nn.functional.pad(items.log_softmax(1), (1, 0))
