"""Which examples taught a score: against autograd, by hand, and by leaving them out and training again."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from app_workspace import BuiltWorkspace
from command import Command
from hand_made import random_histories, shaken, small_transformer
from planted import decided_by_the_key, history_with_a_key, new_keyed, taught

from recsys_core.actions.models import open_model
from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.explain.influence import Influence, TrainingExamples, influence, training_examples
from recsys_core.explain.scoring import Question, item_scores
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.neighbours import fit_item_knn
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.store.workspace import Workspace

pytestmark = pytest.mark.usefixtures("one_thread")

N_ITEMS = 15


def ask(history: list[int], item_number: int) -> Question:
    return Question(np.array(history), item_number, np.array(history))


def bert4rec() -> Bert4RecRanker:
    torch.manual_seed(0)
    return shaken(Bert4RecRanker(N_ITEMS, 8, 1, 2, 12, 0.0, 0.2))


def gradient_on_item_vectors(ranker: NeuralRanker, history: list[int], item: int) -> torch.Tensor:
    """[V · d] of −log p(item | history) on the output layer's matrix, by autograd on a loss written out."""
    state = ranker.states(Histories.of([history])).clone()
    vectors = ranker.item_vectors().detach().requires_grad_()
    logits = F.linear(state, vectors, ranker.item_bias.detach())
    candidates = [number for number in range(1, N_ITEMS + 1) if number not in history]
    loss = F.cross_entropy(logits[:, candidates], torch.tensor([candidates.index(item)]))
    return torch.autograd.grad(loss, vectors)[0].flatten()


@pytest.mark.parametrize("ranker", [small_transformer(N_ITEMS), bert4rec()], ids=["transformer", "bert4rec"])
def test_influence_is_the_product_of_gradients(ranker: NeuralRanker):
    sequences = [[1, 2, 3], [4, 5], [6, 2, 6, 7]]
    found = influence(ranker, Histories.of(sequences), ask([3, 9], 2))
    own = gradient_on_item_vectors(ranker, [3, 9], 2)
    for value, person, place in zip(found.values, found.examples.person, found.examples.place, strict=True):
        history = sequences[person]
        other = gradient_on_item_vectors(ranker, history[:place], history[place])
        assert value == pytest.approx(float(own @ other), rel=1e-3, abs=1e-5)


def test_examples_are_what_came_new_after_something():
    found = training_examples(
        small_transformer(N_ITEMS), Histories.of([[1, 2, 1, 3], [4], [], [5, 5], [7, 6]])
    )
    told = sorted(zip(found.person.tolist(), found.place.tolist(), found.target.tolist(), strict=True))
    assert told == [(0, 1, 2), (0, 3, 3), (4, 1, 6)]


def test_examples_of_long_histories_are_asked_in_windows_from_the_end():
    """With a window of 3: 5 is asked after 2, 3, 4, and 2 after 1."""
    found = training_examples(small_transformer(N_ITEMS, max_length=3), Histories.of([[1, 2, 3, 4, 5]]))
    told = dict(zip(found.target.tolist(), found.window_start.tolist(), strict=True))
    assert told == {3: 1, 4: 1, 5: 1, 2: 0}


def test_states_of_examples_are_those_of_their_prefixes():
    ranker, known = small_transformer(N_ITEMS), random_histories(2, 8, N_ITEMS, 9)
    found = training_examples(ranker, known)
    prefixes = Histories.of([known[int(u)][:p] for u, p in zip(found.person, found.place, strict=True)])
    np.testing.assert_allclose(found.states.numpy(), ranker.states(prefixes).numpy(), atol=1e-5)


def test_examples_do_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch):
    ranker, known, question = small_transformer(N_ITEMS), random_histories(2, 8, N_ITEMS, 9), ask([3, 9], 2)
    together = influence(ranker, known, question)
    monkeypatch.setattr("recsys_core.explain.influence.WINDOWS_AT_ONCE", 3)
    monkeypatch.setattr("recsys_core.explain.influence.EXAMPLES_AT_ONCE", 2)
    np.testing.assert_allclose(influence(ranker, known, question).values, together.values, atol=1e-5)


def of(values: list[float], person: list[int]) -> Influence:
    zeros = np.zeros(len(values), dtype=np.int64)
    examples = TrainingExamples(np.array(person), zeros, zeros, torch.zeros(len(values), 1), zeros)
    return Influence(examples, np.array(values))


def test_the_strongest_each_way_and_by_person_by_hand():
    found = of([1, -2, 3, 0, 3], [0, 0, 1, 2, 1])
    assert found.strongest(3).tolist() == [2, 4, 0]
    assert found.strongest(3, raising=False).tolist() == [1]
    assert found.by_person(4).tolist() == [-1, 6, 0, 0]


def test_nobody_with_two_items_taught_nothing():
    with pytest.raises(ConfigError, match="nothing was learned"):
        influence(small_transformer(N_ITEMS), Histories.of([[1], [2, 2]]), ask([3], 2))


def test_a_ranker_that_counts_is_explained_by_its_counts():
    known = random_histories(1, 20, N_ITEMS, 9)
    with pytest.raises(ConfigError, match="its counts say exactly what it knows"):
        influence(fit_item_knn(known, N_ITEMS, 5, 1.0), known, ask([3], 2))


@pytest.fixture(scope="module")
def sequences() -> list[list[int]]:
    generator = np.random.default_rng(0)
    histories = [history_with_a_key(generator)[0] for _ in range(300)]
    return [[*history, decided_by_the_key(history)] for history in histories]


def score_without(sequences: list[list[int]], gone: set[int], question: Question) -> float:
    """The question's score once a transformer has learned from the others."""
    ranker: TransformerRanker = taught(new_keyed(), [s for row, s in enumerate(sequences) if row not in gone])
    return float(item_scores(ranker, question, question.known)[0])


def test_leaving_the_most_influential_people_out_lowers_the_score_more_than_leaving_others_out(
    sequences: list[list[int]],
):
    """Half of the people have the key of the question; without most of them the rule can't be learned."""
    question = ask([5, 1, 7, 4], 11)
    found = influence(taught(new_keyed(), sequences), Histories.of(sequences), question)
    by_person = found.by_person(len(sequences))
    n_left_out = 130
    top = set(np.argsort(-by_person)[:n_left_out].tolist())
    drawn = set(np.random.default_rng(1).permutation(len(sequences))[:n_left_out].tolist())
    assert score_without(sequences, top, question) < score_without(sequences, drawn, question) - 0.5


def test_the_command_names_examples_of_the_data_set(shop: BuiltWorkspace):
    reclens, opened = Command(shop.home), open_model(Workspace.open(shop.home), shop.transformer)
    user = str(opened.data.dataset.users["user_id"].iloc[3])
    listed = reclens.json("recommend", shop.transformer, "--user", user, "--k", "1")["recommendations"][0]
    found = reclens.json(
        "influence", shop.transformer, "--user", user, "--item", listed["item_id"], "--k", "4"
    )
    assert found["item_id"] == listed["item_id"]
    assert len(found["raised"]) == 4
    assert [row["influence"] for row in found["raised"]] == sorted(
        (row["influence"] for row in found["raised"]), reverse=True
    )
    assert all(row["influence"] < 0 for row in found["lowered"])
    events = opened.data.dataset.events
    for row in found["raised"]:
        own = events[opened.data.dataset.user_number(row["user_id"])]
        assert opened.data.dataset.item_number(row["item_id"]) in own
    refusal = reclens.refusal("influence", shop.item_knn, "--user", user, "--item", listed["item_id"])
    assert "counts" in refusal
