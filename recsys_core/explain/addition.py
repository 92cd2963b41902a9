"""The smallest addition to a history that lifts an item into the first k of the list.

Added items come at the end, newest last, with nothing known of them beside what they are. They stay
candidates: else each of them would make room on the list by leaving it, and any item of the first k would
do. On the real list, which they leave, the item can only stand higher. Every candidate is tried as a single
addition where they are few; of many, those after which alone, without the history, the item ranks best.
"""

from itertools import combinations

import numpy as np

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.data.events import EventContext
from recsys_core.errors import DataError
from recsys_core.explain.counterfactual import check_goal
from recsys_core.explain.scoring import Question
from recsys_core.explain.standing import Change, Goal, Rerankings, Standings
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.protocol import Ranker

LARGEST = 5  # items of an addition: a longer one is no small change
ALONE = 20_000  # candidates whose effect without the history is looked at, the most popular first
TRIED, TRIED_READ = 500, 50  # single additions to the whole history; by a cross-encoder
PAIRED = 30  # the nearest single additions, all of whose pairs are tried
BEAM = 5


def smallest_addition(
    ranker: Ranker, question: Question, goal: Goal, popularity: FloatArray | None = None
) -> Change:
    """The smallest set of items that lifts the item into the first k if they come behind the history.

    Args:
        ranker: any.
        question: the item, the history (it may be empty), and what is no candidate, which stays as it is.
        goal: to enter the first k.
        popularity: [n_items + 1] training interactions: which items are tried where there are too many, and
            the ranks of somebody without a history, where the ranker knows nothing better.

    Raises:
        ConfigError: k is out of range.
        DataError: the item is among the first k already.
    """
    check_goal(ranker, question, goal)
    rerankings = Rerankings(ranker, question, goal, popularity)
    rank = int(rerankings.now.ranks[0])
    if rerankings.now.reached[0]:
        raise DataError(
            f"the item is number {rank:,} of this list, so it is among the first {goal.k:,} already; "
            f"ask with k below {rank:,}"
        )
    return _Additions(rerankings).smallest()


class _Additions:
    """The search: additions as rows of item numbers, the newest last."""

    def __init__(self, rerankings: Rerankings) -> None:
        self.rerankings = rerankings
        question = rerankings.question
        own = np.concatenate([[0, question.item_number], question.history])
        self.candidates = np.setdiff1d(np.arange(rerankings.ranker.n_items + 1), own)

    def smallest(self) -> Change:
        """What is found, ranked by itself once more."""
        singles = self._singles()
        level = singles[:, None]
        nearest = level[:0, 0]
        for size in range(1, LARGEST + 1):
            standings = self._rank(level)
            found = self._confirmed(level, standings)
            if found is not None:
                smallest = size == 1 or (size == 2 and len(singles) == len(self.candidates) <= PAIRED)
                return self.rerankings.change(
                    *found, minimal=size <= 2 or self._subsets_fail(found[0]), smallest=smallest
                )
            order = np.argsort(standings.distances, kind="stable")
            if size == 1:
                nearest = level[order[:PAIRED], 0]
                level = np.array(list(combinations(nearest[::-1], 2))).reshape(-1, 2)
            else:
                level = _grown(level[order[:BEAM]], nearest)
            if len(level) == 0:
                break
        return self.rerankings.change(
            np.zeros(0, dtype=np.int64), self.rerankings.now, minimal=False, smallest=False
        )

    def _singles(self) -> IntArray:
        """The candidates for an addition of one item: all, or the most promising ones."""
        reads = isinstance(self.rerankings.ranker, CrossEncoderRanker)
        n = TRIED_READ if reads else TRIED
        if len(self.candidates) <= n:
            return self.candidates
        popularity, alone = self.rerankings.popularity, self.candidates
        if popularity is not None:
            alone = alone[np.argsort(-popularity[alone], kind="stable")]
        alone = alone[: n if reads else ALONE]
        by_itself = self.rerankings.of(Histories.of(list(alone[:, None])))
        return np.sort(alone[np.argsort(by_itself.distances, kind="stable")[:n]])

    def _rank(self, rows: IntArray) -> Standings:
        return self.rerankings.of(extended(self.rerankings.question.known, rows))

    def _confirmed(self, rows: IntArray, standings: Standings) -> tuple[IntArray, Standings] | None:
        """The row that reaches the goal best, and by itself as well: in a batch, last bits may differ."""
        reached = np.flatnonzero(standings.reached)
        for row in reached[np.argsort(standings.distances[reached], kind="stable")]:
            alone = self._rank(rows[[row]])
            if alone.reached[0]:
                return rows[row], alone
        return None

    def _subsets_fail(self, found: IntArray) -> bool:
        subsets = [list(own) for size in range(1, len(found)) for own in combinations(found, size)]
        sizes = {len(own) for own in subsets}
        return not any(
            self._rank(np.array([own for own in subsets if len(own) == size])).reached.any() for size in sizes
        )


def extended(known: Histories, added: IntArray) -> Histories:
    """[n] versions of one history with items [n, size] behind it, of which nothing else is known."""
    (n, size), length = added.shape, len(known.items)
    items = np.concatenate([np.tile(known.items, (n, 1)), added], axis=1)
    offsets = np.arange(n + 1) * (length + size)
    context = known.context
    if context is not None and length == 0:
        context = EventContext.unknown((n * size,), context.contexts.shape[-1])
    elif context is not None:
        place = np.minimum(np.arange(length + size), length - 1)
        gone = np.tile(np.arange(length + size) >= length, n)
        context = context.at(np.tile(place, n)).hidden(gone)
    askers = None if known.askers is None else known.askers.take(np.zeros(n, dtype=np.int64))
    return Histories(items.ravel(), offsets, context, askers)


def _grown(rows: IntArray, more: IntArray) -> IntArray:
    """[…, size + 1] each row with each of the other items in front of it."""
    return np.array([[item, *row] for row in rows for item in more if item not in row]).reshape(
        -1, rows.shape[1] + 1
    )
