"""The feedback loop: what is taken, histories that grow, and a loop that is known to narrow."""

from itertools import pairwise

import numpy as np
import pytest
from hand_made import WeightedSum, dataset_of

from recsys_core.data.dataset import Histories
from recsys_core.data.events import EventContext
from recsys_core.data.split import histories, leave_one_out
from recsys_core.ranker.feedback import appended, simulate_feedback
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.protocol import Ranker

N_ITEMS = 20


def start(seed: int = 0, n: int = 60) -> tuple[Histories, np.ndarray]:
    """Histories of three of the first ten items, and a held-out one of the second ten."""
    rng = np.random.default_rng(seed)
    known = Histories.of([rng.permutation(10)[:3] + 1 for _ in range(n)])
    return known, rng.integers(11, 21, n)


def popular(known: Histories) -> Ranker:
    return fit_popularity(known, N_ITEMS)


def test_an_item_more_is_at_the_end_of_its_owners_history():
    known = Histories.of([[1, 2], [], [3]])
    found = appended(known, np.array([9, 8, 0]))
    assert [found[row].tolist() for row in range(3)] == [[1, 2, 9], [8], [3]]


def test_what_is_known_of_events_stays_with_them():
    dataset = dataset_of({"ann": "abc", "bob": "cab"})
    known = histories(dataset, leave_one_out(dataset), "test")
    assert known.context is not None
    grown = appended(known, np.array([3, 1]))
    assert isinstance(grown.context, EventContext)
    ends = grown.offsets[1:] - 1
    assert np.isnan(grown.context.timestamps_s[ends]).all()
    kept = np.delete(grown.context.timestamps_s, ends)
    assert kept.tolist() == known.context.timestamps_s.tolist()
    assert grown.askers is known.askers


def test_the_first_round_is_before_anybody_took_anything():
    known, held_out = start()
    first = next(iter(simulate_feedback(popular, known, held_out, N_ITEMS, 5, 3, 0)))
    scores = popular(known).score(known)
    for row in range(60):
        own = scores[row, held_out[row]]
        rivals = np.setdiff1d(np.arange(1, N_ITEMS + 1), [*known[row], held_out[row]])
        better = (scores[row, rivals] > own) | ((scores[row, rivals] == own) & (rivals < held_out[row]))
        assert first.ranks[row] == 1 + better.sum()
    assert first.number == 0


def test_there_is_one_round_more_than_is_taken():
    known, held_out = start()
    rounds = list(simulate_feedback(popular, known, held_out, N_ITEMS, 5, 4, 0))
    assert [one.number for one in rounds] == [0, 1, 2, 3, 4]


def test_everybody_takes_one_new_item_of_the_list_and_never_the_held_out_one():
    known, held_out = start()
    seen = list[Histories]()

    def learn(now: Histories) -> Ranker:
        seen.append(now)
        return popular(now)

    list(simulate_feedback(learn, known, held_out, N_ITEMS, 5, 3, 1))
    for before, after in pairwise(seen):
        assert (after.lengths == before.lengths + 1).all()
    for row in range(60):
        final = seen[-1][row].tolist()
        assert len(set(final)) == len(final)
        assert held_out[row] not in final


def test_upper_places_are_taken_more_often_by_position_weight():
    """Everybody's list is items 1 to 3: taken with weights 1, 1/log2 3 and 1/2."""
    weights = np.zeros((5, 5))
    weights[:, 1:4] = [3, 2, 1]
    known, taken = Histories.of([[4]] * 6_000), list[Histories]()

    def learn(now: Histories) -> Ranker:
        taken.append(now)
        return WeightedSum(weights)

    list(simulate_feedback(learn, known, np.zeros(6_000, dtype=np.int64) + 4, 4, 3, 1, 2))
    shares = np.bincount(taken[1].items[1::2], minlength=4)[1:4] / 6_000
    expected = np.array([1, 1 / np.log2(3), 0.5])
    assert shares == pytest.approx(expected / expected.sum(), abs=0.02)


def test_a_model_that_learns_from_its_own_lists_goes_on_pushing_what_it_pushed():
    """A planted spiral: whatever was taken once is what is shown next, so the lists end at fewer items."""
    known, held_out = start()

    def push(now: Histories) -> Ranker:
        counts = np.bincount(now.items, minlength=N_ITEMS + 1).astype(np.float64)
        return WeightedSum(np.tile(counts**3, (N_ITEMS + 1, 1)))

    def never_learns(_: Histories) -> Ranker:
        return WeightedSum(np.random.default_rng(0).random((N_ITEMS + 1, N_ITEMS + 1)))

    pushed = list(simulate_feedback(push, known, held_out, N_ITEMS, 3, 3, 0))
    still = list(simulate_feedback(never_learns, known, held_out, N_ITEMS, 3, 3, 0))
    assert np.mean([one.gini for one in pushed]) > np.mean([one.gini for one in still])
    assert all(0 < one.coverage <= 1 for one in (*pushed, *still))


def test_the_same_seed_takes_the_same():
    known, held_out = start()

    def taken(seed: int) -> list[int]:
        seen = list[Histories]()

        def learn(now: Histories) -> Ranker:
            seen.append(now)
            return popular(now)

        list(simulate_feedback(learn, known, held_out, N_ITEMS, 5, 2, seed))
        return seen[-1].items.tolist()

    assert taken(4) == taken(4)
    assert taken(4) != taken(5)
