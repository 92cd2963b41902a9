"""From the states of a text's tokens to one vector: what a folder's sentence-transformers files ask for.

A folder that sentence-transformers wrote says in `modules.json` what follows the transformer: how tokens
are pooled, dense layers, and whether vectors are brought to length 1. Without it a decoder is read at its
last token, which alone has seen the whole text, and any other model by the mean of its tokens.

Shape legend: B texts, L tokens, h hidden size, s size of the vectors.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from recsys_core.files import read_json

Pooling = Literal["mean", "cls", "last"]

_POOLINGS: dict[str, Pooling] = {
    "mean": "mean",
    "cls": "cls",
    "lasttoken": "last",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "Identity": nn.Identity,
    "Tanh": nn.Tanh,
    "GELU": nn.GELU,
    "ReLU": nn.ReLU,
    "SiLU": nn.SiLU,
}


@dataclass(frozen=True, slots=True)
class Head:
    """What makes one vector of a text's tokens.

    Attributes:
        pooling: mean of the tokens, the first one, or the last one.
        layers: dense layers behind it, most often none.
        normalise: whether vectors get length 1.
    """

    pooling: Pooling = "mean"
    layers: nn.Sequential = field(default_factory=nn.Sequential)
    normalise: bool = True

    def __call__(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """[B, s] in single precision, from states [B, L, h] and a mask [B, L] that is 0 at padding."""
        vectors = self.layers(pool(hidden.float(), mask, self.pooling))
        return F.normalize(vectors, dim=-1) if self.normalise else vectors


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """[B, h] from states [B, L, h]; padding, in front or behind, has no part in it."""
    if pooling == "mean":
        weights = mask[..., None].to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
    length = mask.shape[1]
    if pooling == "cls":
        place = mask.int().argmax(1)
    else:
        place = length - 1 - mask.int().flip(1).argmax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), place]


@dataclass(frozen=True, slots=True)
class SentenceModules:
    """What a folder's `modules.json` says.

    Attributes:
        transformer: the folder of the transformer itself, most often the same one.
        pooling: None where the file says nothing of it.
        layers, normalise: as in `Head`.
    """

    transformer: Path
    pooling: Pooling | None = None
    layers: nn.Sequential = field(default_factory=nn.Sequential)
    normalise: bool = True


def read_modules(folder: Path, chosen: Pooling | None = None) -> SentenceModules:
    """What follows the transformer in a folder; `chosen` stands in for the folder's own pooling.

    Raises:
        ValueError: a module that can't be followed.
        StoreError: a file that isn't JSON.
    """
    if not (folder / "modules.json").is_file():
        return SentenceModules(folder, chosen)
    modules = [(str(module["type"]).split(".")[-1], folder / module["path"]) for module in _modules(folder)]
    kinds = [kind for kind, _ in modules]
    strange = [
        kind for kind in kinds if kind not in ("Transformer", "Pooling", "Dense", "Dropout", "Normalize")
    ]
    if strange or kinds[:1] != ["Transformer"]:
        raise ValueError(f"its modules.json names {', '.join(strange or kinds)}, which can't be followed")
    own = next((path for kind, path in modules if kind == "Pooling"), None)
    dense = [_dense(path) for kind, path in modules if kind == "Dense"]
    return SentenceModules(
        transformer=modules[0][1],
        pooling=_pooling(own) if own is not None and chosen is None else chosen,
        layers=nn.Sequential(*dense),
        normalise="Normalize" in kinds,
    )


def _modules(folder: Path) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", read_json(folder / "modules.json"))


def _pooling(folder: Path) -> Pooling:
    """The pooling of a module's config.json, whose older form has one switch a kind."""
    kept = cast("dict[str, Any]", read_json(folder / "config.json"))
    modes = kept.get("pooling_mode") or [
        key for key, value in kept.items() if key.startswith("pooling_mode_") and value is True
    ]
    modes = [modes] if isinstance(modes, str) else list(modes) or ["mean"]
    if len(modes) > 1 or modes[0] not in _POOLINGS:
        raise ValueError(
            f"its pooling is {', '.join(modes)}, and only mean, cls or last token can be followed"
        )
    return _POOLINGS[modes[0]]


def _dense(folder: Path) -> nn.Sequential:
    kept = cast("dict[str, Any]", read_json(folder / "config.json"))
    activation = str(kept.get("activation_function", "Tanh")).split(".")[-1]
    if activation not in _ACTIVATIONS:
        raise ValueError(f"its layer {folder.name} has the activation {activation}, which isn't known")
    linear = nn.Linear(kept["in_features"], kept["out_features"], bias=kept.get("bias", True))
    weights = load_file(folder / "model.safetensors")
    linear.load_state_dict({name.removeprefix("linear."): weight for name, weight in weights.items()})
    return nn.Sequential(linear.float(), _ACTIVATIONS[activation]())
