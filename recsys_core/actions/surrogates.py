"""Why an item is on a list that another system made: asked of a ranker that was taught these lists."""

from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.data import LoadedDataset
from recsys_core.data.dataset import Dataset, Histories
from recsys_core.data.split import AsOf, histories
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.surrogate import MIN_AGREEMENT, Surrogate, distil, explain_list_item


def distil_lists(
    data: LoadedDataset,
    lists: Histories,
    k: int = 10,
    as_of: AsOf = "test",
    seed: int = 0,
    min_agreement: float = MIN_AGREEMENT,
) -> Surrogate:
    """The surrogate of lists that were made elsewhere for the people of a data set.

    Args:
        data: whose people and items.
        lists: [n_users] item numbers, the best first; empty for people without a list.
        k: how much of the lists is learned and compared.
        as_of: the moment at which they were made.
        seed: decides who is held out.
        min_agreement: the overlap below which nothing will be explained.

    Raises:
        DataError, ConfigError: as `distil`.
    """
    known = histories(data.dataset, data.split, as_of)
    return distil(known, lists, data.dataset.n_items, k, seed, min_agreement)


def lists_of_table(dataset: Dataset, table: pd.DataFrame) -> Histories:
    """[n_users] lists from a table of user_id, item_id and rank (from 1) or score (higher first).

    Rows of people and items that the data set doesn't have are left out; equal ranks or scores are in the
    order of item numbers.

    Raises:
        DataError: a column is missing.
    """
    missing = [name for name in ("user_id", "item_id") if name not in table]
    if missing or not {"rank", "score"} & set(table.columns):
        found = ", ".join(map(str, table.columns))
        raise DataError(f"lists need user_id, item_id, and rank or score; the table has {found}")
    users = pd.Index(dataset.users["user_id"]).get_indexer(pd.Index(table["user_id"].astype(str)))
    items = pd.Index(dataset.items["item_id"]).get_indexer(pd.Index(table["item_id"].astype(str))) + 1
    by_rank = "rank" in table
    key = table["rank" if by_rank else "score"].to_numpy(dtype=np.float64) * (1 if by_rank else -1)
    known = np.flatnonzero((users >= 0) & (items > 0) & ~np.isnan(key))
    order = known[np.lexsort((items[known], key[known], users[known]))]
    lengths = np.bincount(users[order], minlength=dataset.n_users)
    return Histories(items[order].astype(np.int64), np.concatenate([[0], np.cumsum(lengths)]))


def list_item_json(
    data: LoadedDataset, surrogate: Surrogate, user_id: str, item_id: str, as_of: AsOf = "test"
) -> dict[str, Any]:
    """The agreement first, then what each history item adds to an item's score by the surrogate.

    Raises:
        NotFoundError: no such person or item.
        DataError: the surrogate doesn't agree enough with the lists, or the person has touched the item.
        ConfigError: the person has no history.
    """
    dataset = data.dataset
    history = histories(dataset, data.split, as_of)[dataset.user_number(user_id)]
    number = dataset.item_number(item_id)
    if number in history:
        raise DataError(
            f"'{dataset.titles[number]}' is in this person's history, so it is no candidate for the list"
        )
    if len(history) == 0:
        raise ConfigError("this person has no history, so no item of it can be the reason")
    found = explain_list_item(surrogate, history, number, history.tolist())
    return {
        "agreement": asdict(surrogate.agreement),
        "reason": surrogate.reason,
        "user_id": user_id,
        "item_id": item_id,
        "title": dataset.titles[number],
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
