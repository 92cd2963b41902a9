"""A ranker and what is done with its lists, as one ranker: evaluated, audited and kept like any other."""

import json
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories
from recsys_core.ranker.inner import Inner, pack, text_of, text_tensor
from recsys_core.ranker.neighbours import WHOLE_HISTORY
from recsys_core.ranker.policy import Policy
from recsys_core.ranker.protocol import ScoreArray, ScoreKind
from recsys_core.ranker.rerank import NO_SETS, ItemFacts, ItemSets, Reranker, parse_reranking
from recsys_core.ranker.top_k import mask_seen, top_k


@dataclass(frozen=True, slots=True)
class RerankedRanker:
    """The scores of the inner ranker, dealt out anew: the place on the re-ranked list decides who gets which.

    A person keeps the same scores, so what is a log-probability stays normalised; only the items change
    places. Beyond the policy's length the inner ranker's order goes on.

    Attributes:
        inner: what ranks.
        policy: who gets which re-ranking.
        facts: what re-ranking knows of the items.
    """

    inner: Inner
    policy: Policy
    facts: ItemFacts

    @property
    def n_items(self) -> int:
        return self.inner.ranker.n_items

    @property
    def max_length(self) -> int:
        """The whole history: a person's own mix of categories is made of all of it."""
        return WHOLE_HISTORY

    @property
    def score_kind(self) -> ScoreKind:
        return self.inner.ranker.score_kind

    def score(self, histories: Histories) -> ScoreArray:
        scores = self.inner.ranker.score(histories)
        specs = np.array(self.policy.of_people(histories), dtype=object)
        for spec in self.policy.distinct:
            rows = np.flatnonzero(specs == spec)
            if len(rows):
                scores[rows] = self.dealt(scores[rows], histories.take(rows), spec)
        return scores

    def tensors(self) -> dict[str, Tensor]:
        """The inner ranker's, the policy, and what it knows of the items."""
        shares, protected = self.facts.shares, self.facts.protected
        return pack([self.inner]) | {
            "policy": text_tensor(self.policy.to_json()),
            "facts.vectors": torch.from_numpy(self.facts.unit_vectors).contiguous(),
            "facts.popularity": torch.from_numpy(self.facts.popularity),
            "facts.shares.values": torch.from_numpy(shares.data),
            "facts.shares.columns": torch.from_numpy(shares.indices),
            "facts.shares.starts": torch.from_numpy(shares.indptr),
            "facts.shares.shape": torch.tensor(shares.shape),
            "facts.protected.names": text_tensor(json.dumps(protected.names)),
            "facts.protected.members": torch.from_numpy(protected.members),
        }

    def dealt(self, scores: ScoreArray, histories: Histories, spec: str) -> ScoreArray:
        """The scores of people who all get one re-ranking, dealt out in its order.

        Args:
            scores: [n, n_items + 1] of the inner ranker; changed in place and returned.
            histories: [n] of these people.
            spec: the re-ranking.
        """
        reranker = Reranker(parse_reranking(spec), self.facts)
        length = self.policy.length
        pools = top_k(mask_seen(scores.copy(), histories), reranker.pool_size(length))
        for row, pool in enumerate(pools):
            candidates = pool[pool > 0]
            if len(candidates) == 0:
                continue
            own = scores[row, candidates]
            first = reranker.first(candidates, own.astype(np.float64), histories[row], length)
            scores[row, candidates] = _dealt_scores(own, first)
        return scores


def _dealt_scores(scores: ScoreArray, first: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> ScoreArray:
    """[n] new scores: those at the places `first` get the highest, in that order, the others what is left.

    Args:
        scores: [n] falling.
        first: places that come first, each once.
    """
    dealt = scores.copy()
    for place in range(min(len(first), len(dealt) - 1) - 1, -1, -1):  # equal scores would go by item number
        dealt[place] = max(dealt[place], np.nextafter(dealt[place + 1], np.float32(np.inf)))
    behind = np.setdiff1d(np.arange(len(scores)), first)
    new = np.empty_like(dealt)
    new[first], new[behind] = dealt[: len(first)], dealt[len(first) :]
    return new


def load_reranked(tensors: dict[str, Tensor], inner: Inner) -> RerankedRanker:
    """The ranker that `tensors` kept.

    Raises:
        KeyError, ValueError, StoreError: the tensors aren't those of a re-ranked ranker.
    """
    n_rows, n_columns = (int(size) for size in tensors["facts.shares.shape"])
    parts = tuple(tensors[f"facts.shares.{name}"].cpu().numpy() for name in ("values", "columns", "starts"))
    facts = ItemFacts(
        unit_vectors=_floats(tensors["facts.vectors"]),
        shares=sp.csr_matrix(parts, shape=(n_rows, n_columns)),
        popularity=_floats(tensors["facts.popularity"]),
        protected=_protected(tensors),
    )
    return RerankedRanker(inner, Policy.from_json(text_of(tensors["policy"])), facts)


def _protected(tensors: dict[str, Tensor]) -> ItemSets:
    if "facts.protected.names" not in tensors:  # kept before any re-ranking named a group of items
        return NO_SETS
    names = tuple(str(name) for name in json.loads(text_of(tensors["facts.protected.names"])))
    return ItemSets(names, tensors["facts.protected.members"].bool().cpu().numpy())


def _floats(tensor: Tensor) -> FloatArray:
    return tensor.double().cpu().numpy()
