"""The global-time split: what happened before a moment trains, for everybody; what came later is held out.

Protocol. Two moments, the same for all people. Events before the first train. A person's *new* items are
those at their first touch. New items between the moments are validation targets, ranked from what the person
did before the first moment; new items from the second moment on are test targets, ranked from what the
person did before the second. Either each person's first such item counts, or all of them. The model isn't
trained again in between. Whoever did nothing before a moment has no target after it: there is no history.
Of several events on one item in a row, what came before the moment is known and what came after isn't.
Events without a known time are neither trained on nor held out.
"""

from typing import Literal

import numpy as np

from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.data.split import Split, first_touches
from recsys_core.errors import DataError

Which = Literal["first", "all"]
HELD_OUT_SHARE = 0.1  # of the events, for validation and for test


def time_boundaries(
    dataset: Dataset, valid_share: float = HELD_OUT_SHARE, test_share: float = HELD_OUT_SHARE
) -> tuple[float, float]:
    """The moments in Unix seconds from which validation and test begin, by shares of the events.

    Events of one second stay together, so the shares are met as nearly as times allow.

    Raises:
        DataError: there are no times, or too few different ones to tell three parts apart.
    """
    times = np.sort(dataset.timestamp_s[~np.isnan(dataset.timestamp_s)])
    if len(times) == 0:
        raise DataError("no event has a time, so the data can't be split by time; leave one out instead")
    places = [int(len(times) * (1 - share)) for share in (valid_share + test_share, test_share)]
    valid_from, test_from = times[np.clip(places, 0, len(times) - 1)]
    if not times[0] < valid_from < test_from:
        raise DataError(
            f"{len(np.unique(times)):,} different times are too few, or too unevenly spread, to split "
            "the events by time into training, validation and test; leave one out instead"
        )
    return float(valid_from), float(test_from)


def global_time(dataset: Dataset, valid_from_s: float, test_from_s: float, which: Which = "first") -> Split:
    """The split at two moments in Unix seconds; `which`: each person's first new item after it, or all.

    Raises:
        DataError: the moments are in the wrong order, or one of the three parts would be empty.
    """
    if not valid_from_s < test_from_s:
        raise DataError(
            f"validation would begin at {valid_from_s:.0f} and test at {test_from_s:.0f}; "
            "the first must be earlier"
        )
    events, times = dataset.events, dataset.timestamp_s
    train_length, test_length = (
        np.bincount(events.rows[times < moment], minlength=dataset.n_users)
        for moment in (valid_from_s, test_from_s)
    )
    new_rows = first_touches(events, np.arange(len(events.items)))
    when = times[new_rows.items]
    in_valid = (when >= valid_from_s) & (when < test_from_s) & (train_length > 0)[new_rows.rows]
    in_test = (when >= test_from_s) & (test_length > 0)[new_rows.rows]
    valid_rows, test_rows = (_held_out(new_rows, chosen, which) for chosen in (in_valid, in_test))
    sizes = int(train_length.sum()), len(valid_rows.items), len(test_rows.items)
    if not all(sizes):
        raise DataError(
            f"split at {valid_from_s:.0f} and {test_from_s:.0f} (Unix seconds), the data have {sizes[0]:,} "
            f"training events, {sizes[1]:,} validation and {sizes[2]:,} test targets; each needs at least one"
        )
    return Split(
        train_length=train_length,
        test_length=test_length,
        valid_rows=valid_rows,
        test_rows=test_rows,
        order=np.arange(len(events.items)),
        warnings=_warnings(dataset, test_rows, int(np.isnan(times).sum())),
        at_moments=True,
    )


def _held_out(
    new_rows: Histories, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]], which: Which
) -> Histories:
    rows, people = new_rows.items[chosen], new_rows.rows[chosen]
    if which == "first":
        first = np.unique(people, return_index=True)[1]
        rows, people = rows[first], people[first]
    counts: IntArray = np.bincount(people, minlength=len(new_rows))
    return Histories(rows, np.concatenate([[0], np.cumsum(counts)]))


def _warnings(dataset: Dataset, test_rows: Histories, n_without_time: int) -> tuple[str, ...]:
    warnings: list[str] = []
    n_left_out = int((test_rows.lengths == 0).sum())
    if n_left_out:
        warnings.append(
            f"{n_left_out:,} of {dataset.n_users:,} people have no test target: they touched nothing new "
            "in the test period, or nothing at all before it"
        )
    if n_without_time:
        warnings.append(f"{n_without_time:,} events without a time are neither trained on nor held out")
    return tuple(warnings)
