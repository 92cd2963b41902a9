"""Whose gap a row of an audit is: the people of the group, and those whom it is compared with."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.groups import UNKNOWN, group_labels
from recsys_core.fairness.result import AuditResult, GapRow

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class GapMembers:
    """The two sides of a gap, over the people who have a value.

    Attributes:
        gap: what the audit says of it.
        in_group: [n] who is in the group.
        in_reference: [n] whom they are compared with.
    """

    gap: GapRow
    in_group: BoolArray
    in_reference: BoolArray


def gap_members(
    audited: AuditResult, values: "pd.Series[float]", users: pd.DataFrame, group: str | None = None
) -> list[GapMembers]:
    """The two sides of every gap of an audit, or of one group's.

    An audit has no gap of a group that may not be shown, so nothing is told of such a group here either.

    Args:
        audited: of these values by attributes of these people.
        values: one a person, indexed by `user_id`.
        users: one row a person: `user_id` and text attributes.
        group: whose gap alone is wanted.

    Raises:
        DataError: the audit has no gap of that group, or no gap at all; with its reason.
    """
    gaps = [gap for gap in audited.gaps if group is None or group in (gap.group, gap.reference)]
    if not gaps:
        raise DataError(_why_none(audited, group))
    people = users.set_index(users["user_id"].astype(str)).drop(columns="user_id")
    people = people.reindex(values.index.astype(str)).rename_axis("user_id").reset_index()
    labels = {by: group_labels(people, by).astype(str).to_numpy() for by in {gap.attribute for gap in gaps}}
    return [_members(audited, gap, labels[gap.attribute]) for gap in gaps]


def _members(audited: AuditResult, gap: GapRow, labels: NDArray[np.object_]) -> GapMembers:
    in_group = np.asarray(labels == gap.group)
    if gap.reference != "rest":
        return GapMembers(gap, in_group, np.asarray(labels == gap.reference))
    hidden = {row.group for row in audited.by_group if row.attribute == gap.attribute and row.suppressed}
    out = {UNKNOWN, *hidden} if UNKNOWN in hidden else {UNKNOWN}  # the audit's own rule for "the rest"
    return GapMembers(gap, in_group, ~in_group & ~np.isin(labels, list(out)))


def _why_none(audited: AuditResult, group: str | None) -> str:
    reasons = [
        f"{row.attribute} {row.group}: {row.reason}"
        for row in audited.not_computed
        if group is None or row.group == group
    ]
    if reasons:
        return "there is no gap to look into; " + "; ".join(reasons)
    groups = ", ".join(dict.fromkeys(row.group for row in audited.by_group)) or "none"
    return f"there is no gap of the group {group!r}; groups are {groups}"
