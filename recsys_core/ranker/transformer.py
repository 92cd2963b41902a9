"""The default ranker: causal self-attention over the history, items known by their id and their text.

It follows SASRec (Kang & McAuley, ICDM 2018), with three differences that were worth more than any
width or depth on MovieLens-1M: a learned bias by relative position instead of absolute positions, a
causal convolution of three items ahead of attention, and an output bias that starts at log popularity.
An event's type, strength and time and what was written at it join its item's vector where the data know
them and settings ask, and so does its place in the whole history, of which the window may be the end.

Shapes: B people, L history items, V = n_items + 1, d embedding_size, h heads, t text size.
"""

from torch import Tensor, nn

from recsys_core.errors import ConfigError
from recsys_core.ranker.blocks import BlockName, new_block
from recsys_core.ranker.events import ITEMS_ALONE, EventKinds, EventVectors, PlaceVectors
from recsys_core.ranker.neural import HistoryBatch, ItemVectors, NeuralRanker, in_working_precision
from recsys_core.ranker.noise import Dropout
from recsys_core.ranker.written import WrittenTexts


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
        block: BlockName = "sasrec",
    ) -> None:
        if embedding_size % n_heads:
            raise ConfigError(f"embedding_size ({embedding_size}) must be divisible by n_heads ({n_heads})")
        super().__init__(ItemVectors(n_items, embedding_size, text_vectors, use_id), n_items, max_length)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            new_block(block, embedding_size, n_heads, max_length, dropout, events.time)
            for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(embedding_size)
        self.event_vectors = EventVectors(embedding_size, events) if events.any else None
        self.reads_events = events.any
        self.place_vectors = PlaceVectors(embedding_size) if events.place else None

    def read_written(self, values: Tensor) -> None:
        self.written, self.reads_events = WrittenTexts(values, self.item_vectors.embedding_size), True

    def hidden(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        x = self._embedded(batch, vectors)
        for block in self.blocks:
            x = block(x, batch)
        return self.norm(x)

    def last_state(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        x = self._embedded(batch, vectors)
        for block in self.blocks[:-1]:
            x = block(x, batch)
        last: Tensor = self.blocks[-1].last(x, batch)  # pyright: ignore[reportCallIssue, reportAssignmentType]
        return self.norm(last) * (batch.lengths > 0)[:, None]

    def _embedded(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        x = self.history_embedding(batch.items, vectors)
        of_events = None if self.event_vectors is None else self.event_vectors(batch)
        x = x if of_events is None else x + of_events
        of_texts = None if self.written is None else self.written(batch)
        x = x if of_texts is None else x + of_texts
        x = x if self.place_vectors is None else x + self.place_vectors(batch)
        return self.dropout(in_working_precision(x))
