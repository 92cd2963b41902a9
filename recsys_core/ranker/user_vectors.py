"""What a ranker knows of people, as one vector a person, whatever kind of ranker it is."""

import numpy as np

from recsys_core.data.dataset import FloatArray, Histories
from recsys_core.ranker.als import AlsRanker
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.protocol import Ranker

SIZE = 64  # of vectors that aren't the ranker's own
BATCH_USERS = 512


def user_vectors(ranker: Ranker, known: Histories, seed: int = 0) -> FloatArray:
    """[n, d] what a ranker makes of each history: all that its lists depend on.

    A neural ranker's state, a factorisation's vector of the person; for a ranker without any such thing its
    scores of all items, centred, in 64 directions drawn by the seed (distances stay about the same:
    Johnson & Lindenstrauss 1984).

    Args:
        ranker: what ranks.
        known: [n] histories with all that is known of them.
        seed: of the directions.
    """
    if isinstance(ranker, NeuralRanker):
        return _finite(ranker.states(known).double().cpu().numpy())
    if isinstance(ranker, AlsRanker):
        return ranker.fold_in(known)
    directions = np.random.default_rng(seed).standard_normal((ranker.n_items, SIZE)) / np.sqrt(SIZE)
    parts = list[FloatArray]()
    for start in range(0, len(known), BATCH_USERS):
        rows = np.arange(start, min(start + BATCH_USERS, len(known)))
        scores = ranker.score(known.take(rows))[:, 1:].astype(np.float64)
        parts.append((scores - scores.mean(axis=1, keepdims=True)) @ directions)
    return np.concatenate([np.zeros((0, SIZE)), *parts])


def history_vectors(known: Histories, n_items: int, seed: int = 0) -> FloatArray:
    """[n, 64] the different items of each history in drawn directions: what the data tell anyway."""
    directions = np.random.default_rng(seed).standard_normal((n_items + 1, SIZE))
    touched = known.without_repeats()
    vectors = np.zeros((len(known), SIZE))
    np.add.at(vectors, touched.rows, directions[touched.items])
    return vectors / np.sqrt(np.maximum(touched.lengths, 1))[:, None]


def _finite(vectors: FloatArray) -> FloatArray:
    """The vectors with what isn't finite (a state of nobody) at 0."""
    return np.where(np.isfinite(vectors), vectors, 0.0)
