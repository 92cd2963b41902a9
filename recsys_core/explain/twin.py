"""A ranker made for many ways back: the same weights, none of them to be learned.

What the way back needs is worked out once, on the way forward, because many items go back through it.
Hooks on the twin are none on the ranker.
"""

import copy
import math
from collections import OrderedDict
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

M = TypeVar("M", bound=nn.Module)


def twin(module: M) -> M:
    """A module that gives what `module` gives, and shares its weights' memory."""
    made = copy.copy(module)
    inside = vars(made)
    inside["_parameters"] = {
        name: None if weight is None else nn.Parameter(weight.detach(), requires_grad=False)
        for name, weight in inside["_parameters"].items()
    }
    inside["_modules"] = {name: _part(part) for name, part in inside["_modules"].items()}
    for hooks in ("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called"):
        inside[hooks] = OrderedDict[int, Any]()
    return made


def _part(part: nn.Module | None) -> nn.Module | None:
    if isinstance(part, nn.GELU) and part.approximate == "none":
        return KeptGelu()
    return None if part is None else twin(part)


class KeptGelu(nn.Module):
    """GELU, x Φ(x), whose slope is worked out on the way forward: to find it takes longer than to use it."""

    def forward(self, x: Tensor) -> Tensor:
        """Of the same shape as x."""
        out: Tensor = _Gelu.apply(x)  # pyright: ignore[reportAssignmentType]
        return out


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        below = torch.erf(x * math.sqrt(0.5)).add_(1).mul_(0.5)  # Φ(x)
        if ctx.needs_input_grad[0]:
            density = torch.exp(x.square().mul_(-0.5)).mul_(1 / math.sqrt(2 * math.pi))
            ctx.save_for_backward(density.mul_(x).add_(below))
        return below.mul_(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (slope,) = ctx.saved_tensors
        return grad_outputs[0] * slope
