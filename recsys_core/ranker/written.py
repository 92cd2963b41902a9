"""What people wrote at the events of their history (reviews, comments), as vectors that join the items'.

The text of an event is known with the event, so a history tells what its person wrote up to each place
and nothing of what they wrote later. Shapes: B people, L history items, d size of an item's vector, w numbers
that a text is known by.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from recsys_core.ranker.neural import HistoryBatch


class WrittenTexts(nn.Module):
    """A learned map from a text's numbers to the vector of its event; 0 at the start and for no text.

    Attributes:
        values: [n_texts + 1, w] half precision, frozen; row 0 is "nothing was written".
    """

    def __init__(self, values: Tensor, embedding_size: int) -> None:
        super().__init__()
        self.values: Tensor
        self.register_buffer("values", values)
        self.projection = nn.Linear(values.shape[1], embedding_size, bias=False)
        nn.init.zeros_(self.projection.weight)

    def forward(self, batch: "HistoryBatch") -> Tensor | None:
        """[B, L, d]; None where the batch knows of no text. Texts from after the training say nothing."""
        if batch.texts is None:
            return None
        known = torch.where(batch.texts < len(self.values), batch.texts, 0)
        return self.projection(F.embedding(known, self.values).to(self.projection.weight.dtype))
