"""First passes of an exact search: a few candidates for everybody, and what no other item can exceed.

A pass may compute its scores roughly, as long as it knows how far off they can be. Then the items it
leaves out are bounded from above, and whoever scores the candidates exactly can prove a list complete.

Shapes: B people, V = n_items + 1, d the size of a vector, w the number of candidates of each person.
"""

from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import torch
from torch import Tensor

FLOAT32_STEP = 2.0**-24  # relative error of rounding to float32
BFLOAT16_STEP = 2.0**-8  # of a bfloat16, and to spare
COLUMN_MULTIPLE = 256  # so that the columns can be divided by 16 twice
LARGEST_GROUP = 16
GROUPS_PER_CANDIDATE = 8
PADDED_SCORE = -1e30  # of the columns behind the last item: finite, so that no NaN comes of it
PLACE_BITS = 16  # of a sorting key, beside 16 bits of score


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidates of B people.

    Attributes:
        items: [B, w] item numbers in no order, none twice; 0 where nothing was left to select.
        ceiling: [B] no item that was left out has a higher score; float64.
    """

    items: Tensor
    ceiling: Tensor


@dataclass(frozen=True, slots=True)
class Seen:
    """Which items are no candidates: item `items[i]` of the person in row `rows[i]`; both int64."""

    rows: Tensor
    items: Tensor


class FirstPass(Protocol):
    """A way to select candidates."""

    @property
    def n_columns(self) -> int:
        """How many scores it computes for each person."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of these scores."""
        ...

    def can_select(self, width: int) -> bool:
        """Whether it can select so many candidates."""
        ...

    def select(self, states: Tensor, seen: Seen, width: int, scratch: Tensor) -> Selection:
        """The candidates of people with states [B, d] in float32.

        Args:
            states: what the items' vectors are multiplied with.
            seen: what is left out.
            width: number of candidates.
            scratch: space for B · n_columns scores, written over.
        """
        ...


@dataclass(frozen=True, slots=True)
class FullPrecision:
    """All scores in float32, and the best of each row.

    Attributes:
        vectors: [V, d] float32; row 0, the padding, is never a candidate.
        bias: [V] float32.
        reach: the largest norm of a vector.
        largest_bias: the largest |bias|.
    """

    vectors: Tensor
    bias: Tensor
    reach: float
    largest_bias: float

    @staticmethod
    def of(vectors: Tensor, bias: Tensor) -> "FullPrecision":
        return FullPrecision(vectors, bias, float(vectors[1:].norm(dim=1).max()), float(bias[1:].abs().max()))

    @property
    def n_columns(self) -> int:
        return len(self.vectors)

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def can_select(self, width: int) -> bool:
        return True

    def select(self, states: Tensor, seen: Seen, width: int, scratch: Tensor) -> Selection:
        scores = scratch[: len(states) * self.n_columns].view(len(states), -1)
        torch.addmm(self.bias, states, self.vectors.T, out=scores)
        scores[:, 0] = -torch.inf
        scores[seen.rows, seen.items] = -torch.inf
        values, items = scores.topk(min(width, self.n_columns), dim=1)
        steps = 2 * (self.vectors.shape[1] + 3) * FLOAT32_STEP
        size = states.double().norm(dim=1) * self.reach + self.largest_bias
        return Selection(items.where(values > -torch.inf, 0), values[:, -1].double() + steps * size)


@dataclass(frozen=True, slots=True)
class HalfPrecision:
    """All scores in bfloat16, which matrix units compute many times faster; needs them on the CPU.

    Vectors and biases are measured from their mean, which changes no person's order. Then whatever stands
    high on a list has a positive score, and positive bfloat16 numbers are in the order of their bits:
    maxima and sorting keys are made of small integers. Each level of the search keeps, for every
    person, the `width` best groups of items by the best score in each, until groups are single items.

    Attributes:
        columns: [n_columns, d + 2] centred items; the last two are the bias and its rounding error.
        centre: [d] the mean vector, float64. centre_bias: the mean bias.
        reach: the largest norm of a centred vector; reach_error: of what rounding took from one.
        largest_bias: the largest centred |bias|; bias_error: the largest that rounding took from one.
        full: bounds of the vectors as they are.
    """

    columns: Tensor
    centre: Tensor
    centre_bias: float
    reach: float
    reach_error: float
    largest_bias: float
    bias_error: float
    full: FullPrecision

    @staticmethod
    def of(full: FullPrecision) -> "HalfPrecision":
        centre, centre_bias = full.vectors[1:].mean(0), full.bias[1:].mean()
        vectors, bias = full.vectors - centre, full.bias - centre_bias
        vectors[0], bias[0] = 0, PADDED_SCORE
        rounded, high = vectors.bfloat16(), bias.bfloat16()
        low = (bias - high.float()).bfloat16()
        width = -(-len(vectors) // COLUMN_MULTIPLE) * COLUMN_MULTIPLE
        columns = torch.zeros(width, vectors.shape[1] + 2, dtype=torch.bfloat16)
        columns[:, -2] = PADDED_SCORE
        columns[: len(vectors)] = torch.cat([rounded, high[:, None], low[:, None]], dim=1)
        bias_error = (bias.double() - high.double() - low.double())[1:].abs().max()
        return HalfPrecision(
            columns=columns,
            centre=centre.double(),
            centre_bias=float(centre_bias),
            reach=float(vectors.norm(dim=1).max()),
            reach_error=float((vectors - rounded.float()).norm(dim=1).max()),
            largest_bias=float(bias[1:].abs().max()),
            bias_error=float(bias_error),
            full=full,
        )

    @staticmethod
    def is_fast_on(device: torch.device) -> bool:
        """Whether bfloat16 products are worth it there: only on processors with instructions for them."""
        capabilities = torch.cpu.get_capabilities()
        return device.type == "cpu" and any(
            capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16")
        )

    @property
    def n_columns(self) -> int:
        return len(self.columns)

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16

    def can_select(self, width: int) -> bool:
        return self._group_size(width) > 1 and width * LARGEST_GROUP < 2**PLACE_BITS

    def select(self, states: Tensor, seen: Seen, width: int, scratch: Tensor) -> Selection:
        n, group = len(states), self._group_size(width)
        rounded = states.bfloat16()
        queries = torch.cat([rounded, rounded.new_ones(n, 2)], dim=1)
        scores = scratch[: n * self.n_columns].view(-1, n)  # [n_columns, B]: fastest to compute so
        scores = torch.mm(self.columns, queries.T, out=scores).view(torch.int16)  # bits, as integers
        scores[seen.items, seen.rows] = -1
        large = scores.view(group, -1, n).amax(0)  # row j: items j, j + n_columns / group, …
        larger = large.view(group, -1, n).amax(0)
        keys = _largest_keys(larger.T.contiguous(), width)
        places = keys & (2**PLACE_BITS - 1)
        for level in (large, scores):
            members = len(level) // group * torch.arange(group)  # how far a group's items are apart
            inside = (places[:, None] + members[:, None]).reshape(n, -1)  # [B, group · w]
            keys = _largest_keys(level.T.gather(1, inside), width)
            places = inside.gather(1, keys & (2**PLACE_BITS - 1))
        lowest = (keys[:, 0] >> PLACE_BITS).to(torch.int16)
        items = places.where(places < len(self.full.vectors), 0)
        return Selection(items, self._ceiling(states, rounded, lowest))

    def _group_size(self, width: int) -> int:
        """Side of the groups at both levels, so that some 8 groups compete for each candidate's place."""
        side = isqrt(self.n_columns // (GROUPS_PER_CANDIDATE * width))
        return min(LARGEST_GROUP, 1 << max(side.bit_length() - 1, 0))

    def _ceiling(self, states: Tensor, rounded: Tensor, lowest: Tensor) -> Tensor:
        """[B] the highest exact score that can hide behind the lowest selected one, float64.

        |q·x − q̃·x̃| ≤ ‖q − q̃‖ ‖x‖ + ‖q̃‖ ‖x − x̃‖ (Cauchy–Schwarz), and then the rounding of sums in
        float32 and of the result to bfloat16.
        """
        exact = states.double()
        norm, rounded_norm = exact.norm(dim=1), rounded.double().norm(dim=1)
        lost = (exact - rounded.double()).norm(dim=1)
        steps = 2 * (self.columns.shape[1] + 3) * FLOAT32_STEP
        error = lost * self.reach + rounded_norm * self.reach_error + self.bias_error
        error += steps * (rounded_norm * (self.reach + self.reach_error) + norm * self.full.reach)
        error += steps * (self.largest_bias + self.full.largest_bias)
        score = lowest.view(torch.bfloat16).double() * (1 + BFLOAT16_STEP)
        ceiling = score + error + exact @ self.centre + self.centre_bias
        return ceiling.where(lowest > 0, torch.inf)  # bits of negative numbers are in no useful order


def _largest_keys(values: Tensor, n: int) -> Tensor:
    """[B, n] int64 keys of the n largest int16 values [B, m], m ≤ 65,536: value above, place below.

    The smallest comes first. NumPy's partition of integers runs many times faster than torch's topk.
    """
    keys = values.int() << PLACE_BITS | torch.arange(values.shape[1], dtype=torch.int32)
    keys.numpy().partition(values.shape[1] - n, axis=1)
    return keys[:, -n:].long()
