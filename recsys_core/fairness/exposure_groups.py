"""Which group each item belongs to: by provider, category, how popular it is, or any other attribute."""

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
        return _grouped(by, _strata(n_people), (HEAD, MIDDLE, TAIL))
    texts = items[by].fillna("").astype(str)
    named = {part for text in texts.unique() for part in _parts(text, by)}
    known = sorted(named - {UNKNOWN})
    if len(known) > MOST_GROUPS:
        raise DataError(
            f"{by!r} has {len(known):,} different values, for {len(items):,} items; at most {MOST_GROUPS} "
            "can be compared, so it looks like an id or free text"
        )
    return _grouped(by, texts, (*known, UNKNOWN))


def _parts(text: str, by: str) -> list[str]:
    pieces = text.split(CATEGORY_SEPARATOR) if by == "category" else [text]
    named = list(dict.fromkeys(piece.strip() for piece in pieces if piece.strip()))
    return named or [UNKNOWN]


def _strata(n_people: NDArray[np.int64]) -> "pd.Series[str]":
    """[n_items] head, middle or tail; of equally popular items the lower number is the more popular."""
    n_items = len(n_people) - 1
    place = np.empty(n_items, dtype=np.int64)
    place[np.argsort(-n_people[1:], kind="stable")] = np.arange(n_items)
    edge = int(np.ceil(STRATUM * n_items))
    strata = np.select([place < edge, place >= n_items - edge], [HEAD, TAIL], default=MIDDLE)
    return pd.Series(strata, dtype="str")


def _grouped(by: str, texts: "pd.Series[str]", groups: tuple[str, ...]) -> ItemGroups:
    """The groups that some item is in, in the order of `groups`; each different text is taken apart once."""
    codes, different = pd.factorize(texts)
    parts = [_parts(str(text), by) for text in different]
    named = {part for own in parts for part in own}
    there = tuple(group for group in groups if group in named)
    if len(there) < 2:
        raise DataError(f"{by!r} can't form groups: every item is {there[0] if there else UNKNOWN!r}")
    number = {group: place for place, group in enumerate(there)}
    shares = np.zeros((len(parts), len(there)))
    for text, own in enumerate(parts):
        shares[text, [number[group] for group in own]] = 1 / len(own)
    return ItemGroups(by, there, np.concatenate([np.zeros((1, len(there))), shares[codes]]))
