"""Data sets, histories and rankers small enough to be worked out by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.schema import Tables
from recsys_core.ranker.blocks import BlockName
from recsys_core.ranker.protocol import ScoreArray, ScoreKind
from recsys_core.ranker.transformer import TransformerRanker

M = TypeVar("M", bound=torch.nn.Module)
ITEM_COLUMNS = ("title", "text", "category", "provider", "image")


def tables(
    pairs: Sequence[tuple[str, str]],
    times: Sequence[float] | None = None,
    orders: Sequence[float] | None = None,
    users: Sequence[str] = (),
) -> Tables:
    """Tables of (person, item) pairs in the file's order; people and items in the order of first sight."""
    interactions = pd.DataFrame(list(pairs), columns=["user_id", "item_id"])
    if times is not None:
        interactions["timestamp_s"] = np.array(times, dtype=np.float64)
    if orders is not None:
        interactions["order"] = np.array(orders, dtype=np.float64)
    items = pd.DataFrame({"item_id": list(dict.fromkeys(item for _, item in pairs))})
    people = list(dict.fromkeys([*users, *(user for user, _ in pairs)]))
    return Tables(
        interactions, items.assign(**dict.fromkeys(ITEM_COLUMNS, "")), pd.DataFrame({"user_id": people})
    )


def dataset_of(sequences: dict[str, str], times: bool = True) -> Dataset:
    """A data set in which `{"ann": "abca"}` touched a, b, c and a again; items numbered by first sight."""
    pairs = [(user, item) for user, items in sequences.items() for item in items]
    return build_dataset(tables(pairs, range(len(pairs)) if times else None))


def random_histories(seed: int, n: int, n_items: int, longest: int, shortest: int = 0) -> Histories:
    """Histories of random items and lengths, repeats included."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(shortest, longest + 1, n)
    return Histories.of([generator.integers(1, n_items + 1, length) for length in lengths])


def small_transformer(
    n_items: int,
    seed: int = 0,
    spread: float = 0.5,
    max_length: int = 12,
    text_vectors: NDArray[np.float16] | None = None,
    block: BlockName = "sasrec",
) -> TransformerRanker:
    """A transformer whose weights are all random, those too that training starts at 0."""
    torch.manual_seed(seed)
    ranker = TransformerRanker(
        n_items=n_items,
        embedding_size=8,
        n_blocks=2,
        n_heads=2,
        max_length=max_length,
        dropout=0.1,
        text_vectors=None if text_vectors is None else torch.from_numpy(text_vectors),
        block=block,
    )
    return shaken(ranker, spread)


def shaken(module: M, spread: float = 0.5) -> M:
    """The module with noise on all of its weights, ready to score."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight) * spread)
    return module.eval()


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """A ranker whose scores can be added up by hand: item i's is the sum of W[h, i] over the history.

    Attributes:
        weights: [n_items + 1, n_items + 1], row = item of the history, column = candidate.
        max_length: how many of the last items count.
        score_kind: as in the protocol.
    """

    weights: NDArray[np.float64]
    max_length: int = 100
    score_kind: ScoreKind = "similarity"

    @property
    def n_items(self) -> int:
        return len(self.weights) - 1

    def score(self, histories: Histories) -> ScoreArray:
        rows = [
            self.weights[history[-self.max_length :]].sum(axis=0)
            for history in map(list, histories_in(histories))
        ]
        return np.array(rows, dtype=np.float32).reshape(len(histories), -1)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"weights": torch.from_numpy(self.weights)}


def histories_in(histories: Histories) -> list[NDArray[np.int64]]:
    """The sequences one by one."""
    return [histories[row] for row in range(len(histories))]
