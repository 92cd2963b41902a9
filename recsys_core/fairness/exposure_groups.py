"""Which group each item belongs to: by provider, category, how popular it is, or any other attribute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.schema import CATEGORY_SEPARATOR
from recsys_core.errors import DataError
from recsys_core.fairness.groups import UNKNOWN

POPULARITY = "popularity"
HEAD, MIDDLE, TAIL = "head", "middle", "tail"
STRATUM = 0.2  # of the catalogue: its most touched fifth is the head, its least touched fifth the tail
MOST_GROUPS = 200
NO_GROUPS = ("item_id", "title", "text", "image")  # columns of the items' table that tell every item apart


@dataclass(frozen=True, slots=True)
class ItemGroups:
    """The groups of one attribute of items.

    Attributes:
        attribute: such as "provider".
        groups: their names, the items without a value last, as "unknown".
        membership: [n_items + 1, n_groups] how much of an item belongs to each group: rows add up to 1, an
            item of several categories counts in equal parts; row 0, the padding, is 0.
    """

    attribute: str
    groups: tuple[str, ...]
    membership: NDArray[np.float64]

    @property
    def n_items(self) -> NDArray[np.int64]:
        """[n_groups] how many items have a part in each group."""
        return (self.membership > 0).sum(axis=0)


def item_attributes(items: pd.DataFrame) -> list[str]:
    """What items can be grouped by: every column that some item has a value in, and popularity."""
    columns = [str(column) for column in items.columns if column not in NO_GROUPS]
    return [column for column in columns if (items[column].fillna("") != "").any()] + [POPULARITY]


def item_groups(items: pd.DataFrame, by: str, n_people: NDArray[np.int64]) -> ItemGroups:
    """The groups of the items by one attribute.

    Args:
        items: one row an item, in the order of item numbers from 1; text columns, "" where nothing is known.
        by: a column, or "popularity" for head, middle and tail.
        n_people: [n_items + 1] how many people touched each item in training.

    Raises:
        DataError: there is no such attribute, fewer than two groups, or more than 200.
    """
    existing = item_attributes(items)
    if by not in existing:
        raise DataError(f"{by!r} is not an attribute of the items; there are: {', '.join(existing)}")
    if by == POPULARITY:
        return _grouped(by, [[stratum] for stratum in _strata(n_people)], (HEAD, MIDDLE, TAIL))
    texts = items[by].fillna("").astype(str)
    parts = [_parts(text, by) for text in texts]
    known = sorted({part for own in parts for part in own} - {UNKNOWN})
    if len(known) > MOST_GROUPS:
        raise DataError(
            f"{by!r} has {len(known):,} different values, for {len(items):,} items; at most {MOST_GROUPS} "
            "can be compared, so it looks like an id or free text"
        )
    unknown = (UNKNOWN,) if any(own == [UNKNOWN] for own in parts) else ()
    return _grouped(by, parts, (*known, *unknown))


def _parts(text: str, by: str) -> list[str]:
    pieces = text.split(CATEGORY_SEPARATOR) if by == "category" else [text]
    named = list(dict.fromkeys(piece.strip() for piece in pieces if piece.strip()))
    return named or [UNKNOWN]


def _strata(n_people: NDArray[np.int64]) -> Sequence[str]:
    """[n_items] head, middle or tail; of equally popular items the lower number is the more popular."""
    n_items = len(n_people) - 1
    place = np.empty(n_items, dtype=np.int64)
    place[np.argsort(-n_people[1:], kind="stable")] = np.arange(n_items)
    edge = int(np.ceil(STRATUM * n_items))
    return np.select([place < edge, place >= n_items - edge], [HEAD, TAIL], default=MIDDLE).tolist()


def _grouped(by: str, parts: Sequence[Sequence[str]], groups: tuple[str, ...]) -> ItemGroups:
    there = tuple(group for group in groups if any(group in own for own in parts))
    if len(there) < 2:
        raise DataError(f"{by!r} can't form groups: every item is {there[0] if there else UNKNOWN!r}")
    number = {group: place for place, group in enumerate(there)}
    membership = np.zeros((len(parts) + 1, len(there)))
    for item, own in enumerate(parts, 1):
        for group in own:
            membership[item, number[group]] = 1 / len(own)
    return ItemGroups(by, there, membership)
