"""Full-ranking evaluation: every item is a candidate but the seen ones, nothing is sampled."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from recsys_core.data.dataset import Dataset, IntArray
from recsys_core.data.split import Split, histories, targets
from recsys_core.metrics.ranking import coverage, per_person, target_ranks
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import mask_seen, top_k

BATCH_USERS = 512


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Where everybody's held-out item was ranked, all items being candidates but the seen ones.

    Attributes:
        part: which held-out items.
        ranks: [n_users] from 1; 0 for a person without a held-out item.
        k: length of the lists behind `coverage`.
        coverage: share of the catalogue that these lists show.
    """

    part: Literal["valid", "test"]
    ranks: IntArray
    k: int
    coverage: float

    @property
    def n_users(self) -> int:
        """How many people have a held-out item."""
        return int((self.ranks > 0).sum())

    def mean(self, metric: str) -> float:
        """The mean over people of a metric like `ndcg@10`; NaN where nobody has a held-out item."""
        return float(np.nanmean(per_person(metric, self.ranks))) if self.n_users else float("nan")

    def summary(self) -> dict[str, float]:
        """The headline figures at k."""
        names = [f"{name}@{self.k}" for name in ("ndcg", "hr", "recall", "precision", "mrr", "map")]
        return {name: self.mean(name) for name in names} | {f"coverage@{self.k}": self.coverage}


def evaluate(
    ranker: Ranker, dataset: Dataset, split: Split, part: Literal["valid", "test"], k: int = 10
) -> Evaluation:
    """The rank of everybody's held-out item among all items that they hadn't touched."""
    known, wanted = histories(dataset, split, part), targets(dataset, split, part)
    ranks, lists = np.zeros(dataset.n_users, dtype=np.int64), list[IntArray]()
    people = np.flatnonzero(wanted > 0)
    for start in range(0, len(people), BATCH_USERS):
        rows = people[start : start + BATCH_USERS]
        batch = known.take(rows)
        scores = ranker.score(batch)
        ranks[rows] = target_ranks(scores, wanted[rows], batch.padded(int(batch.lengths.max())))
        lists.append(top_k(mask_seen(scores, batch), k))
    shown = np.concatenate(lists) if lists else np.zeros((0, k), dtype=np.int64)
    return Evaluation(part, ranks, k, coverage(shown, dataset.n_items))


def per_person_table(dataset: Dataset, evaluation: Evaluation, metric: str) -> "pd.Series[float]":
    """One value a person with a held-out item, indexed by user_id: what an audit reads."""
    values = pd.Series(
        per_person(metric, evaluation.ranks), index=pd.Index(dataset.users["user_id"]), name=metric
    )
    return values.dropna()
