"""Which people's choices taught a model to put an item on a list."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys_core.actions.models import LoadedModel, request_for
from recsys_core.data.dataset import Histories, IntArray
from recsys_core.data.split import AsOf, histories
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.influence import Influence, influence
from recsys_core.explain.scoring import Question


@dataclass(frozen=True, slots=True)
class TaughtBy:
    """The influence of every training example on one item of one list.

    Attributes:
        known: the training histories that the examples speak of.
        item_number: the explained item.
    """

    influence: Influence
    known: Histories
    item_number: int


def trace_influence(
    model: LoadedModel,
    user_id: str,
    item_id: str,
    as_of: AsOf = "test",
    progress: Callable[[float, str], None] = lambda share, message: None,
) -> TaughtBy:
    """What each training example did for an item's score on a person's list.

    Raises:
        NotFoundError: no such person or item.
        DataError: the person has touched the item, so it is no candidate.
        ConfigError: the ranker didn't learn by gradients, or there is no history.
    """
    data = model.data
    request = request_for(model, user_id, as_of)
    number = data.dataset.item_number(item_id)
    if number in request.seen:
        raise DataError(
            f"'{data.dataset.titles[number]}' is in this person's history, so it is no candidate for the list"
        )
    if len(request.history) == 0:
        raise ConfigError("this person has no history yet; the list is by popularity, which everybody taught")
    question = Question(request.history, number, request.seen, request.context, request.askers)
    known = histories(data.dataset, data.split, "valid")
    found = influence(model.ranker, known, question, lambda share: progress(share, "Tracing examples"))
    return TaughtBy(found, known, number)


def influence_json(model: LoadedModel, found: TaughtBy, k: int) -> dict[str, Any]:
    """The contract of `reclens influence --json`: the k strongest examples each way, and the k people."""
    dataset, users = model.data.dataset, model.data.dataset.users["user_id"]
    by_person = found.influence.by_person(dataset.n_users)
    strongest = np.argsort(-by_person, kind="stable")[:k]
    return {
        "item_id": dataset.item_ids[found.item_number],
        "title": dataset.titles[found.item_number],
        "n_examples": len(found.influence.values),
        "raised": _examples(model, found, found.influence.strongest(k)),
        "lowered": _examples(model, found, found.influence.strongest(k, raising=False)),
        "people": [
            {"user_id": str(users.iloc[int(row)]), "influence": float(by_person[row])}
            for row in strongest
            if by_person[row] > 0
        ],
    }


def _examples(model: LoadedModel, found: TaughtBy, rows: IntArray) -> list[dict[str, Any]]:
    dataset, examples = model.data.dataset, found.influence.examples
    return [
        {
            "user_id": str(dataset.users["user_id"].iloc[int(examples.person[row])]),
            "position": int(examples.place[row]) + 1,
            "item_id": dataset.item_ids[examples.target[row]],
            "title": dataset.titles[examples.target[row]],
            "after": dataset.item_ids[found.known[int(examples.person[row])][examples.place[row] - 1]],
            "influence": float(found.influence.values[row]),
        }
        for row in rows
    ]
