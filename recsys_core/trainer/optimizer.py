"""How weights follow their gradients: Muon for the matrices of layers, AdamW for everything else.

What a layer's matrix does shows in its singular values. Its gradients are dominated by few directions; Muon
moves it as far in all of them, so that what few examples ask for is learned, too. Vectors of items, biases
and norms are rows and numbers that stand for themselves: AdamW gives each its own step length.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; its step is made as
long as AdamW's, so that one learning rate serves both (Liu et al., "Muon is Scalable for LLM Training",
2025, section 2.2). AdamW: Loshchilov & Hutter, ICLR 2019.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from recsys_core.ranker.threads import Spread

OptimizerName = Literal["muon", "adamw"]

N_MUONS = 2  # they share the matrices, and work at the same time where there are threads


class Optimizer:
    """Moves weights, and remembers their earlier gradients.

    Args:
        weights: all that learn, by name.
        matrices: names of those that Muon moves; AdamW moves all others.
        learning_rate: the peak.
        weight_decay: of what has two dimensions or more, decoupled.
        spread: maps over parts of the work, which may go on at the same time.
    """

    def __init__(
        self,
        weights: dict[str, Tensor],
        matrices: Sequence[str],
        learning_rate: float,
        weight_decay: float,
        spread: Spread = map,
    ) -> None:
        self.weights, self.matrices = weights, frozenset(matrices)
        self.learning_rate, self.spread = learning_rate, spread
        others = [weight for name, weight in weights.items() if name not in self.matrices]
        shares = [[weights[name] for name in matrices[number::N_MUONS]] for number in range(N_MUONS)]
        self.parts = [
            _adamw(others, weight_decay),
            *(_muon(share, weight_decay) for share in shares if share),
        ]

    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Moves each weight by its gradient, at a share of the learning rate."""
        for weight, gradient in zip(self.weights.values(), gradients, strict=True):
            weight.grad = gradient
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = self.learning_rate * rate
        list(self.spread(lambda part: part.step(), self.parts))
        for part in self.parts:
            part.zero_grad()  # what gradients held is free for the next batch

    def moments(self) -> dict[str, Tensor]:
        """What is remembered of earlier gradients, by weight and kind; nothing before a step."""
        states = {weight: state for part in self.parts for weight, state in part.state.items()}
        return {
            f"{name}/{kind}": value
            for name, weight in self.weights.items()
            for kind, value in states.get(weight, {}).items()
        }

    def remember(self, moments: dict[str, Tensor]) -> None:
        """Goes on from what `moments` gave.

        Raises:
            KeyError: moments of a weight are missing.
        """
        names = {weight: name for name, weight in self.weights.items()}
        for part in self.parts:
            for weight in (weight for group in part.param_groups for weight in group["params"]):
                name = names[weight]
                part.state[weight] = {
                    kind: moments[f"{name}/{kind}"].to(weight.device)
                    for kind in _kinds(name in self.matrices)
                }


def matrices_of_layers(module: nn.Module) -> list[str]:
    """Names of the matrices that take a hidden vector to another: of linear and of recurrent layers.

    Tables of vectors and of attention's biases have two dimensions as well, and are none. What projects texts
    and pictures stands for a table: it is where items come in and where their scores go out.
    """
    found = list[str]()
    for prefix, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.RNNBase) and not prefix.endswith("projection"):
            own = layer.named_parameters(prefix=prefix, recurse=False)
            found += [name for name, weight in own if weight.ndim == 2 and weight.requires_grad]
    return found


def _kinds(is_matrix: bool) -> tuple[str, ...]:
    return ("momentum_buffer",) if is_matrix else ("step", "exp_avg", "exp_avg_sq")


def _adamw(weights: Sequence[Tensor], weight_decay: float) -> torch.optim.Optimizer:
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


def _muon(matrices: Sequence[Tensor], weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
