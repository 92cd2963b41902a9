"""Rankers at rest: what was learned, as safetensors, and back to a ranker with bitwise equal scores."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from recsys_core.errors import StoreError
from recsys_core.ranker.neighbours import load_neighbours
from recsys_core.ranker.popularity import load_popularity
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.transformer import TransformerRanker


def save_ranker(ranker: Ranker, path: Path) -> None:
    """Writes the ranker's tensors to `path`.

    Raises:
        StoreError: the disk refused.
    """
    try:
        save_file(ranker.tensors(), path)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"could not write {path.name}: {error}") from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that `save_ranker` wrote.

    Raises:
        StoreError: the file isn't safetensors.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{path.name} holds no usable weights: {error}") from error


def load_ranker(name: str, path: Path) -> Ranker:
    """A counting ranker from its file; the transformer needs its shape too: `load_transformer`.

    Raises:
        StoreError: the file doesn't hold such a ranker.
    """
    tensors = load_tensors(path)
    try:
        return load_popularity(tensors) if name == "popularity" else load_neighbours(tensors)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise StoreError(f"{path.name} doesn't hold a ranker of the kind '{name}'") from error


def load_transformer(
    path: Path, *, embedding_size: int, n_blocks: int, n_heads: int, max_length: int, device: torch.device
) -> TransformerRanker:
    """A transformer from its file, ready to score.

    Raises:
        StoreError: the file doesn't hold a transformer of this shape.
    """
    tensors = load_tensors(path)
    try:
        ranker = TransformerRanker(
            n_items=len(tensors["item_bias"]) - 1,
            embedding_size=embedding_size,
            n_blocks=n_blocks,
            n_heads=n_heads,
            max_length=max_length,
            dropout=0.0,
            text_vectors=tensors.get("item_vectors.text"),
            use_id="item_vectors.id.weight" in tensors,
        )
        ranker.load_state_dict(tensors)
    except (KeyError, IndexError, TypeError, RuntimeError) as error:
        raise StoreError(f"{path.name} doesn't hold the transformer that its settings describe") from error
    return ranker.to(device).eval()
