"""Losses over all items, written so that the logits of all positions never exist at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsys_core.data.dataset import Histories
from recsys_core.trainer.teachers import Taught

CHUNK_LOGITS = 1_000_000  # about what the second-level cache of a core holds in half precision
MIN_CHUNK_ROWS, MAX_CHUNK_ROWS = 128, 1024
COLUMN_MULTIPLE = 32  # matrix units work on tiles of this width; a rest costs as much as a tile


class _ChunkedSoftmax(torch.autograd.Function):
    """Softmax cross-entropy whose gradient is made beside the loss, a chunk of rows at a time.

    At 3,000 items the logits of one batch would take 40 MB, at 100,000 items 1 GB; a chunk stays in the
    cache, and its memory is used for all chunks. What teachers say is made and used up chunk by chunk, too.
    """

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        vectors: Tensor,
        bias: Tensor,
        targets: Tensor,
        seen: Histories,
        taught: Sequence[Taught],
        share: float,
    ) -> Tensor:
        n, n_items = len(states), len(vectors)
        width = _rounded_up(n_items, COLUMN_MULTIPLE)
        chunk = min(max(MIN_CHUNK_ROWS, CHUNK_LOGITS // width), MAX_CHUNK_ROWS)
        own = _in_tiles(Taught(states, vectors, bias), chunk, width, states.dtype)
        teachers = [_in_tiles(teacher, chunk, width, states.dtype) for teacher in taught]
        share = share if teachers else 0.0
        exact = torch.promote_types(states.dtype, torch.float32)
        states_grad, losses = torch.empty_like(own.states), states.new_empty(n, dtype=exact)
        vectors_grad, bias_grad = (torch.zeros_like(part, dtype=exact) for part in (own.vectors, own.bias))
        logits = states.new_empty(chunk, width)
        shares, told = torch.empty_like(logits), torch.empty_like(logits) if teachers else logits
        first_of_row = torch.arange(chunk, device=states.device) * width
        places = _places(seen, width, states.device)
        for start in range(0, n, chunk):
            stop = min(start + chunk, n)
            rows = slice(start, start + chunk)
            gone = places[int(seen.offsets[start]) : int(seen.offsets[stop])] - start * width
            _shares(own, rows, gone, logits, shares)
            at = first_of_row[: stop - start] + targets[start:stop]
            log_share = shares.view(-1)[at].to(exact).clamp_min(torch.finfo(exact).tiny).log()
            losses[start:stop] = -log_share
            shares.view(-1)[at] -= 1 - share  # softmax − what is to be learned is the gradient
            for teacher in teachers:
                _shares(teacher, rows, gone, told, told)
                shares.sub_(told, alpha=share / len(teachers))
                # −Σ q log p, where log p = logit − logit of the target + log share of the target
                above = logits.view(-1)[at].to(exact) - (told * logits).sum(1, dtype=exact)[: stop - start]
                losses[start:stop] += share / len(teachers) * above
            shares[stop - start :] = 0
            torch.mm(shares, own.vectors, out=states_grad[rows])
            vectors_grad.add_(shares.T @ own.states[rows])
            bias_grad.add_(shares.sum(0))
        ctx.save_for_backward(states_grad[:n], vectors_grad[:n_items], bias_grad[:n_items])
        return losses.mean()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        states, vectors, bias = ctx.saved_tensors
        scale = grad_outputs[0] / len(states)
        return states * scale.to(states.dtype), vectors * scale, bias * scale, None, None, None, None


def softmax_over_candidates(
    states: Tensor,
    vectors: Tensor,
    bias: Tensor,
    targets: Tensor,
    seen: Histories,
    taught: Sequence[Taught] = (),
    share: float = 0.0,
) -> Tensor:
    """Mean cross-entropy of the next item among all items that the person hasn't touched yet.

    Items seen earlier leave the softmax just as they leave the list. Range ≥ 0, lower is better,
    0 = every next item was certain. The products are made in the precision of `states`. Where teachers
    tell how likely each item is, the next item counts 1 − share, and the cross-entropy with the mean of
    what they tell counts share.

    Args:
        states: [n, d].
        vectors: [V, d] item vectors; row 0, the padding, is never a candidate.
        bias: [V].
        targets: [n] item numbers, none of them in its sequence of `seen`.
        seen: [n] item numbers that are no candidates.
        taught: what teachers say of the same n prefixes.
        share: of the teachers in what is to be learned, 0 to 1.

    Returns:
        A scalar that can be differentiated once.
    """
    loss: Tensor = _ChunkedSoftmax.apply(  # pyright: ignore[reportAssignmentType]
        states, vectors, bias, targets, seen, taught, share
    )
    return loss


def _in_tiles(product: Taught, chunk: int, width: int, dtype: torch.dtype) -> Taught:
    """States in whole chunks, items in whole tiles; neither the padding nor what fills up is a candidate."""
    states, n_more = product.states.to(dtype), width - len(product.vectors)
    bias = F.pad(product.bias.to(dtype), (0, n_more), value=_lowest_logit(dtype))
    bias[0] = _lowest_logit(dtype)
    return Taught(
        F.pad(states, (0, 0, 0, _rounded_up(len(states), chunk) - len(states))),
        F.pad(product.vectors.to(dtype), (0, 0, 0, n_more)),
        bias,
    )


def _shares(product: Taught, rows: slice, gone: Tensor, logits: Tensor, out: Tensor) -> None:
    """Writes [chunk, width] the logits of some rows, those at the flat places `gone` the lowest, and their
    softmax."""
    torch.mm(product.states[rows], product.vectors.T, out=logits).add_(product.bias)
    logits.view(-1).index_fill_(0, gone, _lowest_logit(logits.dtype))
    torch.softmax(logits, 1, out=out)


def _lowest_logit(dtype: torch.dtype) -> float:
    """A logit whose share is 0, and so is its product with a share of 0, which −∞ would make NaN."""
    return torch.finfo(dtype).min / 2


def _rounded_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _places(seen: Histories, width: int, device: torch.device) -> Tensor:
    """[all of seen] where each seen item is in the flat [n, width] logits."""
    return torch.from_numpy(np.asarray(seen.rows * width + seen.items)).to(device)
