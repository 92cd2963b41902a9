"""What neural rankers share: items as vectors, a person as a state, and a score for each pair.

A ranker of this kind says how a history becomes a state (`hidden` or `last_state`); scoring, training,
explaining and keeping are the same for all.

Shapes: B people, L history items, V = n_items + 1, d size of a vector, t size of a text vector.
Histories are padded behind, so that under a causal mask no real item ever looks at padding.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.data.events import EventContext
from recsys_core.errors import ConfigError
from recsys_core.ranker.protocol import ScoreArray, ScoreKind
from recsys_core.ranker.retrieval import ItemIndex
from recsys_core.ranker.threads import map_in_threads
from recsys_core.ranker.written import WrittenTexts

SCORING_BATCH = 512  # people whose scores are worked out together
ENCODING_TOKENS = (
    8192  # items of histories that are encoded together: twice 4,096 let two threads meet half as often
)
PARTS = "item_vectors.parts"
LENGTH_STEP = 8  # of encoded batches: oneDNN makes a kernel for each shape of a bfloat16 product


@dataclass(frozen=True, slots=True)
class HistoryBatch:
    """B histories as tensors; what isn't known of their events is None as a whole, or 0 or NaN in places.

    Attributes:
        items: [B, L] item numbers, oldest first, 0 behind shorter ones.
        lengths: [B] how many of them are real.
        event_types: [B, L] codes of the kinds of events; 0 = unknown.
        strengths: [B, L] NaN = unknown.
        timestamps_s: [B, L] Unix seconds, in double precision; NaN = unknown.
        dwell_s: [B, L] NaN = unknown.
        contexts: [B, L, c] codes of the context columns; 0 = unknown.
        texts: [B, L] numbers of what was written; 0 = nothing.
        request_s: [B, L] when the item after each place is asked for; only a ranker that is told the time
            of the request may read it.
        attributes: [B, a] codes of the people's attributes; 0 = unknown.
        n_before: [B] how many items of the whole history came before the first one; None = none did.
    """

    items: Tensor
    lengths: Tensor
    event_types: Tensor | None = None
    strengths: Tensor | None = None
    timestamps_s: Tensor | None = None
    dwell_s: Tensor | None = None
    contexts: Tensor | None = None
    texts: Tensor | None = None
    request_s: Tensor | None = None
    attributes: Tensor | None = None
    n_before: Tensor | None = None

    @staticmethod
    def of(histories: Histories, max_length: int, device: torch.device, multiple: int = 1) -> "HistoryBatch":
        """The last `max_length` items of each history; L is at least 1.

        It is a multiple of `multiple` as well, where no more than items is known and `max_length` allows it.
        """
        padded, context = histories.padded(max_length), histories.padded_context(max_length)
        lengths, request_s = np.minimum(histories.lengths, max_length), None
        if context is None or padded.shape[1] == 0:
            width = min(max_length, -(-max(1, padded.shape[1]) // multiple) * multiple)
            padded, context = np.pad(padded, ((0, 0), (0, width - padded.shape[1]))), None
        if context is not None and histories.askers is not None:
            after = context.timestamps_s[:, 1:]  # the next event is what was asked for
            request_s = np.pad(after, ((0, 0), (0, 1)), constant_values=np.nan)
            some = np.flatnonzero(lengths)
            request_s[some, lengths[some] - 1] = histories.askers.time_s[some]
        attributes = None if histories.askers is None else histories.askers.attributes
        n_before = histories.lengths - lengths + (0 if histories.n_before is None else histories.n_before)
        return HistoryBatch.of_arrays(padded, lengths, context, request_s, attributes, n_before, device)

    @staticmethod
    def of_arrays(
        items: IntArray,
        lengths: IntArray,
        context: EventContext | None,
        request_s: FloatArray | None,
        attributes: IntArray | None,
        n_before: IntArray | None,
        device: torch.device,
    ) -> "HistoryBatch":
        """Arrays of these shapes as tensors on a device."""
        beside = (
            [None] * 6
            if context is None
            else [
                context.types,
                context.strengths,
                context.timestamps_s,
                context.dwell_s,
                context.contexts,
                context.texts,
            ]
        )
        tensors = [
            None if array is None else torch.from_numpy(array).to(device)
            for array in (*beside, request_s, attributes, n_before)
        ]
        return HistoryBatch(
            torch.from_numpy(items).to(device), torch.from_numpy(lengths).to(device), *tensors
        )

    def repeated(self, items: Tensor) -> "HistoryBatch":
        """A batch of one with all that is known of it, and with other items [n, L] in n versions of it."""
        beside: dict[str, Tensor | None] = {
            name: None if tensor is None else tensor.expand(len(items), *tensor.shape[1:])
            for name, tensor in ((field.name, getattr(self, field.name)) for field in fields(self)[2:])
        }
        return HistoryBatch(items, self.lengths.expand(len(items)), **beside)


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
    """Vectors of all items: a learned one by id plus projections of the item's text and of its picture.

    Attributes:
        parts: how many rows, the padding's among the first of them, came in training and how many with each
            later addition. What is worked out part by part has the same bits however many parts follow.
    """

    def __init__(
        self, n_items: int, embedding_size: int, text_vectors: Tensor | None, use_id: bool = True
    ) -> None:
        super().__init__()
        if text_vectors is None and not use_id:
            raise ConfigError("an item needs its id or its text, and both are switched off")
        self.parts: tuple[int, ...] = (n_items + 1,)
        self.embedding_size = embedding_size
        self.id = nn.Embedding(n_items + 1, embedding_size) if use_id else None
        if self.id is not None:
            nn.init.normal_(self.id.weight, std=embedding_size**-0.5)
        self.text: Tensor | None
        self.register_buffer("text", text_vectors)  # [V, t] half precision, frozen
        self.projection = (
            nn.Linear(text_vectors.shape[1], embedding_size, bias=False) if text_vectors is not None else None
        )
        self.image: Tensor | None
        self.register_buffer("image", None)
        self.image_projection: nn.Linear | None = None

    def look_at(self, image_vectors: Tensor) -> None:
        """Adds the items' pictures [V, p] to what they are known by; 0 where an item has none."""
        self.image = image_vectors
        self.image_projection = nn.Linear(image_vectors.shape[1], self.embedding_size, bias=False)

    def forward(self) -> Tensor:
        """[V, d] one vector an item; row 0, "no item in particular", is the mean of the others."""
        vectors = self.id.weight if self.id is not None else torch.zeros((), device=self.device)
        if self.text is not None and self.projection is not None:
            vectors = vectors + self._by_part(self.projection, self.text.to(self.projection.weight.dtype))
        if self.image is not None and self.image_projection is not None:
            pictures = self.image.to(self.image_projection.weight.dtype)
            vectors = vectors + self._by_part(self.image_projection, pictures)
        return torch.cat([vectors[1:].mean(0, keepdim=True), vectors[1:]])

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def _by_part(self, layer: nn.Module, rows: Tensor) -> Tensor:
        """[V, …] of a layer; a product's last bits may depend on how many rows it has."""
        parts = [layer(part) for part in rows.split(self.parts)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]


class HistoryEmbedding(nn.Module):
    """Looks the items of histories up. A module of its own, because explanations start at its output."""

    def forward(self, items: Tensor, vectors: Tensor, traits: Tensor | None = None) -> Tensor:
        """[B, L, d] from item numbers [B, L] and item vectors [V, d], with entries of about 1.

        Traits [V, p] of the items, where a ranker reads any, come behind as they are: [B, L, d + p].
        """
        looked_up = F.embedding(items, vectors) * math.sqrt(vectors.shape[1])
        return looked_up if traits is None else torch.cat([looked_up, F.embedding(items, traits)], -1)


@dataclass(frozen=True, slots=True)
class _Frozen:
    """What scoring needs of the items, and the state of the weights that it was worked out from."""

    version: tuple[tuple[int, int], ...]
    vectors: Tensor  # [V, d]
    index: ItemIndex | None = None


class NeuralRanker(nn.Module):
    """Scores of all items: the product of a person's state and an item's vector, plus the item's bias."""

    score_kind: ScoreKind = "log-probability"
    reads_events: bool = False  # whether it looks at more than the items of a history
    is_product: bool = True  # whether `logits` is the plain product below

    def __init__(self, item_vectors: ItemVectors, n_items: int, max_length: int) -> None:
        super().__init__()
        self.n_items, self.max_length = n_items, max_length
        self.item_vectors = item_vectors
        self.history_embedding = HistoryEmbedding()
        self.item_bias = nn.Parameter(torch.zeros(n_items + 1))
        self.written: WrittenTexts | None = None
        self._worked_out: _Frozen | None = None

    def read_written(self, values: Tensor) -> None:
        """Adds what was written at events [n_texts + 1, w] to what the ranker reads of them.

        Raises:
            ConfigError: it reads items alone.
        """
        raise ConfigError("this ranker reads the items of a history and nothing that was written there")

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
        """[len(histories), V] logits; empty histories get the bias."""
        states, frozen = self.states(histories), self._frozen()
        scores = np.empty((len(histories), self.n_items + 1), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(states), SCORING_BATCH):
                rows, first = slice(start, start + SCORING_BATCH), 0
                for n in self.item_vectors.parts:
                    items = slice(first, first + n)
                    logits = self.logits(states[rows], frozen.vectors[items], self.item_bias[items])
                    scores[rows, items] = logits.float().cpu().numpy()
                    first += n
        return scores

    def states(self, histories: Histories, precision: torch.dtype = torch.float32) -> Tensor:
        """[n, d] everybody's state in float32, computed in `precision`, in batches of similar length."""
        self.eval()
        vectors = self._frozen().vectors
        histories = histories if self.reads_events else histories.bare()
        order = np.argsort(-histories.lengths, kind="stable")

        def encode(rows: IntArray) -> Tensor:
            batch = HistoryBatch.of(histories.take(rows), self.max_length, vectors.device, LENGTH_STEP)
            half = torch.autocast(vectors.device.type, precision, enabled=precision != torch.float32)
            with torch.inference_mode(), half:
                return self.last_state(batch, vectors).float()

        lengths = np.minimum(-(-histories.lengths // LENGTH_STEP) * LENGTH_STEP, self.max_length)
        groups = _groups(order, lengths)
        parts = map_in_threads(encode, groups) if vectors.device.type == "cpu" else list(map(encode, groups))
        return torch.cat(parts)[torch.from_numpy(np.argsort(order))] if parts else vectors[:0]

    def index(self) -> ItemIndex | None:
        """The items, to be searched with `states`; None for a ranker whose scores aren't plain products."""
        if type(self).logits is not NeuralRanker.logits:
            return None
        frozen = self._frozen()
        if frozen.index is None:
            frozen = self._worked_out = replace(frozen, index=ItemIndex(frozen.vectors, self.item_bias))
        return frozen.index

    def train(self, mode: bool = True) -> Self:
        """Goes into training, or out of it, as `eval`."""
        if mode:
            self._worked_out = None  # fused optimizers change weights without raising their versions
        return super().train(mode)

    def _frozen(self) -> "_Frozen":
        """The item vectors of the weights as they are; worked out again once a weight has changed."""
        weights = [*self.item_vectors.parameters(), *self.item_vectors.buffers(), self.item_bias]
        version = tuple((weight.data_ptr(), weight._version) for weight in weights)  # pyright: ignore[reportPrivateUsage]
        if self._worked_out is None or self._worked_out.version != version:
            with torch.no_grad():
                self._worked_out = _Frozen(version, self.item_vectors().float())
        return self._worked_out

    def start_at_popularity(self, counts: Tensor) -> None:
        """Sets the output bias to log popularity, smoothed, so that training starts from there."""
        share = (counts + 1) / (counts + 1).sum()
        with torch.no_grad():
            self.item_bias.copy_(share.log() - share.log().mean())

    def start_at_rating(self, rating: float) -> None:
        """Sets the output bias to the mean rating, so that training for ratings starts from there."""
        with torch.no_grad():
            self.item_bias.fill_(rating)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that was learned, the frozen text vectors, and the parts where items were added."""
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        parts = self.item_vectors.parts
        return kept if len(parts) == 1 else kept | {PARTS: torch.tensor(parts)}


def _groups(order: IntArray, lengths: IntArray) -> list[IntArray]:
    """People in `order`, the longest history first, in groups of about as many items."""
    groups, start = list[IntArray](), 0
    while start < len(order):
        size = max(1, ENCODING_TOKENS // max(1, int(lengths[order[start]])))
        groups.append(order[start : start + size])
        start += size
    return groups


def in_working_precision(x: Tensor) -> Tensor:
    """The same values in the precision of the autocast around, or as they are without one."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x
