"""Sizes first: what an audit will compare, and how large a gap must be for it to be found.

Nothing in here looks at the values of any group: the spread between people is that of everybody together.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO, Comparison, GroupTable, expected_pairs
from recsys_core.fairness.disclosure import Shown
from recsys_core.fairness.effects import power, smallest_gap
from recsys_core.fairness.families import family_of
from recsys_core.fairness.findings import AuditPlan, SizeRow
from recsys_core.fairness.inference import SIGNIFICANCE, sample_of
from recsys_core.fairness.people import audited_people, group_tables
from recsys_core.fairness.result import AuditSettings

SMALL_GAP, LARGE_GAP = 0.05, 0.10


def plan(
    values: pd.Series | pd.DataFrame,
    users: pd.DataFrame,
    settings: AuditSettings,
    earlier: Sequence[Shown] = (),
) -> tuple[tuple[AuditPlan, ...], tuple[Shown, ...]]:
    """What an audit of these people could find, for each metric, and what showing it shows.

    Args:
        values: as for `audit`.
        users: as for `audit`.
        settings: as for `audit`.
        earlier: as for `audit`.

    Raises:
        DataError: as `audit`.
    """
    people = audited_people(values, users, settings, earlier)
    plans = tuple(
        plan_of(metric, people.values[:, place], group_tables(people, place, settings), settings)
        for place, metric in enumerate(settings.metrics)
    )
    return plans, people.shown


def plan_of(
    metric: str, values: NDArray[np.float64], tables: Sequence[GroupTable], settings: AuditSettings
) -> AuditPlan:
    """The plan of one metric from everybody's values [n_people] and the groups' sizes."""
    deviation = sqrt(sample_of(values).variance)  # the same whatever the order of people
    share_above_zero = float((values != 0).mean())
    pairs = [(table, pair) for table in tables for pair in expected_pairs(table, settings)]
    families = [family_of(table.attribute, settings.primary) for table, _ in pairs]
    rows = [
        _row(table, pair, deviation, share_above_zero, families.count(family) * len(settings.metrics))
        for (table, pair), family in zip(pairs, families, strict=True)
    ]
    return AuditPlan(metric, len(values), deviation, tuple(rows))


def _row(
    table: GroupTable, pair: Comparison, deviation: float, share_above_zero: float, family_size: int
) -> SizeRow:
    n, n_reference = table.sample(pair.group).n, table.sample(*pair.against).n
    return SizeRow(
        pair.attribute,
        pair.group,
        pair.reference,
        n,
        n_reference,
        smallest_gap(deviation, n, n_reference),
        smallest_gap(deviation, n, n_reference, SIGNIFICANCE / family_size),
        power(SMALL_GAP, deviation, n, n_reference),
        power(LARGE_GAP, deviation, n, n_reference),
        share_above_zero * min(n, n_reference) >= FEWEST_ABOVE_ZERO,
    )
