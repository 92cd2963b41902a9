"""Negatives: items drawn to stand for all that didn't come; one set for all states of a batch's part."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories, IntArray


@dataclass(frozen=True, slots=True)
class Negatives:
    """Drawn items.

    Attributes:
        items: [m] item numbers, repeats included.
        log_expected: [m] log of how often each was expected among the m.
    """

    items: IntArray
    log_expected: FloatArray


@dataclass(frozen=True, slots=True)
class NegativeSampler:
    """Draws items with replacement.

    Attributes:
        probabilities: [n_items + 1] of each item; 0 of the padding.
    """

    probabilities: FloatArray

    @staticmethod
    def by_popularity(counts: FloatArray, exponent: float) -> "NegativeSampler":
        """In proportion to (count + 1)^exponent: 0 draws all items alike, and none is never drawn.

        Args:
            counts: [n_items + 1] how often each item occurs in training.
            exponent: from 0 to 1.
        """
        weights = (counts + 1) ** exponent
        weights[0] = 0
        return NegativeSampler(weights / weights.sum())

    def draw(self, n: int, generator: np.random.Generator) -> Negatives:
        """n items."""
        cumulative = np.cumsum(self.probabilities)
        items = np.searchsorted(cumulative, generator.random(n) * cumulative[-1], side="right")
        items = items.clip(1, len(cumulative) - 1)
        return Negatives(items, np.log(n * self.probabilities[items]))


def allowed_negatives(items: IntArray, targets: IntArray, seen: Histories) -> Tensor:
    """[n, m] whether a drawn item may stand against a state: it is neither its target nor seen before.

    Args:
        items: [m] drawn item numbers, repeats included.
        targets: [n] the item that came after each state.
        seen: [n] item numbers that are no candidates.
    """
    distinct, column = np.unique(items, return_inverse=True)
    rows, numbers = np.arange(len(targets)).repeat(seen.lengths), seen.items
    rows, numbers = np.append(rows, np.arange(len(targets))), np.append(numbers, targets)
    place = np.searchsorted(distinct, numbers)
    hit = distinct[place.clip(max=len(distinct) - 1)] == numbers
    allowed = np.ones((len(targets), len(distinct)), dtype=np.bool_)
    allowed[rows[hit], place[hit]] = False
    return torch.from_numpy(allowed[:, column])
