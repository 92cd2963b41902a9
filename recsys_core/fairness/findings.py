"""What an audit knows before it looks at a group, and what it says of all groups of an attribute together."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Family = Literal["primary", "exploratory"]
Measure = Literal[
    "max-min",
    "user-mad",
    "worst-group",
    "impact-ratio",
    "differential-fairness",
    "theil",
    "theil-within",
    "theil-between",
    "ge2",
    "ge2-within",
    "ge2-between",
]


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """How unequal the groups of an attribute are, in one figure; see `fairness.summaries`.

    Attributes:
        attribute: what the groups are made of.
        measure: which figure.
        group: the worst group, or the group of an impact ratio; None where the figure is of all.
        value: None where it can't be computed.
        ci_low: low end of the 95 % interval; None likewise.
        ci_high: high end of it.
        reason: why it can't be computed; None where it is.
    """

    attribute: str
    measure: Measure
    group: str | None
    value: float | None
    ci_low: float | None
    ci_high: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class BoundsRow:
    """How far the people without the attribute could move a gap, were they assigned at worst and at best.

    Attributes:
        attribute: what the groups are made of.
        group: the group.
        reference: what it is compared with.
        n_missing: people without the attribute.
        lowest: smallest difference over all assignments.
        highest: largest difference over all assignments.
    """

    attribute: str
    group: str
    reference: str
    n_missing: int
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class SizeRow:
    """What a comparison could find, known before any group's values are looked at.

    Attributes:
        attribute: what the groups are made of.
        group: the group.
        reference: what it will be compared with.
        n: people of the group.
        n_reference: people of the reference.
        minimum_detectable: smallest difference found with 80 % power by one test at .05.
        minimum_detectable_family: the same at the strictest step of the whole family.
        power_of_005: probability that a true difference of 0.05 is found by one test at .05.
        power_of_010: the same of 0.10.
        expected_enough: whether about 20 people above zero are to be expected in both, which a verdict needs.
    """

    attribute: str
    group: str
    reference: str
    n: int
    n_reference: int
    minimum_detectable: float
    minimum_detectable_family: float
    power_of_005: float
    power_of_010: float
    expected_enough: bool


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """Sizes, and the gaps that they could reveal, of every comparison that an audit is going to make.

    Attributes:
        metric: which the figures are for.
        n: people measured.
        deviation: standard deviation of the metric between all people.
        rows: one a comparison.
    """

    metric: str
    n: int
    deviation: float
    rows: tuple[SizeRow, ...]

    def to_json(self) -> dict[str, Any]:
        """As `reclens audit --plan --json` gives it."""
        return asdict(self)
