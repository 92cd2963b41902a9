"""Softmax against drawn items, for rankers whose score isn't a plain product of two vectors."""

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import Histories
from recsys_core.ranker.neural import NeuralRanker, Prediction
from recsys_core.ranker.noise import noise_of_this_thread

N_DRAWN = 256


def softmax_over_drawn(
    ranker: NeuralRanker, asked: Prediction, vectors: Tensor, seen: Histories, n_drawn: int = N_DRAWN
) -> Tensor:
    """Mean cross-entropy of the next item against items drawn evenly, the same for the whole batch.

    What stands for the items that weren't drawn: each drawn one counts for the V / n of them (the logQ
    correction of an even draw; Bengio & Senécal, 2008). Where the catalogue has no more than `n_drawn` items,
    all are drawn and this is the full softmax. Items seen earlier are no candidates. Range ≥ 0.

    Args:
        ranker: whose `logits` are asked.
        asked: n states and the items that came.
        vectors: [V, d] item vectors.
        seen: [n] item numbers that are no candidates.
        n_drawn: how many items are drawn.
    """
    drawn = _drawn(ranker.n_items, n_drawn)
    places = torch.from_numpy(drawn).to(vectors.device)
    logits = ranker.logits(asked.states, vectors[places], ranker.item_bias[places]).float()  # [n, drawn]
    logits = logits + np.log(ranker.n_items / len(drawn))
    column = np.full(ranker.n_items + 1, -1)
    column[drawn] = np.arange(len(drawn))
    rows, columns = seen.rows, column[seen.items]
    targets = column[asked.targets.cpu().numpy()]
    left_out = torch.zeros(logits.shape, dtype=torch.bool)
    left_out[rows[columns >= 0], columns[columns >= 0]] = True
    is_drawn = np.flatnonzero(targets >= 0)
    left_out[is_drawn, targets[is_drawn]] = True  # the target stands for itself, once and in full
    rivals = logits.masked_fill(left_out.to(logits.device), -torch.inf)
    target = ranker.own_logits(asked.states, vectors[asked.targets], ranker.item_bias[asked.targets]).float()
    return (torch.cat([target[:, None], rivals], 1).logsumexp(1) - target).mean()


def _drawn(n_items: int, n_drawn: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Different item numbers, in order; the noise of the step decides."""
    if n_items <= n_drawn:
        return np.arange(1, n_items + 1)
    return np.sort(noise_of_this_thread().choice(n_items, n_drawn, replace=False)) + 1
