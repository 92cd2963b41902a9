"""The groups of an audit on one axis, its gaps with their verdicts, and what stands beside them."""

from typing import Any

import pandas as pd
import streamlit as st

from recsys_core.fairness.result import AuditResult
from recsys_core.metrics.ranking import AUC
from ui import charts
from ui.audit_attribute import choose_attribute
from ui.audit_names import MARKS, verdict_name
from ui.audit_words import (
    METRIC_NAMES,
    bounds_table,
    gaps_table,
    groups_table,
    n_hidden,
    summaries_table,
    told_first,
)
from ui.components import chart, metric_name, table
from ui.text import safe, t

COMPARISON = 190  # pixels; what stands beside it is still seen on a phone


def draw_attribute(result: AuditResult) -> str:
    """The groups of one attribute on one axis, its gaps, and each gap's verdict in words; the attribute."""
    st.subheader(t("fairness.groups"), anchor=False, help=t("fairness.groups_help"))
    attribute = choose_attribute(result.settings.by, "fairness_attribute", labelled=False)
    left, right = st.columns(2, gap="medium")
    with left:
        _draw_groups(result, attribute)
    with right:
        _draw_gaps_chart(result, attribute)
    _draw_gaps(result, attribute)
    _draw_bounds(result, attribute)
    _draw_summaries(result, attribute)
    return attribute


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
        for verdict in MARKS:
            st.markdown(f"**{safe(verdict_name(verdict))}** – {t(f'fairness.{verdict}_help')}")
