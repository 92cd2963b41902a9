"""How neural rankers score quickly: pruned last layers, remembered item vectors, lists found by search."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hand_made import dataset_of, random_histories, small_transformer

from recsys_core.data.dataset import Dataset, Histories
from recsys_core.data.split import leave_one_out
from recsys_core.ranker.attention import attend_to_past
from recsys_core.ranker.lists import ListRequest, list_requests, recommend
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.threads import map_in_threads
from recsys_core.ranker.top_k import candidate_scores
from recsys_core.ranker.transformer import TransformerRanker

N_ITEMS = 40
CPU = torch.device("cpu")


def batch_of(histories: Histories, max_length: int = 12) -> HistoryBatch:
    return HistoryBatch.of(histories, max_length, CPU)


def shop(n_people: int = 90) -> Dataset:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
    drawn = random_histories(5, n_people, len(letters), longest=12, shortest=4)
    return dataset_of(
        {f"u{row}": "".join(letters[item - 1] for item in drawn[row]) for row in range(n_people)}
    )


def test_the_last_state_is_that_of_all_states():
    ranker, batch = small_transformer(N_ITEMS), batch_of(random_histories(1, 30, N_ITEMS, longest=12))
    vectors = ranker.item_vectors()
    pruned = ranker.last_state(batch, vectors)
    torch.testing.assert_close(pruned, NeuralRanker.last_state(ranker, batch, vectors), rtol=1e-5, atol=1e-5)
    assert (pruned[batch.lengths == 0] == 0).all()


def test_the_last_state_has_the_gradients_of_all_states():
    ranker, batch = small_transformer(N_ITEMS), batch_of(random_histories(1, 9, N_ITEMS, longest=12))
    gradients = []
    for last_state in (ranker.last_state, lambda *given: NeuralRanker.last_state(ranker, *given)):
        ranker.zero_grad()
        (last_state(batch, ranker.item_vectors()) ** 2).sum().backward()
        gradients.append([weight.grad for weight in ranker.parameters() if weight.grad is not None])
    for pruned, whole in zip(*gradients, strict=True):
        torch.testing.assert_close(pruned, whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", [1, 31, 32, 33, 70])
def test_attention_in_pieces_is_that_of_the_whole(length: int):
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, length, 4) for _ in range(3))
    future = torch.ones(length, length).triu(1).bool()
    bias = torch.randn(2, length, length).masked_fill(future, -torch.inf)
    logits = query.double() @ key.double().transpose(2, 3) / 2 + bias
    expected = torch.softmax(logits, -1) @ value.double()
    with torch.no_grad():
        mixed = attend_to_past(query, key, value, bias)
    torch.testing.assert_close(mixed.double(), expected, rtol=1e-5, atol=1e-6)


def test_everybody_keeps_their_place_among_the_states():
    ranker = small_transformer(N_ITEMS)
    histories = random_histories(2, 500, N_ITEMS, longest=12)
    together = ranker.states(histories)
    for row in (0, 77, 499):
        alone = ranker.states(histories.take(np.array([row])))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-5)


def test_states_in_half_precision_are_close():
    ranker, histories = small_transformer(N_ITEMS), random_histories(2, 50, N_ITEMS, longest=12)
    half = ranker.states(histories, torch.bfloat16)
    assert half.dtype == torch.float32
    exact = ranker.states(histories)
    assert float((half - exact).norm() / exact.norm()) < 0.02


def test_nobody_has_no_states():
    assert small_transformer(N_ITEMS).states(Histories.of([])).shape == (0, 8)


def take_a_training_step(ranker: TransformerRanker) -> None:
    ranker.train()
    optimizer = torch.optim.AdamW(ranker.parameters(), lr=0.1, fused=True)
    ranker.last_state(batch_of(Histories.of([[1, 2]])), ranker.item_vectors()).sum().backward()
    optimizer.step()  # fused: torch doesn't count it as a change in place
    ranker.eval()


def change_in_place(ranker: TransformerRanker) -> None:
    with torch.no_grad():
        ranker.item_bias[3] += 1


def change_in_inference_mode(ranker: TransformerRanker) -> None:
    with torch.inference_mode():
        ranker.item_bias[3] += 1


def load_others(ranker: TransformerRanker) -> None:
    ranker.load_state_dict(small_transformer(N_ITEMS, seed=9).state_dict())


@pytest.mark.parametrize(
    "change",
    [take_a_training_step, change_in_place, change_in_inference_mode, load_others],
)
def test_changed_weights_are_noticed(change: Callable[[TransformerRanker], None]):
    ranker, asked = small_transformer(N_ITEMS), Histories.of([[1, 2, 3]])
    nothing, before = Histories.of([[]]), ranker.score(asked)
    assert ranker.index() is ranker.index()
    change(ranker)
    fresh = small_transformer(N_ITEMS, seed=1)
    fresh.load_state_dict(ranker.state_dict())
    scores = ranker.score(asked)
    assert not np.array_equal(scores, before)
    assert np.array_equal(scores, fresh.score(asked))
    found = [one.index().search(one.states(asked), nothing, 5) for one in (ranker, fresh)]  # pyright: ignore
    assert np.array_equal(found[0].items, found[1].items)
    assert np.array_equal(found[0].scores, found[1].scores)


def test_searched_lists_are_those_of_all_scores():
    dataset = shop()
    split = leave_one_out(dataset)
    ranker = small_transformer(dataset.n_items, spread=0.3)
    requests = list_requests(dataset, split, np.arange(dataset.n_users), "test")
    table = recommend(ranker, dataset, requests, k=5)
    for request in requests[:20]:
        seen = Histories.of([request.seen])
        shown = candidate_scores(ranker.score(Histories.of([request.history])), seen, "log-probability")[0]
        best = np.argsort(-shown, kind="stable")[:5]
        own = table[table["user_id"] == request.user_id]
        assert own["item_id"].tolist() == dataset.item_ids[best].tolist()
        assert own["rank"].tolist() == [1, 2, 3, 4, 5]
        np.testing.assert_allclose(own["score"], shown[best], atol=1e-5)


def test_rankers_with_scores_of_their_own_are_not_searched():
    class Cosine(TransformerRanker):
        def logits(self, states: torch.Tensor, vectors: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.normalize(states) @ torch.nn.functional.normalize(vectors).T

    ranker = Cosine(4, embedding_size=4, n_blocks=1, n_heads=1, max_length=5, dropout=0.0)
    assert ranker.index() is None
    dataset = dataset_of({"ann": "ab", "bob": "cd"})
    known = np.array([1, 2])
    table = recommend(ranker, dataset, [ListRequest(known, known, "ann")], k=3)
    assert sorted(table["item_id"]) == ["c", "d"]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_results_of_threads_come_in_the_order_of_their_tasks(n: int):
    n_threads = torch.get_num_threads()
    assert map_in_threads(lambda task: task * task, range(n)) == [task * task for task in range(n)]
    assert torch.get_num_threads() == n_threads


def test_an_error_in_a_thread_comes_out():
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda task: 1 // task, [1, 0, 1])
