"""Hybrid: matrix factorisation and a perceptron side by side (He et al., "Neural collaborative filtering",
WWW 2017), over the item's id and text and the person's profile.

A person has no vector of their own, because people who come after training must be served: theirs is made
of the pooled vectors of what they touched, and of their profile. The score is

    s(u, i) = pᵤ · qᵢ + w · relu(A u + B qᵢ) + bᵢ

with qᵢ the item's vector of id and text, u the person, pᵤ = P u. It isn't a plain product, so it is trained
against drawn items (see `trainer.drawn_softmax`) and scored a chunk of items at a time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_core.ranker.neural import ItemVectors
from recsys_core.ranker.profile import ProfileColumns, ProfileRanker

CHUNK_VALUES = 4_000_000  # of the hidden layer at once: 16 MB


class HybridRanker(ProfileRanker):
    """Scores of all items given a history; see the module's first lines."""

    is_product = False

    def __init__(
        self,
        n_items: int,
        embedding_size: int,
        max_length: int,
        dropout: float,
        profile: ProfileColumns,
        text_vectors: Tensor | None = None,
        use_id: bool = True,
    ) -> None:
        vectors = ItemVectors(n_items, embedding_size, text_vectors, use_id)
        super().__init__(vectors, n_items, max_length, profile, dropout)
        size = self.person_size(embedding_size, profile)
        self.factors = nn.Linear(size, embedding_size)
        self.person_layer = nn.Linear(size, embedding_size)
        self.item_layer = nn.Linear(embedding_size, embedding_size, bias=False)
        self.output = nn.Parameter(torch.zeros(embedding_size))

    def state(self, person: Tensor) -> Tensor:
        """[…, 2 d] the person's factors, then their side of the perceptron's hidden layer."""
        return torch.cat([self.factors(person), self.person_layer(person)], -1)

    def state_of_nobody(self, like: Tensor) -> Tensor:
        """[B, 2 d] no factors, and a hidden layer that nothing passes."""
        factors, of_person = like.chunk(2, -1)
        return torch.cat([torch.zeros_like(factors), torch.full_like(of_person, -torch.inf)], -1)

    def logits(self, states: Tensor, vectors: Tensor, bias: Tensor) -> Tensor:
        factors, of_person = states.chunk(2, -1)
        chunk = max(1, CHUNK_VALUES // max(1, of_person.numel()))
        parts = [self._perceptron(of_person[:, None], items) for items in vectors.split(chunk)]
        product = F.linear(factors, vectors.to(factors.dtype), bias.to(factors.dtype))
        return product + torch.cat(parts, 1)

    def own_logits(self, states: Tensor, vectors: Tensor, bias: Tensor) -> Tensor:
        factors, of_person = states.chunk(2, -1)
        return (factors * vectors).sum(-1) + bias + self._perceptron(of_person, vectors)

    def _perceptron(self, of_person: Tensor, vectors: Tensor) -> Tensor:
        hidden = (of_person + self.item_layer(vectors)).relu()
        return hidden @ self.output.to(hidden.dtype)
