"""Where one item stands on the lists that would be made from many versions of a history.

The lists are really ranked: every candidate is scored for every version, as `ranker.lists` does it. What
is no candidate stays so in all versions: an item that leaves the history doesn't come back as a competitor,
and one that is added doesn't make room by going.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.explain.scoring import BATCH_ROWS, BoolArray, Question
from recsys_core.ranker.protocol import Ranker, ScoreArray

POOL = 300  # at least; the candidates whose scores are kept, because they are near enough to pass the item


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to become of an item.

    Attributes:
        kind: `leave` the first k, `enter` the first k, or be `overtaken` by another item.
        k: length of the list; 0 where the goal is to be overtaken.
        rival: number of the other item; 0 where the goal is about k.
    """

    kind: Literal["leave", "enter", "overtaken"]
    k: int = 0
    rival: int = 0


@dataclass(frozen=True, slots=True)
class Standings:
    """The item's place on the lists of n versions of a history.

    Attributes:
        ranks: [n] from 1.
        reached: [n] whether the goal is.
        distances: [n] how far the scores are from the goal; the lower, the nearer.
        leads: [n, pool] the item's score less that of each competitor of the pool.
    """

    ranks: IntArray
    reached: BoolArray
    distances: FloatArray
    leads: FloatArray

    @staticmethod
    def joined(parts: "list[Standings]") -> "Standings":
        """Standings one after the other."""
        return Standings(
            np.concatenate([part.ranks for part in parts]),
            np.concatenate([part.reached for part in parts]),
            np.concatenate([part.distances for part in parts]),
            np.concatenate([part.leads for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a history and what becomes of the item.

    Attributes:
        item_number: the item.
        goal: what was to become of it.
        items: [size] numbers of the items that go, or that come (the newest last); empty = none found.
        rank_before: the item's rank as things are.
        rank_after: its rank after the change, ranked anew by itself; where none was found, as before.
        minimal: no proper subset of the change does it; True is proven, False says nothing.
        smallest: no other set of fewer items does it either; True is proven, False says nothing.
        n_ranked: how many lists were ranked to find this out.
    """

    item_number: int
    goal: Goal
    items: IntArray
    rank_before: int
    rank_after: int
    minimal: bool
    smallest: bool
    n_ranked: int


class Rerankings:
    """Ranks everything anew for versions of a history, and says where the item of a question comes."""

    def __init__(
        self, ranker: Ranker, question: Question, goal: Goal, popularity: FloatArray | None = None
    ) -> None:
        """Keeps what is asked.

        Args:
            ranker: what ranks.
            question: the item, the history as it is, and what is no candidate.
            goal: what is to become of the item.
            popularity: [n_items + 1] training interactions, which rank where nothing of the history is left
                and the ranker has learned nothing that could.
        """
        self.ranker, self.question, self.goal, self.popularity = ranker, question, goal, popularity
        candidates = np.ones(ranker.n_items + 1, dtype=bool)
        candidates[0] = False
        candidates[question.seen] = False
        candidates[question.item_number] = False
        self.others = np.flatnonzero(candidates)
        self.n_ranked = 0
        self.pool = np.zeros(0, dtype=np.int64)
        base = self._scores(question.known)[0, self.others]
        nearest = np.argsort(-base, kind="stable")[: max(POOL, 2 * goal.k)]
        self.pool = self.others[nearest]
        self.now = self.of(question.known)

    def of(self, versions: Histories) -> Standings:
        """[len(versions)] where the item comes if the history had been each of these."""
        rows = np.arange(len(versions))
        parts = [versions.take(rows[start : start + BATCH_ROWS]) for start in rows[::BATCH_ROWS]]
        return Standings.joined([self._standings(self._scores(part)) for part in parts])

    def change(self, items: IntArray, standings: Standings, minimal: bool, smallest: bool) -> Change:
        """What was found, ranked by itself; no items and the standings of now where nothing was."""
        return Change(
            self.question.item_number,
            self.goal,
            items,
            int(self.now.ranks[0]),
            int(standings.ranks[0]),
            minimal,
            smallest,
            self.n_ranked,
        )

    def _scores(self, versions: Histories) -> ScoreArray:
        """[n, n_items + 1] as lists are ranked by."""
        self.n_ranked += len(versions)
        scores = self.ranker.score(versions)
        if self.popularity is not None:
            same = (versions.lengths == 0) & (np.ptp(scores[:, 1:], axis=1) == 0)
            scores[same] = self.popularity
        return scores

    def _standings(self, scores: ScoreArray) -> Standings:
        item, goal = self.question.item_number, self.goal
        own = scores[:, [item]]
        others = scores[:, self.others]
        above = (others > own) | ((others == own) & (self.others < item))
        ranks = 1 + above.sum(axis=1)
        leads = own.astype(np.float64) - scores[:, self.pool]
        if goal.kind == "overtaken":
            rival = scores[:, goal.rival]
            reached = above[:, np.searchsorted(self.others, goal.rival)]
            return Standings(ranks, reached, own[:, 0].astype(np.float64) - rival, leads)
        level = -np.partition(-others, goal.k - 1, axis=1)[:, goal.k - 1]  # of the k-th best other one
        lead = own[:, 0].astype(np.float64) - level
        leaves = goal.kind == "leave"
        return Standings(
            ranks, ranks > goal.k if leaves else ranks <= goal.k, lead if leaves else -lead, leads
        )
