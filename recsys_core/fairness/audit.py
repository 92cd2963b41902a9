"""Group by group: how well does a recommender serve people, and could the difference be chance?

Means come from fairlearn's MetricFrame; intervals from a bootstrap stratified by group (bias-corrected and
accelerated); p-values from studentised permutations, adjusted by Holm over every gap of the audit, which
is the family that the caller declared by naming its attributes.
"""

from typing import cast
from zlib import crc32

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.comparisons import (
    Comparison,
    GroupTable,
    check_reference,
    comparisons,
    has_enough,
    insufficient_overall,
)
from recsys_core.fairness.groups import group_labels
from recsys_core.fairness.inference import (
    Estimate,
    bootstrap_mean,
    difference,
    hedges_g,
    holm,
    interval,
    minimum_detectable,
    permutation_p_value,
    pooled,
    sample_of,
    union,
    verdict_of,
)
from recsys_core.fairness.result import AuditResult, AuditSettings, GapRow, GroupRow, NotComputed, Overall
from recsys_core.fairness.suppression import hidden_groups

MARGIN_SHARE = 0.10  # of the overall value, where no margin is given
FEWEST_PERMUTATIONS = 4999
PERMUTATIONS_A_TEST = 100  # so that the smallest possible p-value survives Holm in a large family


def audit(values: pd.Series, users: pd.DataFrame, settings: AuditSettings) -> AuditResult:
    """Means, gaps and verdicts of one metric by group; the same inputs and seed give the same result.

    Args:
        values: one metric value a person, finite, indexed by `user_id`.
        users: one row a person: `user_id` and text attributes. Whoever has a value but no row is "unknown"
            everywhere; whoever has a row but no value is left out and counted.
        settings: what to compare, and by which rules.

    Raises:
        DataError: values or people can't be used, an attribute can't form groups, or the reference is
            missing or may not be shown.
    """
    measured = _checked(values, settings)
    people = _people_of(measured, users)
    labels = {by: group_labels(people, by) for by in settings.by}
    hidden = hidden_groups(labels, settings.minimum_group)
    numbers = measured.to_numpy()
    tables = [_table(by, labels[by], numbers, hidden[by]) for by in settings.by]
    check_reference(tables, settings.reference)

    overall, not_computed = _overall(numbers, settings)
    margin = MARGIN_SHARE * abs(overall.value) if settings.margin is None else settings.margin
    estimates = {table.attribute: _estimates(table, settings) for table in tables}
    rows = [row for table in tables for row in _rows(table, estimates[table.attribute], labels, numbers)]
    gaps, reasons = _gaps(tables, estimates, settings, margin)
    return AuditResult(
        overall=overall,
        by_group=tuple(rows),
        gaps=tuple(gaps),
        not_computed=(*not_computed, *reasons),
        settings=settings,
        margin=margin,
        n_without_value=int((~users["user_id"].astype(str).isin(measured.index)).sum()),
    )


def _checked(values: pd.Series, settings: AuditSettings) -> pd.Series:
    """The values as float64, indexed by text ids.

    Raises:
        DataError: too few people, an id that comes twice, or a value that isn't a finite number.
    """
    if len(values) < settings.minimum_group:
        raise DataError(
            f"{len(values)} people have a value of {settings.metric}; "
            f"an audit needs at least {settings.minimum_group}"
        )
    numbers = pd.to_numeric(values, errors="coerce").astype(np.float64)
    measured = numbers.set_axis(values.index.astype(str))
    if measured.index.has_duplicates:
        repeated = measured.index[measured.index.duplicated()][0]
        raise DataError(f"user_id {repeated!r} has more than one value of {settings.metric}")
    wrong = ~np.isfinite(measured.to_numpy())
    if wrong.any():
        raise DataError(
            f"{settings.metric} of user_id {measured.index[int(np.argmax(wrong))]!r} is not a finite number "
            f"({int(wrong.sum())} such values); leave people without a value out"
        )
    return measured


def _people_of(measured: pd.Series, users: pd.DataFrame) -> pd.DataFrame:
    """The attributes of exactly the people measured, in their order; "" where nothing is known."""
    if "user_id" not in users.columns:
        raise DataError("the table of people has no column user_id")
    ids = users["user_id"].astype(str)
    if ids.duplicated().any():
        raise DataError(f"the table of people names user_id {ids[ids.duplicated()].iloc[0]!r} more than once")
    if not measured.index.isin(ids).any():
        raise DataError(
            f"none of the {len(measured)} people with a value is in the table of people "
            f"(values have {measured.index[0]!r}, the table has {ids.iloc[0] if len(ids) else 'nobody'!r})"
        )
    attributes = users.set_index(pd.Index(ids)).drop(columns="user_id")
    return attributes.reindex(measured.index).rename_axis("user_id").reset_index()


def _table(by: str, labels: pd.Series, numbers: NDArray[np.float64], hidden: frozenset[str]) -> GroupTable:
    codes = labels.cat.codes.to_numpy()
    groups = [str(group) for group in labels.cat.categories]
    return GroupTable(
        by, {group: sample_of(numbers[codes == code]) for code, group in enumerate(groups)}, hidden
    )


def _overall(numbers: NDArray[np.float64], settings: AuditSettings) -> tuple[Overall, list[NotComputed]]:
    sample = sample_of(numbers)
    if not has_enough(sample):
        return Overall(sample.mean, sample.n, None, None), [insufficient_overall(settings)]
    estimate = bootstrap_mean(sample, settings.draws, _generator(settings, "overall"))
    return Overall(sample.mean, sample.n, *interval(estimate)), []


def _estimates(table: GroupTable, settings: AuditSettings) -> dict[str, Estimate]:
    """The bootstrap of every group, each resampled within itself: the strata of all that follows."""
    rng = _generator(settings, f"bootstrap {table.attribute}")
    return {group: bootstrap_mean(sample, settings.draws, rng) for group, sample in table.samples.items()}


def _rows(
    table: GroupTable,
    estimates: dict[str, Estimate],
    labels: dict[str, pd.Series],
    numbers: NDArray[np.float64],
) -> list[GroupRow]:
    means = group_means(numbers, labels[table.attribute])
    rows: list[GroupRow] = []
    for group, sample in table.samples.items():
        if group in table.hidden:
            rows.append(GroupRow(table.attribute, group, None, None, None, None, suppressed=True))
            continue
        low, high = interval(estimates[group]) if has_enough(sample) else (None, None)
        rows.append(GroupRow(table.attribute, group, sample.n, means[group], low, high, suppressed=False))
    return rows


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


def _gaps(
    tables: list[GroupTable],
    estimates: dict[str, dict[str, Estimate]],
    settings: AuditSettings,
    margin: float,
) -> tuple[list[GapRow], list[NotComputed]]:
    planned = [comparisons(table, settings) for table in tables]
    n_tests = sum(tests for _, _, tests in planned)
    n_permutations = max(FEWEST_PERMUTATIONS, settings.draws, PERMUTATIONS_A_TEST * n_tests - 1)
    pairs = [(table, pair) for table, (made, _, _) in zip(tables, planned, strict=True) for pair in made]
    p_values = [_p_value(table, pair, settings, n_permutations) for table, pair in pairs]
    gaps = [
        _gap(table, pair, estimates[table.attribute], margin, p_value, p_adjusted)
        for (table, pair), p_value, p_adjusted in zip(pairs, p_values, holm(p_values, n_tests), strict=True)
    ]
    return gaps, [reason for _, reasons, _ in planned for reason in reasons]


def _p_value(table: GroupTable, pair: Comparison, settings: AuditSettings, n_permutations: int) -> float:
    rng = _generator(settings, f"permutations {pair.attribute} {pair.group}")
    against = union([table.samples[group] for group in pair.against])
    return permutation_p_value(table.samples[pair.group], against, n_permutations, rng)


def _gap(
    table: GroupTable,
    pair: Comparison,
    estimates: dict[str, Estimate],
    margin: float,
    p_value: float,
    p_adjusted: float,
) -> GapRow:
    group, against = table.samples[pair.group], union([table.samples[name] for name in pair.against])
    gap = difference(estimates[pair.group], pooled([estimates[name] for name in pair.against]))
    low, high = interval(gap)
    return GapRow(
        attribute=pair.attribute,
        group=pair.group,
        reference=pair.reference,
        difference=gap.value,
        ci_low=low,
        ci_high=high,
        p_value=p_value,
        p_adjusted=p_adjusted,
        effect_size=hedges_g(group, against),
        minimum_detectable=minimum_detectable(group, against),
        verdict=verdict_of(gap, margin, p_adjusted),
    )


def _generator(settings: AuditSettings, purpose: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the purpose alone, not on what else is audited."""
    return np.random.default_rng([settings.seed, crc32(purpose.encode())])
