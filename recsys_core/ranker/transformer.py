"""The default ranker: causal self-attention over the history, items known by their id and their text.

It follows SASRec (Kang & McAuley, ICDM 2018), with three differences that were worth more than any
width or depth on MovieLens-1M: a learned bias by relative position instead of absolute positions, a
causal convolution of three items before attention, and an output bias that starts at log popularity.

Shapes: B people, L history items, V = n_items + 1, d embedding_size, h heads, t text size.
Histories are padded behind, so that under the causal mask no real item ever looks at padding.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.ranker.protocol import ScoreArray, ScoreKind

SCORING_BATCH = 256


class ItemVectors(nn.Module):
    """Vectors of all items: a learned one by id plus a projection of the item's text."""

    def __init__(self, n_items: int, embedding_size: int, text_vectors: Tensor | None, use_id: bool) -> None:
        super().__init__()
        self.id = nn.Embedding(n_items + 1, embedding_size) if use_id else None
        if self.id is not None:
            nn.init.normal_(self.id.weight, std=embedding_size**-0.5)
        self.text: Tensor | None
        self.register_buffer("text", text_vectors)  # [V, t] half precision, frozen
        self.projection = (
            nn.Linear(text_vectors.shape[1], embedding_size, bias=False) if text_vectors is not None else None
        )

    def forward(self) -> Tensor:
        """[V, d] one vector an item; row 0, "no item in particular", is the mean of the others."""
        vectors = self.id.weight if self.id is not None else torch.zeros((), device=self.device)
        if self.text is not None and self.projection is not None:
            vectors = vectors + self.projection(self.text.to(self.projection.weight.dtype))
        return torch.cat([vectors[1:].mean(0, keepdim=True), vectors[1:]])

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


class HistoryEmbedding(nn.Module):
    """Looks the items of histories up. A module of its own, because explanations start at its output."""

    def forward(self, history: Tensor, vectors: Tensor) -> Tensor:
        """[B, L, d] from item numbers [B, L] and item vectors [V, d]."""
        return F.embedding(history, vectors) * math.sqrt(vectors.shape[1])


class Block(nn.Module):
    """Convolution, self-attention and a feed-forward layer, each added to what came in."""

    def __init__(self, embedding_size: int, n_heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.attention_norm = nn.LayerNorm(embedding_size)
        self.convolution = nn.Parameter(torch.zeros(3, embedding_size))
        self.query_key_value = nn.Linear(embedding_size, 3 * embedding_size)
        self.output = nn.Linear(embedding_size, embedding_size)
        self.relative_bias = nn.Parameter(torch.zeros(n_heads, max_length))
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(embedding_size),
            nn.Linear(embedding_size, 4 * embedding_size),
            nn.GELU(),
            nn.Linear(4 * embedding_size, embedding_size),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, d] → [B, L, d]; position i knows positions up to i."""
        n, length, size = x.shape
        normed = self.attention_norm(x)
        normed = normed + self._convolved(normed)
        heads = self.query_key_value(normed).view(n, length, 3, self.n_heads, size // self.n_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each [B, h, L, d/h]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, self._mask(length, query.dtype), dropout)
        attended = self.output(mixed.transpose(1, 2).reshape(n, length, size))
        x = x + F.dropout(attended, self.dropout, self.training)
        return x + self.feed_forward(x)

    def _convolved(self, x: Tensor) -> Tensor:
        """[B, L, d] a learned mix of each item with the two before it."""
        before = F.pad(x, (0, 0, 2, 0))
        length = x.shape[1]
        return sum(
            (self.convolution[step] * before[:, 2 - step : 2 - step + length] for step in range(3)),
            start=torch.zeros_like(x),
        )

    def _mask(self, length: int, dtype: torch.dtype) -> Tensor:
        """[h, L, L] bias by distance, −∞ towards the future."""
        place = torch.arange(length, device=self.relative_bias.device)
        distance = place[:, None] - place
        bias = self.relative_bias[:, distance.clamp(min=0)]
        return bias.masked_fill(distance < 0, -torch.inf).to(dtype)


class TransformerRanker(nn.Module):
    """Scores of all items given a history; see the module's first lines."""

    score_kind: ScoreKind = "log-probability"

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
    ) -> None:
        super().__init__()
        if embedding_size % n_heads:
            raise ConfigError(f"embedding_size ({embedding_size}) must be divisible by n_heads ({n_heads})")
        if text_vectors is None and not use_id:
            raise ConfigError("an item needs its id or its text, and both are switched off")
        self.n_items, self.max_length = n_items, max_length
        self.item_vectors = ItemVectors(n_items, embedding_size, text_vectors, use_id)
        self.history_embedding = HistoryEmbedding()
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(embedding_size, n_heads, max_length, dropout) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(embedding_size)
        self.item_bias = nn.Parameter(torch.zeros(n_items + 1))

    def start_at_popularity(self, counts: Tensor) -> None:
        """Sets the output bias to log popularity, smoothed, so that training starts from there."""
        share = (counts + 1) / (counts + 1).sum()
        with torch.no_grad():
            self.item_bias.copy_(share.log() - share.log().mean())

    def hidden(self, history: Tensor, vectors: Tensor) -> Tensor:
        """[B, L, d] what the model makes of each prefix of histories [B, L], padded behind with 0."""
        x = self.dropout(self.history_embedding(history, vectors))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def last_logits(self, history: Tensor, lengths: Tensor) -> Tensor:
        """[B, V] logits of what comes after each history; after an empty one, the popularity bias."""
        vectors = self.item_vectors()
        hidden = self.hidden(history, vectors)  # [B, L, d]
        last = hidden[torch.arange(len(history), device=history.device), (lengths - 1).clamp(min=0)]
        last = last * (lengths > 0)[:, None]
        return self.logits(last, vectors)

    def logits(self, hidden: Tensor, vectors: Tensor) -> Tensor:
        """[..., V] scores of all items after states [..., d]."""
        return F.linear(hidden, vectors, self.item_bias)

    @torch.inference_mode()
    def score(self, histories: Histories) -> ScoreArray:
        """[len(histories), V] logits, computed in batches of similar length."""
        self.eval()
        device = self.item_bias.device
        scores = np.zeros((len(histories), self.n_items + 1), dtype=np.float32)
        order = np.argsort(histories.lengths, kind="stable")
        for start in range(0, len(order), SCORING_BATCH):
            rows = order[start : start + SCORING_BATCH]
            batch = histories.take(rows)
            padded = batch.padded(self.max_length)
            padded = padded if padded.shape[1] else np.zeros((len(rows), 1), dtype=np.int64)
            lengths = np.minimum(batch.lengths, self.max_length)
            logits = self.last_logits(
                torch.from_numpy(padded).to(device), torch.from_numpy(lengths).to(device)
            )
            scores[rows] = logits.float().cpu().numpy()
        return scores

    def tensors(self) -> dict[str, Tensor]:
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
