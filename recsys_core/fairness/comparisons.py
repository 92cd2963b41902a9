"""Who is compared with whom: one comparison a gap, and the reason for each that can't be made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.groups import UNKNOWN
from recsys_core.fairness.inference import Sample
from recsys_core.fairness.result import AuditSettings, NotComputed

FEWEST_ABOVE_ZERO = 20  # people with non-zero utility from which intervals are promised
NOBODY_ELSE = "no other group with enough people to compare with"


@dataclass(frozen=True, slots=True)
class GroupTable:
    """The groups of one attribute, and how often each value of a metric comes in each.

    Attributes:
        attribute: an attribute or an intersection.
        groups: in the order of display.
        values: distinct values of the metric, ascending, [n_values].
        counts: people of each group with each value, [n_groups, n_values].
        hidden: the groups that may not be shown.
    """

    attribute: str
    groups: tuple[str, ...]
    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    hidden: frozenset[str]

    def place(self, group: str) -> int:
        """The row of a group."""
        return self.groups.index(group)

    def sample(self, *groups: str) -> Sample:
        """The values of the people of one or several groups."""
        counts = self.counts[[self.place(group) for group in groups]].sum(axis=0)
        return Sample(self.values[counts > 0], counts[counts > 0])

    @property
    def known(self) -> list[str]:
        """The groups whose people have a value of the attribute."""
        return [group for group in self.groups if group != UNKNOWN]

    @property
    def shown(self) -> list[str]:
        """The known groups that may be shown."""
        return [group for group in self.known if group not in self.hidden]

    @property
    def enough(self) -> list[str]:
        """The groups that may be shown and have people enough for an interval."""
        return [group for group in self.shown if has_enough(self.sample(group))]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One gap to compute: a group against the people of the groups named in `against`."""

    attribute: str
    group: str
    reference: str
    against: tuple[str, ...]


def has_enough(sample: Sample) -> bool:
    """Whether enough people are above zero for an interval and a verdict."""
    return sample.n_above_zero >= FEWEST_ABOVE_ZERO


def comparisons(
    table: GroupTable, settings: AuditSettings
) -> tuple[list[Comparison], list[NotComputed], int]:
    """The gaps of one attribute, the reasons for those left out, and how many tests they were picked from.

    Raises:
        DataError: the reference is a group that may not be shown, or the people without the attribute.
    """
    enough = table.enough
    pairs, n_tests = _pairs(table, settings.reference, enough)
    made: list[Comparison] = []
    left_out = _left_out(table, settings)
    for pair in pairs:
        reason = _reason_against(table, pair, settings)
        if reason is None:
            made.append(pair)
        else:
            left_out.append(NotComputed(table.attribute, pair.group, reason))
    alone = set(enough) - {name for pair in pairs for name in (pair.group, pair.reference)}
    left_out += [NotComputed(table.attribute, group, NOBODY_ELSE) for group in enough if group in alone]
    return made, left_out, len(made) if n_tests is None else n_tests


def expected_pairs(table: GroupTable, settings: AuditSettings) -> list[Comparison]:
    """The comparisons that can be told from the sizes alone: of every group that may be shown.

    Where the best group is the reference, which one that is isn't known yet; the smallest other one stands
    for it.

    Raises:
        DataError: as `comparisons`.
    """
    if settings.reference != "best":
        pairs, _ = _pairs(table, settings.reference, table.shown)
        return [pair for pair in pairs if pair.against]
    size = {group: table.sample(group).n for group in table.shown}
    return [
        Comparison(table.attribute, group, "best", (min(others, key=lambda other: size[other]),))
        for group in size
        if (others := [other for other in size if other != group])
    ]


def _pairs(table: GroupTable, reference: str, groups: list[str]) -> tuple[list[Comparison], int | None]:
    """The comparisons of some groups, and how many tests they are picked from if that isn't their number."""
    if reference == "best":
        return _against_best(table, groups)
    if reference != "rest" and reference in table.groups:
        _refuse_reference(table, reference)
        return _against_one(table, reference, groups), None
    return _against_rest(table, groups), None


def _against_rest(table: GroupTable, groups: list[str]) -> list[Comparison]:
    """Every group against all other known groups; two groups are one gap.

    Where the people without the attribute are hidden, the rest is the other groups that are shown: with
    the hidden ones in it, the gaps would give away who is missing from the total.
    """
    pool = table.shown if UNKNOWN in table.hidden else table.known
    if len(pool) == 2:
        first, second = sorted(pool)
        return [Comparison(table.attribute, first, second, (second,))] if first in groups else []
    return [
        Comparison(table.attribute, group, "rest", tuple(other for other in pool if other != group))
        for group in groups
    ]


def _against_best(table: GroupTable, groups: list[str]) -> tuple[list[Comparison], int | None]:
    """Every group against the one with the highest mean.

    The data picked that one, so the family for Holm is every pair that could have been looked at.
    """
    if not groups:
        return [], None
    best = max(groups, key=lambda group: table.sample(group).mean)
    return _against_one(table, best, groups), len(groups) * (len(groups) - 1) // 2


def _against_one(table: GroupTable, reference: str, groups: list[str]) -> list[Comparison]:
    return [
        Comparison(table.attribute, group, reference, (reference,)) for group in groups if group != reference
    ]


def _refuse_reference(table: GroupTable, reference: str) -> None:
    if reference == UNKNOWN:
        raise DataError(
            f"the reference can't be {UNKNOWN!r}: these people have no value of {table.attribute}"
        )
    if reference in table.hidden:
        raise DataError(
            f"the reference {reference!r} of {table.attribute} may not be shown: it has too few people, "
            "or would give away a group that has"
        )


def _reason_against(table: GroupTable, pair: Comparison, settings: AuditSettings) -> str | None:
    if not pair.against:
        return NOBODY_ELSE
    if not has_enough(table.sample(*pair.against)):
        return _insufficient(settings, f"the reference, {pair.reference}, has ")
    return None


def _left_out(table: GroupTable, settings: AuditSettings) -> list[NotComputed]:
    rows: list[NotComputed] = []
    enough = set(table.enough)
    for group in table.known:
        if group in table.hidden:
            rows.append(NotComputed(table.attribute, group, hidden_reason(settings)))
        elif group not in enough:
            rows.append(NotComputed(table.attribute, group, _insufficient(settings)))
    if UNKNOWN in table.groups:
        rows.append(NotComputed(table.attribute, UNKNOWN, _missing(table, settings)))
    return rows


def _missing(table: GroupTable, settings: AuditSettings) -> str:
    if UNKNOWN in table.hidden:
        return f"missing attribute, left out of every gap; {hidden_reason(settings)}"
    sample = table.sample(UNKNOWN)
    reason = f"missing attribute: {sample.n} people, left out of every gap"
    return reason if has_enough(sample) else f"{reason}; {_insufficient(settings)}"


def hidden_reason(settings: AuditSettings) -> str:
    """Why a group is hidden, in words that don't tell a small group from one that shields it."""
    return f"hidden: it has fewer than {settings.minimum_group} people, or would give away a group that has"


def _insufficient(settings: AuditSettings, subject: str = "") -> str:
    return (
        f"insufficient data: {subject}fewer than {FEWEST_ABOVE_ZERO} people with a non-zero {settings.metric}"
    )


def insufficient_overall(settings: AuditSettings) -> NotComputed:
    """The row that says why the overall value has no interval."""
    return NotComputed("overall", "overall", _insufficient(settings))


def check_reference(tables: Sequence[GroupTable], reference: str) -> None:
    """Refuses a named reference that no attribute has.

    Raises:
        DataError: the name, and the groups there are.
    """
    if reference in ("rest", "best") or any(reference in table.groups for table in tables):
        return
    groups = [f"{table.attribute}: {', '.join(table.known[:20])}" for table in tables]
    raise DataError(
        f"the reference {reference!r} is neither 'rest', 'best' nor a group ({'; '.join(groups)})"
    )
