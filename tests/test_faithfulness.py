"""Faithfulness figures by hand, and the badge: earned by the truth, lost by anything made up."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hand_made import WeightedSum
from planted import decided_by_the_key, history_with_a_key, keyed_transformer

from recsys_core.explain.answers import items_of
from recsys_core.explain.faithfulness import REMOVALS, Faithfulness, Removal, measure, verify
from recsys_core.explain.orders import RIVALS, ItemKnowledge, by_item, rival_orders
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neighbours import WHOLE_HISTORY, NeighbourRanker
from recsys_core.ranker.popularity import PopularityRanker
from recsys_core.ranker.transformer import TransformerRanker

pytestmark = pytest.mark.usefixtures("one_thread")

N_ITEMS = 30


def ask(history: list[int], item_number: int) -> Question:
    return Question(np.array(history), item_number, np.array(history))


def speaking_for_item_20(speech: list[float], max_length: int = 100) -> WeightedSum:
    """A ranker in which items 1, 2, … add `speech` to the score of item 20, whatever their age."""
    weights = np.zeros((21, 21))
    weights[1 : len(speech) + 1, 20] = speech
    return WeightedSum(weights, max_length)


def figures(
    speech: list[float], importance: list[float], removal: Removal = "delete-and-shift", max_length: int = 100
) -> Faithfulness:
    """Of one order of the history 1, 2, …, for item 20."""
    question = ask(list(range(1, len(speech) + 1)), 20)
    ranker = speaking_for_item_20(speech, max_length)
    return measure(ranker, question, {"order": np.array(importance)}, removal)["order"]


TEN = [10.0, 9, 8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("removal", REMOVALS)
def test_the_true_order_of_ten_by_hand(removal: Removal):
    """1, 5, 10, 20, 50 % of ten are 1, 1, 1, 2, 5 items; the whole is 55."""
    found = figures(TEN, TEN, removal)
    assert found.comprehensiveness == pytest.approx(np.mean([10, 10, 10, 19, 40]))
    assert found.sufficiency == pytest.approx(np.mean([45, 45, 45, 36, 15]))
    assert found.deletion == pytest.approx(np.mean([10, 19, 27, 34, 40]))


@pytest.mark.parametrize("removal", REMOVALS)
def test_the_order_upside_down_by_hand(removal: Removal):
    found = figures(TEN, TEN[::-1], removal)
    assert found.comprehensiveness == pytest.approx(np.mean([1, 1, 1, 3, 15]))
    assert found.sufficiency == pytest.approx(np.mean([54, 54, 54, 52, 40]))
    assert found.deletion == pytest.approx(np.mean([1, 3, 6, 10, 15]))


def test_a_history_of_two_has_no_more_to_take():
    found = figures([3, 1], [3, 1])
    assert found.comprehensiveness == pytest.approx(3)
    assert found.sufficiency == pytest.approx(1)
    assert found.deletion == pytest.approx(np.mean([3, 4, 4, 4, 4]))


def test_a_history_of_one_is_all_there_is():
    assert figures([3], [1]) == Faithfulness(3, 0, 3)


def test_closing_the_gap_moves_older_items_and_a_hole_does_not():
    """Weights 4 and 1, and half for each step back: 4/2 + 1 = 3. Without the last: 4, or with a hole 2."""
    weights = np.zeros((4, 4))
    weights[1, 3], weights[2, 3] = 4, 1
    ranker = NeighbourRanker(sp.csr_matrix(weights), 0.5, WHOLE_HISTORY)
    order = {"recency": np.array([0.0, 1.0])}
    closed, hole = (measure(ranker, ask([1, 2], 3), order, removal)["recency"] for removal in REMOVALS)
    assert closed.comprehensiveness == pytest.approx(3 - 4)
    assert hole.comprehensiveness == pytest.approx(3 - 2)
    assert closed.sufficiency == hole.sufficiency == pytest.approx(3 - 1)


def test_what_is_older_comes_into_the_window_when_something_goes():
    """A window of two sees 8 and 1 of 100, 8, 1: without the 8, it sees 100 and 1. Half of three is two."""
    found = figures([100, 8, 1], [0, 2, 1], max_length=2)
    assert found.comprehensiveness == pytest.approx(np.mean([9 - 101] * 4 + [9 - 100]))
    assert found.deletion == pytest.approx(np.mean([9 - 101, 9 - 100, 9, 9, 9]))


@pytest.mark.parametrize("removal", REMOVALS)
def test_an_item_goes_with_all_its_events(removal: Removal):
    """Two events of item 1 speak with 3 each, one of item 2 with 4."""
    question = ask([1, 2, 1], 20)
    found = measure(speaking_for_item_20([3, 4]), question, {"order": np.array([2.0, 1.0])}, removal)
    assert found["order"] == Faithfulness(6, 4, (6 + 4 * 10) / 5)


def test_many_orders_at_once_equal_one_at_a_time():
    ranker, question = speaking_for_item_20(TEN), ask(list(range(1, 11)), 20)
    generator = np.random.default_rng(0)
    orders = {str(n): generator.random(10) for n in range(4)}
    together = measure(ranker, question, orders, "mask-in-place")
    for name, importance in orders.items():
        assert together[name] == measure(ranker, question, {name: importance}, "mask-in-place")[name]


def test_of_equal_importance_the_lower_number_goes_first():
    assert figures([3, 2, 1], [1, 1, 1]).deletion == pytest.approx(np.mean([3, 5, 6, 6, 6]))


def test_items_of_a_history_by_number_and_where_their_events_are():
    items, place = items_of(np.array([7, 3, 7, 5]))
    assert items.tolist() == [3, 5, 7]
    assert place.tolist() == [2, 0, 2, 1]


def test_attributions_of_an_item_are_the_sum_over_its_events():
    assert by_item(np.array([7, 3, 7, 5]), np.array([1.0, 2, 4, -8])).tolist() == [2, -8, 5]


def test_rivals_by_hand():
    knowledge = ItemKnowledge(
        popularity=np.array([0, 5, 9, 1.0]), vectors=np.array([[0, 0], [1, 0], [0, 1], [0.6, 0.8]])
    )
    rivals = rival_orders(ask([2, 1, 2], 3), knowledge, np.random.default_rng(0))
    assert set(rivals) == set(RIVALS)
    assert rivals["recency"].tolist() == [1, 2]  # item 2's last event is the last one
    assert rivals["popularity"].tolist() == [5, 9]
    assert rivals["similarity"].tolist() == pytest.approx([0.6, 0.8])
    assert len(set(rivals["random"])) == 2


def random_knowledge(n_items: int) -> ItemKnowledge:
    generator = np.random.default_rng(9)
    vectors = generator.normal(size=(n_items + 1, 8))
    return ItemKnowledge(
        generator.random(n_items + 1), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    )


def random_sum(seed: int) -> NeighbourRanker:
    """A ranker that sums random weights of both signs."""
    weights = np.random.default_rng(seed).normal(size=(N_ITEMS + 1, N_ITEMS + 1))
    weights[0] = weights[:, 0] = 0
    return NeighbourRanker(sp.csr_matrix(weights), 1.0, WHOLE_HISTORY)


def questions_of(n: int) -> list[Question]:
    """Of n people with 3 to 15 items of history, each about an item that they haven't touched."""
    generator = np.random.default_rng(4)
    orders = [generator.permutation(np.arange(1, N_ITEMS + 1)).tolist() for _ in range(n)]
    lengths = generator.integers(3, 16, n)
    return [ask(order[1 : 1 + length], order[0]) for order, length in zip(orders, lengths, strict=True)]


def test_the_terms_of_a_sum_earn_the_badge():
    found = verify(random_sum(0), questions_of(200), "counts", random_knowledge(N_ITEMS))
    assert found.verified
    assert found.n_people == 200
    assert found.reason.startswith("over 200 people, counts beat random, recency, popularity, similarity")
    assert all(gain.ci_low > 0 for gain in found.gains)
    keys = {(gain.rival, gain.figure, gain.removal) for gain in found.gains}
    assert keys == {
        (rival, figure, removal)
        for rival in RIVALS
        for figure in ("comprehensiveness", "deletion")
        for removal in REMOVALS
    }


def test_fewer_than_two_hundred_people_earn_no_badge():
    found = verify(random_sum(0), questions_of(199), "counts", random_knowledge(N_ITEMS))
    assert not found.verified
    assert found.reason == "tested on 199 people; the badge needs 200"
    assert all(gain.ci_low > 0 for gain in found.gains)


def test_terms_of_another_sum_lose_the_badge():
    found = verify(
        random_sum(0), questions_of(200), "counts", random_knowledge(N_ITEMS), explained=random_sum(1)
    )
    assert not found.verified
    assert found.reason.startswith("over 200 people, counts was not surely better than")


def popularity_decides(knowledge: ItemKnowledge) -> NeighbourRanker:
    """A ranker in which the popular items of a history speak loudest, but for item 30, where they whisper."""
    weights = np.tile(knowledge.popularity[:, None], N_ITEMS + 1)
    weights[:, 30] = 1 - weights[:, 30]
    weights[0] = weights[:, 0] = 0
    return NeighbourRanker(sp.csr_matrix(weights), 1.0, WHOLE_HISTORY)


def test_a_method_that_equals_a_rival_loses_the_badge_to_it():
    knowledge = random_knowledge(N_ITEMS)
    questions = [question for question in questions_of(300) if question.item_number != 30][:200]
    found = verify(popularity_decides(knowledge), questions, "counts", knowledge)
    assert not found.verified
    assert found.reason == "over 200 people, counts was not surely better than popularity"
    gains = [gain for gain in found.gains if gain.rival == "popularity"]
    assert [(gain.mean, gain.ci_low, gain.ci_high) for gain in gains] == [(0, 0, 0)] * 4


def test_a_gain_that_hangs_on_one_person_earns_no_badge():
    """A bootstrap sample leaves that person out with probability 1/e."""
    knowledge = random_knowledge(N_ITEMS)
    others = [question for question in questions_of(300) if question.item_number != 30][:199]
    one = next(question for question in questions_of(300) if question.item_number == 30)
    found = verify(popularity_decides(knowledge), [*others, one], "counts", knowledge)
    assert not found.verified
    assert found.reason == "over 200 people, counts was not surely better than popularity"
    gains = [gain for gain in found.gains if gain.rival == "popularity"]
    assert all(gain.mean > 0 == gain.ci_low for gain in gains)


def test_a_list_that_no_history_changes_earns_no_badge():
    ranker = PopularityRanker(np.arange(N_ITEMS + 1.0))
    found = verify(ranker, questions_of(200), "counts", random_knowledge(N_ITEMS))
    assert not found.verified
    assert found.reason.endswith("not surely better than popularity, random, recency, similarity")


def test_gains_are_paired_differences_with_the_interval_of_their_mean():
    """The percentile bootstrap is near mean ± 1.96 standard errors where 200 differences are averaged."""
    ranker, questions, knowledge = random_sum(0), questions_of(200), random_knowledge(N_ITEMS)
    found = verify(ranker, questions, "leave-one-out", knowledge)
    differences: list[float] = []
    for question in questions:
        items, place = items_of(question.history)
        truth = np.bincount(place) * ranker.weights.toarray()[items, question.item_number]
        last = np.array([np.flatnonzero(question.history == item)[-1] for item in items])
        orders = {"truth": truth, "recency": last}
        by_order = measure(ranker, question, orders, "mask-in-place")
        differences.append(by_order["truth"].deletion - by_order["recency"].deletion)
    (gain,) = [
        gain
        for gain in found.gains
        if (gain.rival, gain.figure, gain.removal) == ("recency", "deletion", "mask-in-place")
    ]
    error = float(np.std(differences, ddof=1) / 200**0.5)
    assert gain.mean == pytest.approx(np.mean(differences), abs=1e-5)
    assert gain.ci_low == pytest.approx(gain.mean - 1.96 * error, abs=0.2 * error)
    assert gain.ci_high == pytest.approx(gain.mean + 1.96 * error, abs=0.2 * error)
    means = found.means["mask-in-place"]
    assert gain.mean == pytest.approx(means["leave-one-out"].deletion - means["recency"].deletion)


def test_leave_one_out_stands_beside_as_the_ceiling():
    found = verify(random_sum(0), questions_of(20), "counts", random_knowledge(N_ITEMS))
    for removal in REMOVALS:
        assert set(found.means[removal]) == {"counts", "leave-one-out", *RIVALS}
        assert found.means[removal]["leave-one-out"].comprehensiveness == pytest.approx(
            found.means[removal]["counts"].comprehensiveness, abs=1e-4
        )


def test_the_same_seed_gives_the_same_verification():
    arguments = random_sum(0), questions_of(30), "counts", random_knowledge(N_ITEMS)
    assert verify(*arguments, seed=3) == verify(*arguments, seed=3)
    assert verify(*arguments, seed=3).gains != verify(*arguments, seed=4).gains


@pytest.fixture(scope="module")
def keyed() -> TransformerRanker:
    return keyed_transformer()


def keyed_questions(n: int) -> list[Question]:
    generator = np.random.default_rng(5)
    histories = [history_with_a_key(generator)[0] for _ in range(n)]
    return [ask(history, decided_by_the_key(history)) for history in histories]


def knowledge_that_says_nothing_of_keys() -> ItemKnowledge:
    """Keys resemble nothing; noise resembles what it stands beside, or its opposite."""
    angles = np.random.default_rng(5).uniform(0, 2 * np.pi, 13)
    angles[[1, 2]], angles[[11, 12]] = np.pi / 2, 0.0
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return ItemKnowledge(np.random.default_rng(6).random(13), vectors)


def test_integrated_gradients_earn_the_badge_where_a_key_decides(keyed: TransformerRanker):
    found = verify(keyed, keyed_questions(200), "integrated-gradients", knowledge_that_says_nothing_of_keys())
    assert found.verified, found.reason


def test_integrated_gradients_of_a_randomised_copy_lose_the_badge(keyed: TransformerRanker):
    torch.manual_seed(1)
    copy = TransformerRanker(12, 16, 1, 2, max_length=8, dropout=0.0)
    found = verify(keyed, keyed_questions(200), "integrated-gradients", random_knowledge(12), explained=copy)
    assert not found.verified
    assert "was not surely better than" in found.reason
