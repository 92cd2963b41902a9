"""A world whose truth is known: one item of the history, the key, decides what comes next.

Items 1 and 2 are keys, 3 to 10 are noise. Whoever has key 1 anywhere in the history goes on to item 11,
whoever has key 2 to item 12.
"""

import numpy as np
import torch

from recsys_core.data.dataset import Histories
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Recipe

NOISE = np.arange(3, 11)
EPOCHS = 10


def history_with_a_key(generator: np.random.Generator) -> tuple[list[int], int]:
    """A history of noise and one key, and the place of the key.

    Lengths differ, so that a history without one of its items is still one of this world.
    """
    length = int(generator.integers(4, 8))
    place = int(generator.integers(length))
    history = generator.permutation(NOISE)[:length]
    history[place] = generator.integers(1, 3)
    return history.tolist(), place


def decided_by_the_key(history: list[int]) -> int:
    """The item that comes after a history with a key."""
    return 11 if 1 in history else 12


def keyed_transformer() -> TransformerRanker:
    """A transformer that has learned what the keys decide."""
    generator = np.random.default_rng(0)
    histories = [history_with_a_key(generator)[0] for _ in range(600)]
    return taught(new_keyed(), [[*history, decided_by_the_key(history)] for history in histories])


def new_keyed() -> TransformerRanker:
    """A transformer that has learned nothing yet."""
    torch.manual_seed(0)
    return TransformerRanker(12, 16, 1, 2, max_length=8, dropout=0.0)


def taught(ranker: TransformerRanker, sequences: list[list[int]]) -> TransformerRanker:
    """The ranker once it has learned from sequences."""
    recipe = Recipe(EPOCHS, EPOCHS, batch_size=32, learning_rate=0.01, weight_decay=0.0, seed=0)
    rising = iter(range(EPOCHS))
    callbacks = Callbacks(step=lambda _: None, epoch=lambda _: None)
    train(ranker, Histories.of(sequences), lambda: next(rising), recipe, torch.device("cpu"), callbacks)
    return ranker
