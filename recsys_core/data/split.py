"""The split of a data set, made at import, the same for everything that follows: leave one out by default.

A person's *new* items are those at their first touch. The last new item is the test target, the one
before it the validation target, and what came before that trains. What a person repeats after the
validation target would tell a model about the future, so it is kept out of training and of both
histories, and comes back only "now". `split_time.global_time` splits at moments that are the same for all.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.data.events import Askers, EventContext

AsOf = Literal["valid", "test", "now"]
MIN_NEW_ITEMS = 3  # a person with fewer trains only: both targets and a history need one item each


@dataclass(frozen=True, slots=True)
class Split:
    """Which events train and which are held out; rows are places in `order`.

    Attributes:
        train_length: [n_users] a person's first events, as many as train: the history that validation
            targets are ranked from.
        test_length: [n_users] a person's first events, as many as test targets are ranked from.
        valid_rows: [n_users] rows of each person's validation targets, oldest first.
        test_rows: [n_users] rows of each person's test targets, oldest first.
        order: [n_events] the events' order: `Dataset.events` itself, or drawn by the seed where the
            data have neither times nor an order.
        warnings: what a person should know about it.
        at_moments: whether it cuts at moments that are the same for all, and so maybe within a run of
            events on one item.
    """

    train_length: IntArray
    test_length: IntArray
    valid_rows: Histories
    test_rows: Histories
    order: IntArray
    warnings: tuple[str, ...]
    at_moments: bool = False

    @property
    def valid_row(self) -> IntArray:
        """[n_users] row of the first validation target; -1 for a person who has none."""
        return _first_rows(self.valid_rows)

    @property
    def test_row(self) -> IntArray:
        """[n_users] row of the first test target; -1 for a person who has none."""
        return _first_rows(self.test_rows)


def leave_one_out(dataset: Dataset, seed: int = 0) -> Split:
    """The split of a data set; `seed` matters only where events have no order."""
    events, warnings = dataset.events, []
    order = np.arange(len(events.items))
    if dataset.time_key == "none":
        draw = np.random.default_rng(seed).random(len(order))
        order = np.lexsort((draw, events.rows))
        warnings.append(
            "the events have neither times nor an order, so the held-out items were drawn by the seed"
        )
    new_rows = first_touches(events, order)
    has_targets = new_rows.lengths >= MIN_NEW_ITEMS
    last = new_rows.offsets[1:][has_targets] - 1
    valid_row = new_rows.items[last - 1]
    train_length = events.lengths
    train_length[has_targets] = valid_row - events.offsets[:-1][has_targets]
    ends = np.concatenate([[0], np.cumsum(has_targets)])
    if not has_targets.all():
        warnings.append(
            f"{int((~has_targets).sum()):,} people with fewer than {MIN_NEW_ITEMS} different items "
            "train the model but aren't evaluated"
        )
    return Split(
        train_length=train_length,
        test_length=train_length + has_targets,  # the validation target comes next
        valid_rows=Histories(valid_row, ends),
        test_rows=Histories(new_rows.items[last], ends),
        order=order,
        warnings=tuple(warnings),
    )


def ordered_items(dataset: Dataset, split: Split) -> IntArray:
    """[n_events] item numbers in the order of the split."""
    return dataset.events.items[split.order]


def targets(dataset: Dataset, split: Split, part: Literal["valid", "test"]) -> IntArray:
    """[n_users] the first held-out item of each person; 0 for a person who has none."""
    rows = split.valid_row if part == "valid" else split.test_row
    return np.where(rows >= 0, ordered_items(dataset, split)[rows], 0)


def all_targets(dataset: Dataset, split: Split, part: Literal["valid", "test"]) -> Histories:
    """[n_users] every held-out item of each person, oldest first."""
    rows = split.valid_rows if part == "valid" else split.test_rows
    return Histories(ordered_items(dataset, split)[rows.items], rows.offsets)


def histories(dataset: Dataset, split: Split, as_of: AsOf) -> Histories:
    """[n_users] the items of `history_rows`: what is known of each person at a moment.

    Each touch has the context of its whole run of events (see `EventContext.merged`), and each person is
    asked for at the time of the target; as of now no time is known.
    """
    rows = history_rows(dataset, split, as_of)
    items = ordered_items(dataset, split)[rows.items]
    return Histories(
        items, rows.offsets, _touches(dataset, split, as_of, rows.items), _askers(dataset, split, as_of)
    )


def history_rows(dataset: Dataset, split: Split, as_of: AsOf) -> Histories:
    """[n_users] places in `split.order` of what is known of each person at a moment, oldest first.

    `valid`: what trains. `test`: what is known when test targets are ranked; leaving one out, that is the
    training part and the validation target. `now`: every event. Of events on the same item in a row (viewed,
    clicked, bought) the first stands for all: one touch of the item.
    """
    items, keep = ordered_items(dataset, split), _known(dataset, split, as_of)
    rows, people = np.flatnonzero(keep), dataset.events.rows[keep]
    again = (items[rows[1:]] == items[rows[:-1]]) & (people[1:] == people[:-1])
    first = np.concatenate([np.ones(min(1, len(rows)), dtype=bool), ~again])
    counts = np.bincount(people[first], minlength=dataset.n_users)
    return Histories(rows[first], np.concatenate([[0], np.cumsum(counts)]))


def _known(dataset: Dataset, split: Split, as_of: AsOf) -> NDArray[np.bool_]:
    """[n_events] whether what is in a place of `split.order` had happened by then."""
    lengths = {"valid": split.train_length, "test": split.test_length, "now": dataset.events.lengths}
    return _first_events(dataset.events, lengths[as_of])


def _touches(dataset: Dataset, split: Split, as_of: AsOf, rows: IntArray) -> EventContext | None:
    """The contexts of the runs that begin at `rows`: a run is a person's events on one item in a row.

    A run that a moment cuts is known as far as it had come. Leaving one out, the run of the validation
    target belongs to it as a whole: the test target comes after all of it.
    """
    if dataset.events.context is None:
        return None
    items, people = ordered_items(dataset, split), dataset.events.rows
    goes_on = (items[1:] == items[:-1]) & (people[1:] == people[:-1])
    if split.at_moments:
        known = _known(dataset, split, as_of)
        goes_on &= known[1:] == known[:-1]
    begins = np.concatenate([np.ones(min(1, len(items)), dtype=bool), ~goes_on])
    runs = dataset.events.context.at(split.order).merged(np.flatnonzero(begins))
    return runs.at((np.cumsum(begins) - 1)[rows])


def _askers(dataset: Dataset, split: Split, as_of: AsOf) -> Askers:
    time_s = np.full(dataset.n_users, np.nan)
    if as_of != "now":
        rows = split.valid_row if as_of == "valid" else split.test_row
        time_s[rows >= 0] = dataset.timestamp_s[split.order[rows[rows >= 0]]]
    return Askers(dataset.attribute_codes, time_s)


def split_tables(dataset: Dataset, split: Split) -> dict[str, pd.DataFrame]:
    """The three parts as tables of user_id, item_id, timestamp_s, for anyone who wants to recompute.

    A split by time may have a fourth, `known`: events after training that test targets are ranked from
    without being validation targets.
    """
    trains = _first_events(dataset.events, split.train_length)
    known = _first_events(dataset.events, split.test_length) & ~trains
    known[split.valid_rows.items] = False
    rows = {
        "train": np.flatnonzero(trains),
        "valid": split.valid_rows.items,
        "test": split.test_rows.items,
    } | ({"known": np.flatnonzero(known)} if known.any() else {})
    return {part: _table(dataset, split, part_rows) for part, part_rows in rows.items()}


def _table(dataset: Dataset, split: Split, rows: IntArray) -> pd.DataFrame:
    events = split.order[rows]
    return pd.DataFrame(
        {
            "user_id": dataset.users["user_id"].to_numpy()[dataset.events.rows[rows]],
            "item_id": dataset.item_ids[dataset.events.items[events]],
            "timestamp_s": dataset.timestamp_s[events],
        }
    )


def first_touches(events: Histories, order: IntArray) -> Histories:
    """[n_users] rows at which each person first meets an item, in order."""
    pair = events.rows * (int(events.items.max(initial=0)) + 1) + events.items[order]
    _, first = np.unique(pair, return_index=True)
    rows = np.sort(first)
    lengths = np.bincount(events.rows[rows], minlength=len(events))
    return Histories(rows, np.concatenate([[0], np.cumsum(lengths)]))


def _first_events(events: Histories, n_first: IntArray) -> NDArray[np.bool_]:
    """[n_events] whether an event is among its person's first, as many as asked for."""
    place = np.arange(len(events.items)) - np.repeat(events.offsets[:-1], events.lengths)
    return place < np.repeat(n_first, events.lengths)


def _first_rows(rows: Histories) -> IntArray:
    has_any = rows.lengths > 0
    first = np.full(len(rows), -1, dtype=np.int64)
    first[has_any] = rows.items[rows.offsets[:-1][has_any]]
    return first
