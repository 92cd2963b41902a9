"""Why an item is on a list that another system made: asked of a ranker that was taught these lists."""

from dataclasses import asdict
from math import isfinite
from typing import Any

from recsys_core.actions.loaded import LoadedModel
from recsys_core.data.dataset import Histories, IntArray
from recsys_core.data.split import histories
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.attributions import Attributions
from recsys_core.explain.surrogate import MIN_AGREEMENT, Surrogate, distil, explain_list_item
from recsys_core.ranker.imported import ImportedLists


def surrogate_of(
    lists: LoadedModel, k: int = 10, seed: int = 0, min_agreement: float = MIN_AGREEMENT
) -> Surrogate:
    """A ranker that was taught lists that are kept, with its agreement on people it never saw.

    Args:
        lists: imported ones, opened.
        k: how much of the lists is learned and compared.
        seed: decides who is held out.
        min_agreement: the overlap below which nothing will be explained.

    Raises:
        ConfigError: a model was trained here, or a number is out of bounds.
        DataError: too few people have a history and a list.
    """
    if not isinstance(lists.ranker, ImportedLists):
        raise ConfigError(
            f"'{lists.record.name}' is a model, not lists that were made elsewhere; it explains itself: "
            "reclens explain"
        )
    data = lists.data
    known = histories(data.dataset, data.split, "test")
    own = Histories.of([row[row > 0] for row in lists.ranker.items])
    return distil(known, own, data.dataset.n_items, k, seed, min_agreement)


def first_on_list(lists: LoadedModel, user_id: str) -> str:
    """The id of the first item of a person's list.

    Raises:
        NotFoundError: there is no such person.
        DataError: they have no list.
    """
    dataset = lists.data.dataset
    assert isinstance(lists.ranker, ImportedLists)
    first = int(lists.ranker.items[dataset.user_number(user_id), 0])
    if first == 0:
        raise DataError(f"'{user_id}' has no list among these")
    return str(dataset.item_ids[first])


def explain_listed(
    lists: LoadedModel, surrogate: Surrogate, user_id: str, item_id: str
) -> tuple[IntArray, Attributions]:
    """A person's history, and what each of its items adds to an item's score, by the surrogate.

    Raises:
        NotFoundError: no such person or item.
        DataError: the surrogate doesn't agree enough with the lists, or the person has touched the item.
        ConfigError: the person has no history.
    """
    dataset = lists.data.dataset
    history = histories(dataset, lists.data.split, "test")[dataset.user_number(user_id)]
    number = dataset.item_number(item_id)
    if number in history:
        raise DataError(
            f"'{dataset.titles[number]}' is in this person's history, so it is no candidate for the list"
        )
    if len(history) == 0:
        raise ConfigError("this person has no history, so no item of it can be the reason")
    return history, explain_list_item(surrogate, history, number, history.tolist())


def list_item_json(lists: LoadedModel, surrogate: Surrogate, user_id: str, item_id: str) -> dict[str, Any]:
    """The contract of `reclens explain-lists --json`: the agreement, then what each history item adds.

    Raises:
        NotFoundError, DataError, ConfigError: as `explain_listed`.
    """
    history, found = explain_listed(lists, surrogate, user_id, item_id)
    dataset = lists.data.dataset
    return {
        "agreement": asdict(surrogate.agreement),
        "reason": surrogate.reason,
        "user_id": user_id,
        "item_id": item_id,
        "title": dataset.titles[dataset.item_number(item_id)],
        "score": found.score,
        "method": f"{found.method} of a surrogate",
        "attributions": [
            {
                "item_id": dataset.item_ids[own],
                "title": dataset.titles[own],
                "position": position,
                "attribution": float(value),
            }
            for position, (own, value) in enumerate(zip(history, found.values, strict=True), start=1)
        ],
        "delta": float(found.delta) if isfinite(found.delta) else None,
    }
