"""x plus what a layer makes of something, added up in the memory of the sum.

Where a CPU ranks in float32, a third of a block's time went into what lies between: the bias copied ahead
of each product, the product, and its sum with x. Here x plus the bias is the sum's memory, products are
added to it, and a wide hidden layer is made some rows at a time, in the cache. Everywhere else these are
the plain sums: autograd needs what lies between, and bfloat16 would be rounded with each product.

Shapes: … any, d size of a vector, w width of a hidden layer.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROWS_AT_ONCE = 1024  # of the hidden layer: 1 MB at a width of 256


def adds_in_place(x: Tensor, layer: nn.Module) -> bool:
    """Whether what the layer gives is added in place: without gradients and noise, on a CPU, in float32."""
    recorded = torch.is_grad_enabled() or layer.training
    return (
        not recorded
        and x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and x.dtype == torch.float32
    )


def with_bias(x: Tensor, layer: nn.Linear) -> Tensor:
    """[…, d] x plus the bias of a layer, in memory of its own that can be looked at as rows."""
    return (x + layer.bias).contiguous()


def add_linear(x: Tensor, inner: Tensor, layer: nn.Linear, dropout: nn.Module) -> Tensor:
    """[…, d] x + dropout(layer(inner)).

    Args:
        x: […, d].
        inner: […, w].
        layer: from w to d.
        dropout: of training.
    """
    if not adds_in_place(x, layer):
        return x + dropout(layer(inner))
    total = with_bias(x, layer)
    total.view(-1, layer.out_features).addmm_(inner.reshape(-1, layer.in_features), layer.weight.T)
    return total


def add_feed_forward(
    x: Tensor, inner: Tensor, widening: nn.Linear, narrowing: nn.Linear, dropout: nn.Module
) -> Tensor:
    """[…, d] x + dropout(narrowing(GELU(widening(inner)))).

    Args:
        x: […, d].
        inner: […, d].
        widening: from d to w.
        narrowing: from w to d.
        dropout: of training.
    """
    if not adds_in_place(x, narrowing):
        return x + dropout(narrowing(F.gelu(widening(inner))))
    total = with_bias(x, narrowing)
    sums_of, rows_of = total.view(-1, x.shape[-1]), inner.reshape(-1, x.shape[-1])
    for sums, rows in zip(sums_of.split(ROWS_AT_ONCE), rows_of.split(ROWS_AT_ONCE), strict=True):
        sums.addmm_(F.gelu(widening(rows)), narrowing.weight.T)
    return total
