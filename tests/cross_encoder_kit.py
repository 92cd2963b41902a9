"""What the tests of the cross-encoder share: readers over transition counts, fresh and learned."""

from pathlib import Path

import numpy as np
import torch
from hand_made import WeightedSum
from ranker_kit import N_ITEMS
from tiny_bert import tiny_encoder

from recsys_core.config import SETTINGS, CrossEncoderSettings
from recsys_core.data.dataset import Histories
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.neighbours import fit_transitions
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.protocol import Ranker
from recsys_core.trainer.checkpoints import load_ranker
from recsys_core.trainer.cross_encoder import (
    ReadingRecipe,
    new_cross_encoder,
)

CPU = torch.device("cpu")
WORDS = [f"w{number}" for number in range(N_ITEMS + 1)]


def ignore(share: float, message: str) -> None:
    """Nobody follows."""


def untrained(
    histories: Histories, n_items: int, *, depth: int = 6, texts: list[str] | None = None, window: int = 4
) -> CrossEncoderRanker:
    """A cross-encoder over transition counts whose reader has random weights; item i is called "wi"."""
    own = texts or [f"w{number} w{number // 3}" for number in range(1, n_items + 1)]
    words = sorted({word for text in own for word in text.split()})
    steps = Inner(
        "transitions", "transitions", SETTINGS["transitions"](), fit_transitions(histories, n_items, 20, 0.7)
    )
    ranker = new_cross_encoder(
        tiny_encoder(words),
        own,
        torch.zeros(n_items + 1, 2, dtype=torch.float16),
        steps,
        fit_popularity(histories, n_items),
        item_tokens=4,
        depth=depth,
        window=window,
        precision=torch.float32,
    )
    with torch.no_grad():
        ranker.reader.head.weight.copy_(torch.randn(1, 16))
    return ranker.with_weight(0.7)


def loaded(path: Path) -> Ranker:
    return load_ranker(CrossEncoderSettings(depth=6, max_length=4), path, CPU)


COLOURS = [
    f"{colour} {thing}" for colour in ("red", "blue") for thing in ("a", "b", "c", "d", "e", "f", "g", "h")
]


def colour_histories(n: int, seed: int) -> Histories:
    """People who like red things (items 1 to 8) or blue ones (9 to 16), in any order."""
    generator = np.random.default_rng(seed)
    return Histories.of([generator.permutation(8)[:5] + 1 + 8 * (person % 2) for person in range(n)])


def coloured(histories: Histories) -> CrossEncoderRanker:
    """Untrained; its first ranker lists everything, in an order that knows no colour."""
    ranker = untrained(histories, 16, depth=16, texts=COLOURS)
    flat = np.tile(np.arange(17.0)[::-1] + 1, (17, 1))
    first = Inner("flat", "transitions", SETTINGS["transitions"](), WeightedSum(flat))
    return CrossEncoderRanker(first, ranker.popularity, ranker.reader, ranker.texts, depth=16, window=4)


RECIPE = ReadingRecipe(200, 16, 4, learning_rate=3e-3, seed=0, precision=torch.float32)
