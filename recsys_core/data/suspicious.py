"""Accounts that may not be people: flagged by what they do, each with its reason, and never taken out here.

Four plain rules, each of which an honest person can meet too: a flag is a reason to look, not a verdict.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.data.dataset import Dataset, FloatArray, IntArray

BURST_EVENTS, BURST_S = 20, 60.0  # that many events in a minute are more than a person clicks
STEADY_EVENTS, STEADY_SPREAD = 12, 0.05  # that many events whose gaps hardly differ are a clock's …
STEADY_LONGEST_S = 3_600.0  # … unless the gaps are long, as for somebody who comes every evening
SHORTEST_TWIN = 5  # events from which two histories alike in every item are no coincidence
ROBUST_DEVIATIONS = 6.0  # of log activity above the median
REPEATS = 50  # events on one item
COMMON = 0.02  # what more people than this do is what people do here


@dataclass(frozen=True, slots=True)
class SuspiciousUsers:
    """Who is flagged, and why.

    Attributes:
        table: one row a flag: `user_id` and `reason` ("burst", "clockwork", "twin", "extreme activity",
            "one item"); a person may have several.
        common: reasons that would flag more than 2 % of the people, and so flag nobody, with that share:
            people who rate films off a list rate twenty in a minute.
        n_users: of the data set.
    """

    table: pd.DataFrame
    common: dict[str, float]
    n_users: int

    @property
    def user_ids(self) -> frozenset[str]:
        """Everybody who is flagged."""
        return frozenset(map(str, self.table["user_id"]))


def find_suspicious(dataset: Dataset) -> SuspiciousUsers:
    """Accounts that burst, tick like a clock, copy each other, do very much, or do one thing only.

    burst: 20 events within a minute. clockwork: 12 events in a row, each gap an hour at most and within 5 %
    of the one before. twin: 5 events or more, the same items in the same order as somebody else. extreme
    activity: log(1 + events) more than 6 robust standard deviations above the median (median absolute
    deviation, Iglewicz & Hoaglin 1993, with 6 in place of 3.5, because activity has a long tail). one item:
    50 events or more, all on one item. Times are needed for the first two.
    """
    flags = {
        "burst": _bursting(dataset),
        "clockwork": _ticking(dataset),
        "twin": _twins(dataset),
        "extreme activity": _extreme(dataset.events.lengths),
        "one item": _one_item(dataset),
    }
    ids = dataset.users["user_id"].to_numpy()
    most = max(1.0, COMMON * dataset.n_users)
    common = {reason: len(users) / dataset.n_users for reason, users in flags.items() if len(users) > most}
    rows = [
        (str(ids[user]), reason) for reason, users in flags.items() if reason not in common for user in users
    ]
    return SuspiciousUsers(pd.DataFrame(rows, columns=["user_id", "reason"]), common, dataset.n_users)


def _bursting(dataset: Dataset) -> IntArray:
    times, people = dataset.timestamp_s, dataset.events.rows
    reach = BURST_EVENTS - 1
    if len(times) <= reach:
        return np.zeros(0, dtype=np.int64)
    together = (people[reach:] == people[:-reach]) & (times[reach:] - times[:-reach] <= BURST_S)
    return np.unique(people[reach:][together])


def _ticking(dataset: Dataset) -> IntArray:
    people, gaps = dataset.events.rows, np.diff(dataset.timestamp_s)
    own = (people[1:] == people[:-1]) & (gaps > 0) & (gaps <= STEADY_LONGEST_S)
    steady = own[1:] & own[:-1] & (np.abs(gaps[1:] - gaps[:-1]) <= STEADY_SPREAD * gaps[:-1])
    needed = STEADY_EVENTS - 2  # gaps are one fewer than events, and pairs of them one fewer again
    runs = np.concatenate([[0], np.cumsum(steady)])
    if len(runs) <= needed:
        return np.zeros(0, dtype=np.int64)
    in_a_row = runs[needed:] - runs[:-needed] == needed  # [n_events - 1 - needed], by their first event
    return np.unique(people[: len(in_a_row)][in_a_row])


def _twins(dataset: Dataset) -> IntArray:
    histories = pd.Series([own.tobytes() for own in map(dataset.events.__getitem__, range(dataset.n_users))])
    long = dataset.events.lengths >= SHORTEST_TWIN
    return np.flatnonzero(histories.duplicated(keep=False).to_numpy() & long)


def _extreme(lengths: IntArray) -> IntArray:
    activity: FloatArray = np.log1p(lengths[lengths > 0])
    if len(activity) == 0:
        return np.zeros(0, dtype=np.int64)
    middle = np.median(activity)
    deviation = 1.4826 * np.median(np.abs(activity - middle))
    return np.flatnonzero((np.log1p(lengths) - middle > ROBUST_DEVIATIONS * deviation) & (deviation > 0))


def _one_item(dataset: Dataset) -> IntArray:
    different = dataset.events.without_repeats().lengths
    return np.flatnonzero((different == 1) & (dataset.events.lengths >= REPEATS))
