"""The one split of a data set: leave one out, made at import, the same for everything that follows.

A person's *new* items are those at their first touch. The last new item is the test target, the one
before it the validation target, and what came before that trains. What a person repeats after the
validation target would tell a model about the future, so it is kept out of training and of both
histories, and comes back only "now".
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.data.events import Askers, EventContext

AsOf = Literal["valid", "test", "now"]
MIN_NEW_ITEMS = 3  # a person with fewer trains only: both targets and a history need one item each


@dataclass(frozen=True, slots=True)
class Split:
    """Which events train and which are held out; rows are places in `Dataset.events.items`.

    Attributes:
        train_length: [n_users] a person's first events, as many as train.
        valid_row: [n_users] row of the validation target; -1 for a person who has none.
        test_row: [n_users] row of the test target; -1 for a person who has none.
        order: [n_events] the events' order: `Dataset.events` itself, or drawn by the seed where the
            data have neither times nor an order.
        warnings: what a person should know about it.
    """

    train_length: IntArray
    valid_row: IntArray
    test_row: IntArray
    order: IntArray
    warnings: tuple[str, ...]


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
    new_rows = Histories(*_first_touches(events, order))  # [n_users] rows of each person's new items
    has_targets = new_rows.lengths >= MIN_NEW_ITEMS
    last = new_rows.offsets[1:] - 1
    test_row = np.where(has_targets, new_rows.items[last], -1)
    valid_row = np.where(has_targets, new_rows.items[np.maximum(last - 1, 0)], -1)
    train_length = np.where(has_targets, valid_row - events.offsets[:-1], events.lengths)
    if not has_targets.all():
        warnings.append(
            f"{int((~has_targets).sum()):,} people with fewer than {MIN_NEW_ITEMS} different items "
            "train the model but aren't evaluated"
        )
    return Split(train_length, valid_row, test_row, order, tuple(warnings))


def ordered_items(dataset: Dataset, split: Split) -> IntArray:
    """[n_events] item numbers in the order of the split."""
    return dataset.events.items[split.order]


def targets(dataset: Dataset, split: Split, part: Literal["valid", "test"]) -> IntArray:
    """[n_users] the held-out item of each person; 0 for a person who has none."""
    rows = split.valid_row if part == "valid" else split.test_row
    return np.where(rows >= 0, ordered_items(dataset, split)[rows], 0)


def histories(dataset: Dataset, split: Split, as_of: AsOf) -> Histories:
    """[n_users] the items of `history_rows`: what is known of each person at a moment.

    Each touch has the context of its whole run of events (see `EventContext.merged`), and each person is
    asked for at the time of the target; as of now no time is known.
    """
    rows = history_rows(dataset, split, as_of)
    items = ordered_items(dataset, split)[rows.items]
    return Histories(
        items, rows.offsets, _touches(dataset, split, rows.items), _askers(dataset, split, as_of)
    )


def history_rows(dataset: Dataset, split: Split, as_of: AsOf) -> Histories:
    """[n_users] places in `split.order` of what is known of each person at a moment, oldest first.

    `valid`: what trains. `test`: that and the validation target. `now`: every event. Of events on the
    same item in a row (viewed, clicked, bought) the first stands for all: one touch of the item.
    """
    items, lengths = ordered_items(dataset, split), dataset.events.lengths
    place = np.arange(len(items)) - np.repeat(dataset.events.offsets[:-1], lengths)
    keep = place < np.repeat(lengths if as_of == "now" else split.train_length, lengths)
    if as_of == "test":
        keep[split.valid_row[split.valid_row >= 0]] = True
    rows, people = np.flatnonzero(keep), dataset.events.rows[keep]
    again = (items[rows[1:]] == items[rows[:-1]]) & (people[1:] == people[:-1])
    first = np.concatenate([np.ones(min(1, len(rows)), dtype=bool), ~again])
    counts = np.bincount(people[first], minlength=dataset.n_users)
    return Histories(rows[first], np.concatenate([[0], np.cumsum(counts)]))


def _touches(dataset: Dataset, split: Split, rows: IntArray) -> EventContext | None:
    """The contexts of the runs that begin at `rows`: a run is a person's events on one item in a row."""
    if dataset.events.context is None:
        return None
    items, people = ordered_items(dataset, split), dataset.events.rows
    goes_on = (items[1:] == items[:-1]) & (people[1:] == people[:-1])
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
    """The three parts as tables of user_id, item_id, timestamp_s, for anyone who wants to recompute."""
    place = np.arange(len(split.order)) - np.repeat(dataset.events.offsets[:-1], dataset.events.lengths)
    trains = np.flatnonzero(place < np.repeat(split.train_length, dataset.events.lengths))
    rows = {
        "train": trains,
        "valid": split.valid_row[split.valid_row >= 0],
        "test": split.test_row[split.test_row >= 0],
    }
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


def _first_touches(events: Histories, order: IntArray) -> tuple[IntArray, IntArray]:
    """Rows at which each person first meets an item, in order, and where each person's begin."""
    pair = events.rows * (int(events.items.max(initial=0)) + 1) + events.items[order]
    _, first = np.unique(pair, return_index=True)
    rows = np.sort(first)
    lengths = np.bincount(events.rows[rows], minlength=len(events))
    return rows, np.concatenate([[0], np.cumsum(lengths)])
