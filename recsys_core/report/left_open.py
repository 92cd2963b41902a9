"""What a report leaves open: the groups that share a reason, in one line."""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys_core.fairness.result import NotComputed


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """Groups for which something wasn't computed, and why; "" stands for all groups together."""

    groups: tuple[str, ...]
    reason: str


def left_open(rows: Sequence[NotComputed]) -> tuple[LeftOpen, ...]:
    """One line a reason, in the order in which reasons come up, each with its groups in theirs."""
    by_reason = dict[str, dict[str, None]]()
    for row in rows:
        by_reason.setdefault(row.reason, {})[row.group] = None
    return tuple(LeftOpen(tuple(groups), reason) for reason, groups in by_reason.items())
