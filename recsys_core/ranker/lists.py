"""Ranked lists: from a history and what stays off the list to ranks, titles and scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.data.split import AsOf, Split, histories
from recsys_core.metrics.ranking import target_ranks
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.protocol import Ranker, ScoreKind
from recsys_core.ranker.retrieval import ItemIndex, TopItems
from recsys_core.ranker.top_k import candidate_scores, mask_seen, top_k

BATCH_USERS = 512  # all of whose scores exist at once
SEARCHED_USERS = 4096


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


def recommend(ranker: Ranker, dataset: Dataset, requests: Sequence[ListRequest], k: int) -> pd.DataFrame:
    """The lists: user_id, item_id, title, rank (from 1), score; a list is shorter where candidates run out.

    Raises:
        ConfigError: k is under 1.
    """
    tops = list(_tops(ranker, requests, k))
    items = np.concatenate([top.items for top in tops]) if tops else np.zeros((0, 0), dtype=np.int64)
    scores = np.concatenate([top.scores for top in tops]) if tops else np.zeros((0, 0))
    row, place = np.nonzero(items)
    people = np.array([request.user_id for request in requests], dtype=object)
    shown = dataset.items[["item_id", "title"]].take(items[row, place] - 1)
    return pd.DataFrame(
        {
            "user_id": people[row],
            "item_id": shown["item_id"].to_numpy(dtype=object),
            "title": shown["title"].where(shown["title"] != "", shown["item_id"]).to_numpy(dtype=object),
            "rank": place + 1,
            "score": scores[row, place],
        }
    )


def _tops(ranker: Ranker, requests: Sequence[ListRequest], k: int) -> Iterator[TopItems]:
    """The first k items of each request and the scores that people see, some requests at a time.

    Where a score is the product of a state and an item, the best items are searched for; elsewhere
    every score is worked out.
    """
    index = ranker.index() if isinstance(ranker, NeuralRanker) else None
    size = BATCH_USERS if index is None else SEARCHED_USERS
    for start in range(0, len(requests), size):
        batch = requests[start : start + size]
        known = Histories.of([request.history for request in batch])
        seen = Histories.of([request.seen for request in batch])
        if index is not None and isinstance(ranker, NeuralRanker):
            yield _searched(index, ranker.states(known), seen, k, ranker.score_kind)
        else:
            scores = ranker.score(known)
            items = top_k(mask_seen(scores, seen), k)  # [batch, k]
            shown = candidate_scores(scores, seen, ranker.score_kind)
            yield TopItems(items, np.take_along_axis(shown, items, axis=1))


def _searched(index: ItemIndex, states: Tensor, seen: Histories, k: int, score_kind: ScoreKind) -> TopItems:
    found = index.search(states, seen, k)
    scores = found.scores.astype(np.float64)
    if score_kind == "log-probability":
        people = np.flatnonzero(found.items[:, 0] > 0)  # those who have a candidate
        scores[people] -= index.log_totals(states[torch.from_numpy(people)], seen.take(people))[:, None]
    return TopItems(found.items, scores)


def rank_of(ranker: Ranker, request: ListRequest, item_number: int) -> int:
    """The rank of an item on the full list made from a request, from 1."""
    scores = ranker.score(Histories.of([request.history]))
    return int(target_ranks(scores, np.array([item_number]), request.seen[None])[0])
