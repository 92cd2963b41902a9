"""The numbered data set: ids become row numbers once, here, and everything above works on arrays.

Items are numbered from 1, because 0 is the padding of short histories; people are numbered from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.events import (
    Askers,
    Codes,
    EventContext,
    FloatArray,
    IntArray,
    coded_column,
    number_column,
    read_event_columns,
)
from recsys_core.data.schema import CATEGORY_SEPARATOR, Tables
from recsys_core.errors import DataError, NotFoundError

TimeKey = Literal["timestamp_s", "order", "none"]


@dataclass(frozen=True, slots=True)
class Histories:
    """Sequences of item numbers of different lengths, end to end in one array.

    Attributes:
        items: [n_events] item numbers, each sequence oldest first.
        offsets: [n + 1] sequence i is `items[offsets[i]:offsets[i + 1]]`.
        context: what is known of each event beside its item; None = nothing.
        askers: who asks for what follows each sequence, and when; None = nobody in particular.
        n_before: [n] how many items of the whole history came before each sequence; None = none did.
    """

    items: IntArray
    offsets: IntArray
    context: EventContext | None = None
    askers: Askers | None = None
    n_before: IntArray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> IntArray:
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> IntArray:
        """[n] number of items of each sequence."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> IntArray:
        """[n_events] the sequence that each entry of `items` belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: IntArray) -> "Histories":
        """The sequences `rows`, in that order."""
        return self.pieces(rows, np.zeros(len(rows), dtype=np.int64), self.lengths[rows])

    def pieces(self, rows: IntArray, starts: IntArray, stops: IntArray) -> "Histories":
        """[len(rows)] of each sequence `rows[i]` its places from `starts[i]` up to `stops[i]`."""
        lengths = stops - starts
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - starts, lengths)
        where = np.repeat(self.offsets[rows], lengths) + within
        n_before = starts if self.n_before is None else self.n_before[rows] + starts
        return Histories(
            self.items[where],
            offsets,
            None if self.context is None else self.context.at(where),
            None if self.askers is None else self.askers.take(rows),
            n_before if n_before.any() else None,
        )

    def bare(self) -> "Histories":
        """The items alone."""
        return Histories(self.items, self.offsets, n_before=self.n_before)

    def padded(self, max_length: int) -> IntArray:
        """[n, longest] the last `max_length` items of each sequence, 0 behind shorter ones."""
        inside, where = self._last_places(max_length)
        padded = np.zeros(inside.shape, dtype=np.int64)
        padded[inside] = self.items[where]
        return padded

    def without_repeats(self) -> "Histories":
        """Each sequence's different items, by number: what was touched, whenever and however often."""
        size = int(self.items.max(initial=0)) + 1
        pairs = np.sort(self.rows * size + self.items)  # np.unique hashes, which takes many times as long
        pairs = pairs[np.flatnonzero(np.diff(pairs, prepend=-1))]
        lengths = np.bincount(pairs // size, minlength=len(self))
        return Histories(pairs % size, np.concatenate([[0], np.cumsum(lengths)]))

    def padded_context(self, max_length: int) -> EventContext | None:
        """[n, longest] the context of the items of `padded`, unknown behind shorter ones."""
        if self.context is None:
            return None
        inside, where = self._last_places(max_length)
        padded = EventContext.unknown(inside.shape, self.context.contexts.shape[-1])
        known = self.context.at(where)
        for whole, part in (
            (padded.types, known.types),
            (padded.strengths, known.strengths),
            (padded.timestamps_s, known.timestamps_s),
            (padded.dwell_s, known.dwell_s),
            (padded.contexts, known.contexts),
            (padded.texts, known.texts),
        ):
            whole[inside] = part
        return padded

    def _last_places(self, max_length: int) -> tuple[NDArray[np.bool_], IntArray]:
        """[n, longest] where padded rows hold events, and the places of these events in `items`."""
        lengths = np.minimum(self.lengths, max_length)
        columns = np.arange(int(lengths.max(initial=0)))
        inside = columns < lengths[:, None]  # [n, longest]
        return inside, ((self.offsets[1:] - lengths)[:, None] + columns)[inside]

    @staticmethod
    def of(sequences: list[IntArray] | list[list[int]]) -> "Histories":
        """Histories from one array a sequence."""
        lengths = [len(sequence) for sequence in sequences]
        items = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
        flat = np.concatenate(items) if items else np.zeros(0, dtype=np.int64)
        return Histories(flat, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @staticmethod
    def joined(parts: "Sequence[Histories]") -> "Histories":
        """Histories of one data set, one after the other; what some of them don't know is unknown there."""
        bare = Histories.of([part.items for part in parts])
        lengths = np.array([length for part in parts for length in part.lengths], dtype=np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        n_contexts = next((part.context.contexts.shape[-1] for part in parts if part.context), None)
        n_attributes = next((part.askers.attributes.shape[-1] for part in parts if part.askers), None)
        context = (
            None
            if n_contexts is None
            else EventContext.joined(
                [part.context or EventContext.unknown((len(part.items),), n_contexts) for part in parts]
            )
        )
        askers = (
            None
            if n_attributes is None
            else Askers.joined([part.askers or Askers.unknown(len(part), n_attributes) for part in parts])
        )
        return Histories(bare.items, offsets, context, askers)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Interactions, items and people under numbers, every person's events in order.

    Attributes:
        events: [n_users] each person's item numbers, oldest first, repeats included.
        timestamp_s: [n_events] Unix seconds beside `events.items`; NaN where no time is known.
        items: [n_items] rows in the order of item numbers 1, 2, …; columns as in `Tables.items`.
        users: [n_users] rows in the order of user numbers; columns as in `Tables.users`.
        time_key: what the events are in order of; "none" means that their order tells nothing.
        event_types: what the types of `events.context` mean, the weakest kind first.
        strength: the column behind the strengths of `events.context`; "" where there is none.
        contexts: the context columns of `events.context`.
        attributes: the columns of `attribute_codes`.
        attribute_codes: [n_users, n_attributes] the attributes of `users` as codes.
        written: what the texts of `events.context` mean: number 1 is the first.
    """

    events: Histories
    timestamp_s: FloatArray
    items: pd.DataFrame
    users: pd.DataFrame
    time_key: TimeKey
    event_types: Codes
    strength: str
    contexts: tuple[Codes, ...]
    attributes: tuple[Codes, ...]
    attribute_codes: IntArray
    written: tuple[str, ...] = ()

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def item_ids(self) -> NDArray[np.object_]:
        """[n_items + 1] item id of each item number; number 0, the padding, is ""."""
        return np.concatenate([[""], self.items["item_id"].to_numpy(dtype=object)])

    @property
    def titles(self) -> NDArray[np.object_]:
        """[n_items + 1] a readable title of each item number: its id where it has none."""
        titles = self.items["title"].where(self.items["title"] != "", self.items["item_id"])
        return np.concatenate([[""], titles.to_numpy(dtype=object)])

    def user_number(self, user_id: str) -> int:
        """The row of a person.

        Raises:
            NotFoundError: nobody has that id.
        """
        return _row_of(self.users["user_id"], user_id, "person")

    def item_number(self, item_id: str) -> int:
        """The number of an item, from 1.

        Raises:
            NotFoundError: no item has that id.
        """
        return _row_of(self.items["item_id"], item_id, "item") + 1

    def item_texts(self) -> list[str]:
        """[n_items] what a text encoder reads of each item: title, categories, provider, description."""
        columns = self.items[["title", "category", "provider", "text"]].to_dict("records")
        return [
            ". ".join(
                part
                for part in (
                    row["title"],
                    row["category"].replace(CATEGORY_SEPARATOR, ", "),
                    row["provider"],
                    row["text"],
                )
                if part
            )
            for row in columns
        ]


def build_dataset(tables: Tables) -> Dataset:
    """Numbers people and items in the order of their tables and puts everyone's events in order.

    Events go by time, then by the order column, then by their place in the file; without times by the
    order column; with neither they stay as they came, and their order means nothing.

    Raises:
        DataError: there is no interaction.
    """
    interactions = tables.interactions
    if interactions.empty:
        raise DataError(
            "the data set has no interaction; at least one row with a person and an item is needed"
        )
    user_number = pd.Index(tables.users["user_id"]).get_indexer(pd.Index(interactions["user_id"]))
    item_number = pd.Index(tables.items["item_id"]).get_indexer(pd.Index(interactions["item_id"])) + 1
    times, position = (number_column(interactions, name) for name in ("timestamp_s", "order"))
    by_time = not np.isnan(times).all()
    time_key: TimeKey = "timestamp_s" if by_time else "none" if np.isnan(position).all() else "order"
    order = np.lexsort((position, times, user_number)) if by_time else np.lexsort((position, user_number))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(user_number, minlength=len(tables.users)))])
    columns = read_event_columns(interactions)
    context = None if columns.context is None else columns.context.at(order)
    coded = [
        coded_column(tables.users[name], str(name)) for name in tables.users.columns if name != "user_id"
    ]
    codes = np.zeros((len(tables.users), len(coded)), dtype=np.int64)
    for column, (_, own) in enumerate(coded):
        codes[:, column] = own
    return Dataset(
        events=Histories(item_number[order].astype(np.int64), offsets, context),
        timestamp_s=times[order],
        items=tables.items.reset_index(drop=True),
        users=tables.users.reset_index(drop=True),
        time_key=time_key,
        event_types=columns.types,
        strength=columns.strength,
        contexts=columns.contexts,
        attributes=tuple(own for own, _ in coded),
        attribute_codes=codes,
        written=columns.written,
    )


def _row_of(ids: "pd.Series[str]", wanted: str, noun: str) -> int:
    found = np.flatnonzero((ids == wanted).to_numpy())
    if len(found) == 0:
        raise NotFoundError(
            f"there is no {noun} '{wanted}' among the {len(ids):,} of this data set "
            f"(ids are like {', '.join(ids.head(3))})"
        )
    return int(found[0])
