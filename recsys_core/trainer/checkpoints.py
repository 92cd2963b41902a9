"""Rankers at rest: what was learned, as safetensors, and back to a ranker with bitwise equal scores."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from recsys_core.config import Settings
from recsys_core.errors import ConfigError, StoreError
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.registry import ranker_of


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


def load_ranker(settings: Settings, path: Path, device: torch.device) -> Ranker:
    """The ranker that a file holds, ready to score.

    Args:
        settings: those that it was trained with.
        path: what `save_ranker` wrote.
        device: where it is to score.

    Raises:
        StoreError: the file doesn't hold such a ranker.
    """
    tensors = load_tensors(path)
    try:
        return ranker_of(settings, tensors, device)
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError, ConfigError) as error:
        raise StoreError(f"{path.name} doesn't hold the ranker that its settings describe") from error
