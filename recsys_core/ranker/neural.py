"""What neural rankers share: items as vectors, a person as a state, and a score for each pair.

A ranker of this kind says how a history becomes a state (`hidden` or `last_state`); scoring, training,
explaining and keeping are the same for all.

Shapes: B people, L history items, V = n_items + 1, d size of a vector, t size of a text vector.
Histories are padded behind, so that under a causal mask no real item ever looks at padding.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.ranker.protocol import ScoreArray, ScoreKind

SCORING_BATCH = 256


@dataclass(frozen=True, slots=True)
class HistoryBatch:
    """B histories as tensors.

    Attributes:
        items: [B, L] item numbers, oldest first, 0 behind shorter ones.
        lengths: [B] how many of them are real.
        timestamps_s: [B, L] when each was touched, Unix seconds in double precision, NaN where unknown;
            None where no time is to be used.
    """

    items: Tensor
    lengths: Tensor
    timestamps_s: Tensor | None = None

    @staticmethod
    def of(histories: Histories, max_length: int, device: torch.device) -> "HistoryBatch":
        """The last `max_length` items of each history; one place of padding where all are empty."""
        padded = histories.padded(max_length)
        padded = padded if padded.shape[1] else np.zeros((len(histories), 1), dtype=np.int64)
        lengths = np.minimum(histories.lengths, max_length)
        return HistoryBatch(torch.from_numpy(padded).to(device), torch.from_numpy(lengths).to(device))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a ranker is asked in training: after these states, which item comes?

    Attributes:
        states: [n, d].
        row: [n] the history of the batch that each state belongs to.
        length: [n] how many of its first items may be known, and so are no candidates.
        targets: [n] the item that came.
        known: [B, L] items that `row` and `length` speak of; None = those of the batch.
    """

    states: Tensor
    row: Tensor
    length: Tensor
    targets: Tensor
    known: Tensor | None = None


class ItemVectors(nn.Module):
    """Vectors of all items: a learned one by id plus a projection of the item's text."""

    def __init__(
        self, n_items: int, embedding_size: int, text_vectors: Tensor | None, use_id: bool = True
    ) -> None:
        super().__init__()
        if text_vectors is None and not use_id:
            raise ConfigError("an item needs its id or its text, and both are switched off")
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

    def forward(self, items: Tensor, vectors: Tensor) -> Tensor:
        """[B, L, d] from item numbers [B, L] and item vectors [V, d], with entries of about 1."""
        return F.embedding(items, vectors) * math.sqrt(vectors.shape[1])


class NeuralRanker(nn.Module):
    """Scores of all items: the product of a person's state and an item's vector, plus the item's bias."""

    score_kind: ScoreKind = "log-probability"

    def __init__(self, item_vectors: ItemVectors, n_items: int, max_length: int) -> None:
        super().__init__()
        self.n_items, self.max_length = n_items, max_length
        self.item_vectors = item_vectors
        self.history_embedding = HistoryEmbedding()
        self.item_bias = nn.Parameter(torch.zeros(n_items + 1))

    def hidden(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        """[B, L, d] the state after each prefix of each history, which knows nothing of what follows."""
        raise NotImplementedError

    def last_state(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        """[B, d] the state after each whole history; zeros after an empty one."""
        hidden = self.hidden(batch, vectors)
        last = hidden[torch.arange(len(hidden), device=hidden.device), (batch.lengths - 1).clamp(min=0)]
        return last * (batch.lengths > 0)[:, None]

    def predict(self, batch: HistoryBatch, targets: Tensor, vectors: Tensor) -> Prediction:
        """What the ranker is to learn from a batch: after each prefix, the item that came next.

        Args:
            batch: training windows without their last items.
            targets: [B, L] the next item at each place; 0 where there is none to learn.
            vectors: [V, d] the item vectors.
        """
        row, place = targets.nonzero(as_tuple=True)
        return Prediction(self.hidden(batch, vectors)[row, place], row, place + 1, targets[row, place])

    def logits(self, states: Tensor, vectors: Tensor, bias: Tensor) -> Tensor:
        """[n, m] the score of each of m items, given their vectors and biases, after each of n states."""
        return F.linear(states, vectors, bias)

    def own_logits(self, states: Tensor, vectors: Tensor, bias: Tensor) -> Tensor:
        """[n] the score of one item of its own, given its vector [n, d] and bias [n], after each state."""
        return (states * vectors).sum(-1) + bias

    def score(self, histories: Histories) -> ScoreArray:
        """[len(histories), V] logits, computed in batches of similar length; empty ones get the bias."""
        self.eval()
        scores = np.zeros((len(histories), self.n_items + 1), dtype=np.float32)
        order = np.argsort(histories.lengths, kind="stable")
        with torch.inference_mode():
            vectors = self.item_vectors()
            for start in range(0, len(order), SCORING_BATCH):
                rows = order[start : start + SCORING_BATCH]
                batch = HistoryBatch.of(histories.take(rows), self.max_length, vectors.device)
                states = self.last_state(batch, vectors)
                scores[rows] = self.logits(states, vectors, self.item_bias).float().cpu().numpy()
        return scores

    def start_at_popularity(self, counts: Tensor) -> None:
        """Sets the output bias to log popularity, smoothed, so that training starts from there."""
        share = (counts + 1) / (counts + 1).sum()
        with torch.no_grad():
            self.item_bias.copy_(share.log() - share.log().mean())

    def tensors(self) -> dict[str, Tensor]:
        """Everything that was learned, and the frozen text vectors."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}


def in_working_precision(x: Tensor) -> Tensor:
    """The same values in the precision of the autocast around, or as they are without one."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x
