"""What people's lists would be worth under each of several re-rankings, scored once."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from recsys_core.data.dataset import Dataset, FloatArray, IntArray
from recsys_core.data.split import Split, histories, targets
from recsys_core.metrics.ranking import per_person, target_ranks
from recsys_core.metrics.ranks import one_each
from recsys_core.ranker.policy import AS_IT_IS
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.reranked import RerankedRanker
from recsys_core.ranker.top_k import mask_seen, top_k

BATCH_USERS = 256


def values_under(
    reranked: RerankedRanker,
    dataset: Dataset,
    split: Split,
    part: Literal["valid", "test"],
    people: IntArray,
    specs: Sequence[str],
    metric: str,
) -> FloatArray:
    """[n_specs, n_people] the metric of each person's first held-out item, if all got each re-ranking.

    Args:
        reranked: whose inner ranker, facts and list length are used; its policy isn't.
        dataset: whose people.
        split: what is held out.
        part: which held-out items.
        people: [n_people] numbers of people who have one.
        specs: re-rankings such as `mmr:0.3`; "" = the list as it is.
        metric: such as `ndcg@10`.

    Raises:
        ConfigError: there is no such metric.
    """
    known, wanted = histories(dataset, split, part), targets(dataset, split, part)
    ranks = np.zeros((len(specs), len(people)), dtype=np.int64)
    for start in range(0, len(people), BATCH_USERS):
        rows = people[start : start + BATCH_USERS]
        batch = known.take(rows)
        seen = batch.padded(int(batch.lengths.max(initial=0)))
        scores = reranked.inner.ranker.score(batch)
        for number, spec in enumerate(specs):
            own = scores if spec == AS_IT_IS else reranked.dealt(scores.copy(), batch, spec)
            ranks[number, start : start + len(rows)] = target_ranks(own, wanted[rows], seen)
    return np.stack([per_person(metric, one_each(own)) for own in ranks])


def values_of(
    ranker: Ranker,
    dataset: Dataset,
    split: Split,
    part: Literal["valid", "test"],
    people: IntArray,
    metric: str,
) -> FloatArray:
    """[n_people] the metric of each person's first held-out item under a ranker; see `values_under`.

    Raises:
        ConfigError: there is no such metric.
    """
    known, wanted = histories(dataset, split, part), targets(dataset, split, part)
    ranks = np.zeros(len(people), dtype=np.int64)
    for start in range(0, len(people), BATCH_USERS):
        rows = people[start : start + BATCH_USERS]
        batch = known.take(rows)
        seen = batch.padded(int(batch.lengths.max(initial=0)))
        ranks[start : start + len(rows)] = target_ranks(ranker.score(batch), wanted[rows], seen)
    return per_person(metric, one_each(ranks))


def exposure_shares(
    ranker: Ranker, dataset: Dataset, split: Split, people: IntArray, membership: FloatArray, k: int
) -> FloatArray:
    """[n_groups, n_people] how much of the exposure of each person's list goes to each group of items.

    Exposure of place j is 1 / log2(1 + j). The lists are those of the test. Columns add up to 1 where every
    item is in groups by shares of 1, and are 0 for a person without candidates.

    Args:
        ranker: whose lists.
        dataset: whose people.
        split: what is held out.
        people: [n_people] numbers of people.
        membership: [n_items + 1, n_groups] how much of an item belongs to each group.
        k: length of the lists.
    """
    known, shares = histories(dataset, split, "test"), np.zeros((membership.shape[1], len(people)))
    for start in range(0, len(people), BATCH_USERS):
        batch = known.take(people[start : start + BATCH_USERS])
        lists = top_k(mask_seen(ranker.score(batch), batch), k)
        weights = np.where(lists > 0, 1 / np.log2(np.arange(2, lists.shape[1] + 2)), 0.0)
        given = (membership[lists] * weights[:, :, None]).sum(axis=1)  # [n, n_groups]
        total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        shares[:, start : start + len(batch)] = (given / total).T
    return shares
