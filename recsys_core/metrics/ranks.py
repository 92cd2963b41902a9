"""Where people's relevant items were ranked: all that a ranking metric needs to know of them.

With one held-out item a person has one rank, with several held-out items several, with none none. Every
metric at every k follows from these ranks, so they are what is kept, and a metric can be asked for later.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.data.dataset import Histories

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CELLS_AT_ONCE = 1 << 18  # list places compared at a time: what is compared stays in the processor's cache


@dataclass(frozen=True, slots=True)
class RelevantRanks:
    """The ranks of everybody's relevant items, end to end, each person's in any order.

    Attributes:
        ranks: [n_relevant] from 1; 0 = the item isn't on the list.
        offsets: [n + 1] person i's ranks are `ranks[offsets[i]:offsets[i + 1]]`.
        n_candidates: [n] how many items were ranked for each person; None = not known.
        popular_ranks: [n_relevant] the rank of each item, had the person's candidates been ranked by
            popularity; None = not known.
    """

    ranks: IntArray
    offsets: IntArray
    n_candidates: IntArray | None = None
    popular_ranks: IntArray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_relevant(self) -> IntArray:
        """[n] how many relevant items each person has."""
        return np.diff(self.offsets)

    @property
    def people(self) -> IntArray:
        """[n_relevant] whose item each rank is of."""
        return np.repeat(np.arange(len(self)), self.n_relevant)

    @property
    def first(self) -> IntArray:
        """[n] the rank of each person's first relevant item; 0 for a person who has none."""
        has_any = self.n_relevant > 0
        ranks = np.zeros(len(self), dtype=np.int64)
        ranks[has_any] = self.ranks[self.offsets[:-1][has_any]]
        return ranks

    def within(self, k: int) -> NDArray[np.bool_]:
        """[n_relevant] whether each item is among the first k."""
        return (self.ranks > 0) & (self.ranks <= k)

    def total(self, values: NDArray[np.generic]) -> FloatArray:
        """[n] the sum of one value a relevant item over each person's; NaN for a person who has none."""
        n_relevant = self.n_relevant
        if (n_relevant == 1).all():
            return values.astype(np.float64)
        sums = np.bincount(self.people, values, minlength=len(self)).astype(np.float64)
        sums[n_relevant == 0] = np.nan
        return sums

    def only(self, chosen: NDArray[np.bool_]) -> "RelevantRanks":
        """The same people with some of their relevant items [n_relevant], ranked as before."""
        counts = np.bincount(self.people[chosen], minlength=len(self))
        popular = None if self.popular_ranks is None else self.popular_ranks[chosen]
        return RelevantRanks(self.ranks[chosen], _ends(counts), self.n_candidates, popular)


def one_each(
    ranks: IntArray, n_candidates: IntArray | None = None, popular_ranks: IntArray | None = None
) -> RelevantRanks:
    """Ranks of people with one relevant item each; rank 0 [n] = the person has none."""
    has_one = ranks > 0
    return RelevantRanks(
        ranks[has_one],
        _ends(has_one),
        n_candidates,
        None if popular_ranks is None else popular_ranks[has_one],
    )


def ranks_on_lists(lists: IntArray, relevant: Histories) -> RelevantRanks:
    """The ranks of relevant items on ranked lists.

    Args:
        lists: [n, k] item numbers, best first, 0 = empty. Of an item that comes twice the first counts.
        relevant: [n] what is relevant to each person, no item twice.
    """
    people, k = relevant.rows, lists.shape[1]
    one_a_row = bool((relevant.lengths == 1).all())
    ranks = np.zeros(len(people), dtype=np.int64)
    at_once = max(1, CELLS_AT_ONCE // max(k, 1))
    for start in range(0, len(people), at_once):
        some = slice(start, start + at_once)
        own = lists[some] if one_a_row else lists[people[some]]
        found = np.flatnonzero(own == relevant.items[some, None])[::-1]
        ranks[start + found // k] = found % k + 1  # backwards, so that the first place is written last
    return RelevantRanks(ranks, relevant.offsets)


def _ends(counts: NDArray[np.generic]) -> IntArray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
