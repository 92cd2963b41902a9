"""Many people's lists explained: people of similar histories together, one row for each reason.

Shapes: P people, k items of each list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.dataset import Dataset, IntArray
from recsys_core.explain.attributions import Attributions, Method, Options
from recsys_core.explain.history import attribute_people
from recsys_core.explain.scoring import Question
from recsys_core.ranker.lists import ListRequest, recommend
from recsys_core.ranker.protocol import Ranker

PEOPLE_A_PART = 256
HISTORY_ITEMS_AT_ONCE = 4096
LENGTH_STEP = 8

COLUMNS = (
    "user_id",
    "item_id",
    "rank",
    "score",
    "history_item_id",
    "position",
    "attribution",
    "delta",
    "method",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be explained of each person.

    Attributes:
        k: the first items of each list.
        method: one that the ranker carries.
        options: of the method.
    """

    k: int
    method: Method
    options: Options


def parts_by_length(lengths: IntArray, max_length: int) -> list[IntArray]:
    """People with a history, in parts of up to 256 of similar lengths, the shortest first."""
    some = np.flatnonzero(lengths)
    order = some[np.argsort(np.minimum(lengths[some], max_length), kind="stable")]
    edges = [*range(0, len(order), PEOPLE_A_PART), len(order)]
    return [np.sort(order[start:stop]) for start, stop in pairwise(edges)]


def explain_lists(
    ranker: Ranker, dataset: Dataset, requests: Sequence[ListRequest], wanted: Wanted
) -> pd.DataFrame:
    """The reasons of the first items of these people's lists, as a table of `COLUMNS`.

    One row for each item of a list and each position of the history that the ranker reads, positions
    from 1 for the oldest. Everybody needs a history.

    Raises:
        ConfigError: the method or its baseline doesn't fit the ranker, or k is under 1.
    """
    lists = recommend(ranker, dataset, requests, wanted.k)
    ids = [request.user_id for request in requests]
    of_each = lists["user_id"].value_counts().reindex(ids, fill_value=0)
    sizes: IntArray = np.asarray(of_each, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])  # recommend keeps the order of the requests
    items = pd.Index(dataset.items["item_id"]).get_indexer(pd.Index(lists["item_id"])) + 1
    tables, item_ids = list[pd.DataFrame](), dataset.item_ids
    for rows in _together([len(request.history) for request in requests], sizes, ranker.max_length):
        of_rows = np.stack([items[starts[row] : starts[row] + sizes[row]] for row in rows])
        questions = [_question(requests[row], int(own[0])) for row, own in zip(rows, of_rows, strict=True)]
        answers = attribute_people(ranker, questions, of_rows, wanted.method, wanted.options)
        for row, own in zip(rows, answers, strict=True):
            listed = lists.iloc[starts[row] : starts[row] + sizes[row]]
            tables.append(_table(item_ids, requests[row], listed, own, ranker.max_length))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def _question(request: ListRequest, item_number: int) -> Question:
    return Question(request.history, item_number, request.seen, request.context, request.askers)


def _together(lengths: Sequence[int], sizes: IntArray, max_length: int) -> list[IntArray]:
    """People in groups of lists of one size and histories of similar lengths, few enough for the memory."""
    windows = np.minimum(lengths, max_length)
    steps = -(-windows // LENGTH_STEP)
    groups = list[IntArray]()
    for size, step in np.unique(np.stack([sizes, steps], axis=1), axis=0)[::-1]:
        rows = np.flatnonzero((sizes == size) & (steps == step) & (size > 0))
        n_people = max(1, HISTORY_ITEMS_AT_ONCE // max(1, int(step) * LENGTH_STEP))
        groups += [rows[start : start + n_people] for start in range(0, len(rows), n_people)]
    return groups


def _table(
    item_ids: NDArray[np.object_],
    request: ListRequest,
    listed: pd.DataFrame,
    answers: Sequence[Attributions],
    max_length: int,
) -> pd.DataFrame:
    """The rows of one person."""
    first = max(0, len(request.history) - max_length)
    positions = np.arange(first, len(request.history))
    n_items, length = len(answers), len(positions)
    history_ids = item_ids[request.history[first:]]
    return pd.DataFrame(
        {
            "user_id": np.full(n_items * length, request.user_id, dtype=object),
            "item_id": np.repeat(listed["item_id"].to_numpy(dtype=object), length),
            "rank": np.repeat(listed["rank"].to_numpy(dtype=np.int32), length),
            "score": np.repeat(listed["score"].to_numpy(dtype=np.float64), length),
            "history_item_id": np.tile(history_ids, n_items),
            "position": np.tile(positions + 1, n_items).astype(np.int32),
            "attribution": np.concatenate([answer.values[first:] for answer in answers]),
            "delta": np.repeat([answer.delta for answer in answers], length),
            "method": np.full(n_items * length, answers[0].method, dtype=object),
        },
        columns=list(COLUMNS),
    )
