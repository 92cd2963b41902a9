"""An audit in words and tables: verdicts as sentences, and hidden groups as what they are."""

from collections.abc import Callable

import pandas as pd

from recsys_core.fairness.comparisons import NOBODY_ELSE
from recsys_core.fairness.findings import AuditPlan
from recsys_core.fairness.result import AuditResult, GapRow
from recsys_core.fairness.summaries import NEGATIVE, ONE_OUTCOME
from ui.audit_names import MARKS, OVERALL, attribute_name, group_name, reference_name, verdict_name
from ui.components import metric_name
from ui.text import plain, t

METRIC_NAMES = ("ndcg", "hr", "mrr", "precision")  # with one held-out item, recall is HR and MAP is MRR
MORE_METRICS = ("auc", "novelty", "popularity", "diversity", "miscalibration", "popularity-deviation")
OPEN_TOLD = 2  # inconclusive gaps that are told in sentences; the table has all
_REASONS = {
    "hidden": "reason_hidden",
    "missing attribute": "reason_missing",
    "insufficient data": "reason_insufficient",
    NOBODY_ELSE: "reason_alone",
}


def headline(result: AuditResult) -> str:
    """What was found, in one sentence that claims no more than the data can."""
    n, counts = len(result.gaps), verdict_counts(result)
    if n == 0:
        return t("fairness.headline_none")
    if counts["disparity"]:
        return t("fairness.headline_disparity", n=n, found=counts["disparity"])
    if counts["equivalent"] == n:
        return t("fairness.headline_equivalent", n=n)
    return t("fairness.headline_open", n=n)


def verdict_counts(result: AuditResult) -> dict[str, int]:
    """How many gaps got each verdict."""
    return {verdict: sum(gap.verdict == verdict for gap in result.gaps) for verdict in MARKS}


def gap_sentence(gap: GapRow, result: AuditResult) -> str:
    """One gap's verdict in words, as plain text."""
    reference = reference_name(gap.reference)
    if gap.verdict == "disparity":
        side = "lower" if gap.difference < 0 else "higher"
        overall = result.overall.value
        share = t("fairness.share", share=f"{abs(gap.difference / overall):.0%}") if overall else ""
        return t(
            f"fairness.says_{side}",
            metric=metric_name(result.settings.metric),
            size=f"{abs(gap.difference):.4f}",
            share=share,
            reference=reference,
        )
    if gap.verdict == "equivalent":
        return t("fairness.says_equivalent", reference=reference, margin=f"{result.margin:.4f}")
    return t("fairness.says_open", reference=reference, detectable=f"{gap.minimum_detectable:.4f}")


def sizes_table(plan: AuditPlan) -> pd.DataFrame:
    """Every comparison with its sizes, the smallest gap that they reveal, and its power at two gaps."""
    rows = [
        (
            attribute_name(row.attribute),
            group_name(row.group),
            reference_name(row.reference),
            row.n,
            row.n_reference,
            row.minimum_detectable,
            row.minimum_detectable_family,
            100 * row.power_of_005,
            100 * row.power_of_010,
            t("fairness.yes") if row.expected_enough else t("fairness.no"),
        )
        for row in plan.rows
    ]
    return pd.DataFrame(
        rows,
        columns=[
            "attribute",
            "group",
            "reference",
            "people",
            "people_reference",
            "detectable",
            "detectable_family",
            "power_005",
            "power_010",
            "expected",
        ],
    )


def summaries_table(result: AuditResult, attribute: str) -> pd.DataFrame:
    """How unequal the groups of an attribute are, figure by figure, with the reason where there is none."""
    rows = [
        (
            t(f"fairness.measure_{row.measure}"),
            t("fairness.all_groups") if row.group is None else group_name(row.group),
            row.value,
            row.ci_low,
            row.ci_high,
            "" if row.reason is None else _summary_reason(row.reason),
        )
        for row in result.summaries
        if row.attribute == attribute
    ]
    table = pd.DataFrame(rows, columns=["measure", "group", "value", "ci_low", "ci_high", "reason"])
    return table.astype(dict.fromkeys(["value", "ci_low", "ci_high"], "float64"))


def _summary_reason(reason: str) -> str:
    words = {NEGATIVE: "fairness.summary_negative", ONE_OUTCOME: "fairness.summary_one_outcome"}
    return t(words.get(reason, "fairness.summary_unknown"))


def bounds_table(result: AuditResult, attribute: str) -> pd.DataFrame:
    """How far the people without the attribute could move each gap of it; no rows where nobody is without."""
    rows = [
        (
            t("fairness.against", group=group_name(row.group), reference=reference_name(row.reference)),
            row.n_missing,
            row.lowest,
            row.highest,
        )
        for row in result.bounds
        if row.attribute == attribute
    ]
    return pd.DataFrame(rows, columns=["label", "missing", "lowest", "highest"])


def groups_table(result: AuditResult, attribute: str) -> pd.DataFrame:
    """The groups of an attribute that may be shown: `group`, `n`, `value`, `ci_low`, `ci_high`."""
    rows = [
        (group_name(row.group), row.n, row.value, row.ci_low, row.ci_high)
        for row in result.by_group
        if row.attribute == attribute and not row.suppressed
    ]
    table = pd.DataFrame(rows, columns=["group", "n", "value", "ci_low", "ci_high"])
    return table.astype(dict.fromkeys(["n", "value", "ci_low", "ci_high"], "float64"))


def n_hidden(result: AuditResult, attribute: str) -> int:
    """How many groups of an attribute are suppressed."""
    return sum(row.attribute == attribute and row.suppressed for row in result.by_group)


def gaps_table(result: AuditResult, attribute: str) -> pd.DataFrame:
    """The gaps of an attribute, with verdict and sentence; `verdict` is the key, `verdict_name` the word."""
    rows = [
        (
            t("fairness.against", group=group_name(gap.group), reference=reference_name(gap.reference)),
            group_name(gap.group),
            reference_name(gap.reference),
            verdict_name(gap.verdict),
            gap_sentence(gap, result),
            gap.difference,
            gap.ci_low,
            gap.ci_high,
            gap.p_value,
            gap.p_adjusted,
            gap.effect_size,
            gap.cliffs_delta,
            gap.minimum_detectable,
            t(f"fairness.family_{gap.family}"),
            gap.verdict,
        )
        for gap in result.gaps
        if gap.attribute == attribute
    ]
    return pd.DataFrame(
        rows,
        columns=[
            "label",
            "group",
            "reference",
            "verdict_name",
            "sentence",
            "difference",
            "ci_low",
            "ci_high",
            "p_value",
            "p_adjusted",
            "effect_size",
            "cliffs_delta",
            "minimum_detectable",
            "family",
            "verdict",
        ],
    )


def told_first(gaps: pd.DataFrame) -> pd.DataFrame:
    """The gaps that are told in sentences: all with a verdict that decides, then a few that stay open.

    Args:
        gaps: as `gaps_table`.
    """
    decided = gaps[gaps["verdict"] != "inconclusive"].sort_values("verdict", kind="stable")
    return pd.concat([decided, gaps[gaps["verdict"] == "inconclusive"].head(OPEN_TOLD)])


def not_computed_table(result: AuditResult) -> pd.DataFrame:
    """What wasn't computed, and why: `attribute`, `group`, `reason`."""
    rows = [
        (
            _name_of(row.attribute, attribute_name),
            _name_of(row.group, group_name),
            _reason(row.reason, result),
        )
        for row in result.not_computed
    ]
    return pd.DataFrame(rows, columns=["attribute", "group", "reason"])


def _name_of(name: str, readable: Callable[[str], str]) -> str:
    return t("fairness.everybody") if name == OVERALL else readable(name)


def _reason(reason: str, result: AuditResult) -> str:
    """A reason in the person's language; as the audit put it, where it is none of the known ones."""
    least, metric = result.settings.minimum_group, metric_name(result.settings.metric)
    for beginning, key in _REASONS.items():
        if reason.startswith(beginning):
            return t(f"fairness.{key}", least=least, metric=metric)
    return plain(reason)
