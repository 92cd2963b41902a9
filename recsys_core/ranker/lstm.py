"""A recurrent network over the history: one step an item, a memory that carries on.

It follows GRU4Rec (Hidasi et al., ICLR 2016) with whole histories instead of sessions; LSTM by setting.

Shapes: B people, L history items, V = n_items + 1, d embedding_size.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from recsys_core.ranker.neural import HistoryBatch, ItemVectors, NeuralRanker
from recsys_core.ranker.noise import Dropout

CellName = Literal["lstm", "gru"]


class RecurrentRanker(NeuralRanker):
    """Scores of all items given a history; see the module's first lines.

    Args:
        n_items: how many items it ranks.
        embedding_size: d, of the vectors and of the memory.
        n_layers: networks, one on the other, each reading the one below.
        max_length: how many of the last items it reads.
        dropout: share of values left out in training.
        cell: what a step is made of.
        text_vectors: [V, t] frozen vectors of the items' texts.
        use_id: items have a learned vector of their own.
    """

    def __init__(
        self,
        n_items: int,
        embedding_size: int,
        n_layers: int,
        max_length: int,
        dropout: float,
        cell: CellName = "lstm",
        text_vectors: Tensor | None = None,
        use_id: bool = True,
    ) -> None:
        super().__init__(ItemVectors(n_items, embedding_size, text_vectors, use_id), n_items, max_length)
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            kind(embedding_size, embedding_size, batch_first=True) for _ in range(n_layers)
        )
        self.output = nn.Linear(embedding_size, embedding_size)
        self.norm = nn.LayerNorm(embedding_size)

    def hidden(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        x = self.dropout(self.history_embedding(batch.items, vectors).to(self.norm.weight.dtype))
        with torch.autocast(x.device.type, enabled=False):  # a step is too small to gain by half precision
            for layer in self.layers:
                x = self.dropout(layer(x)[0])
        return self.norm(self.output(x))
