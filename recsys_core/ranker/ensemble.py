"""Several trained rankers as one: their scores made comparable, weighted and added up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories
from recsys_core.errors import ConfigError
from recsys_core.ranker.inner import Inner, pack
from recsys_core.ranker.late_fusion import Fusion, comparable
from recsys_core.ranker.neighbours import WHOLE_HISTORY
from recsys_core.ranker.protocol import ScoreArray, ScoreKind


@dataclass(frozen=True, slots=True)
class EnsembleRanker:
    """Σ_m w_m · score of ranker m, on the scale that `fusion` names (see `ranker.fusion`).

    Attributes:
        members: the rankers.
        weights: one a member, ≥ 0, summing to 1.
        fusion: the scale on which scores are added.
    """

    members: tuple[Inner, ...]
    weights: FloatArray
    fusion: Fusion

    @property
    def n_items(self) -> int:
        return self.members[0].ranker.n_items

    @property
    def max_length(self) -> int:
        """Of the members; the other two scales depend on which items are left to rank, however old."""
        own = max(member.ranker.max_length for member in self.members)
        return own if self.fusion == "log-probability" else WHOLE_HISTORY

    @property
    def score_kind(self) -> ScoreKind:
        """A weighted product of probabilities is one again, once it is normalised."""
        return "log-probability" if self.fusion == "log-probability" else "similarity"

    def score(self, histories: Histories) -> ScoreArray:
        fused = np.zeros((len(histories), self.n_items + 1), dtype=np.float32)
        for member, weight in zip(self.members, self.weights, strict=True):
            if weight > 0:
                scores = member.ranker.score(histories)
                fused += np.float32(weight) * comparable(
                    scores, histories, member.ranker.score_kind, self.fusion
                )
        return fused

    def tensors(self) -> dict[str, Tensor]:
        """The weights, and everything that the members have learned: they needn't be kept apart."""
        return pack(self.members) | {"weights": torch.from_numpy(self.weights)}


def new_ensemble(members: Sequence[Inner], weights: Sequence[float], fusion: Fusion) -> EnsembleRanker:
    """The ensemble with these weights, scaled to sum to 1.

    Raises:
        ConfigError: fewer than two members, members of different catalogues, or weights that don't fit.
    """
    if len(members) < 2:
        raise ConfigError(f"an ensemble is made of 2 or more trained models, not {len(members)}")
    sizes = {member.name: member.ranker.n_items for member in members}
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        raise ConfigError(f"the members rank different numbers of items: {counts}")
    given = np.asarray(weights, dtype=np.float64)
    if len(given) != len(members) or not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise ConfigError(
            f"the weights are {', '.join(f'{weight:g}' for weight in weights)}; write one number from 0 for "
            f"each of the {len(members)} members, not all of them 0"
        )
    return EnsembleRanker(tuple(members), given / given.sum(), fusion)
