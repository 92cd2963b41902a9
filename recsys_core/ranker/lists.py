"""Ranked lists: from a history and what stays off the list to ranks, titles and scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.events import Askers, EventContext
from recsys_core.data.split import AsOf, Split, histories
from recsys_core.metrics.ranking import target_ranks
from recsys_core.ranker.imported import ImportedLists
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.popularity import PopularityRanker
from recsys_core.ranker.profile import ProfileRanker
from recsys_core.ranker.protocol import Ranker, ScoreKind
from recsys_core.ranker.rerank import Reranker
from recsys_core.ranker.retrieval import ItemIndex, TopItems
from recsys_core.ranker.top_k import candidate_scores, mask_seen, top_k

BATCH_USERS = 512  # all of whose scores exist at once
SEARCHED_USERS = 4096

Source = Literal["history", "profile", "wish", "popularity", "imported"]


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Whose list, from which history.

    Attributes:
        history: what is known, oldest first.
        seen: what stays off the list.
        user_id: whose it is; "" for a history that was typed in.
        context: what is known of each event of the history beside its item; None = nothing.
        askers: the one who asks; None = nobody in particular.
    """

    history: IntArray
    seen: IntArray
    user_id: str = ""
    context: EventContext | None = None
    askers: Askers | None = None

    @property
    def known(self) -> Histories:
        """The history with all that is known of it, as a sequence of its own."""
        return Histories(self.history, np.array([0, len(self.history)]), self.context, self.askers)


def list_requests(
    dataset: Dataset, split: Split, users: IntArray, as_of: AsOf, keep_repeats: bool = False
) -> list[ListRequest]:
    """What the lists of these people are made from at a moment; touched items stay off unless kept."""
    known = histories(dataset, split, as_of).take(users)
    nothing = np.zeros(0, dtype=np.int64)
    ids = dataset.users["user_id"].to_numpy()[users]
    people = [known.take(np.array([row])) for row in range(len(users))]
    return [
        ListRequest(own.items, nothing if keep_repeats else own.items, str(user_id), own.context, own.askers)
        for own, user_id in zip(people, ids, strict=True)
    ]


def without(request: ListRequest, items: Sequence[int]) -> ListRequest:
    """The same person as if some items had never happened; they stay off the list."""
    kept = ~np.isin(request.history, items)
    seen = np.union1d(request.seen, np.asarray(items, dtype=np.int64))
    context = None if request.context is None else request.context.at(kept)
    return ListRequest(request.history[kept], seen, request.user_id, context, request.askers)


def source_of(ranker: Ranker, request: ListRequest) -> Source:
    """What a list is made from: the history, else the allowed attributes of the person, else popularity."""
    if isinstance(ranker, ImportedLists):
        return "imported"
    if isinstance(ranker, PopularityRanker):
        return "popularity"
    if len(request.history):
        return "history"
    known = isinstance(ranker, ProfileRanker) and ranker.knows(request.askers).any()
    return "profile" if known else "popularity"


def recommend(
    ranker: Ranker,
    dataset: Dataset,
    requests: Sequence[ListRequest],
    k: int,
    popularity: FloatArray | None = None,
    rerank: Reranker | None = None,
) -> pd.DataFrame:
    """The lists: user_id, item_id, title, rank (from 1), score, source; shorter where candidates run out.

    Scores are the ranker's own: on a re-ranked list they don't fall from rank to rank.

    Args:
        ranker: what ranks.
        dataset: whose items.
        requests: one a list.
        k: length of the lists.
        popularity: [n_items + 1] training interactions, which rank where the ranker has learned nothing
            that could: sums over an empty history are the same for all items.
        rerank: puts the best candidates in another order.

    Raises:
        ConfigError: k is under 1.
    """
    sources = np.array([source_of(ranker, request) for request in requests], dtype=object)
    if rerank is None:
        tops = list(_tops(ranker, requests, k, sources, popularity))
    else:
        pools = _tops(ranker, requests, rerank.pool_size(k), sources, popularity)
        tops = [_reranked(rerank, requests, pools, k)]
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
            "source": sources[row],
        }
    )


def _tops(
    ranker: Ranker,
    requests: Sequence[ListRequest],
    k: int,
    sources: NDArray[np.object_],
    popularity: FloatArray | None,
) -> Iterator[TopItems]:
    """The first k items of each request and the scores that people see, some requests at a time.

    Where a score is the product of a state and an item, the best items are searched for; elsewhere
    every score is worked out.
    """
    index = ranker.index() if isinstance(ranker, NeuralRanker) else None
    size = BATCH_USERS if index is None else SEARCHED_USERS
    for start in range(0, len(requests), size):
        batch = requests[start : start + size]
        known = Histories.joined([request.known for request in batch])
        seen = Histories.of([request.seen for request in batch])
        if index is not None and isinstance(ranker, NeuralRanker):
            yield _searched(index, ranker.states(known), seen, k, ranker.score_kind)
        else:
            scores = ranker.score(known)
            if popularity is not None:
                same = np.ptp(scores[:, 1:], axis=1) == 0
                scores[same & (sources[start : start + size] == "popularity")] = popularity
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


def _reranked(
    rerank: Reranker, requests: Sequence[ListRequest], pools: Iterator[TopItems], k: int
) -> TopItems:
    """[n, k] the first k of each pool in their new order, 0 behind shorter lists."""
    items, scores = np.zeros((len(requests), k), dtype=np.int64), np.zeros((len(requests), k))
    rows = (both for pool in pools for both in zip(pool.items, pool.scores, strict=True))
    for row, (own, levels) in enumerate(rows):
        candidates, of_each = own[own > 0], levels[own > 0].astype(np.float64)
        first = rerank.first(candidates, of_each, requests[row].history, k)
        items[row, : len(first)], scores[row, : len(first)] = candidates[first], of_each[first]
    return TopItems(items, scores)


def rank_of(ranker: Ranker, request: ListRequest, item_number: int) -> int:
    """The rank of an item on the full list made from a request, from 1."""
    scores = ranker.score(request.known)
    return int(target_ranks(scores, np.array([item_number]), request.seen[None])[0])
