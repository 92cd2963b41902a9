"""What items close to each other in a history say together."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recsys_core.ranker.noise import Dropout
from recsys_core.ranker.residual import adds_in_place, with_bias

REACH = 2  # places before each item, and after it where both ways are open


class Convolution(nn.Module):
    """A learned map of each place's vector and those of its neighbours, as one layer of a block.

    Attention has to find out by many weights that two items came right after one another; here it is
    given. On MovieLens-1M full matrices in a layer of their own, added to what came in, did more than
    one weight a number inside of the attention layer (validation NDCG@10 after 8 epochs: .208 to .195).
    """

    def __init__(self, embedding_size: int, dropout: float, both_ways: bool = False) -> None:
        super().__init__()
        self.after = REACH if both_ways else 0
        self.norm = nn.LayerNorm(embedding_size)
        self.weight = nn.Linear((REACH + 1 + self.after) * embedding_size, embedding_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """[B, L, d] x plus what each place and its neighbours say together.

        Args:
            x: [B, L, d].
            real: [B, L] what is no padding; only needed where both ways are open.
        """
        normed = self.norm(x) if real is None else self.norm(x) * real[:, :, None]
        if not self.after and adds_in_place(x, self):
            return self._added_in_place(x, normed)
        return x + self.dropout(self._of_neighbours(normed))

    def _of_neighbours(self, normed: Tensor) -> Tensor:
        beside: Tensor = _Beside.apply(normed, self.after)  # pyright: ignore[reportAssignmentType]
        return self.weight(beside)

    def _added_in_place(self, x: Tensor, normed: Tensor) -> Tensor:
        """As `forward`, with a product a neighbour, all rows as one, and no neighbours side by side.

        The first places of a row have met the end of the row before, so theirs are worked out again.
        """
        total = with_bias(x, self.weight)
        sums, rows = total.view(-1, x.shape[-1]), normed.reshape(-1, x.shape[-1])
        for back, weight in zip(range(REACH, -1, -1), self.weight.weight.chunk(REACH + 1, 1), strict=True):
            sums[back:].addmm_(rows[: len(rows) - back], weight.T)
        total[:, :REACH] = x[:, :REACH] + self._of_neighbours(normed[:, :REACH])
        return total


class _Beside(torch.autograd.Function):
    """[B, L, n · d] each place's vector [B, L, d] behind those before it and ahead of those after it.

    Torch's own way back fills a tensor with zeros for each neighbour; here each is added where it belongs.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, after: int) -> Tensor:
        ctx.after = after
        around = F.pad(x, (0, 0, REACH, after))
        return torch.cat([around[:, step : step + x.shape[1]] for step in range(REACH + 1 + after)], -1)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor, None]:
        parts = grad_outputs[0].chunk(REACH + 1 + ctx.after, -1)
        length, gradient = grad_outputs[0].shape[1], parts[REACH].clone()
        for place, part in enumerate(parts):
            shift = place - REACH  # this part is of the neighbour so many places later
            if 0 < shift < length:
                gradient[:, shift:] += part[:, :-shift]
            elif 0 < -shift < length:
                gradient[:, :shift] += part[:, -shift:]
        return gradient, None
