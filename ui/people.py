"""Finding a person, and what is known of them: tables for the pages that look at one person."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.actions.data import LoadedDataset
from recsys_core.data.dataset import IntArray
from recsys_core.data.schema import CATEGORY_SEPARATOR
from recsys_core.data.split import history_rows, targets
from ui.state import AsOf
from ui.text import plain

Order = Literal["by_id", "best", "worst"]


def find_people(
    data: LoadedDataset,
    ranks: IntArray,
    order: Order,
    contains: str = "",
    attribute: str | None = None,
    value: str | None = None,
) -> NDArray[np.object_]:
    """[n_found] ids of people whose id contains a text and whose attribute has a value.

    Args:
        data: whose people.
        ranks: [n_users] rank of everybody's held-out item; 0 where there is none.
        order: as in the data, or by that rank: best or worst served first; who has none comes last.
        contains: part of an id, upper and lower case alike.
        attribute: a column of the people's table; None = anybody.
        value: what the attribute must be.
    """
    users = data.dataset.users
    fits = users["user_id"].str.contains(contains.strip(), case=False, regex=False).to_numpy(dtype=bool)
    if attribute is not None and attribute in users:
        fits = fits & (users[attribute].astype(str) == value).to_numpy(dtype=bool)
    rows = np.flatnonzero(fits)
    if order != "by_id":
        sign = 1.0 if order == "best" else -1.0
        key = np.where(ranks[rows] > 0, sign * ranks[rows], np.inf)
        rows = rows[np.argsort(key, kind="stable")]
    return users["user_id"].to_numpy(dtype=object)[rows]


def attribute_values(data: LoadedDataset, attribute: str) -> list[str]:
    """The values of an attribute, most people first."""
    return [str(value) for value in data.dataset.users[attribute].astype(str).value_counts().index]


def attributes_of(data: LoadedDataset, user_id: str) -> dict[str, str]:
    """A person's attributes, those without a value left out."""
    row = data.dataset.users.iloc[data.dataset.user_number(user_id)]
    return {name: str(row[name]) for name in data.attributes if str(row[name]).strip()}


def history_table(data: LoadedDataset, user_id: str, as_of: AsOf) -> pd.DataFrame:
    """What a list is made from, latest first.

    Columns: `position` (1 = oldest), `time` (NaT where the data have none), `title`, `category`, `item_id`.
    """
    dataset, split = data.dataset, data.split
    rows = history_rows(dataset, split, as_of)[dataset.user_number(user_id)]
    events = split.order[rows]
    items = dataset.events.items[events]
    table = pd.DataFrame(
        {
            "position": np.arange(1, len(rows) + 1),
            "time": pd.to_datetime(pd.Series(dataset.timestamp_s[events]), unit="s", errors="coerce"),
            "title": [plain(title) for title in dataset.titles[items]],
            "category": categories(data, items),
            "item_id": dataset.item_ids[items],
        }
    )
    return table.iloc[::-1].reset_index(drop=True)


def categories(data: LoadedDataset, items: IntArray) -> list[str]:
    """The categories of each item, as people read them."""
    known = data.dataset.items["category"].to_numpy(dtype=object)
    return [plain(known[item - 1]).replace(CATEGORY_SEPARATOR, ", ") for item in items]


def held_out_item(data: LoadedDataset, user_id: str) -> int:
    """The number of the item that was held out to test a person's list; 0 where there is none."""
    return int(targets(data.dataset, data.split, "test")[data.dataset.user_number(user_id)])
