"""Blocks of a transformer: from the vectors of a history to vectors that know of one another.

Shapes: B people, L history items, d embedding_size, h heads, e = d / h.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_core.ranker.attention import attend, attend_to_past
from recsys_core.ranker.convolution import Convolution
from recsys_core.ranker.neural import HistoryBatch
from recsys_core.ranker.noise import Dropout
from recsys_core.ranker.residual import add_feed_forward, add_linear

BlockName = Literal["sasrec", "ligr", "hstu"]

N_TIME_BUCKETS = 72  # 0 is an unknown time; the last begins at about 50 years
TIME_BUCKET_RATIO = 0.301  # in natural logarithms: each bucket ends 35 % later than the one before


class AttentionBlock(nn.Module):
    """What softmax blocks have in common: a convolution over neighbours, then self-attention.

    Args:
        embedding_size: d.
        n_heads: h.
        max_length: the longest L.
        dropout: share of values left out in training.
        both_ways: each place knows what comes after it, too. Then padding has to be hidden.
    """

    def __init__(
        self, embedding_size: int, n_heads: int, max_length: int, dropout: float, both_ways: bool = False
    ) -> None:
        super().__init__()
        self.n_heads, self.both_ways = n_heads, both_ways
        self.convolution = Convolution(embedding_size, dropout, both_ways)
        self.attention_norm = nn.LayerNorm(embedding_size)
        self.query_key_value = nn.Linear(embedding_size, 3 * embedding_size)
        self.output = nn.Linear(embedding_size, embedding_size)
        self.relative_bias = nn.Parameter(
            torch.zeros(n_heads, 2 * max_length - 1 if both_ways else max_length)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, batch: HistoryBatch) -> Tensor:
        """[B, L, d] → [B, L, d]; position i knows positions up to i, or all of its history."""
        real = self._real(x, batch)
        x = self.convolution(x, real)
        return self.rest(x, self._mixed(x, real))

    def last(self, x: Tensor, batch: HistoryBatch) -> Tensor:
        """[B, d] what `forward` gives at the last real position of each row of x [B, L, d]."""
        real, places = self._real(x, batch), last_places(batch)
        x = self.convolution(x, real)
        return self.rest(x[places], self._mixed_at(x, places[1]))

    def attention(self, normed: Tensor) -> Tensor:
        """[B, h, L, L] how much each place of whole histories takes from each other, for people to see.

        Args:
            normed: [B, L, d] what `attention_norm` gave, without padding.
        """
        n, length, _ = normed.shape
        heads = self.query_key_value(normed).view(n, length, 3, self.n_heads, -1)
        query, key, _ = heads.permute(2, 0, 3, 1, 4)  # each [B, h, L, e]
        logits = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        return (logits + self._bias(length, logits.dtype)).softmax(-1)

    def rest(self, x: Tensor, mixed: Tensor) -> Tensor:
        """[…, d] how what attention mixed […, d] joins x, and what follows, each place by itself."""
        raise NotImplementedError

    def _real(self, x: Tensor, batch: HistoryBatch) -> Tensor | None:
        """[B, L] what is no padding; None where nothing looks there anyway."""
        return torch.arange(x.shape[1], device=x.device) < batch.lengths[:, None] if self.both_ways else None

    def _mixed(self, x: Tensor, real: Tensor | None) -> Tensor:
        """[B, L, d] what each place takes from those that it knows, the heads side by side."""
        n, length, size = x.shape
        normed = self.attention_norm(x)
        heads = self.query_key_value(normed).view(n, length, 3, self.n_heads, size // self.n_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each [B, h, L, e]
        bias = self._bias(length, query.dtype)
        if real is None:
            mixed = attend_to_past(query, key, value, bias)
        else:
            mixed = attend(query, key, value, bias, real)
        return mixed.transpose(1, 2).reshape(n, length, size)

    def _mixed_at(self, x: Tensor, last: Tensor) -> Tensor:
        """[B, d] what the last real place takes, where nothing real comes after it.

        A single query needs no keys and values of its own: with k = W x it holds that q · k = (Wᵀq) · x,
        and Σ a V x = V Σ a x, so both matrices meet one vector a head instead of L. (What the keys' bias
        would add is the same at every position and changes nothing in a softmax.)
        """
        n, length, size = x.shape
        normed = self.attention_norm(x)
        weights = self.query_key_value.weight.view(3, self.n_heads, -1, size)  # [3, h, e, d]
        biases = self.query_key_value.bias.view(3, self.n_heads, -1)
        row = torch.arange(n, device=x.device)
        query = torch.einsum("bd,hed->bhe", normed[row, last], weights[0]) + biases[0]
        query = torch.einsum("bhe,hed->bhd", query * query.shape[-1] ** -0.5, weights[1])
        logits = torch.bmm(query.to(x.dtype), normed.transpose(1, 2)) + self._bias_from(last, length)
        mixed = torch.bmm(torch.softmax(logits, -1).to(x.dtype), normed)  # [B, h, d]
        mixed = torch.einsum("bhd,hed->bhe", mixed, weights[2]) + biases[2]
        return mixed.reshape(n, size)

    def _bias(self, length: int, dtype: torch.dtype) -> Tensor:
        """[h, L, L] bias by distance; −∞ towards the future, unless both ways are open."""
        first = self.relative_bias.shape[1] // 2 if self.both_ways else 0
        by_distance = self.relative_bias[:, max(0, first - length + 1) : first + length].to(dtype)
        if not self.both_ways:
            by_distance = F.pad(by_distance, (length - 1, 0), value=-torch.inf)
        return by_distance.unfold(1, length, 1).flip(2)  # row i: distances from i down to i − L + 1

    def _bias_from(self, last: Tensor, length: int) -> Tensor:
        """[B, h, L] bias by distance from a position of each row, −∞ towards its future."""
        distance = last[:, None] - torch.arange(length, device=last.device)  # [B, L]
        first = self.relative_bias.shape[1] // 2 if self.both_ways else 0
        bias = self.relative_bias[:, first + distance.clamp(min=0)].transpose(0, 1)
        return bias.masked_fill((distance < 0)[:, None], -torch.inf)


class SasrecBlock(AttentionBlock):
    """Attention and a feed-forward layer, each added to what came in (Kang & McAuley, ICDM 2018)."""

    def __init__(
        self, embedding_size: int, n_heads: int, max_length: int, dropout: float, both_ways: bool = False
    ) -> None:
        super().__init__(embedding_size, n_heads, max_length, dropout, both_ways)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(embedding_size),
            nn.Linear(embedding_size, 4 * embedding_size),
            nn.GELU(),
            nn.Linear(4 * embedding_size, embedding_size),
            Dropout(dropout),
        )

    def rest(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = add_linear(x, mixed, self.output, self.dropout)
        norm, widening, _, narrowing, dropout = self.feed_forward
        return add_feed_forward(x, norm(x), widening, narrowing, dropout)  # pyright: ignore[reportArgumentType]


class LigrBlock(AttentionBlock):
    """Attention and a SwiGLU layer, each added through a gate that looks at what came in.

    Source: LiGR (Borisyuk et al., 2025), in the form that eSASRec uses (Tikhonovich et al., RecSys 2025);
    SwiGLU: Shazeer, 2020, narrower by a third, so that it has as many weights as a plain layer.
    """

    def __init__(
        self, embedding_size: int, n_heads: int, max_length: int, dropout: float, both_ways: bool = False
    ) -> None:
        super().__init__(embedding_size, n_heads, max_length, dropout, both_ways)
        self.attention_gate = nn.Linear(embedding_size, embedding_size)
        self.feed_forward_norm = nn.LayerNorm(embedding_size)
        width = 8 * embedding_size // 3
        self.gate_and_value = nn.Linear(embedding_size, 2 * width)
        self.narrowing = nn.Linear(width, embedding_size)
        self.feed_forward_gate = nn.Linear(embedding_size, embedding_size)

    def rest(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + torch.sigmoid(self.attention_gate(x)) * self.dropout(self.output(mixed))
        gate, value = self.gate_and_value(self.feed_forward_norm(x)).chunk(2, -1)
        inner = self.dropout(self.narrowing(F.silu(gate) * value))
        return x + torch.sigmoid(self.feed_forward_gate(x)) * inner


class HstuBlock(nn.Module):
    """Pointwise attention: each earlier item counts by itself, SiLU(query · key + bias), without a softmax.

    The bias knows how many places and, where times are known, how much time lies between two items.
    What was mixed is normalised and gated by the place's own vector; there is no feed-forward layer.
    The mean over earlier places stands where the paper divides by the longest length: the norm behind
    it takes any factor out again, and short histories don't vanish in its ε.

    Source: HSTU (Zhai et al., ICML 2024), equations 1 to 3 and the buckets of its relative time bias.
    """

    def __init__(
        self, embedding_size: int, n_heads: int, max_length: int, dropout: float, reads_time: bool = False
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.input_norm = nn.LayerNorm(embedding_size)
        self.gate_value_query_key = nn.Linear(embedding_size, 4 * embedding_size)
        self.relative_bias = nn.Parameter(torch.zeros(n_heads, max_length))
        self.time_bias = nn.Parameter(torch.zeros(N_TIME_BUCKETS, n_heads)) if reads_time else None
        self.mixed_norm = nn.LayerNorm(embedding_size, elementwise_affine=False)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(embedding_size, embedding_size)

    def forward(self, x: Tensor, batch: HistoryBatch) -> Tensor:
        """[B, L, d] → [B, L, d]; position i knows positions up to i."""
        n, length, size = x.shape
        gate, *others = F.silu(self.gate_value_query_key(self.input_norm(x))).chunk(4, -1)
        value, query, key = (
            part.reshape(n, length, self.n_heads, -1).transpose(1, 2) for part in others
        )  # each [B, h, L, e]
        distance = distances(length, x.device)
        logits = query @ key.transpose(-1, -2) + self.relative_bias[:, distance.clamp(min=0)].to(x.dtype)
        if self.time_bias is not None and batch.timestamps_s is not None:
            by_time = F.embedding(time_buckets(batch.timestamps_s), self.time_bias)  # [B, L, L, h]
            logits = logits + by_time.permute(0, 3, 1, 2).to(x.dtype)
        earlier = (distance >= 0) / (distance[:, :1] + 1)  # [L, L] rows sum to 1
        mixed = (F.silu(logits) * earlier.to(logits.dtype)) @ value
        mixed = self.mixed_norm(mixed.transpose(1, 2).reshape(n, length, size))
        return x + self.output(self.dropout(mixed * gate))

    def last(self, x: Tensor, batch: HistoryBatch) -> Tensor:
        """[B, d] what `forward` gives at the last real position of each row of x [B, L, d]."""
        return self(x, batch)[last_places(batch)]


def last_places(batch: HistoryBatch) -> tuple[Tensor, Tensor]:
    """[B] rows and [B] where their last real items are; the first place of an empty history."""
    return torch.arange(len(batch.lengths), device=batch.lengths.device), (batch.lengths - 1).clamp(min=0)


def distances(length: int, device: torch.device) -> Tensor:
    """[L, L] how many places row i lies after column j; negative for the future."""
    place = torch.arange(length, device=device)
    return place[:, None] - place


def time_buckets(timestamps_s: Tensor) -> Tensor:
    """[B, L, L] the bucket of the time between two items: log |Δ| in steps of 0.301; 0 if one is unknown.

    Args:
        timestamps_s: [B, L] Unix seconds in double precision, NaN where unknown.
    """
    gap = (timestamps_s[:, :, None] - timestamps_s[:, None]).abs()
    bucket = 1 + (gap.clamp(min=1).log() / TIME_BUCKET_RATIO).floor()
    return bucket.nan_to_num(nan=0.0).clamp(max=N_TIME_BUCKETS - 1).long()


def new_block(
    name: BlockName, embedding_size: int, n_heads: int, max_length: int, dropout: float, reads_time: bool
) -> SasrecBlock | LigrBlock | HstuBlock:
    """A causal block of the kind that is named; "hstu" has a bias by time where times are read."""
    match name:
        case "sasrec":
            return SasrecBlock(embedding_size, n_heads, max_length, dropout)
        case "ligr":
            return LigrBlock(embedding_size, n_heads, max_length, dropout)
        case "hstu":
            return HstuBlock(embedding_size, n_heads, max_length, dropout, reads_time)
