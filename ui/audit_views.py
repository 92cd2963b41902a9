"""What Fairness draws of one audit: the answer first, then sizes, groups, gaps, and what stays open."""

import json
from typing import Any

import pandas as pd
import streamlit as st

from recsys_core.actions.audits import report_html
from recsys_core.actions.evidence import rerun_command
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.findings import AuditPlan
from recsys_core.fairness.result import AuditResult
from recsys_core.metrics.ranking import AUC
from ui import charts
from ui.audit_words import (
    METRIC_NAMES,
    attribute_name,
    bounds_table,
    gaps_table,
    groups_table,
    headline,
    n_hidden,
    not_computed_table,
    sizes_table,
    summaries_table,
    told_first,
    verdict_counts,
    verdict_name,
)
from ui.components import chart, help_text, metric_name, table
from ui.text import safe, t

VERDICTS = ("disparity", "equivalent", "inconclusive")
COMPARISON = 190  # pixels; what stands beside it is still seen on a phone


def draw_headline(result: AuditResult) -> None:
    """What was found, in a sentence and five figures."""
    overall, metric = result.overall, result.settings.metric
    st.subheader(headline(result), anchor=False)
    interval = (
        t("fairness.interval", low=f"{overall.ci_low:.4f}", high=f"{overall.ci_high:.4f}")
        if overall.ci_low is not None and overall.ci_high is not None
        else t("fairness.no_interval")
    )
    counts = verdict_counts(result)
    with st.grid(5, min_column_width=130):
        st.metric(
            metric_name(metric),
            f"{overall.value:.4f}",
            interval,
            delta_color="off",
            delta_arrow="off",
            help=help_text(metric),
        )
        st.metric(t("fairness.people"), f"{overall.n:,}", help=t("fairness.people_help"))
        for verdict in VERDICTS:
            st.metric(verdict_name(verdict), counts[verdict], help=t(f"fairness.{verdict}_help"))
    notes = [t("fairness.margin_used", margin=f"{result.margin:.4f}", metric=metric_name(metric))]
    if result.n_without_value:
        notes.append(t("fairness.without_value", n=result.n_without_value))
    st.caption(" ".join(notes))


def draw_sizes(plan: AuditPlan) -> None:
    """How many people would be compared, and what gap such sizes could show at all."""
    st.subheader(t("fairness.sizes"), anchor=False, help=t("fairness.sizes_help"))
    sizes = sizes_table(plan)
    if sizes.empty:
        st.caption(t("fairness.nothing_to_compare"))
        return
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    table(
        sizes,
        "fairness_sizes",
        "sizes.csv",
        alt=t("fairness.sizes"),
        column_config={
            "attribute": text(t("fairness.attribute"), width=110)
            if len(set(sizes["attribute"])) > 1
            else None,
            "group": text(t("fairness.group"), width=100),
            "reference": text(t("fairness.against_whom"), width=120),
            "people": number(t("fairness.people"), format="localized", width=80),
            "people_reference": number(t("fairness.people_reference"), format="localized", width=110),
            "detectable": number(
                t("fairness.detectable"), format="%.4f", width=130, help=t("fairness.detectable_help")
            ),
            "detectable_family": number(
                t("fairness.detectable_family"), format="%.4f", help=t("fairness.detectable_family_help")
            ),
            "power_005": number(t("fairness.power_005"), format="%.0f %%", help=t("fairness.power_help")),
            "power_010": number(t("fairness.power_010"), format="%.0f %%", help=t("fairness.power_help")),
            "expected": text(t("fairness.expected"), help=t("fairness.expected_help")),
        },
    )
    st.caption(t("fairness.sizes_before"))


def choose_metric(result: AuditResult) -> AuditResult:
    """The audit seen by one of its metrics, by choice where there are several."""
    metrics = list(result.settings.metrics)
    if len(metrics) == 1:
        return result
    chosen = st.segmented_control(
        t("fairness.metric_shown"),
        metrics,
        default=metrics[0],
        required=True,
        format_func=metric_name,
        key="fairness_shown",
    )
    return result.of_metric(chosen if chosen in metrics else metrics[0])


def draw_attribute(result: AuditResult) -> None:
    """The groups of one attribute on one axis, its gaps, and each gap's verdict in words."""
    st.subheader(t("fairness.groups"), anchor=False, help=t("fairness.groups_help"))
    by = list(result.settings.by)
    attribute = by[0]
    if len(by) > 1:
        attribute = st.segmented_control(
            t("fairness.attribute"),
            by,
            default=by[0],
            required=True,
            format_func=lambda name: safe(attribute_name(name)),
            key="fairness_attribute",
            label_visibility="collapsed",
        )
    left, right = st.columns(2, gap="medium")
    with left:
        _draw_groups(result, attribute)
    with right:
        _draw_gaps_chart(result, attribute)
    _draw_gaps(result, attribute)
    _draw_bounds(result, attribute)
    _draw_summaries(result, attribute)


def draw_open(result: AuditResult) -> None:
    """What wasn't computed, and why."""
    missing = not_computed_table(result)
    if missing.empty:
        return
    st.subheader(t("fairness.open"), anchor=False)
    widths = {"attribute": 140, "group": 160, "reason": 600}
    columns = {
        name: st.column_config.TextColumn(t(f"fairness.{name}"), width=width)
        for name, width in widths.items()
    }
    table(missing, "fairness_open", "not_computed.csv", alt=t("fairness.open"), column_config=columns)


def draw_downloads(model: LoadedModel, result: AuditResult) -> None:
    """The report, the JSON, and the command that gives the same figures again."""
    st.subheader(t("fairness.hand_over"), anchor=False)
    with st.container(horizontal=True):
        st.download_button(
            t("fairness.download_report"),
            lambda: report_html(model, result).encode(),
            file_name="audit.html",
            mime="text/html",
            key="fairness_report",
            icon=":material/description:",
            type="primary",
            on_click="ignore",
        )
        st.download_button(
            t("fairness.download_json"),
            lambda: json.dumps(result.to_json(), ensure_ascii=False, indent=2, allow_nan=False).encode(),
            file_name="audit.json",
            mime="application/json",
            key="fairness_json",
            icon=":material/data_object:",
            on_click="ignore",
        )
    st.caption(t("fairness.command"))
    st.code(rerun_command(model, result), language=None, wrap_lines=True)


def _draw_groups(result: AuditResult, attribute: str) -> None:
    groups, metric = groups_table(result, attribute), metric_name(result.settings.metric)
    st.caption(t(f"fairness.groups_means{_side(result)}", metric=metric))
    if groups.empty:
        st.caption(t("fairness.all_hidden"))
    else:
        figure = charts.interval_plot(groups, metric, result.overall.value, t("fairness.everybody"))
        chart(figure, "fairness_groups", t("fairness.groups_alt", metric=metric), groups, "groups")
    hidden = n_hidden(result, attribute)
    if hidden:
        st.caption(t("fairness.n_hidden", n=hidden, least=result.settings.minimum_group))


def _draw_gaps_chart(result: AuditResult, attribute: str) -> None:
    gaps, metric = gaps_table(result, attribute), metric_name(result.settings.metric)
    st.caption(t(f"fairness.gaps_means{_side(result)}", metric=metric))
    if gaps.empty:
        st.caption(t("fairness.no_gaps"))
        return
    words = gaps.assign(verdict_name=[t(f"fairness.{verdict}") for verdict in gaps["verdict"]])
    title = t("fairness.gap_in", metric=metric)
    if gaps["reference"].nunique() == 1:
        words["label"] = gaps["group"]
        title = t("fairness.gap_against", metric=metric, reference=gaps["reference"].iloc[0])
    figure = charts.gap_plot(words, title, result.margin, t("fairness.margin"))
    chart(figure, "fairness_gaps", t("fairness.gaps_alt"), _numbers_of(gaps), "gaps")


def _draw_bounds(result: AuditResult, attribute: str) -> None:
    bounds = bounds_table(result, attribute)
    if bounds.empty:
        return
    number = st.column_config.NumberColumn
    with st.expander(t("fairness.bounds"), key="fairness_missing", type="compact"):
        st.caption(t("fairness.bounds_help"))
        table(
            bounds,
            "fairness_bounds",
            "bounds.csv",
            alt=t("fairness.bounds"),
            column_config={
                "label": st.column_config.TextColumn(t("fairness.comparison"), width=COMPARISON),
                "missing": number(t("fairness.missing"), format="localized"),
                "lowest": number(t("fairness.bounds_from"), format="%+.4f", help=t("fairness.bounds_help")),
                "highest": number(t("fairness.bounds_to"), format="%+.4f", help=t("fairness.bounds_help")),
            },
        )


def _draw_summaries(result: AuditResult, attribute: str) -> None:
    found = summaries_table(result, attribute)
    if found.empty:
        return
    if (found["reason"] == "").all():
        found = found.drop(columns="reason")
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    with st.expander(t("fairness.summaries"), key="fairness_summaries", type="compact"):
        st.caption(t("fairness.summaries_help"))
        table(
            found,
            "fairness_summaries_table",
            "summaries.csv",
            alt=t("fairness.summaries"),
            column_config={
                "measure": text(t("fairness.measure"), width=COMPARISON),
                "group": text(t("fairness.group"), width=80),
                "value": number(t("fairness.value"), format="%.4f"),
                "ci_low": number(t("fairness.ci_low"), format="%.4f"),
                "ci_high": number(t("fairness.ci_high"), format="%.4f"),
                "reason": text(t("fairness.reason"), width=260),
            },
        )


def _side(result: AuditResult) -> str:
    """ "" for metrics of which more is better; what others mean is said by their tooltip."""
    name = result.settings.metric.partition("@")[0]
    return "" if name in (*METRIC_NAMES, AUC) else "_plain"


def _bullet(gap: Any) -> str:
    """One row of a table of gaps as an item of a markdown list."""
    return f"- **{safe(gap.verdict_name)}** · {safe(gap.label)}: {safe(gap.sentence)}"


def _numbers_of(gaps: pd.DataFrame) -> pd.DataFrame:
    return gaps.drop(columns=["group", "reference", "verdict", "sentence"])


def _draw_gaps(result: AuditResult, attribute: str) -> None:
    gaps = gaps_table(result, attribute)
    if gaps.empty:
        return
    st.subheader(t("fairness.gaps"), anchor=False, help=t("fairness.gaps_help"))
    told = told_first(gaps)
    st.markdown("\n".join(_bullet(gap) for gap in told.itertuples()))
    if len(told) < len(gaps):
        st.caption(t("fairness.more_open", n=len(gaps) - len(told)))
    number = st.column_config.NumberColumn
    signed, plain_number = "%+.4f", "%.4f"
    table(
        _numbers_of(gaps),
        "fairness_gaps_table",
        "gaps.csv",
        download=gaps,
        alt=t("fairness.gaps"),
        column_config={
            "label": st.column_config.TextColumn(t("fairness.comparison"), width=COMPARISON),
            "verdict_name": st.column_config.TextColumn(t("fairness.verdict"), width=110),
            "difference": number(t("fairness.gap"), format=signed, help=t("fairness.gap_help")),
            "ci_low": number(t("fairness.ci_low"), format=signed, help=t("fairness.ci_help")),
            "ci_high": number(t("fairness.ci_high"), format=signed, help=t("fairness.ci_help")),
            "p_value": number("p", format=plain_number, help=t("fairness.p_help")),
            "p_adjusted": number(
                t("fairness.p_adjusted"), format=plain_number, help=t("fairness.p_adjusted_help")
            ),
            "effect_size": number(t("fairness.effect"), format="%+.3f", help=t("fairness.effect_help")),
            "cliffs_delta": number(t("fairness.cliff"), format="%+.3f", help=t("fairness.cliff_help")),
            "family": st.column_config.TextColumn(t("fairness.family"), help=t("fairness.primary_help")),
            "minimum_detectable": number(
                t("fairness.detectable_short"), format=plain_number, help=t("fairness.detectable_help")
            ),
        },
    )
    with st.expander(t("fairness.verdicts"), key="fairness_verdicts", type="compact"):
        for verdict in VERDICTS:
            st.markdown(f"**{safe(verdict_name(verdict))}** – {t(f'fairness.{verdict}_help')}")
