"""Popularity: everyone gets what most people chose. The line that any other ranker has to beat."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.ranker.protocol import ScoreArray, ScoreKind


@dataclass(frozen=True, slots=True)
class PopularityRanker:
    """[n_items + 1] number of training interactions of each item, the same for every history."""

    counts: FloatArray
    max_length: int = 0
    score_kind: ScoreKind = "count"

    @property
    def n_items(self) -> int:
        return len(self.counts) - 1

    def score(self, histories: Histories) -> ScoreArray:
        return np.tile(self.counts.astype(np.float32), (len(histories), 1))

    def contributions(self, history: IntArray, item_number: int) -> FloatArray:
        """[len(history)] zeros: no history changes a popularity list."""
        return np.zeros(len(history))

    def tensors(self) -> dict[str, Tensor]:
        return {"counts": torch.from_numpy(self.counts)}


def fit_popularity(histories: Histories, n_items: int) -> PopularityRanker:
    """Counts of the training interactions."""
    return PopularityRanker(item_counts(histories, n_items))


def load_popularity(tensors: dict[str, Tensor]) -> PopularityRanker:
    """The ranker from what `tensors` gave."""
    return PopularityRanker(tensors["counts"].numpy())


def item_counts(histories: Histories, n_items: int) -> FloatArray:
    """[n_items + 1] how often each item occurs; the padding's count is 0."""
    return np.bincount(histories.items, minlength=n_items + 1).astype(np.float64)
