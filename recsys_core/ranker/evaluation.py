"""Full-ranking evaluation: every item is a candidate but the known ones, nothing is sampled.

People are scored in chunks, once. What is kept are the ranks of their held-out items, from which every
metric of `metrics.ranking` follows at any k, and what the first k items of their lists are like.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.split import Split, all_targets, histories
from recsys_core.errors import ConfigError
from recsys_core.metrics.beyond_accuracy import unit_vectors
from recsys_core.metrics.list_measures import CATALOGUE_MEASURES, PERSON_MEASURES, ListMeasures, ListTotals
from recsys_core.metrics.popularity import candidate_counts, item_popularity, people_vectors, popular_ranks
from recsys_core.metrics.ranking import AUC, name_and_k, per_person, target_ranks
from recsys_core.metrics.ranks import RelevantRanks
from recsys_core.ranker.protocol import Ranker, ScoreArray
from recsys_core.ranker.top_k import mask_seen, top_k

Part = Literal["valid", "test"]

BATCH_USERS = 512
SCORES_AT_ONCE = 1 << 26  # 256 MB of scores: a large catalogue is scored for fewer people at a time

HEADLINE = ("ndcg", "hr", "recall", "precision", "f1", "mrr", "map", "serendipity")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Where everybody's held-out items were ranked, all items being candidates but the known ones.

    Attributes:
        part: which held-out items.
        held_out: the ranks of everybody's held-out items, in the order of `data.split.all_targets`.
        k: length of the lists behind `lists`.
        lists: what these lists are like.
        longest: how far the ranks are known, where they come from lists that end; None = all of them.
    """

    part: Part
    held_out: RelevantRanks
    k: int
    lists: ListMeasures
    longest: int | None = None

    @property
    def ranks(self) -> IntArray:
        """[n_users] rank of the first held-out item, from 1; 0 for a person who has none."""
        return self.held_out.first

    @property
    def coverage(self) -> float:
        """Share of the catalogue that the lists show."""
        return self.lists.coverage

    @property
    def complete(self) -> bool:
        """Whether all is known that `evaluate` finds out; earlier versions kept less."""
        return self.held_out.n_candidates is not None and self.held_out.popular_ranks is not None

    @property
    def n_users(self) -> int:
        """How many people have a held-out item."""
        return int((self.held_out.n_relevant > 0).sum())

    def knows(self, metric: str) -> bool:
        """Whether a metric can be told from what is kept, without ranking again, or never can be."""
        name, k = name_and_k(metric)
        if self.longest is not None and (name == AUC or k > self.longest):
            return True  # and `per_person` says why not
        if name in (*PERSON_MEASURES, *CATALOGUE_MEASURES):
            return self.complete and k == self.k
        return self.complete or name not in (AUC, "serendipity")

    def per_person(self, metric: str) -> FloatArray:
        """[n_users] a metric like `ndcg@10`, `auc` or `novelty@10`; NaN for people who have no value.

        Raises:
            ConfigError: no such metric, one of whole catalogues, one of lists at another k than was kept, or
                one that reaches beyond lists that end.
        """
        name, k = name_and_k(metric)
        self._check_reach(metric, name, k)
        if name in PERSON_MEASURES:
            self._check_k(metric, k)
            return getattr(self.lists, name)
        if name in CATALOGUE_MEASURES:
            raise ConfigError(f"'{metric}' is a figure of all lists together; no single person has one")
        return per_person(metric, self.held_out)

    def mean(self, metric: str) -> float:
        """The mean of a metric over people, or a figure of all lists; NaN where nobody has a value.

        Raises:
            ConfigError: as `per_person`.
        """
        name, k = name_and_k(metric)
        if name in CATALOGUE_MEASURES:
            self._check_reach(metric, name, k)
            self._check_k(metric, k)
            return getattr(self.lists, name)
        values = self.per_person(metric)
        values = values[~np.isnan(values)]
        return float(values.mean()) if len(values) else float("nan")

    def summary(self) -> dict[str, float]:
        """The headline figures at k, AUC where all ranks are known, and what the lists are like."""
        names = [f"{name}@{self.k}" for name in (*HEADLINE, *CATALOGUE_MEASURES, *PERSON_MEASURES)]
        return {name: self.mean(name) for name in [*names, *([AUC] if self.longest is None else [])]}

    def _check_reach(self, metric: str, name: str, k: int) -> None:
        if self.longest is None or (name != AUC and k <= self.longest):
            return
        if self.longest == 0:
            raise ConfigError(f"imported lists are for the test items; '{metric}' of {self.part} isn't known")
        reach = f"'{metric}' isn't known: the imported lists end after {self.longest} places"
        raise ConfigError(f"{reach}, and beyond them nothing is; write a k up to {self.longest}")

    def _check_k(self, metric: str, k: int) -> None:
        if k != self.k:
            name = metric.partition("@")[0]
            raise ConfigError(
                f"'{metric}' isn't known: {name} is kept for the first {self.k} items of the lists; "
                f"write {name}@{self.k}, or evaluate at another k"
            )


def evaluate(
    ranker: Ranker,
    dataset: Dataset,
    split: Split,
    part: Part,
    k: int = 10,
    item_vectors: NDArray[np.floating] | None = None,
) -> Evaluation:
    """The ranks of everybody's held-out items among all items that they hadn't touched, and their lists.

    Args:
        ranker: what ranks.
        dataset: whose people and items.
        split: what is held out.
        part: which of its parts.
        k: length of the lists.
        item_vectors: [n_items + 1, d] by which items are alike, for diversity; default: by who touched
            them in training, which is the same for every ranker.

    Raises:
        ConfigError: a score is NaN, or k is under 1.
    """
    known, wanted = histories(dataset, split, part), all_targets(dataset, split, part)
    training = known if part == "valid" else histories(dataset, split, "valid")
    popularity = item_popularity(training, dataset.n_items)
    unit = unit_vectors(people_vectors(training, dataset.n_items) if item_vectors is None else item_vectors)
    ranks, totals = list[IntArray](), ListTotals(dataset.n_users, popularity, unit)
    for people, batch, scores in _scored(ranker, known, np.flatnonzero(wanted.lengths > 0)):
        ranks.append(_ranks(scores, wanted.take(people), batch))
        totals.add(people, top_k(mask_seen(scores, batch), k))
    held_out = RelevantRanks(
        np.concatenate([np.zeros(0, dtype=np.int64), *ranks]),
        wanted.offsets,
        candidate_counts(known, dataset.n_items),
        popular_ranks(popularity, known, wanted),
    )
    return Evaluation(part, held_out, k, totals.measures())


def held_out_ranks(ranker: Ranker, dataset: Dataset, split: Split, part: Part) -> RelevantRanks:
    """The ranks of `evaluate` alone, for when nothing else is asked for, as after each epoch of training.

    Raises:
        ConfigError: a score is NaN.
    """
    known, wanted = histories(dataset, split, part), all_targets(dataset, split, part)
    ranks = [
        _ranks(scores, wanted.take(people), batch)
        for people, batch, scores in _scored(ranker, known, np.flatnonzero(wanted.lengths > 0))
    ]
    return RelevantRanks(np.concatenate([np.zeros(0, dtype=np.int64), *ranks]), wanted.offsets)


def per_person_table(dataset: Dataset, evaluation: Evaluation, metric: str) -> "pd.Series[float]":
    """One value a person with a held-out item, indexed by user_id: what an audit reads."""
    values = pd.Series(evaluation.per_person(metric), index=pd.Index(dataset.users["user_id"]), name=metric)
    return values.dropna()


def _scored(
    ranker: Ranker, known: Histories, people: IntArray
) -> Iterator[tuple[IntArray, Histories, ScoreArray]]:
    """People, what is known of them, and the scores of all items, a chunk at a time."""
    at_once = max(1, min(BATCH_USERS, SCORES_AT_ONCE // (ranker.n_items + 1)))
    for start in range(0, len(people), at_once):
        rows = people[start : start + at_once]
        batch = known.take(rows)
        yield rows, batch, ranker.score(batch)


def _ranks(scores: ScoreArray, wanted: Histories, batch: Histories) -> IntArray:
    """[n_wanted] ranks of a chunk's held-out items, the person's other held-out items being candidates."""
    seen = batch.padded(int(batch.lengths.max(initial=0)))
    if (wanted.lengths == 1).all():
        return target_ranks(scores, wanted.items, seen)
    rows = np.array_split(wanted.rows, np.arange(len(batch), len(wanted.items), len(batch)))
    items = np.array_split(wanted.items, np.arange(len(batch), len(wanted.items), len(batch)))
    return np.concatenate(
        [target_ranks(scores[own], some, seen[own]) for own, some in zip(rows, items, strict=True)]
    )
