"""The place in the whole history: a window that was cut knows that it isn't a beginning."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys_core.config import TransformerSettings
from recsys_core.data.dataset import Histories
from recsys_core.ranker.events import ITEMS_ALONE, EventKinds
from recsys_core.ranker.neural import HistoryBatch
from recsys_core.ranker.registry import ranker_of
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.loop import Callbacks, Recipe, train
from recsys_core.trainer.windows import batches, cut_windows

CPU = torch.device("cpu")
N_ITEMS, MAX_LENGTH = 30, 4
PRIZE = 30  # comes to everybody after twelve others, and never earlier


def ranker(events: EventKinds) -> TransformerRanker:
    torch.manual_seed(0)
    return TransformerRanker(N_ITEMS, 8, 1, 1, MAX_LENGTH, 0.0, events=events)


def with_places() -> TransformerRanker:
    """A ranker whose vectors of places aren't 0 any more."""
    made = ranker(EventKinds(place=True))
    assert made.place_vectors is not None
    torch.nn.init.normal_(made.place_vectors.place.weight)
    return made


def histories(n_people: int = 128) -> Histories:
    draw = np.random.default_rng(0)
    return Histories.of([[*(draw.permutation(PRIZE - 1)[:12] + 1), PRIZE] for _ in range(n_people)])


def test_pieces_know_how_much_came_before_them_and_pieces_of_pieces_too():
    known = Histories.of([[1, 2, 3, 4, 5], [6, 7]])
    pieces = known.pieces(np.array([0, 1]), np.array([2, 0]), np.array([5, 2]))
    assert pieces.n_before is not None
    assert pieces.n_before.tolist() == [2, 0]
    again = pieces.bare().pieces(np.array([0]), np.array([1]), np.array([3]))
    assert again.n_before is not None
    assert again.n_before.tolist() == [3]
    assert known.take(np.array([1, 0])).n_before is None


def test_batch_counts_what_its_window_left_out():
    batch = HistoryBatch.of(Histories.of([[1, 2, 3, 4, 5, 6], [7, 8]]), MAX_LENGTH, CPU)
    assert batch.n_before is not None
    assert batch.n_before.tolist() == [2, 0]


def test_training_windows_know_their_place():
    windows = cut_windows(Histories.of([list(range(1, 11))]), MAX_LENGTH)
    (batch,) = batches(windows, 10, np.random.default_rng(0))
    assert batch.n_before is not None
    first_item = batch.history[:, 0]
    assert batch.n_before.tolist() == (first_item - 1).tolist()
    assert [part.n_before.tolist() for part in batch.parts(3) if part.n_before is not None] == [
        [n] for n in batch.n_before
    ]


def test_end_of_a_long_history_is_no_beginning():
    known = histories(5)
    ends = known.pieces(np.arange(5), known.lengths - MAX_LENGTH, known.lengths)
    as_beginnings = replace(ends, n_before=None)
    made = with_places()
    assert np.array_equal(made.score(known), made.score(ends))
    assert np.abs(made.score(known) - made.score(as_beginnings)).max() > 0.01
    without = ranker(ITEMS_ALONE)
    assert np.array_equal(without.score(known), without.score(as_beginnings))


@pytest.mark.slow
@pytest.mark.parametrize("place", [True, False])
def test_what_comes_after_so_many_items_is_learned_from_their_number_alone(place: bool):
    made, known = ranker(EventKinds(place=place)), histories()
    recipe, better = Recipe(15, 15, 32, 3e-2, 0.0, seed=0, schedule="constant"), itertools.count()
    train(made, known, lambda: float(next(better)), recipe, CPU, Callbacks(_nothing, _nothing))
    everybody = np.arange(len(known))
    after_12 = made.score(known.pieces(everybody, np.zeros_like(everybody), known.lengths - 1))
    after_5 = made.score(known.pieces(everybody, np.zeros_like(everybody), np.full_like(everybody, 5)))
    known_by_number = (after_12.argmax(1) == PRIZE).mean() - (after_5.argmax(1) == PRIZE).mean()
    assert (known_by_number > 0.95) == place


def test_model_kept_before_there_were_places_still_opens():
    old = ranker(ITEMS_ALONE)
    opened = ranker_of(
        TransformerSettings(embedding_size=8, n_blocks=1, n_heads=1, max_length=MAX_LENGTH),
        old.tensors(),
        CPU,
    )
    assert np.array_equal(opened.score(histories(3)), old.eval().score(histories(3)))


def _nothing(_told: object) -> None:
    pass
