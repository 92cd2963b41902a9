"""A history read in both directions: some of its items are hidden, and the others say which they were.

It follows BERT4Rec (Sun et al., CIKM 2019): to rank what comes next, a mask is put behind the history
and the model says what it hides. Positions, convolution and bias are those of `transformer`.

Shapes: B people, L history items, V = n_items + 1, d embedding_size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_core.errors import ConfigError
from recsys_core.ranker.blocks import SasrecBlock
from recsys_core.ranker.neural import (
    HistoryBatch,
    ItemVectors,
    NeuralRanker,
    Prediction,
    in_working_precision,
)
from recsys_core.ranker.noise import Dropout, noise_of_this_thread


class Bert4RecRanker(NeuralRanker):
    """Scores of all items given a history; see the module's first lines.

    Args:
        n_items: how many items it ranks.
        embedding_size: d.
        n_blocks: blocks, one on the other.
        n_heads: parallel attentions in a block.
        max_length: how many of the last items it reads, the mask not counted.
        dropout: share of values left out in training.
        mask_share: share of the items of a window that are hidden in training, above 0.
        text_vectors: [V, t] frozen vectors of the items' texts.
        use_id: items have a learned vector of their own.
    """

    def __init__(
        self,
        n_items: int,
        embedding_size: int,
        n_blocks: int,
        n_heads: int,
        max_length: int,
        dropout: float,
        mask_share: float,
        text_vectors: Tensor | None = None,
        use_id: bool = True,
    ) -> None:
        if embedding_size % n_heads:
            raise ConfigError(f"embedding_size ({embedding_size}) must be divisible by n_heads ({n_heads})")
        super().__init__(ItemVectors(n_items, embedding_size, text_vectors, use_id), n_items, max_length)
        self.mask_share = mask_share
        self.mask = nn.Parameter(torch.randn(embedding_size))
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            SasrecBlock(embedding_size, n_heads, max_length + 1, dropout, both_ways=True)
            for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(embedding_size)

    def last_state(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        """[B, d] what the history says of a masked item behind it; zeros after an empty one."""
        with_mask = HistoryBatch(F.pad(batch.items, (0, 1)), batch.lengths + 1)
        x = F.pad(self.history_embedding(batch.items, vectors), (0, 0, 0, 1))
        x = self._masked(x, _places(with_mask.items) == batch.lengths[:, None])
        for block in self.blocks[:-1]:
            x = block(x, with_mask)
        last: Tensor = self.blocks[-1].last(x, with_mask)  # pyright: ignore[reportCallIssue, reportAssignmentType]
        return self.norm(last) * (batch.lengths > 0)[:, None]

    def predict(self, batch: HistoryBatch, targets: Tensor, vectors: Tensor) -> Prediction:
        """The masked items of each window, its last item with them; the unmasked ones are known.

        All occurrences of an item in a window are masked together: an item that is still seen would leave
        the candidates and be no target.
        """
        window = _whole_windows(batch, targets)
        masked = draw_masks(window, self.mask_share)
        x = self.history_embedding(window.items, vectors)
        row, place = masked.nonzero(as_tuple=True)
        states = self.read(x, masked, window)[row, place]
        seen = (_places(window.items) < window.lengths[:, None]) & ~masked
        order = (~seen).to(torch.uint8).argsort(dim=1, stable=True)  # what is seen comes to the front
        known = window.items.gather(1, order)
        return Prediction(states, row, seen.sum(1)[row], window.items[row, place], known)

    def read(self, x: Tensor, masked: Tensor, batch: HistoryBatch) -> Tensor:
        """[B, L, d] the state of each place, from looked-up items and where they are masked."""
        x = self._masked(x, masked)
        for block in self.blocks:
            x = block(x, batch)
        return self.norm(x)

    def _masked(self, x: Tensor, masked: Tensor) -> Tensor:
        return self.dropout(in_working_precision(torch.where(masked[:, :, None], self.mask, x)))


def draw_masks(window: HistoryBatch, share: float) -> Tensor:
    """[B, L] which items are hidden: a share of all, at least the last one, each with all its occurrences.

    Drawn by the noise of this thread.
    """
    device, shape = window.items.device, tuple(window.items.shape)
    drawn = torch.from_numpy(noise_of_this_thread().random(shape) < share).to(device)
    place = _places(window.items)
    real = place < window.lengths[:, None]
    drawn &= real
    drawn |= ~drawn.any(1, keepdim=True) & (place == window.lengths[:, None] - 1)
    same = window.items[:, :, None] == window.items[:, None]  # [B, L, L]
    return (same & drawn[:, None]).any(2) & real


def _whole_windows(batch: HistoryBatch, targets: Tensor) -> HistoryBatch:
    """Windows with their last items; a last item that occurs before is no target and stays away."""
    rows = torch.arange(len(batch.items), device=batch.items.device)
    last = targets[rows, batch.lengths - 1]
    items = F.pad(batch.items, (0, 1))
    items[rows, batch.lengths] = last
    return HistoryBatch(items, batch.lengths + (last > 0))


def _places(items: Tensor) -> Tensor:
    """[L] 0, 1, …"""
    return torch.arange(items.shape[1], device=items.device)
