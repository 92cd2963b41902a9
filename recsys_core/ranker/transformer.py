"""The default ranker: causal self-attention over the history, items known by their id and their text.

It follows SASRec (Kang & McAuley, ICDM 2018), with three differences that were worth more than any
width or depth on MovieLens-1M: a learned bias by relative position instead of absolute positions, a
causal convolution of three items ahead of attention, and an output bias that starts at log popularity.
An event's type, strength and time join its item's vector where the data know them and settings ask.

Shapes: B people, L history items, V = n_items + 1, d embedding_size, h heads, t text size.
"""

import torch
from torch import Tensor, nn

from recsys_core.errors import ConfigError
from recsys_core.ranker.attention import attend_to_past
from recsys_core.ranker.convolution import Convolution
from recsys_core.ranker.events import ITEMS_ALONE, EventKinds, EventVectors
from recsys_core.ranker.neural import HistoryBatch, ItemVectors, NeuralRanker, in_working_precision
from recsys_core.ranker.noise import Dropout


class Block(nn.Module):
    """Convolution, self-attention and a feed-forward layer, each added to what came in."""

    def __init__(self, embedding_size: int, n_heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.convolution = Convolution(embedding_size, dropout)
        self.attention_norm = nn.LayerNorm(embedding_size)
        self.query_key_value = nn.Linear(embedding_size, 3 * embedding_size)
        self.output = nn.Linear(embedding_size, embedding_size)
        self.relative_bias = nn.Parameter(torch.zeros(n_heads, max_length))
        self.dropout = Dropout(dropout)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(embedding_size),
            nn.Linear(embedding_size, 4 * embedding_size),
            nn.GELU(),
            nn.Linear(4 * embedding_size, embedding_size),
            Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, d] → [B, L, d]; position i knows positions up to i."""
        n, length, size = x.shape
        x = x + self.convolution(x)
        normed = self.attention_norm(x)
        heads = self.query_key_value(normed).view(n, length, 3, self.n_heads, size // self.n_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each [B, h, L, d/h]
        mixed = attend_to_past(query, key, value, self._bias(length, query.dtype))
        x = x + self.dropout(self.output(mixed.transpose(1, 2).reshape(n, length, size)))
        return x + self.feed_forward(x)

    def last(self, x: Tensor, lengths: Tensor) -> Tensor:
        """[B, d] what `forward` gives at the last real position of each row of x [B, L, d].

        A single query needs no keys and values of its own: with k = W x it holds that q · k = (Wᵀq) · x,
        and Σ a V x = V Σ a x, so both matrices meet one vector a head instead of L. (What the keys' bias
        would add is the same at every position and changes nothing in a softmax.)
        """
        n, length, size = x.shape
        x = x + self.convolution(x)
        normed = self.attention_norm(x)
        row, last = torch.arange(n, device=x.device), (lengths - 1).clamp(min=0)
        weights = self.query_key_value.weight.view(3, self.n_heads, -1, size)  # [3, h, d/h, d]
        biases = self.query_key_value.bias.view(3, self.n_heads, -1)
        query = torch.einsum("bd,hed->bhe", normed[row, last], weights[0]) + biases[0]
        query = torch.einsum("bhe,hed->bhd", query * query.shape[-1] ** -0.5, weights[1])
        logits = torch.bmm(query.to(x.dtype), normed.transpose(1, 2)) + self._bias_from(last, length)
        mixed = torch.bmm(torch.softmax(logits, -1).to(x.dtype), normed)  # [B, h, d]
        mixed = torch.einsum("bhd,hed->bhe", mixed, weights[2]) + biases[2]
        x = x[row, last] + self.dropout(self.output(mixed.reshape(n, size)))
        return x + self.feed_forward(x)

    def _bias(self, length: int, dtype: torch.dtype) -> Tensor:
        """[h, L, L] bias by distance, −∞ towards the future."""
        place = torch.arange(length, device=self.relative_bias.device)
        distance = place[:, None] - place
        bias = self.relative_bias[:, distance.clamp(min=0)]
        return bias.masked_fill(distance < 0, -torch.inf).to(dtype)

    def _bias_from(self, last: Tensor, length: int) -> Tensor:
        """[B, h, L] bias by distance from a position of each row, −∞ towards its future."""
        distance = last[:, None] - torch.arange(length, device=last.device)  # [B, L]
        bias = self.relative_bias[:, distance.clamp(min=0)].transpose(0, 1)
        return bias.masked_fill((distance < 0)[:, None], -torch.inf)


class TransformerRanker(NeuralRanker):
    """Scores of all items given a history; see the module's first lines."""

    def __init__(
        self,
        n_items: int,
        embedding_size: int,
        n_blocks: int,
        n_heads: int,
        max_length: int,
        dropout: float,
        text_vectors: Tensor | None = None,
        use_id: bool = True,
        events: EventKinds = ITEMS_ALONE,
    ) -> None:
        if embedding_size % n_heads:
            raise ConfigError(f"embedding_size ({embedding_size}) must be divisible by n_heads ({n_heads})")
        super().__init__(ItemVectors(n_items, embedding_size, text_vectors, use_id), n_items, max_length)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(embedding_size, n_heads, max_length, dropout) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(embedding_size)
        self.event_vectors = EventVectors(embedding_size, events) if events.any else None
        self.reads_events = events.any

    def hidden(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        x = self._embedded(batch, vectors)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def last_state(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        x = self._embedded(batch, vectors)
        for block in self.blocks[:-1]:
            x = block(x)
        last: Tensor = self.blocks[-1].last(x, batch.lengths)  # pyright: ignore[reportCallIssue, reportAssignmentType]
        return self.norm(last) * (batch.lengths > 0)[:, None]

    def _embedded(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        x = self.history_embedding(batch.items, vectors)
        of_events = None if self.event_vectors is None else self.event_vectors(batch)
        return self.dropout(in_working_precision(x if of_events is None else x + of_events))
