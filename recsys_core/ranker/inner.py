"""Rankers inside of a ranker: kept in its own tensors, so that it needs nothing beside its one file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recsys_core.config import Settings
from recsys_core.ranker.protocol import Ranker

_ABOUT = "rankers"


@dataclass(frozen=True, slots=True)
class Inner:
    """A ranker that another one is made of.

    Attributes:
        name: what a person calls it.
        kind: the name of its kind, like `transitions`.
        settings: those that it was trained with.
        ranker: ready to score.
    """

    name: str
    kind: str
    settings: Settings
    ranker: Ranker


@dataclass(frozen=True, slots=True)
class Packed:
    """An inner ranker as it was kept."""

    name: str
    kind: str
    settings: dict[str, object]
    tensors: dict[str, Tensor]


def pack(rankers: Sequence[Inner]) -> dict[str, Tensor]:
    """The tensors of all inner rankers under `0.`, `1.`, …, and what they are under `rankers`."""
    about = [
        {"name": inner.name, "kind": inner.kind, "settings": inner.settings.model_dump(mode="json")}
        for inner in rankers
    ]
    tensors = {
        f"{number}.{name}": tensor
        for number, inner in enumerate(rankers)
        for name, tensor in inner.ranker.tensors().items()
    }
    return tensors | {_ABOUT: text_tensor(json.dumps(about))}


def unpack(tensors: dict[str, Tensor]) -> list[Packed]:
    """What `pack` packed.

    Raises:
        KeyError, ValueError, TypeError: the tensors hold no inner rankers.
    """
    packed = list[Packed]()
    for number, about in enumerate(json.loads(text_of(tensors[_ABOUT]))):
        prefix = f"{number}."
        own = {
            name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)
        }
        packed.append(Packed(str(about["name"]), str(about["kind"]), dict(about["settings"]), own))
    return packed


def text_tensor(text: str) -> Tensor:
    """[n_bytes] the UTF-8 of a text."""
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def text_of(tensor: Tensor) -> str:
    """The text of `text_tensor`.

    Raises:
        ValueError: it holds none.
    """
    return bytes(tensor.to(torch.uint8).flatten().tolist()).decode()
