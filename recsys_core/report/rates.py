"""Two tables that rules ask for: people served above the median, and what changes without profiles.

Both are over the very people and groups of an audit, and what the audit doesn't show, they don't either.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO
from recsys_core.fairness.groups import UNKNOWN, group_labels
from recsys_core.fairness.paired import paired_bootstrap
from recsys_core.fairness.result import AuditResult
from recsys_core.report.contents import NoProfilingRow, RateRow

EVERYBODY = "everybody"
SMALL_SHARE = 0.02  # 6 RCNY § 5-301: a category under 2 % may be left out of the impact ratios, and is shown


def scoring_rates(
    values: "pd.Series[float]", users: pd.DataFrame, result: AuditResult
) -> tuple[RateRow, ...]:
    """The share of each group's people whose value is above everybody's median, and the impact ratios.

    Source: New York City, Rules of the City of New York, title 6, § 5-300 and 5-301: scoring rate, impact
    ratio. Where more than half of the people have a value of 0, the median is 0 and the rate is the share
    of people who are served at all.

    Args:
        values: one value a person, indexed by user_id.
        users: their attributes.
        result: the audit of these values, which says what may be shown.
    """
    is_above = values.to_numpy() > values.median()
    rows = list[RateRow]()
    for by in result.settings.by:
        members = _members(values, users, by, result)
        counted = {group: (int(own.sum()), float(is_above[own].mean())) for group, own in members.items()}
        rows += _rates(by, counted, len(values), result)
    return tuple(rows)


def no_profiling(
    values: "pd.Series[float]", without: "pd.Series[float]", users: pd.DataFrame, result: AuditResult
) -> tuple[NoProfilingRow, ...]:
    """Each group's mean as it is and with a ranking without profiles, with a paired 95 % interval.

    There is none where fewer than 20 people of the group have a value other than 0 either way.

    Args:
        values: one value a person, indexed by user_id.
        without: the same people's values when everybody is ranked alike.
        users: their attributes.
        result: the audit of these values, which says what may be shown.
    """
    both = pd.DataFrame({"own": values, "without": without.reindex(values.index)})
    rows = [_compared("", EVERYBODY, both, result)]
    for by in result.settings.by:
        members = _members(values, users, by, result)
        for group in _groups(by, result):
            if group in members:
                rows.append(_compared(by, group, both[members[group]], result))
            else:
                rows.append(NoProfilingRow(by, group, None, None, None, None, None, None))
    return tuple(rows)


def _rates(
    by: str, counted: dict[str, tuple[int, float]], n_people: int, result: AuditResult
) -> Iterator[RateRow]:
    """The rows of one attribute from how many people each shown group has and how many of them are above."""
    smallest = SMALL_SHARE * n_people
    large = [rate for group, (n, rate) in counted.items() if group != UNKNOWN and n >= smallest]
    best = max(large, default=0.0)
    for group in _groups(by, result):
        if group not in counted:
            yield RateRow(by, group, None, None, None, None, is_small=False)
            continue
        n, rate = counted[group]
        has_ratio = best > 0 and group != UNKNOWN and n >= smallest
        yield RateRow(
            by, group, n, n / n_people, rate, rate / best if has_ratio else None, is_small=n < smallest
        )


def _groups(by: str, result: AuditResult) -> list[str]:
    return [row.group for row in result.by_group if row.attribute == by]


def _members(
    values: "pd.Series[float]", users: pd.DataFrame, by: str, result: AuditResult
) -> dict[str, NDArray[np.bool_]]:
    """[n] who belongs to each group that the audit shows; none where it isn't made from an attribute."""
    people = users.set_index("user_id").reindex(values.index).rename_axis("user_id").reset_index()
    try:
        labels = group_labels(people, by).astype(str).to_numpy(dtype=object)
    except DataError:
        return {}
    shown = [row.group for row in result.by_group if row.attribute == by and not row.suppressed]
    return {group: labels == group for group in shown if (labels == group).any()}


def _compared(by: str, group: str, both: pd.DataFrame, result: AuditResult) -> NoProfilingRow:
    own, without = (both[name].to_numpy(dtype=np.float64) for name in ("own", "without"))
    found = paired_bootstrap(own, without, result.settings.draws, result.settings.seed)
    enough = np.sum((own != 0) | (without != 0)) >= FEWEST_ABOVE_ZERO
    ends = (found.ci_low, found.ci_high) if enough else (None, None)
    return NoProfilingRow(by, group, found.n, found.first, found.second, found.difference, *ends)
