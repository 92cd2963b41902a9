"""What an audit was asked and what it found: frozen values, and the JSON that is the command's contract.

Nothing in here is under the smallest group: what may not be shown is None from the start.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from recsys_core.errors import ConfigError, StoreError
from recsys_core.fairness.disclosure import Shown
from recsys_core.fairness.findings import AuditPlan, BoundsRow, Family, SizeRow, SummaryRow
from recsys_core.fairness.suppression import SMALLEST_GROUP

Verdict = Literal["disparity", "equivalent", "inconclusive"]

FEWEST_DRAWS, MOST_DRAWS = 200, 100_000


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What to compare, and by which rules.

    Attributes:
        by: attributes, or intersections such as "gender*age".
        metric: name of the metric that the values hold; it is only written down here.
        reference: "rest" (everybody else), "best" (the group with the highest mean), or a group's name;
            an attribute that has no group of that name is compared with the rest.
        margin: largest difference that counts as none, in units of the metric; None = 10 % of the overall.
        draws: bootstrap resamples.
        seed: of every draw.
        minimum_group: smallest n that is shown.
        more_metrics: further metrics over the same people.
        primary: the attributes whose gaps, by every metric, are the family declared before the run (Holm);
            the gaps of the others are exploratory (Benjamini–Hochberg). None = all are primary.
        cohorts: "NAME=ATTRIBUTE:GROUP,…"; each makes NAME an attribute with the groups "in" and "out".

    Raises:
        ConfigError: a value is out of bounds; every problem is named.
    """

    by: tuple[str, ...]
    metric: str = "ndcg@10"
    reference: str = "rest"
    margin: float | None = None
    draws: int = 1000
    seed: int = 0
    minimum_group: int = SMALLEST_GROUP
    more_metrics: tuple[str, ...] = ()
    primary: tuple[str, ...] | None = None
    cohorts: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics, the headline one first."""
        return (self.metric, *self.more_metrics)

    def __post_init__(self) -> None:
        """Checks every value."""
        problems = [problem for problem, found in self._checks() if found]
        if problems:
            raise ConfigError("; ".join(problems))

    def _checks(self) -> list[tuple[str, bool]]:
        sets = [frozenset(part.strip() for part in name.split("*")) for name in self.by]
        margin_ok = self.margin is None or (isfinite(self.margin) and self.margin > 0)
        return [
            ("by is empty: name at least one attribute", not self.by or not all(map(str.strip, self.by))),
            (f"by names the same groups twice: {', '.join(self.by)}", len(set(sets)) < len(sets)),
            ("metric is empty: name the metric that the values hold", not all(map(str.strip, self.metrics))),
            (
                f"metric names the same metric twice: {', '.join(self.metrics)}",
                len(set(self.metrics)) < len(self.metrics),
            ),
            (
                f"primary is {', '.join(self.primary or ())}; it must name attributes of the audit: "
                f"{', '.join(self.by)}",
                not set(self.primary or ()) <= set(self.by),
            ),
            ("reference is empty: 'rest', 'best' or the name of a group", not self.reference.strip()),
            (f"margin is {self.margin}; it must be a finite number above 0", not margin_ok),
            (
                f"draws is {self.draws}; allowed are {FEWEST_DRAWS} to {MOST_DRAWS}",
                not FEWEST_DRAWS <= self.draws <= MOST_DRAWS,
            ),
            (f"seed is {self.seed}; it must be 0 or more", self.seed < 0),
            (
                f"minimum_group is {self.minimum_group}; it must be {SMALLEST_GROUP} or more",
                self.minimum_group < SMALLEST_GROUP,
            ),
        ]


@dataclass(frozen=True, slots=True)
class Overall:
    """The mean over everybody, with its 95 % interval (None where fewer than 20 people are above zero)."""

    value: float
    n: int
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group's mean with its 95 % interval; all None where it is suppressed."""

    attribute: str
    group: str
    n: int | None
    value: float | None
    ci_low: float | None
    ci_high: float | None
    suppressed: bool


@dataclass(frozen=True, slots=True)
class GapRow:
    """One group against its reference.

    Attributes:
        attribute: what the groups are made of.
        group: the group.
        reference: "rest", or the name of the group it is compared with.
        difference: mean of the group − mean of the reference; ci_low, ci_high: its 95 % interval.
        ci_low: see difference.
        ci_high: see difference.
        p_value: of the studentised permutation test, two-sided.
        p_adjusted: the same after Holm over the primary family, or Benjamini–Hochberg over the exploratory
            one.
        effect_size: Hedges' g; None where nobody differs from anybody.
        minimum_detectable: smallest difference found with 80 % power at two-sided .05 by such groups.
        verdict: "equivalent", "disparity" or "inconclusive".
        cliffs_delta: P(a person of the group is above one of the reference) − P(below), −1 to 1.
        family: "primary" (declared before the run) or "exploratory".
    """

    attribute: str
    group: str
    reference: str
    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    p_adjusted: float
    effect_size: float | None
    minimum_detectable: float
    verdict: Verdict
    cliffs_delta: float | None = None
    family: Family = "primary"


@dataclass(frozen=True, slots=True)
class NotComputed:
    """What an audit leaves open, and why."""

    attribute: str
    group: str
    reason: str


@dataclass(frozen=True, slots=True)
class MetricFindings:
    """What an audit found by a further metric; fields as in `AuditResult`."""

    metric: str
    overall: Overall
    by_group: tuple[GroupRow, ...]
    gaps: tuple[GapRow, ...]
    not_computed: tuple[NotComputed, ...]
    summaries: tuple[SummaryRow, ...]
    bounds: tuple[BoundsRow, ...]
    plan: AuditPlan
    margin: float

    def to_json(self) -> dict[str, Any]:
        """Its part of the JSON of an audit."""
        return {
            "overall": _overall_json(self.overall, self.metric),
            "by_group": _rows(self.by_group),
            "gaps": _rows(self.gaps),
            "not_computed": _rows(self.not_computed),
            "summaries": _rows(self.summaries),
            "bounds": _rows(self.bounds),
            "sizes": _rows(self.plan.rows),
            "margin": self.margin,
        }


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Everything that an audit found; all but `more` is of the headline metric.

    Attributes:
        overall: the mean over everybody.
        by_group: every group of every attribute, in the order asked for.
        gaps: every comparison made.
        not_computed: every comparison or interval that wasn't, with its reason.
        settings: what was asked.
        margin: the margin used, in units of the metric.
        n_without_value: people of the table whom a metric doesn't cover; they are left out.
        plan: what the sizes could reveal, known before.
        summaries: how unequal the groups of each attribute are.
        bounds: of each gap, where people have no value of the attribute.
        more: what was found by each further metric.
        shown: whose groups this shows, for what is asked later.
    """

    overall: Overall
    by_group: tuple[GroupRow, ...]
    gaps: tuple[GapRow, ...]
    not_computed: tuple[NotComputed, ...]
    settings: AuditSettings
    margin: float
    n_without_value: int
    plan: AuditPlan | None = None
    summaries: tuple[SummaryRow, ...] = ()
    bounds: tuple[BoundsRow, ...] = ()
    more: tuple[MetricFindings, ...] = ()
    shown: tuple[Shown, ...] = ()

    def of_metric(self, metric: str) -> "AuditResult":
        """The same audit with another of its metrics as the headline one.

        Raises:
            ConfigError: the audit has no such metric.
        """
        if metric == self.settings.metric:
            return self
        for found in self.more:
            if found.metric == metric:
                return AuditResult(
                    found.overall,
                    found.by_group,
                    found.gaps,
                    found.not_computed,
                    replace(self.settings, metric=metric, more_metrics=()),
                    found.margin,
                    self.n_without_value,
                    found.plan,
                    found.summaries,
                    found.bounds,
                )
        raise ConfigError(f"the audit has no metric {metric}; it has {', '.join(self.settings.metrics)}")

    def to_json(self) -> dict[str, Any]:
        """The contract of `reclens audit --json`: no NaN, and null where a group is suppressed."""
        settings = self.settings
        return {
            "overall": _overall_json(self.overall, settings.metric),
            "by_group": _rows(self.by_group),
            "gaps": _rows(self.gaps),
            "not_computed": _rows(self.not_computed),
            "summaries": _rows(self.summaries),
            "bounds": _rows(self.bounds),
            "sizes": _rows(self.plan.rows if self.plan else ()),
            "primary": list(settings.by if settings.primary is None else settings.primary),
            "margin": self.margin,
            "more_metrics": [found.to_json() for found in self.more],
        }

    def to_record(self) -> dict[str, Any]:
        """All of it as plain JSON, for keeping; `from_record` reads it back."""
        return _RECORD.dump_python(self, mode="json")

    @staticmethod
    def from_record(record: object) -> "AuditResult":
        """The audit that `to_record` wrote.

        Raises:
            StoreError: the record isn't one of an audit.
        """
        try:
            return _RECORD.validate_python(record)
        except (ValidationError, ConfigError) as error:
            raise StoreError(f"the kept audit can't be read: {error}") from error


_RECORD = TypeAdapter(AuditResult)


def _rows(
    rows: Sequence[GroupRow | GapRow | NotComputed | SummaryRow | BoundsRow | SizeRow],
) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def _overall_json(overall: Overall, metric: str) -> dict[str, Any]:
    return {"metric": metric} | {name: getattr(overall, name) for name in ("n", "value", "ci_low", "ci_high")}
