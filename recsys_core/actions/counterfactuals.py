"""What would have to be otherwise: the smallest change of a history that moves an item on a list."""

from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.models import LoadedModel, list_for_user, request_for
from recsys_core.data.dataset import FloatArray
from recsys_core.data.split import AsOf, histories
from recsys_core.errors import DataError
from recsys_core.explain.addition import extended, smallest_addition
from recsys_core.explain.counterfactual import smallest_removal
from recsys_core.explain.scoring import Question
from recsys_core.explain.standing import Change, Goal
from recsys_core.ranker.lists import ListRequest, recommend
from recsys_core.ranker.popularity import item_counts

REPORTED_K = (1, 2, 3, 4, 5)


def what_would_drop(
    model: LoadedModel,
    user_id: str,
    item_id: str | None,
    k: int,
    overtaken_by: str | None = None,
    as_of: AsOf = "test",
) -> Change:
    """The smallest set of history items without which an item leaves the first k, or is overtaken.

    Args:
        model: an opened model.
        user_id: whose list.
        item_id: which item of it; None = the first one.
        k: how many places there are on the list; without a meaning where another item is named.
        overtaken_by: the item that is to rank above it instead.
        as_of: before the held-out item, or now.

    Raises:
        NotFoundError: no such person or item.
        DataError: the item is no candidate or not among the first k, or the other one is above it already.
        ConfigError: k is out of range, or there is no history.
    """
    goal = Goal("leave", k)
    if overtaken_by is not None:
        goal = Goal("overtaken", rival=model.data.dataset.item_number(overtaken_by))
    question = question_about(model, user_id, item_id, as_of)
    return smallest_removal(model.ranker, question, goal, _popularity(model))


def what_would_drop_at_each_k(
    model: LoadedModel, user_id: str, item_id: str | None, as_of: AsOf = "test"
) -> list[Change]:
    """The same for k = 1 … 5, those left out at which the item isn't on the list."""
    question = question_about(model, user_id, item_id, as_of)
    changes = list[Change]()
    for k in REPORTED_K:
        try:
            changes.append(smallest_removal(model.ranker, question, Goal("leave", k), _popularity(model)))
        except DataError:
            continue
    return changes


def what_would_lift(model: LoadedModel, user_id: str, item_id: str, k: int, as_of: AsOf = "test") -> Change:
    """The smallest set of items that would lift an item into the first k if they came behind the history.

    Raises:
        NotFoundError: no such person or item.
        DataError: the item is no candidate, or among the first k already.
        ConfigError: k is out of range.
    """
    question = question_about(model, user_id, item_id, as_of)
    return smallest_addition(model.ranker, question, Goal("enter", k), _popularity(model))


def question_about(model: LoadedModel, user_id: str, item_id: str | None, as_of: AsOf) -> Question:
    """Why, or why not, an item (the first of the list, if none is named) is on a person's list.

    Raises:
        NotFoundError: no such person or item.
        DataError: the person has touched the item, or every item.
    """
    dataset = model.data.dataset
    request = request_for(model, user_id, as_of)
    if item_id is None:
        first = recommend(model.ranker, dataset, [request], 1, _popularity(model))
        if first.empty:
            raise DataError(f"'{user_id}' has touched every item, so there is no list to ask about")
        item_id = str(first["item_id"].iloc[0])
    number = dataset.item_number(item_id)
    if number in request.seen:
        raise DataError(f"'{item_id}' is in this person's history, so it is no candidate for the list")
    return Question(request.history, number, request.seen, request.context, request.askers)


def list_after(
    model: LoadedModel, user_id: str, change: Change, k: int, as_of: AsOf = "test"
) -> pd.DataFrame:
    """The first k of the list as the change leaves it, ranked anew: columns as `list_for_user`.

    What goes from the history stays off the list; what comes leaves it, as everything that was touched.
    """
    dataset = model.data.dataset
    if change.goal.kind != "enter":
        gone = [str(dataset.item_ids[number]) for number in change.items]
        return list_for_user(model, user_id, k, as_of, gone)
    request = request_for(model, user_id, as_of)
    longer = extended(request.known, change.items[None])
    seen = np.union1d(request.seen, change.items)
    after = ListRequest(longer.items, seen, user_id, longer.context, longer.askers)
    return recommend(model.ranker, dataset, [after], k, _popularity(model))


def change_json(model: LoadedModel, change: Change) -> dict[str, Any]:
    """The contract of `reclens counterfactual --json`."""
    dataset = model.data.dataset
    ids = [str(dataset.item_ids[number]) for number in change.items]
    added = change.goal.kind == "enter"
    rival = change.goal.rival
    return {
        "item_id": dataset.item_ids[change.item_number],
        "title": dataset.titles[change.item_number],
        "goal": change.goal.kind,
        "k": change.goal.k or None,
        "overtaken_by": dataset.item_ids[rival] if rival else None,
        "removed": [] if added else ids,
        "added": ids if added else [],
        "titles": [str(dataset.titles[number]) for number in change.items],
        "rank_before": change.rank_before,
        "rank_after": change.rank_after,
        "minimal": change.minimal,
        "smallest": change.smallest,
        "n_ranked": change.n_ranked,
    }


def _popularity(model: LoadedModel) -> FloatArray:
    data = model.data
    return item_counts(histories(data.dataset, data.split, "valid"), data.dataset.n_items)
