"""Where one known item decides, explanations put it first; where a model forgot, they lose the badge."""

import numpy as np
import pytest
from hand_made import WeightedSum, small_transformer
from planted import decided_by_the_key, history_with_a_key, keyed_transformer

from benchmarks.planted_truth import Trial
from recsys_core.explain.answers import items_of
from recsys_core.explain.attributions import Method
from recsys_core.explain.faithfulness import REMOVALS, Figures, measure_many, verify
from recsys_core.explain.orders import ItemKnowledge, importances, leave_one_out_falls, orders_without_method
from recsys_core.explain.randomisation import randomised_copy
from recsys_core.explain.scoring import Question
from recsys_core.ranker.transformer import TransformerRanker

pytestmark = pytest.mark.usefixtures("one_thread")

N_ITEMS = 30


@pytest.fixture(scope="module")
def keyed() -> TransformerRanker:
    return keyed_transformer()


def ask(history: list[int], item_number: int) -> Question:
    return Question(np.array(history), item_number, np.array(history))


def keyed_questions(n: int, seed: int = 5) -> list[Question]:
    generator = np.random.default_rng(seed)
    histories = [history_with_a_key(generator)[0] for _ in range(n)]
    return [ask(history, decided_by_the_key(history)) for history in histories]


def strongest(question: Question, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    return int(items_of(question.history)[0][np.argmax(values)])


@pytest.mark.parametrize(
    "method", [pytest.param("integrated-gradients", marks=pytest.mark.slow), "leave-one-out"]
)
def test_the_key_is_the_strongest_item_in_99_of_100_of_a_thousand(keyed: TransformerRanker, method: Method):
    questions = keyed_questions(1_000)
    pairs = zip(questions, importances(keyed, questions, method), strict=True)
    found = sum(strongest(question, values) in (1, 2) for question, values in pairs)
    assert found >= 990


def test_the_one_item_that_decides_a_sum_is_the_strongest_in_all_of_a_thousand():
    """Item 1 speaks for item 50 with 3, what else is there with up to 1."""
    weights = np.zeros((51, 51))
    weights[1:, 50] = np.random.default_rng(0).uniform(-1, 1, 50)
    weights[1, 50] = 3
    ranker, generator = WeightedSum(weights), np.random.default_rng(1)
    histories = [
        generator.permutation([1, *generator.permutation(np.arange(2, 50))[:15]]) for _ in range(1_000)
    ]
    questions = [ask(history.tolist(), 50) for history in histories]
    falls = leave_one_out_falls(ranker, questions)
    assert all(strongest(question, own) == 1 for question, own in zip(questions, falls, strict=True))


def random_knowledge(n_items: int) -> ItemKnowledge:
    generator = np.random.default_rng(9)
    vectors = generator.normal(size=(n_items + 1, 8))
    return ItemKnowledge(
        generator.random(n_items + 1), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    )


def test_randomised_copies_lose_the_badge():
    """A ranker with a great many facts; where two keys are all there is to know, a copy may guess both."""
    ranker, generator = small_transformer(N_ITEMS), np.random.default_rng(3)
    orders = [generator.permutation(np.arange(1, N_ITEMS + 1)).tolist() for _ in range(200)]
    questions = [ask(order[1:9], order[0]) for order in orders]
    knowledge = random_knowledge(N_ITEMS)
    assert verify(ranker, questions, "leave-one-out", knowledge).verified
    for seed in range(10):
        copied = randomised_copy(ranker, seed)
        assert not verify(ranker, questions, "leave-one-out", knowledge, explained=copied).verified


def test_the_first_people_decide_against_a_copy_and_not_against_the_model(keyed: TransformerRanker):
    """Keys resemble what they decide, so that an order by similarity is nearly always right."""
    questions = keyed_questions(60)
    vectors = np.eye(13)
    vectors[[1, 2]] = vectors[[11, 12]]
    knowledge = ItemKnowledge(np.zeros(13), vectors)
    orders = orders_without_method(keyed, questions, knowledge, np.random.default_rng(0))
    measured: Figures = {removal: measure_many(keyed, questions, orders, removal) for removal in REMOVALS}
    copied = Trial(keyed, randomised_copy(keyed, 2), "integrated-gradients", questions, measured, 0)
    own = Trial(keyed, keyed, "integrated-gradients", questions, measured, 0)
    assert copied.is_behind(50)
    assert not own.is_behind(50)
    assert [own.verdict(n, REMOVALS).n_people for n in (50, 60)] == [50, 60]
