"""The smallest change of a history that drops an item out of the first k, or lets another one overtake it.

An item goes with all its events. Singles are tried all; then come orders that leave-one-out suggests, one
for each competitor that could pass the item first (with the history's items in the order of how much each
holds that competitor down; for a ranker that is a sum the first competitor's order is exactly the best one
for k = 1), then all sets of a size while they are few enough, then a search that goes on from the best of
them. Whatever is found is ranked anew, and a larger set is called minimal only once all its proper subsets
were ranked and failed. Sources: Ghazimatin et al., WSDM 2020 (PRINCE); Tran et al., SIGIR 2021 (ACCENT).
"""

from collections.abc import Iterator
from itertools import combinations
from math import comb

import numpy as np

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.scoring import BoolArray, Question, removed
from recsys_core.explain.standing import Change, Goal, Rerankings, Standings
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.protocol import Ranker

AFFORDABLE = 2_500  # sets that are ranked to prove that no smaller one does it
AFFORDABLE_READ = 20  # by a cross-encoder, which reads some dozen pairs of texts for each
LARGEST_PROVEN = 10  # items of a set, all of whose subsets are ranked
ORDERS, ORDERS_READ = 20, 1  # competitors for each of which an order is suggested
BEAM = 3
BEYOND_WINDOW = 50  # events that may move into the window when others go


def smallest_removal(
    ranker: Ranker, question: Question, goal: Goal, popularity: FloatArray | None = None
) -> Change:
    """The smallest set of history items whose removal reaches a goal; see the module's first lines.

    Args:
        ranker: any.
        question: the item, the history, and what is no candidate, which stays as it is.
        goal: to leave the first k, or to be overtaken.
        popularity: [n_items + 1] ranks once nothing is left, where the ranker knows nothing better.

    Raises:
        ConfigError: there is no history, or k is out of range.
        DataError: the item isn't among the first k, or the rival already ranks above it.
    """
    if len(question.history) == 0:
        raise ConfigError("this person has no history, so there is nothing in it that could be taken away")
    check_goal(ranker, question, goal)
    rerankings = Rerankings(ranker, question, goal, popularity)
    rank = int(rerankings.now.ranks[0])
    if rerankings.now.reached[0] and goal.kind == "leave":
        raise DataError(
            f"the item is number {rank:,} of this list, so it isn't among the first {goal.k:,}; "
            f"ask with k from {rank:,} on"
        )
    if rerankings.now.reached[0]:
        raise DataError("the other item ranks above this one already")
    if ranker.max_length == 0:  # it looks at no history
        return Change(question.item_number, goal, np.zeros(0, dtype=np.int64), rank, rank, False, False, 1)
    return _Removals(rerankings).smallest()


def check_goal(ranker: Ranker, question: Question, goal: Goal) -> None:
    """Refuses what can't be asked of this list.

    Raises:
        ConfigError: k is out of range, or the rival is the item itself.
        DataError: the rival is no candidate.
    """
    n_candidates = ranker.n_items - len(np.setdiff1d(question.seen, [0, question.item_number]))
    if goal.kind == "overtaken":
        if goal.rival == question.item_number:
            raise ConfigError("an item can't overtake itself; name another one")
        if goal.rival in question.seen:
            raise DataError("the other item is in this person's history, so it is no candidate for the list")
    elif not 1 <= goal.k < n_candidates:
        raise ConfigError(
            f"k is {goal.k:,}; of {n_candidates:,} candidates it is allowed from 1 to {n_candidates - 1:,}"
        )


class _Removals:
    """The search: sets of items as rows of booleans, each ranked once."""

    def __init__(self, rerankings: Rerankings) -> None:
        self.rerankings = rerankings
        question, ranker = rerankings.question, rerankings.ranker
        reached = question.history[max(0, len(question.history) - ranker.max_length - BEYOND_WINDOW) :]
        self.items = np.unique(reached)
        place = np.searchsorted(self.items, question.history)
        known = np.isin(question.history, self.items)
        self.place = np.where(
            known, place, len(self.items)
        )  # [length] whose event it is; n = of none of them
        self.known: dict[bytes, Standings] = {}
        reads = isinstance(ranker, CrossEncoderRanker)
        self.affordable, self.n_orders = (AFFORDABLE_READ, ORDERS_READ) if reads else (AFFORDABLE, ORDERS)

    def smallest(self) -> Change:
        """What is found, confirmed by a list of its own: in a batch, scores may differ in their last bits."""
        while True:
            found, n_proven = self._search()
            if found is None:
                return self._change(None, self.rerankings.now, minimal=False, smallest=False)
            alone = self.rerankings.of(self._versions(found[None]))
            if alone.reached[0]:
                size = int(found.sum())
                minimal = size <= n_proven + 1 or (size <= LARGEST_PROVEN and self._subsets_fail(found))
                return self._change(found, alone, minimal=minimal, smallest=size <= n_proven + 1)
            self.known[_key(found)] = alone

    def _search(self) -> tuple[BoolArray | None, int]:
        """The smallest set that was found, and up to which size it is sure that there is none."""
        n = len(self.items)
        singles = np.eye(n, dtype=bool)
        standings = self._rank(singles)
        if standings.reached.any():
            return _nearest(singles, standings), 0
        best = self._first_of_orders(standings)
        level, n_proven = singles, 1
        for size in range(2, n + 1 if best is None else int(best.sum())):
            if comb(n, size) > self.affordable:
                break
            level = _sets(n, size)
            standings = self._rank(level)
            if standings.reached.any():
                return _nearest(level, standings), n_proven
            n_proven = size
        if n_proven == n:
            return None, n_proven
        best = self._best_of_beam(level, standings, best)
        return (None if best is None else self._reduced(best, n_proven)), n_proven

    def _first_of_orders(self, singles: Standings) -> BoolArray | None:
        """The shortest beginning of any suggested order that reaches the goal when it is ranked."""
        tried = [row for order in self._orders(singles) for row in self._around_prediction(order, singles)]
        rows = np.unique([*tried, np.ones(len(self.items), dtype=bool)], axis=0)
        standings = self._rank(rows)
        if not standings.reached.any():
            return None
        sizes = rows.sum(axis=1)
        smallest = int(sizes[standings.reached].min())
        return _nearest(rows[sizes == smallest], _picked(standings, sizes == smallest))

    def _orders(self, singles: Standings) -> list[IntArray]:
        """Orders in which items might go: for the competitors that would pass first, and for all of them."""
        effects = self.rerankings.now.leads - singles.leads  # [n, pool]
        own = [np.argsort(singles.distances, kind="stable")]
        if self.rerankings.goal.kind == "overtaken":
            return own
        falling = -np.sort(-np.maximum(effects, 0), axis=0).cumsum(axis=0)
        leads = self.rerankings.now.leads[0]
        needed = (leads - falling > 0).sum(axis=0)  # items that go until the competitor would pass
        first = np.lexsort((leads, needed, leads < 0))[: self.n_orders]  # who is above already comes last
        k = self.rerankings.goal.k
        together = [
            effects[:, first[:n]].mean(axis=1) for n in {min(k, self.n_orders), min(2 * k, self.n_orders)}
        ]
        each = [effects[:, competitor] for competitor in first]
        return own + [np.argsort(-effect, kind="stable") for effect in [*each, *together]]

    def _around_prediction(self, order: IntArray, singles: Standings) -> Iterator[BoolArray]:
        """The beginnings of an order near the length at which sums of single effects reach the goal."""
        now, goal = self.rerankings.now, self.rerankings.goal
        if goal.kind == "overtaken":
            effects = now.distances - singles.distances
            enough = now.distances - effects[order].cumsum() < 0
        else:
            leads = now.leads - (now.leads - singles.leads)[order].cumsum(axis=0)  # [n, pool]
            enough = (leads < 0).sum(axis=1) >= goal.k
        predicted = int(np.argmax(enough)) + 1 if enough.any() else len(order)
        for size in range(max(2, predicted - 1), min(len(order), predicted + 2) + 1):
            row = np.zeros(len(order), dtype=bool)
            row[order[:size]] = True
            yield row

    def _best_of_beam(
        self, level: BoolArray, standings: Standings, best: BoolArray | None
    ) -> BoolArray | None:
        """A smaller set than the best one, grown one item at a time from the nearest sets of a level."""
        end = len(self.items) if best is None else int(best.sum()) - 1
        enough = self.rerankings.n_ranked + self.affordable
        while int(level[0].sum()) < end and self.rerankings.n_ranked < enough:
            nearest = level[np.argsort(standings.distances, kind="stable")[:BEAM]]
            level = np.unique(
                np.concatenate([(row | np.eye(len(row), dtype=bool))[~row] for row in nearest]), axis=0
            )
            standings = self._rank(level)
            if standings.reached.any():
                return _nearest(level, standings)
        return best

    def _reduced(self, found: BoolArray, n_proven: int) -> BoolArray:
        """The smallest subset that still reaches the goal; of a large set, one item less each time."""
        enough = self.rerankings.n_ranked + self.affordable
        while self.rerankings.n_ranked < enough:
            n = int(found.sum())
            smaller = self._smaller(found, range(n_proven + 1 if n <= LARGEST_PROVEN else n - 1, n))
            if smaller is None:
                break
            found = smaller
        return found

    def _smaller(self, found: BoolArray, sizes: range) -> BoolArray | None:
        for size in sizes:
            rows = _subsets(found, size)
            standings = self._rank(rows)
            if standings.reached.any():
                return _nearest(rows, standings)
        return None

    def _subsets_fail(self, found: BoolArray) -> bool:
        rows = np.concatenate([_subsets(found, size) for size in range(1, int(found.sum()))])
        return not self._rank(rows).reached.any()

    def _rank(self, rows: BoolArray) -> Standings:
        """The standings once the items of each row are gone; what was ranked before isn't ranked again."""
        keys = [_key(row) for row in rows]
        missing = [number for number, key in enumerate(keys) if key not in self.known]
        if missing:
            new = self.rerankings.of(self._versions(rows[missing]))
            for place, number in enumerate(missing):
                self.known[keys[number]] = _picked(new, slice(place, place + 1))
        return Standings.joined([self.known[key] for key in keys])

    def _versions(self, rows: BoolArray) -> Histories:
        gone = np.pad(rows, ((0, 0), (0, 1)))[:, self.place]  # [n, length]
        return removed(self.rerankings.question.known, gone, in_place=False)

    def _change(self, found: BoolArray | None, standings: Standings, minimal: bool, smallest: bool) -> Change:
        items = np.zeros(0, dtype=np.int64) if found is None else self.items[found]
        return self.rerankings.change(items, standings, minimal, smallest)


def _key(row: BoolArray) -> bytes:
    return np.packbits(row).tobytes()


def _nearest(rows: BoolArray, standings: Standings) -> BoolArray:
    """Of the rows that reach the goal the one that goes farthest beyond it; the first of equals."""
    return rows[np.argmin(np.where(standings.reached, standings.distances, np.inf))]


def _picked(standings: Standings, where: BoolArray | slice) -> Standings:
    return Standings(
        standings.ranks[where], standings.reached[where], standings.distances[where], standings.leads[where]
    )


def _sets(n: int, size: int) -> BoolArray:
    """[C(n, size), n] all sets of a size."""
    chosen = np.array(list(combinations(range(n), size)), dtype=np.int64)
    rows = np.zeros((len(chosen), n), dtype=bool)
    np.put_along_axis(rows, chosen, True, axis=1)
    return rows


def _subsets(found: BoolArray, size: int) -> BoolArray:
    """[C(size of the set, size), n] all subsets of a size of one set."""
    own = np.flatnonzero(found)
    rows = np.zeros((comb(len(own), size), len(found)), dtype=bool)
    rows[:, own] = _sets(len(own), size)
    return rows
