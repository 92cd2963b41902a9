"""Softmax attention with an additive bias that is learned, written for many short sequences on a CPU.

Shapes: B sequences, h heads, L positions, e size of a head.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

QUERIES_AT_ONCE = 32
LEARNING_QUERIES_AT_ONCE = 64


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, real: Tensor | None = None) -> Tensor:
    """[B, h, L, e] the values, mixed by softmax(query · key / √e + bias).

    Args:
        query: [B, h, L, e].
        key: [B, h, L, e].
        value: [B, h, L, e].
        bias: [h, L, L] or [1, L, L], −∞ where a position may not look; every row must leave one place.
        real: [B, L] false for places that nobody looks at; every sequence must have a real one. None
            where the bias hides them.

    Returns:
        What `torch.nn.functional.scaled_dot_product_attention` returns. On the CPU that function leaves
        its fast path as soon as the bias is to be learned.
    """
    if query.device.type != "cpu" or not torch.is_grad_enabled():
        return F.scaled_dot_product_attention(query, key, value, _hiding(bias[None], real))
    mixed: Tensor = _BiasedAttention.apply(query * query.shape[-1] ** -0.5, key, value, bias, real)  # pyright: ignore[reportAssignmentType]
    return mixed


def attend_to_past(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """What `attend` returns for a bias that is −∞ towards every position's future.

    A few queries at a time meet only the keys of their past.
    """
    if query.device.type != "cpu":
        return attend(query, key, value, bias)
    if torch.is_grad_enabled():
        mixed: Tensor = _AttentionToPast.apply(query * query.shape[-1] ** -0.5, key, value, bias)  # pyright: ignore[reportAssignmentType]
        return mixed
    places_first = torch.empty_like(query.transpose(1, 2), memory_format=torch.contiguous_format)
    mixed = places_first.transpose(1, 2)  # in the order of memory that whoever joins the heads needs
    for start in range(0, query.shape[2], QUERIES_AT_ONCE):
        some, known = slice(start, start + QUERIES_AT_ONCE), slice(start + QUERIES_AT_ONCE)
        mixed[:, :, some] = F.scaled_dot_product_attention(
            query[:, :, some], key[:, :, known], value[:, :, known], bias[None, :, some, known]
        )
    return mixed


def _hiding(logits: Tensor, real: Tensor | None) -> Tensor:
    """[B, h, L, L] the logits with −∞ towards places that aren't real."""
    return logits if real is None else logits.masked_fill(~real[:, None, None], -torch.inf)


class _BiasedAttention(torch.autograd.Function):
    """Keeps the attention itself and nothing else of its size for the way back."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, real: Tensor | None
    ) -> Tensor:
        shape = query.shape
        query, key, value = (x.reshape(-1, *shape[2:]) for x in (query, key, value))  # [B·h, L, e]
        logits = torch.bmm(query, key.transpose(1, 2))
        by_head = logits.view(shape[0], shape[1], *logits.shape[1:]).add_(bias)
        if real is not None:
            by_head.masked_fill_(~real[:, None, None], -torch.inf)
        attention = torch.softmax(logits, -1)
        mixed = torch.bmm(attention, value)
        ctx.save_for_backward(query, key, value, attention, mixed)
        ctx.bias_heads = bias.shape[0]
        return mixed.view(shape)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        query, key, value, attention, mixed = ctx.saved_tensors
        shape = grad_outputs[0].shape
        grad = grad_outputs[0].reshape(-1, *shape[2:])
        grad_value = torch.bmm(attention.transpose(1, 2), grad)
        grad_logits = torch.bmm(grad, value.transpose(1, 2))
        grad_logits.sub_((grad * mixed).sum(-1, keepdim=True)).mul_(attention)
        grad_query = torch.bmm(grad_logits, key)
        grad_key = torch.bmm(grad_logits.transpose(1, 2), query)
        grad_bias = None
        if ctx.needs_input_grad[3]:
            heads = (-1, ctx.bias_heads, *grad_logits.shape[1:])
            grad_bias = grad_logits.view(heads).sum(0)
        return grad_query.view(shape), grad_key.view(shape), grad_value.view(shape), grad_bias, None


class _AttentionToPast(torch.autograd.Function):
    """As `_BiasedAttention`, some queries after the other: what is in their future isn't worked out."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        n, n_heads, length, size = query.shape
        query, key, value = (x.reshape(-1, length, size) for x in (query, key, value))  # [B·h, L, e]
        mixed, parts = torch.empty_like(value), list[Tensor]()
        for start, stop in _chunks(length):
            logits = torch.bmm(query[:, start:stop], key[:, :stop].transpose(1, 2))
            logits.view(n, n_heads, stop - start, stop).add_(bias[:, start:stop, :stop])
            parts.append(torch.softmax(logits, -1))
            mixed[:, start:stop] = torch.bmm(parts[-1], value[:, :stop])
        ctx.save_for_backward(query, key, value, mixed, *parts)
        ctx.bias_heads = bias.shape[0]
        return mixed.view(n, n_heads, length, size)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        query, key, value, mixed, *parts = ctx.saved_tensors
        shape, length = grad_outputs[0].shape, grad_outputs[0].shape[2]
        grad = grad_outputs[0].reshape(query.shape)
        own = (grad * mixed).sum(-1, keepdim=True)
        grad_query, grad_key, grad_value = (
            torch.empty_like(query),
            torch.zeros_like(key),
            torch.zeros_like(value),
        )
        grad_bias = query.new_zeros(ctx.bias_heads, length, length) if ctx.needs_input_grad[3] else None
        for attention, (start, stop) in zip(parts, _chunks(length), strict=True):
            of_chunk = grad[:, start:stop]
            grad_value[:, :stop] += torch.bmm(attention.transpose(1, 2), of_chunk)
            grad_logits = torch.bmm(of_chunk, value[:, :stop].transpose(1, 2))
            grad_logits.sub_(own[:, start:stop]).mul_(attention)
            grad_query[:, start:stop] = torch.bmm(grad_logits, key[:, :stop])
            grad_key[:, :stop] += torch.bmm(grad_logits.transpose(1, 2), query[:, start:stop])
            if grad_bias is not None:
                by_head = grad_logits.view(-1, ctx.bias_heads, stop - start, stop)
                grad_bias[:, start:stop, :stop] = by_head.sum(0)
        return grad_query.view(shape), grad_key.view(shape), grad_value.view(shape), grad_bias


def _chunks(length: int) -> list[tuple[int, int]]:
    """Where some queries begin and end."""
    step = LEARNING_QUERIES_AT_ONCE
    return [(start, min(start + step, length)) for start in range(0, length, step)]
