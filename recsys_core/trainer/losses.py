"""Losses over all items, written so that the logits of all positions never exist at once."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsys_core.data.dataset import Histories

CHUNK_LOGITS = 1_000_000  # about what the second-level cache of a core holds in half precision
MIN_CHUNK_ROWS, MAX_CHUNK_ROWS = 128, 1024
COLUMN_MULTIPLE = 32  # matrix units work on tiles of this width; a rest costs as much as a tile


class _ChunkedSoftmax(torch.autograd.Function):
    """Softmax cross-entropy whose gradient is made beside the loss, a chunk of rows at a time.

    At 3,000 items the logits of one batch would take 40 MB, at 100,000 items 1 GB; a chunk stays in the
    cache, and its memory is used for all chunks.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, vectors: Tensor, bias: Tensor, targets: Tensor, seen: Histories
    ) -> Tensor:
        n, n_items = len(states), len(vectors)
        width = _rounded_up(n_items, COLUMN_MULTIPLE)
        chunk = min(max(MIN_CHUNK_ROWS, CHUNK_LOGITS // width), MAX_CHUNK_ROWS)
        padded = F.pad(states, (0, 0, 0, _rounded_up(n, chunk) - n))  # all chunks of one shape
        vectors = F.pad(vectors.to(states.dtype), (0, 0, 0, width - n_items))
        bias = F.pad(bias.to(states.dtype), (0, width - n_items), value=-torch.inf)
        bias[0] = -torch.inf  # neither the padding nor what fills the last tile is a candidate
        exact = torch.promote_types(states.dtype, torch.float32)
        states_grad, target_shares = torch.empty_like(padded), states.new_empty(n)
        vectors_grad, bias_grad = torch.zeros_like(vectors, dtype=exact), torch.zeros_like(bias, dtype=exact)
        logits = states.new_empty(chunk, width)
        shares = torch.empty_like(logits)
        first_of_row = torch.arange(chunk, device=states.device) * width
        places = _places(seen, width, states.device)
        for start in range(0, n, chunk):
            stop = min(start + chunk, n)
            rows = padded[start : start + chunk]
            torch.mm(rows, vectors.T, out=logits).add_(bias)
            own = places[int(seen.offsets[start]) : int(seen.offsets[stop])]
            logits.view(-1).index_fill_(0, own - start * width, -torch.inf)
            torch.softmax(logits, 1, out=shares)
            at = first_of_row[: stop - start] + targets[start:stop]
            target_shares[start:stop] = shares.view(-1)[at]
            shares.view(-1)[at] -= 1  # softmax − one-hot is the gradient
            shares[stop - start :] = 0
            torch.mm(shares, vectors, out=states_grad[start : start + chunk])
            vectors_grad.add_(shares.T @ rows)
            bias_grad.add_(shares.sum(0))
        ctx.save_for_backward(states_grad[:n], vectors_grad[:n_items], bias_grad[:n_items])
        return -target_shares.to(exact).clamp_min(torch.finfo(exact).tiny).log().mean()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        states, vectors, bias = ctx.saved_tensors
        scale = grad_outputs[0] / len(states)
        return states * scale.to(states.dtype), vectors * scale, bias * scale, None, None


def softmax_over_candidates(
    states: Tensor, vectors: Tensor, bias: Tensor, targets: Tensor, seen: Histories
) -> Tensor:
    """Mean cross-entropy of the next item among all items that the person hasn't touched yet.

    Items seen earlier leave the softmax just as they leave the list. Range ≥ 0, lower is better,
    0 = every next item was certain. The products are made in the precision of `states`.

    Args:
        states: [n, d].
        vectors: [V, d] item vectors; row 0, the padding, is never a candidate.
        bias: [V].
        targets: [n] item numbers, none of them in its sequence of `seen`.
        seen: [n] item numbers that are no candidates.

    Returns:
        A scalar that can be differentiated once.
    """
    loss: Tensor = _ChunkedSoftmax.apply(states, vectors, bias, targets, seen)  # pyright: ignore[reportAssignmentType]
    return loss


def _rounded_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _places(seen: Histories, width: int, device: torch.device) -> Tensor:
    """[all of seen] where each seen item is in the flat [n, width] logits."""
    return torch.from_numpy(np.asarray(seen.rows * width + seen.items)).to(device)
