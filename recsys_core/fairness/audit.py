"""Group by group: how well does a recommender serve people, and could the difference be chance?

Means come from fairlearn's MetricFrame; intervals from a bootstrap stratified by group (bias-corrected and
accelerated); p-values from studentised permutations, adjusted by Holm over the family that was declared
beforehand, and by Benjamini–Hochberg over the rest.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import cast
from zlib import crc32

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray

from recsys_core.fairness.bounds import gap_bounds
from recsys_core.fairness.comparisons import (
    FEWEST_ABOVE_ZERO,
    Comparison,
    GroupTable,
    comparisons,
    has_enough,
    insufficient_overall,
)
from recsys_core.fairness.disclosure import Shown
from recsys_core.fairness.effects import cliffs_delta
from recsys_core.fairness.families import adjust, family_of
from recsys_core.fairness.findings import AuditPlan, BoundsRow, Family, SummaryRow
from recsys_core.fairness.groups import UNKNOWN
from recsys_core.fairness.inference import (
    bootstrap_mean,
    difference,
    hedges_g,
    interval,
    minimum_detectable,
    permutation_p_value,
    sample_of,
    verdict_of,
)
from recsys_core.fairness.people import AuditedPeople, audited_people, group_tables
from recsys_core.fairness.planning import plan_of
from recsys_core.fairness.resampling import N_THREADS, GroupDraws, resample
from recsys_core.fairness.result import (
    AuditResult,
    AuditSettings,
    GapRow,
    GroupRow,
    MetricFindings,
    NotComputed,
    Overall,
)
from recsys_core.fairness.summaries import FEWEST_GROUPS, MEASURES, summaries, unknown

MARGIN_SHARE = 0.10  # of the overall value, where no margin is given
FEWEST_PERMUTATIONS, MOST_PERMUTATIONS = 4999, 99_999
PERMUTATIONS_A_TEST = 100  # so that the smallest possible p-value survives Holm in a large family
STOPS = ((999, 200), (4999, 250))  # (shuffles, as extreme): p above .2, or .05, is known well enough by then


def audit(
    values: pd.Series | pd.DataFrame,
    users: pd.DataFrame,
    settings: AuditSettings,
    earlier: Sequence[Shown] = (),
) -> AuditResult:
    """Means, gaps and verdicts by group; the same inputs and seed give the same result.

    Args:
        values: one metric value a person, finite, indexed by `user_id`; of several metrics, a column each,
            NaN for people without a value, who are left out of all.
        users: one row a person: `user_id` and text attributes. Whoever has a value but no row is "unknown"
            everywhere; whoever has a row but no value is left out and counted.
        settings: what to compare, and by which rules.
        earlier: what was shown of this table of people before; what it would help to work out stays hidden.

    Raises:
        DataError: values or people can't be used, an attribute can't form groups, or the reference is
            missing or may not be shown.
    """
    people = audited_people(values, users, settings, earlier)
    by_metric = [group_tables(people, place, settings) for place in range(len(settings.metrics))]
    planned = [
        _planned(tables, settings) for tables in by_metric
    ]  # refuses what can't be asked, before the work
    codes = [people.codes(by) for by in settings.by]
    seeds = [_seed(settings, f"bootstrap {by}") for by in settings.by]
    draws = resample(people.values, codes, settings.draws, seeds)
    runs = [
        _Run(people, place, tables, own, tests, settings)
        for place, (tables, own, tests) in enumerate(zip(by_metric, draws, planned, strict=True))
    ]
    tested = _tested(runs, settings)
    first, *more = [_findings(run, gaps) for run, gaps in zip(runs, tested, strict=True)]
    return AuditResult(
        overall=first.overall,
        by_group=first.by_group,
        gaps=first.gaps,
        not_computed=first.not_computed,
        settings=settings,
        margin=first.margin,
        n_without_value=people.n_without_value,
        plan=first.plan,
        summaries=first.summaries,
        bounds=first.bounds,
        more=tuple(more),
        shown=people.shown,
    )


@dataclass(frozen=True, slots=True)
class _Planned:
    """The comparisons of one attribute, why others are left out, and how many tests they are picked from."""

    pairs: list[Comparison]
    left_out: list[NotComputed]
    n_tests: int


@dataclass(frozen=True, slots=True)
class _Run:
    """One metric: its groups, their draws and the comparisons to make, attribute by attribute."""

    people: AuditedPeople
    place: int
    tables: list[GroupTable]
    draws: list[GroupDraws]
    planned: list[_Planned]
    settings: AuditSettings

    @property
    def metric(self) -> str:
        return self.settings.metrics[self.place]

    @property
    def values(self) -> NDArray[np.float64]:
        return self.people.values[:, self.place]

    @property
    def margin(self) -> float:
        given = self.settings.margin  # in units of the headline metric
        return (
            given if given is not None and self.place == 0 else MARGIN_SHARE * abs(float(self.values.mean()))
        )


@dataclass(frozen=True, slots=True)
class _Tested:
    """A comparison with its p-values."""

    table: int
    pair: Comparison
    p_value: float
    p_adjusted: float
    family: Family


def _planned(tables: Sequence[GroupTable], settings: AuditSettings) -> list[_Planned]:
    return [_Planned(*comparisons(table, settings)) for table in tables]


def _tested(runs: Sequence[_Run], settings: AuditSettings) -> list[list[_Tested]]:
    """Every comparison of every metric with its p-value, adjusted over the families that span all metrics."""
    families: list[Family] = [family_of(by, settings.primary) for by in settings.by]
    sizes: dict[Family, int] = {"primary": 0, "exploratory": 0}
    for run in runs:
        for family, planned in zip(families, run.planned, strict=True):
            sizes[family] += planned.n_tests
    wanted = max(FEWEST_PERMUTATIONS, settings.draws, PERMUTATIONS_A_TEST * max(sizes.values()) - 1)
    n_permutations = min(wanted, MOST_PERMUTATIONS)
    jobs = [
        (number, table, pair)
        for number, run in enumerate(runs)
        for table, planned in enumerate(run.planned)
        for pair in planned.pairs
    ]
    with ThreadPoolExecutor(N_THREADS) as pool:
        p_values = list(
            pool.map(
                lambda job: _p_value(runs[job[0]].tables[job[1]], job[2], settings, n_permutations), jobs
            )
        )
    adjusted = adjust(p_values, [families[table] for _, table, _ in jobs], sizes)
    tested: list[list[_Tested]] = [[] for _ in runs]
    for (number, table, pair), p_value, p_adjusted in zip(jobs, p_values, adjusted, strict=True):
        tested[number].append(_Tested(table, pair, p_value, p_adjusted, families[table]))
    return tested


def _p_value(table: GroupTable, pair: Comparison, settings: AuditSettings, n_permutations: int) -> float:
    rng = np.random.default_rng(_seed(settings, f"permutations {pair.attribute} {pair.group}"))
    group, against = table.sample(pair.group), table.sample(*pair.against)
    return permutation_p_value(group, against, n_permutations, rng, STOPS)


def _findings(run: _Run, tested: Sequence[_Tested]) -> MetricFindings:
    """Everything that one metric tells of the groups."""
    overall, not_computed = _overall(run)
    gaps = [_gap(run, test) for test in tested]
    settings = replace(run.settings, metric=run.metric, more_metrics=())
    reasons = [_about(reason, run) for planned in run.planned for reason in planned.left_out]
    return MetricFindings(
        metric=run.metric,
        overall=overall,
        by_group=tuple(row for table in range(len(run.tables)) for row in _rows(run, table)),
        gaps=tuple(gaps),
        not_computed=(*not_computed, *reasons),
        summaries=tuple(row for table in range(len(run.tables)) for row in _summaries(run, table)),
        bounds=tuple(bounds for test in tested if (bounds := _bounds(run, test)) is not None),
        plan=_plan(run, settings),
        margin=run.margin,
    )


def _plan(run: _Run, settings: AuditSettings) -> AuditPlan:
    return plan_of(run.metric, run.values, run.tables, run.settings)


def _overall(run: _Run) -> tuple[Overall, list[NotComputed]]:
    sample, settings = sample_of(run.values), run.settings
    if not has_enough(sample):
        return Overall(sample.mean, sample.n, None, None), [_about(insufficient_overall(settings), run)]
    rng = np.random.default_rng(_seed(settings, "overall"))
    estimate = bootstrap_mean(sample, settings.draws, rng)
    return Overall(sample.mean, sample.n, *interval(estimate)), []


def _about(row: NotComputed, run: _Run) -> NotComputed:
    """The reason, naming the run's own metric."""
    return replace(
        row, reason=row.reason.replace(f"non-zero {run.settings.metric}", f"non-zero {run.metric}")
    )


def _rows(run: _Run, number: int) -> list[GroupRow]:
    table, draws = run.tables[number], run.draws[number]
    means = group_means(run.values, run.people.labels[table.attribute])
    rows: list[GroupRow] = []
    for place, group in enumerate(table.groups):
        if group in table.hidden:
            rows.append(GroupRow(table.attribute, group, None, None, None, None, suppressed=True))
            continue
        sample = table.sample(group)
        low, high = interval(draws.pooled([place])) if has_enough(sample) else (None, None)
        rows.append(GroupRow(table.attribute, group, sample.n, means[group], low, high, suppressed=False))
    return rows


def _summaries(run: _Run, number: int) -> list[SummaryRow]:
    table = run.tables[number]
    groups = table.enough
    if len(groups) < FEWEST_GROUPS:
        reason = (
            f"insufficient data: fewer than {FEWEST_GROUPS} groups that may be shown have "
            f"{FEWEST_ABOVE_ZERO} people with a non-zero {run.metric}"
        )
        return [unknown(table.attribute, measure, reason) for measure in MEASURES]
    return summaries(table.attribute, groups, [table.place(group) for group in groups], run.draws[number])


def _bounds(run: _Run, test: _Tested) -> BoundsRow | None:
    """How far people without the attribute could move a gap; None where there are none or hidden ones."""
    table, pair = run.tables[test.table], test.pair
    if UNKNOWN not in table.groups or UNKNOWN in table.hidden:
        return None
    codes = run.people.codes(pair.attribute)
    missing = run.values[codes == table.place(UNKNOWN)]
    sides = [np.isin(codes, [table.place(name) for name in names]) for names in ((pair.group,), pair.against)]
    (n, total), (n_reference, total_reference) = (
        (int(side.sum()), float(run.values[side].sum())) for side in sides
    )
    both = set(table.known) == {pair.group, *pair.against}
    lowest, highest = gap_bounds((n, total), (n_reference, total_reference), missing, all_assigned=both)
    return BoundsRow(pair.attribute, pair.group, pair.reference, len(missing), lowest, highest)


def group_means(numbers: NDArray[np.float64], labels: pd.Series) -> dict[str, float]:
    """The mean value of each group's people, through fairlearn's MetricFrame.

    Args:
        numbers: one value a person, float64 [n].
        labels: the group of each person [n].
    """
    frame = MetricFrame(
        metrics=_mean, y_true=numbers, y_pred=numbers, sensitive_features=labels.astype(str).to_numpy()
    )
    by_group = cast("pd.Series[float]", frame.by_group)  # one metric and one feature: never a DataFrame
    return {str(group): float(mean) for group, mean in by_group.items()}


def _mean(y_true: NDArray[np.float64], y_pred: NDArray[np.float64]) -> float:
    """What MetricFrame computes for each group; there is no truth to hold a mean against."""
    return float(np.mean(y_pred))


def _gap(run: _Run, test: _Tested) -> GapRow:
    table, draws, pair = run.tables[test.table], run.draws[test.table], test.pair
    group, against = table.sample(pair.group), table.sample(*pair.against)
    gap = difference(
        draws.pooled([table.place(pair.group)]), draws.pooled([table.place(name) for name in pair.against])
    )
    low, high = interval(gap)
    return GapRow(
        attribute=pair.attribute,
        group=pair.group,
        reference=pair.reference,
        difference=gap.value,
        ci_low=low,
        ci_high=high,
        p_value=test.p_value,
        p_adjusted=test.p_adjusted,
        effect_size=hedges_g(group, against),
        minimum_detectable=minimum_detectable(group, against),
        verdict=verdict_of(gap, run.margin, test.p_adjusted),
        cliffs_delta=cliffs_delta(group, against),
        family=test.family,
    )


def _seed(settings: AuditSettings, purpose: str) -> list[int]:
    """A seed that depends on the settings' and the purpose alone, not on what else is audited."""
    return [settings.seed, crc32(purpose.encode())]
