"""What the lists of many people are like, added up a chunk at a time, so that no list has to be kept."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.metrics.beyond_accuracy import diversity, exposure, gini, mean_popularity, novelty
from recsys_core.metrics.popularity import ItemPopularity
from recsys_core.metrics.ranks import FloatArray, IntArray

PERSON_MEASURES = ("novelty", "popularity", "diversity")
CATALOGUE_MEASURES = ("coverage", "gini")


@dataclass(frozen=True, slots=True)
class ListMeasures:
    """What the first k items of people's lists are like; see `beyond_accuracy` for ranges and sources.

    Attributes:
        coverage: share of the catalogue that these lists show.
        gini: how unevenly they spread their places over the catalogue; NaN = not known.
        novelty: [n_users] in bits; NaN for a person without a list, and where it isn't known.
        popularity: [n_users] mean share of people who touched an item; NaN likewise.
        diversity: [n_users] 1 − mean cosine of two items; NaN likewise.
    """

    coverage: float
    gini: float
    novelty: FloatArray
    popularity: FloatArray
    diversity: FloatArray


class ListTotals:
    """Takes in lists, chunk by chunk, and says in the end what they were like."""

    def __init__(self, n_users: int, popularity: ItemPopularity, unit: NDArray[np.floating]) -> None:
        """An account without lists.

        Args:
            n_users: how many people there are; not everyone has to have a list.
            popularity: of the items, in training.
            unit: [n_items + 1, d] by which items are alike, from `unit_vectors`.
        """
        self._popularity, self._unit = popularity, unit
        self._exposure = np.zeros(len(unit) - 1)
        self._novelty, self._shares, self._diversity = (np.full(n_users, np.nan) for _ in range(3))

    def add(self, people: IntArray, lists: IntArray) -> None:
        """Takes in the lists [n, k] of people [n]."""
        self._exposure += exposure(lists, len(self._exposure))
        self._novelty[people] = novelty(lists, self._popularity)
        self._shares[people] = mean_popularity(lists, self._popularity)
        self._diversity[people] = diversity(lists, self._unit)

    def measures(self) -> ListMeasures:
        """What all lists taken in so far are like."""
        return ListMeasures(
            coverage=float((self._exposure > 0).mean()),
            gini=gini(self._exposure),
            novelty=self._novelty,
            popularity=self._shares,
            diversity=self._diversity,
        )
