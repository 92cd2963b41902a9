"""Can it be told from a ranker's scores what it was trained on?

The attack looks at where an item is ranked: high means "was in training" (a loss threshold, Yeom et al., CSF
2018). Each person gives one pair: their last training item, from the history before it, and the item that
came next and was held out. The attack wins where the training item is ranked higher.
"""

import numpy as np

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.events import BoolArray
from recsys_core.data.split import Split, histories, targets
from recsys_core.metrics.ranking import target_ranks
from recsys_core.ranker.protocol import Ranker

BATCH_USERS = 512


def membership_wins(ranker: Ranker, dataset: Dataset, split: Split) -> FloatArray:
    """[n_users] 1 where the training item is ranked above the held-out one, ½ where equal, 0 where below.

    The mean is the area under the attack's curve over people: ½ = it guesses, 1 = training shows through
    everywhere. Ranks are shares of the candidates, whose number differs by one. NaN for people with fewer
    than two training items, without a validation item, or whose last training item wasn't new.
    """
    known, held_out = histories(dataset, split, "valid"), targets(dataset, split, "valid")
    people = np.flatnonzero((held_out > 0) & (known.lengths >= 2))
    own = known.take(people)
    before = own.pieces(np.arange(len(own)), np.zeros(len(own), dtype=np.int64), own.lengths - 1)
    last = own.items[own.offsets[1:] - 1]
    new = np.flatnonzero(~_holds(before, last))
    people = people[new]
    trained = _rank_shares(ranker, before.take(new), last[new])
    unseen = _rank_shares(ranker, own.take(new), held_out[people])
    wins = np.full(dataset.n_users, np.nan)
    wins[people] = np.where(trained < unseen, 1.0, np.where(trained == unseen, 0.5, 0.0))
    return wins


def _holds(known: Histories, items: IntArray) -> BoolArray:
    """[n] whether each history holds the item."""
    return np.bincount(known.rows, known.items == items[known.rows], minlength=len(known)) > 0


def _rank_shares(ranker: Ranker, known: Histories, items: IntArray) -> FloatArray:
    """[n] the rank of an item among what the person hadn't touched, from 0 (first) to 1 (last)."""
    shares = np.zeros(len(known))
    for start in range(0, len(known), BATCH_USERS):
        rows = np.arange(start, min(start + BATCH_USERS, len(known)))
        batch = known.take(rows)
        seen = batch.padded(int(batch.lengths.max(initial=0)))
        ranks = target_ranks(ranker.score(batch), items[rows], seen)
        n_candidates = ranker.n_items - batch.without_repeats().lengths
        shares[rows] = (ranks - 1) / np.maximum(n_candidates - 1, 1)
    return shares
