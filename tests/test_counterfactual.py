"""The smallest change that moves an item: held to exhaustive search, and to lists that are ranked anew."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
import torch
from hand_made import WeightedSum, random_histories, small_transformer
from numpy.typing import NDArray

from recsys_core.data.dataset import Histories
from recsys_core.data.events import Askers, EventContext
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain import counterfactual
from recsys_core.explain.addition import extended, smallest_addition
from recsys_core.explain.counterfactual import smallest_removal
from recsys_core.explain.scoring import Question
from recsys_core.explain.standing import Change, Goal
from recsys_core.ranker.lstm import RecurrentRanker
from recsys_core.ranker.neighbours import fit_ease, fit_item_knn, fit_transitions
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.protocol import Ranker

pytestmark = pytest.mark.usefixtures("one_thread")

N_ITEMS = 25
LEARNED_FROM = random_histories(seed=1, n=80, n_items=N_ITEMS, longest=12)


def recurrent(_: Histories, n_items: int) -> RecurrentRanker:
    torch.manual_seed(0)
    ranker = RecurrentRanker(n_items, 8, 1, 12, 0.0)
    with torch.no_grad():
        for weight in ranker.parameters():
            weight.add_(torch.randn_like(weight) * 0.5)
    return ranker.eval()


RANKERS: dict[str, Callable[[Histories, int], Ranker]] = {
    "item-knn": lambda h, n: fit_item_knn(h, n, 20, 2.0),
    "ease": lambda h, n: fit_ease(h, n, 5.0),
    "transitions": lambda h, n: fit_transitions(h, n, 5, 0.7),
    "transformer": lambda h, n: small_transformer(n),
    "lstm": recurrent,
}


def ask(history: list[int], item: int, seen: list[int] | None = None) -> Question:
    off = np.unique(np.array(history if seen is None else seen, dtype=np.int64))
    return Question(np.array(history, dtype=np.int64), item, off)


def rank_without(ranker: Ranker, question: Question, gone: tuple[int, ...]) -> int:
    """The item's rank once items are gone, by sorting all candidates of one list by (−score, number)."""
    history = [item for item in question.history.tolist() if item not in gone]
    scores = ranker.score(Histories.of([history]))[0]
    candidates = [n for n in range(1, ranker.n_items + 1) if n not in question.seen.tolist()]
    order = sorted(candidates, key=lambda n: (-scores[n], n))
    return order.index(question.item_number) + 1


def rank_above(ranker: Ranker, question: Question, rival: int, gone: tuple[int, ...]) -> bool:
    history = [item for item in question.history.tolist() if item not in gone]
    scores = ranker.score(Histories.of([history]))[0]
    return (-scores[rival], rival) < (-scores[question.item_number], question.item_number)


def exhaustive(items: list[int], does_it: Callable[[tuple[int, ...]], bool]) -> int | None:
    """The size of the smallest set that does it, all of them tried."""
    for size in range(1, len(items) + 1):
        if any(does_it(gone) for gone in combinations(items, size)):
            return size
    return None


def item_at(ranker: Ranker, history: list[int], rank: int) -> int:
    scores = ranker.score(Histories.of([history]))[0]
    order = sorted(set(range(1, ranker.n_items + 1)) - set(history), key=lambda n: (-scores[n], n))
    return order[rank - 1]


def numbers(change: Change) -> tuple[int, ...]:
    return tuple(change.items.tolist())


@pytest.mark.parametrize("name", RANKERS)
@pytest.mark.parametrize(("rank", "k"), [(1, 1), (1, 3), (2, 3)])
def test_removal_is_as_small_as_exhaustive_search_finds(name: str, rank: int, k: int) -> None:
    ranker = RANKERS[name](LEARNED_FROM, N_ITEMS)
    found_some = 0
    for history in [[3, 1, 4, 1, 5, 9], [2, 7, 1, 8], [16, 18, 3, 9, 8, 20, 10], [6]]:
        question = ask(history, item_at(ranker, history, rank))
        change = smallest_removal(ranker, question, Goal("leave", k))
        smallest = exhaustive(
            sorted(set(history)), lambda gone, q=question: rank_without(ranker, q, gone) > k
        )
        assert len(change.items) == (smallest or 0)
        if smallest:
            found_some += 1
            assert change.minimal and change.smallest
            assert change.rank_before == rank
            assert change.rank_after == rank_without(ranker, question, numbers(change)) > k
    assert found_some


@pytest.mark.parametrize("name", RANKERS)
def test_overtaking_takes_as_few_items_as_exhaustive_search_finds(name: str) -> None:
    ranker = RANKERS[name](LEARNED_FROM, N_ITEMS)
    history = [3, 1, 4, 1, 5, 9, 2]
    question = ask(history, item_at(ranker, history, 1))
    found_some = 0
    for place in (2, 5, 9):
        rival = item_at(ranker, history, place)
        change = smallest_removal(ranker, question, Goal("overtaken", rival=rival))
        smallest = exhaustive(
            sorted(set(history)), lambda gone, r=rival: rank_above(ranker, question, r, gone)
        )
        assert len(change.items) == (smallest or 0)
        if smallest:
            found_some += 1
            assert rank_above(ranker, question, rival, numbers(change))
    assert found_some


def test_removal_of_a_planted_key_is_the_key_alone() -> None:
    """Item 1 lifts item 11 above item 12; then come item 12 and, of lower numbers, items 5 to 10."""
    weights = np.zeros((13, 13))
    weights[1, 11], weights[2:9, 12] = 5.0, 0.1
    change = smallest_removal(WeightedSum(weights), ask([2, 3, 1, 4], 11), Goal("leave", 1))
    assert (numbers(change), change.rank_before, change.rank_after) == ((1,), 1, 8)
    assert change.minimal and change.smallest


def test_an_item_goes_with_all_its_events() -> None:
    """One event less would leave 1 against 1.5; afterwards items 3 to 10 are level and come first."""
    weights = np.zeros((13, 13))
    weights[1, 11], weights[2, 12] = 1.0, 1.5
    change = smallest_removal(WeightedSum(weights), ask([1, 2, 1], 11), Goal("leave", 1))
    assert (numbers(change), change.rank_after) == ((1,), 10)


def test_what_goes_does_not_come_back_as_a_competitor() -> None:
    """Item 1 would rank itself first; once it has left the history it still is no candidate."""
    weights = np.zeros((6, 6))
    weights[1:4, 5], weights[2:4, 1] = 1.0, 9.0
    change = smallest_removal(WeightedSum(weights), ask([1, 2, 3], 5), Goal("leave", 1))
    assert numbers(change) == (1, 2, 3)
    assert change.rank_after == 2  # all scores are 0, and item 4 has the lower number


def test_nothing_is_found_where_no_removal_does_it() -> None:
    """With no history left all scores are 0, and item 1 has the lowest number."""
    weights = np.zeros((6, 6))
    weights[2:4, 1] = 1.0
    change = smallest_removal(WeightedSum(weights), ask([2, 3], 1), Goal("leave", 1))
    assert (numbers(change), change.minimal, change.smallest) == ((), False, False)
    assert change.rank_after == change.rank_before == 1


def test_popularity_is_moved_by_no_removal() -> None:
    ranker = fit_popularity(LEARNED_FROM, N_ITEMS)
    change = smallest_removal(ranker, ask([1, 2], item_at(ranker, [1, 2], 1)), Goal("leave", 5))
    assert numbers(change) == ()


def test_popularity_ranks_once_nothing_is_left() -> None:
    """Both counts are known to the caller alone: the ranker's own scores are all 0 without a history."""
    weights = np.zeros((4, 4))
    weights[1, 2] = 1.0
    counts = np.array([0.0, 9.0, 1.0, 5.0])
    question = ask([1], 2)
    with_counts = smallest_removal(WeightedSum(weights), question, Goal("leave", 1), counts)
    assert (numbers(with_counts), with_counts.rank_after) == ((1,), 2)
    assert numbers(smallest_removal(WeightedSum(weights), question, Goal("leave", 1))) == ()


def sum_with_a_known_answer(n: int, needed: int) -> tuple[WeightedSum, Question]:
    """n history items that speak for item n + 1, by 1 each; n − needed + ½ speaks for item n + 2 always.

    The competitor's share comes from item n + 3, which can't be taken away for less than the sum itself.
    """
    weights = np.zeros((n + 4, n + 4))
    weights[1 : n + 1, n + 1] = 1.0
    weights[n + 3, n + 2] = n - needed + 0.5
    return WeightedSum(weights), ask([*range(1, n + 1), n + 3], n + 1)


def test_a_large_set_is_minimal_once_all_its_subsets_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 40 items any 7 do it; only pairs can be tried all: 7 is minimal, not surely the smallest."""
    ranker, question = sum_with_a_known_answer(40, 7)
    change = smallest_removal(ranker, question, Goal("leave", 1))
    assert (len(change.items), change.minimal, change.smallest) == (7, True, False)
    assert all(
        rank_without(ranker, question, gone) == 1
        for size in (1, 6)
        for gone in combinations(numbers(change), size)
    )
    monkeypatch.setattr(counterfactual, "LARGEST_PROVEN", 6)
    assert not smallest_removal(ranker, question, Goal("leave", 1)).minimal


def test_for_a_sum_the_first_place_is_lost_with_the_fewest_items_that_can_do_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against each competitor the best items to go are those that hold it down most: counted here."""
    monkeypatch.setattr(counterfactual, "AFFORDABLE", 40)  # no pairs: the orders alone must find it
    generator = np.random.default_rng(5)
    sizes = list[int]()
    for _ in range(20):
        weights = generator.gamma(1.0, size=(61, 61))
        history = list(range(1, 31))
        ranker = WeightedSum(weights)
        item = item_at(ranker, history, 1)
        weights[1:31, item] += 0.25
        change = smallest_removal(ranker, ask(history, item), Goal("leave", 1))
        fewest = 31
        for other in set(range(31, 61)) - {item}:
            margins = np.sort(weights[1:31, item] - weights[1:31, other])[::-1]
            gives_way = margins.sum() - margins.cumsum() < 0
            fewest = min(fewest, int(np.argmax(gives_way)) + 1 if gives_way.any() else 31)
        sizes.append(len(change.items))
        assert len(change.items) == fewest
    assert max(sizes) > 3


def test_a_set_found_without_a_hint_is_cut_down_to_a_minimal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the whole history is suggested, which has two items too many."""

    def whole_history(self: object, singles: object) -> NDArray[np.bool_]:
        return np.ones(6, dtype=bool)

    monkeypatch.setattr(counterfactual._Removals, "_first_of_orders", whole_history)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(counterfactual, "AFFORDABLE", 5)
    weights = np.zeros((9, 9))
    weights[1:5, 7] = 1.0
    weights[5:7, 8] = 0.2
    change = smallest_removal(WeightedSum(weights), ask([1, 2, 3, 4, 5, 6], 7), Goal("leave", 1))
    assert (numbers(change), change.minimal) == ((1, 2, 3, 4), True)


def test_events_go_with_what_is_known_of_them() -> None:
    """The context stays beside the events that stay; each version is asked for by the same person."""
    context = EventContext(
        np.array([1, 2, 3]),
        np.array([1.0, 2, 3]),
        np.array([10.0, 20, 30]),
        np.zeros(3),
        np.zeros((3, 1), int),
        np.array([1, 0, 2]),
    )
    known = Histories(
        np.array([5, 6, 7]), np.array([0, 3]), context, Askers(np.array([[4]]), np.array([99.0]))
    )
    two = extended(known, np.array([[8, 9], [9, 1]]))
    assert two[0].tolist() == [5, 6, 7, 8, 9] and two[1].tolist() == [5, 6, 7, 9, 1]
    assert two.context is not None and two.askers is not None
    assert two.context.types.tolist() == [1, 2, 3, 0, 0] * 2
    assert two.context.texts.tolist() == [1, 0, 2, 0, 0] * 2
    assert np.isnan(two.context.timestamps_s[[3, 4, 8, 9]]).all()
    assert two.askers.attributes.tolist() == [[4], [4]]


def test_an_empty_history_is_extended_by_unknown_events() -> None:
    context = EventContext.unknown((0,), 2)
    one = extended(Histories(np.zeros(0, int), np.array([0, 0]), context), np.array([[3], [4]]))
    assert one.items.tolist() == [3, 4] and one.context is not None
    assert one.context.contexts.shape == (2, 2)


@pytest.mark.parametrize("name", RANKERS)
def test_addition_is_as_small_as_exhaustive_search_finds(name: str) -> None:
    ranker = RANKERS[name](LEARNED_FROM, N_ITEMS)
    history = [3, 1, 4]
    found_some = 0
    for place in (4, 6, 10):
        question = ask(history, item_at(ranker, history, place))
        change = smallest_addition(ranker, question, Goal("enter", 3))
        candidates = [n for n in range(1, N_ITEMS + 1) if n not in (*history, question.item_number)]
        one_does_it = [n for n in candidates if rank_with(ranker, question, (n,)) <= 3]
        assert (len(change.items) == 1) == bool(one_does_it)
        if len(change.items):
            found_some += 1
            assert change.rank_before == place
            assert change.rank_after == rank_with(ranker, question, numbers(change)) <= 3
            assert change.minimal
    assert found_some


def rank_with(ranker: Ranker, question: Question, added: tuple[int, ...]) -> int:
    longer = Question(np.append(question.history, added), question.item_number, question.seen)
    return rank_without(ranker, longer, ())


def test_what_is_added_stays_a_competitor() -> None:
    """Touching item 3 would take it off the list and let item 4 in; nothing but that speaks for item 4."""
    weights = np.zeros((5, 5))
    weights[1, 3], weights[1, 4] = 2.0, 1.0
    change = smallest_addition(WeightedSum(weights), ask([1], 4), Goal("enter", 1))
    assert numbers(change) == ()


def test_addition_lifts_an_item_for_somebody_without_a_history() -> None:
    weights = np.zeros((5, 5))
    weights[2, 4] = 1.0
    change = smallest_addition(WeightedSum(weights), ask([], 4), Goal("enter", 1))
    assert (numbers(change), change.rank_before, change.rank_after) == ((2,), 4, 1)
    assert change.smallest


def test_two_items_are_added_where_one_is_not_enough() -> None:
    weights = np.zeros((6, 6))
    weights[1, 5], weights[2:4, 4] = 1.5, 1.0
    change = smallest_addition(WeightedSum(weights), ask([1], 4), Goal("enter", 1))
    assert (set(numbers(change)), change.rank_after, change.minimal) == ({2, 3}, 1, True)


def test_of_many_items_those_that_alone_lift_it_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys_core.explain.addition.TRIED", 2)
    weights = np.zeros((30, 30))
    weights[1, 3], weights[17, 4] = 1.0, 2.0
    change = smallest_addition(WeightedSum(weights), ask([1], 4), Goal("enter", 1))
    assert numbers(change) == (17,)
    assert change.minimal and change.smallest


@pytest.mark.parametrize(
    ("history", "item", "goal", "error", "sentence"),
    [
        ([], 4, Goal("leave", 1), ConfigError, "no history"),
        ([1], 3, Goal("leave", 1), DataError, "number 2 of this list"),
        ([1], 4, Goal("leave", 0), ConfigError, "k is 0"),
        ([1], 4, Goal("leave", 4), ConfigError, "from 1 to 2"),
        ([1], 4, Goal("overtaken", rival=4), ConfigError, "can't overtake itself"),
        ([1], 4, Goal("overtaken", rival=1), DataError, "in this person's history"),
        ([1], 3, Goal("overtaken", rival=4), DataError, "ranks above this one already"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(
    history: list[int], item: int, goal: Goal, error: type[Exception], sentence: str
) -> None:
    weights = np.zeros((5, 5))
    weights[1, 3], weights[1, 4] = 1.0, 2.0
    with pytest.raises(error, match=sentence):
        smallest_removal(WeightedSum(weights), ask(history, item), goal)


def test_an_item_that_is_on_the_list_already_needs_no_addition() -> None:
    weights = np.zeros((5, 5))
    with pytest.raises(DataError, match="number 1 of this list"):
        smallest_addition(WeightedSum(weights), ask([1], 2), Goal("enter", 2))
