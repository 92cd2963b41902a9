"""Fusion: what items are said to be against who people are, R = Vᵀ W U.

V are the items' texts, U the people: a profile and the pooled texts of what they touched. The bilinear
map W is learned as a product of two thin matrices, W = Qᵀ P: the item's vector is Q v, the state is P u.
With ids switched on an item's vector is the sum of both, as in every ranker here.
"""

from torch import Tensor, nn

from recsys_core.ranker.neural import ItemVectors
from recsys_core.ranker.profile import ProfileColumns, ProfileRanker


class FusionRanker(ProfileRanker):
    """Scores of all items given a history; see the module's first lines."""

    def __init__(
        self,
        n_items: int,
        embedding_size: int,
        max_length: int,
        dropout: float,
        profile: ProfileColumns,
        text_vectors: Tensor | None = None,
        use_id: bool = False,
    ) -> None:
        vectors = ItemVectors(n_items, embedding_size, text_vectors, use_id)
        super().__init__(vectors, n_items, max_length, profile, dropout)
        self.bilinear = nn.Linear(self.person_size(embedding_size, profile), embedding_size, bias=False)

    def state(self, person: Tensor) -> Tensor:
        return self.bilinear(person)
