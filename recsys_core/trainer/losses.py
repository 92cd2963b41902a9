"""Losses over all items, written so that the logits of all positions never exist at once."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_ROWS = 1024


class _ChunkedSoftmax(torch.autograd.Function):
    """Softmax cross-entropy whose gradient is made beside the loss, a chunk of rows at a time.

    At 3,000 items the logits of one batch would take 80 MB, at 100,000 items 2.5 GB; a chunk takes a
    sixth of that, and its memory is used again for the probabilities.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, vectors: Tensor, bias: Tensor, targets: Tensor, seen: Tensor
    ) -> Tensor:
        grads = torch.empty_like(hidden), torch.zeros_like(vectors), torch.zeros_like(bias)
        loss = hidden.new_zeros(())
        for start in range(0, len(hidden), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            logits = F.linear(hidden[rows], vectors, bias)  # [rows, V]
            logits.scatter_(1, seen[rows], -torch.inf)
            logits[:, 0] = -torch.inf
            target = targets[rows, None]
            log_total = logits.logsumexp(1, keepdim=True)
            loss += (log_total - logits.gather(1, target)).sum()
            gradient = logits.sub_(log_total).exp_()  # softmax − one-hot
            gradient.scatter_add_(1, target, gradient.new_full(target.shape, -1.0))
            grads[0][rows] = gradient @ vectors
            grads[1].addmm_(gradient.T, hidden[rows])
            grads[2].add_(gradient.sum(0))
        ctx.save_for_backward(*(grad / len(hidden) for grad in grads))
        return loss / len(hidden)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        hidden, vectors, bias = ctx.saved_tensors
        scale = grad_outputs[0]
        return hidden * scale, vectors * scale, bias * scale, None, None


def softmax_over_candidates(
    hidden: Tensor, vectors: Tensor, bias: Tensor, targets: Tensor, seen: Tensor
) -> Tensor:
    """Mean cross-entropy of the next item among all items that the person hasn't touched yet.

    Items seen earlier leave the softmax just as they leave the list. Range ≥ 0, lower is better,
    0 = every next item was certain.

    Args:
        hidden: [n, d] states.
        vectors: [V, d] item vectors; row 0, the padding, is never a candidate.
        bias: [V].
        targets: [n] item numbers, none of them in its row of `seen`.
        seen: [n, any] item numbers that are no candidates, filled up with 0.

    Returns:
        A scalar that can be differentiated once.
    """
    loss: Tensor = _ChunkedSoftmax.apply(hidden, vectors, bias, targets, seen)  # pyright: ignore[reportAssignmentType]
    return loss
