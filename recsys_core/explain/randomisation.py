"""Do explanations know of the weights? Layer by layer they are drawn anew, from the top down.

An explanation that stays the same when what was learned is gone explains the history, not the model.
Source: Adebayo et al., NeurIPS 2018, the cascading randomisation test.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from recsys_core.errors import ConfigError
from recsys_core.explain.agreement import Agreement, agreement, explained_by
from recsys_core.explain.attributions import Method
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.protocol import Ranker

AT_THE_BOTTOM = ("event_vectors", "place_vectors", "item_vectors")  # whatever else was made after them


@dataclass(frozen=True, slots=True)
class RandomisedLayer:
    """What is left of explanations once this layer and all above it are drawn anew.

    Attributes:
        layer: its name in the ranker; "output" for weights that belong to no layer.
        agreement: with the explanations of the ranker as it is; its correlation should come near 0.
    """

    layer: str
    agreement: Agreement


def randomisation_check(
    ranker: Ranker,
    questions: Sequence[Question],
    method: Method,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> list[RandomisedLayer]:
    """How alike explanations stay while the layers lose what they learned, the top one first.

    Args:
        ranker: a neural one; it stays as it is.
        questions: one a person.
        method: whose attributions.
        seed: draws the weights.
        progress: told the share that is done.

    Raises:
        ConfigError: the ranker has no layers, or the method doesn't fit it.
    """
    if not isinstance(ranker, NeuralRanker):
        raise ConfigError(
            "this ranker counts and has no layers to be drawn anew; its explanations are its own terms"
        )
    generator = torch.Generator().manual_seed(seed)
    before = explained_by(ranker, questions, method)
    randomised, found = copy.deepcopy(ranker), list[RandomisedLayer]()
    layers = layers_from_the_top(randomised)
    for number, (name, weights) in enumerate(layers, start=1):
        draw_anew(weights, generator)
        after = explained_by(randomised, questions, method)
        found.append(RandomisedLayer(name, agreement(before, after)))
        progress(number / len(layers))
    return found


def randomised_copy(ranker: NeuralRanker, seed: int) -> NeuralRanker:
    """The ranker with all weights drawn anew; the one that is given stays as it is."""
    copied, generator = copy.deepcopy(ranker), torch.Generator().manual_seed(seed)
    for _, weights in layers_from_the_top(copied):
        draw_anew(weights, generator)
    return copied


def layers_from_the_top(ranker: NeuralRanker) -> list[tuple[str, list[nn.Parameter]]]:
    """The layers and their weights, what is next to the scores first, what items are known by last.

    Layers are made in the order in which a history passes them. Item vectors are at the bottom, though
    scores are products with the same vectors.
    """
    own = list(ranker.parameters(recurse=False))
    parts = list[tuple[str, nn.Module]]()
    for name, child in ranker.named_children():
        is_list = isinstance(child, nn.ModuleList)
        parts += (
            [(f"{name}.{place}", part) for place, part in enumerate(child)] if is_list else [(name, child)]
        )
    parts.reverse()
    parts.sort(key=lambda part: AT_THE_BOTTOM.index(part[0]) if part[0] in AT_THE_BOTTOM else -1)
    layers = [("output", own), *((name, list(part.parameters())) for name, part in parts)]
    return [(name, weights) for name, weights in layers if weights]


def draw_anew(weights: Sequence[nn.Parameter], generator: torch.Generator) -> None:
    """Draws each tensor from a normal distribution of its own mean and spread."""
    with torch.no_grad():
        for weight in weights:
            spread = weight.std() if weight.numel() > 1 else weight.abs()
            noise = torch.randn(weight.shape, generator=generator).to(weight.device)
            weight.copy_(weight.mean() + spread * noise)
