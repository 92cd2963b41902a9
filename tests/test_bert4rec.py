"""What is hidden in training, what may stand against it, and that nothing hidden leaks."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hand_made import shaken

from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.ranker.bert4rec import Bert4RecRanker, draw_masks
from recsys_core.ranker.neural import HistoryBatch, Prediction
from recsys_core.ranker.noise import seed_noise
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Recipe
from recsys_core.trainer.windows import seen_before

N_ITEMS = 12


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
    torch.set_rng_state(state)


def fresh(mask_share: float = 0.3, dropout: float = 0.0) -> Bert4RecRanker:
    torch.manual_seed(0)
    return Bert4RecRanker(N_ITEMS, 8, 2, 2, 8, dropout, mask_share)


def window(*rows: list[int]) -> HistoryBatch:
    histories = Histories.of(list(rows))
    return HistoryBatch(torch.from_numpy(histories.padded(9)), torch.from_numpy(histories.lengths))


def asked(ranker: Bert4RecRanker, history: list[list[int]], targets: list[list[int]]) -> Prediction:
    batch = window(*history)
    return ranker.predict(batch, torch.tensor(targets), ranker.item_vectors())


def known(prediction: Prediction) -> list[list[int]]:
    """What is seen beside each masked item."""
    assert prediction.known is not None
    seen = seen_before(prediction.known.numpy(), prediction.row.numpy(), prediction.length.numpy())
    return [sorted(seen[row].tolist()) for row in range(len(seen))]


def test_a_share_of_the_items_is_hidden():
    seed_noise(0)
    items = torch.arange(1, 1_001).repeat(20, 1)
    hidden = draw_masks(HistoryBatch(items, torch.full((20,), 1_000)), 0.2).float().mean()
    assert float(hidden) == pytest.approx(0.2, abs=0.01)


def test_where_nothing_would_be_hidden_the_last_item_is():
    seed_noise(0)
    assert draw_masks(window([1, 2, 3], [4, 5]), 1e-12).tolist() == [
        [False, False, True],
        [False, True, False],
    ]


def test_padding_is_never_hidden():
    seed_noise(0)
    hidden = draw_masks(window([1, 2, 3], [4]), 0.9)
    assert not hidden[1, 1:].any()


def test_all_occurrences_of_an_item_are_hidden_together():
    seed_noise(0)
    assert draw_masks(window([7, 1, 7, 2, 7]), 1e-12).tolist() == [[True, False, True, False, True]]


def test_masks_are_drawn_by_the_seeded_noise():
    def drawn(seed: int) -> list[list[bool]]:
        seed_noise(seed)
        return draw_masks(window(list(range(1, 10))), 0.5).tolist()

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_training_asks_for_the_last_item_too_and_knows_the_others():
    seed_noise(0)
    found = asked(fresh(mask_share=1e-12), [[1, 2, 3], [4, 5]], [[2, 3, 9], [5, 6, 0]])
    assert found.targets.tolist() == [9, 6]
    assert known(found) == [[1, 2, 3], [4, 5]]


def test_a_last_item_that_came_before_is_no_part_of_the_window():
    seed_noise(0)
    found = asked(fresh(mask_share=1e-12), [[1, 2, 3]], [[2, 3, 0]])  # what came last was 1, 2 or 3
    assert found.targets.tolist() == [3]
    assert known(found) == [[1, 2]]


def test_a_hidden_item_is_never_among_the_known():
    generator = np.random.default_rng(0)
    ranker = fresh(mask_share=0.5)
    for seed in range(30):
        seed_noise(seed)
        rows, nexts = generator.integers(1, N_ITEMS + 1, (2, 3, 8)).tolist()
        found = asked(ranker, rows, nexts)
        for target, row, own in zip(found.targets.tolist(), found.row.tolist(), known(found), strict=True):
            assert target not in own
            assert set(own) <= {*rows[row], nexts[row][-1]}


def test_what_is_hidden_does_not_change_what_is_asked_of_it():
    """Two windows that differ in their hidden last item alone."""
    ranker = shaken(fresh(mask_share=1e-12))
    seed_noise(0)
    found = asked(ranker, [[1, 2, 3], [1, 2, 3]], [[2, 3, 9], [2, 3, 5]])
    torch.testing.assert_close(found.states[0], found.states[1], rtol=0, atol=0)


def test_what_comes_after_does_change_it():
    ranker = shaken(fresh())
    x = ranker.history_embedding(torch.tensor([[1, 2, 3], [1, 2, 9]]), ranker.item_vectors())
    masked = torch.tensor([[True, False, False]] * 2)
    states = ranker.read(x, masked, window([1, 2, 3], [1, 2, 9]))
    assert (states[0, 0] - states[1, 0]).abs().max() > 0.01


def test_a_history_is_scored_as_if_its_next_item_were_hidden():
    ranker = shaken(fresh(mask_share=1e-12))
    seed_noise(0)
    with torch.no_grad():
        found = asked(ranker, [[1, 2, 3]], [[2, 3, 9]])
        vectors = ranker.item_vectors()
        expected = ranker.logits(found.states, vectors, ranker.item_bias)[0].numpy()
    np.testing.assert_allclose(ranker.score(Histories.of([[1, 2, 3]]))[0], expected, rtol=0, atol=1e-5)


def test_the_next_item_of_a_cycle_is_learned():
    """Of five candidates each time; by chance two or three of the twelve would be right."""
    cycles = [[(start + step) % N_ITEMS + 1 for step in range(8)] for start in range(N_ITEMS)]
    torch.manual_seed(0)
    ranker = Bert4RecRanker(N_ITEMS, 16, 1, 2, 8, dropout=0.0, mask_share=0.1)
    recipe = Recipe(30, 30, batch_size=4, learning_rate=0.02, weight_decay=0.0, seed=0, precision="fp32")
    callbacks, rising = Callbacks(lambda share: None, lambda epoch: None), iter(range(30))
    train(ranker, Histories.of(cycles), lambda: float(next(rising)), recipe, torch.device("cpu"), callbacks)
    first_seven = Histories.of([cycle[:7] for cycle in cycles])
    first = top_k(mask_seen(ranker.score(first_seven), first_seven), 1)[:, 0]
    assert (first == [cycle[7] for cycle in cycles]).sum() >= 10


def test_heads_that_do_not_divide_the_embedding_are_an_error():
    with pytest.raises(ConfigError, match=r"embedding_size \(8\) must be divisible by n_heads \(3\)"):
        Bert4RecRanker(4, 8, 1, 3, 10, 0.0, 0.2)
