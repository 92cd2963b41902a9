"""Ranked lists: from a history and what stays off the list to ranks, titles and scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.split import AsOf, Split, histories
from recsys_core.metrics.ranking import target_ranks
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.rerank import Reranker
from recsys_core.ranker.top_k import candidate_scores, mask_seen, top_k

BATCH_USERS = 512


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Whose list, from which history.

    Attributes:
        history: what is known, oldest first.
        seen: what stays off the list.
        user_id: whose it is; "" for a history that was typed in.
    """

    history: IntArray
    seen: IntArray
    user_id: str = ""


def list_requests(
    dataset: Dataset, split: Split, users: IntArray, as_of: AsOf, keep_repeats: bool = False
) -> list[ListRequest]:
    """What the lists of these people are made from at a moment; touched items stay off unless kept."""
    known = histories(dataset, split, as_of).take(users)
    nothing = np.zeros(0, dtype=np.int64)
    ids = dataset.users["user_id"].to_numpy()[users]
    return [
        ListRequest(known[row], nothing if keep_repeats else known[row], str(user_id))
        for row, user_id in enumerate(ids)
    ]


def without(request: ListRequest, items: Sequence[int]) -> ListRequest:
    """The same person as if some items had never happened; they stay off the list."""
    kept = request.history[~np.isin(request.history, items)]
    return ListRequest(kept, np.union1d(request.seen, np.asarray(items, dtype=np.int64)), request.user_id)


def recommend(
    ranker: Ranker,
    dataset: Dataset,
    requests: Sequence[ListRequest],
    k: int,
    rerank: Reranker | None = None,
) -> pd.DataFrame:
    """The lists: user_id, item_id, title, rank (from 1), score; a list is shorter where candidates run out.

    Scores are the ranker's own: on a re-ranked list they don't fall from rank to rank.

    Raises:
        ConfigError: k is under 1.
    """
    parts = [pd.DataFrame({"user_id": [], "item_number": [], "rank": [], "score": []})]
    for start in range(0, len(requests), BATCH_USERS):
        batch = requests[start : start + BATCH_USERS]
        scores = ranker.score(Histories.of([request.history for request in batch]))
        seen = Histories.of([request.seen for request in batch])
        items = top_k(mask_seen(scores, seen), k if rerank is None else rerank.pool_size(k))
        shown = candidate_scores(scores, seen, ranker.score_kind)
        if rerank is not None:
            items = _reranked(rerank, batch, items, shown, k)
        shown = np.take_along_axis(shown, items, axis=1)  # [batch, k]
        parts.append(
            pd.DataFrame(
                {
                    "user_id": [request.user_id for request in batch for _ in range(items.shape[1])],
                    "item_number": items.ravel(),
                    "rank": np.tile(np.arange(1, items.shape[1] + 1), len(batch)),
                    "score": shown.ravel(),
                }
            ).query("item_number > 0")
        )
    table = pd.concat(parts[1:] or parts, ignore_index=True)
    numbers = table.pop("item_number").to_numpy(dtype=np.int64)
    table.insert(1, "item_id", dataset.item_ids[numbers])
    table.insert(2, "title", dataset.titles[numbers])
    return table


def _reranked(
    rerank: Reranker, requests: Sequence[ListRequest], pools: IntArray, scores: FloatArray, k: int
) -> IntArray:
    """[n, k] item numbers in their new order, 0 behind shorter lists."""
    items = np.zeros((len(requests), k), dtype=np.int64)
    for row, request in enumerate(requests):
        pool = pools[row][pools[row] > 0]
        first = rerank.first(pool, scores[row, pool], request.history, k)
        items[row, : len(first)] = first
    return items


def rank_of(ranker: Ranker, request: ListRequest, item_number: int) -> int:
    """The rank of an item on the full list made from a request, from 1."""
    scores = ranker.score(Histories.of([request.history]))
    return int(target_ranks(scores, np.array([item_number]), request.seen[None])[0])
