"""The worst-served subgroup on Fairness: found by half of the people, tested by the other half."""

import pandas as pd
import streamlit as st

from recsys_core.actions.causes import worst_subgroup_of
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO
from recsys_core.fairness.result import AuditResult
from recsys_core.fairness.worst_subgroup import DEEPEST, WorstSubgroup
from ui import cache
from ui.audit_answers import on_request
from ui.audit_names import attribute_name, group_name, in_a_row
from ui.components import metric_name, table
from ui.text import safe, t


def draw_subgroup(model: LoadedModel, result: AuditResult, attributes: list[str]) -> None:
    """The choice of how deep to look, the button, and the subgroup in words and figures.

    Args:
        model: whose people are searched.
        result: of the audit beside it, for metric, draws and seed.
        attributes: those that can form groups.
    """
    st.subheader(t("causes.subgroup"), anchor=False, help=t("causes.subgroup_help"))
    if not attributes:
        st.caption(t("causes.subgroup_none"))
        return
    depth = st.segmented_control(
        t("causes.depth"),
        list(range(1, min(DEEPEST, len(attributes)) + 1)),
        default=min(2, len(attributes)),
        required=True,
        key="subgroup_depth",
    )
    asked = result.settings
    words = t("causes.subgroup_run"), t("causes.subgroup_not_run"), t("causes.subgroup_running")
    question = (model.record.id, tuple(attributes), asked.metric, depth, asked.draws, asked.seed)
    found = on_request(
        "subgroup",
        question,
        words,
        ":material/manage_search:",
        lambda: worst_subgroup_of(
            model,
            tuple(attributes),
            asked.metric,
            depth,
            draws=asked.draws,
            seed=asked.seed,
            workspace=cache.workspace(),
        ),
    )
    if found is not None:
        st.markdown(subgroup_sentence(found, asked.metric))
        _draw_table(found)


def subgroup_name(found: WorstSubgroup) -> str:
    """The subgroup as people read it, as plain text."""
    return t("causes.and").join(
        f"{attribute_name(name)}: {group_name(group)}" for name, group in found.conditions
    )


def subgroup_sentence(found: WorstSubgroup, metric: str) -> str:
    """What was looked at, what the testing half says, and whether that confirms it, as markdown."""
    values = {
        "n": found.n_searched,
        "who": f"**{safe(subgroup_name(found))}**",
        "metric": safe(metric_name(metric)),
        "seen": f"{found.found_difference:+.4f}",
        "value": f"{found.value:.4f}",
        "others": f"{found.others:.4f}",
        "people": f"{found.n:,}",
        "p": f"{found.p_value:.4f}",
    }
    said = "confirmed" if found.confirmed else "not_confirmed"
    return in_a_row([t(f"causes.{key}", **values) for key in ("searched", "tested", said)])


def subgroup_table(found: WorstSubgroup) -> pd.DataFrame:
    """What each half saw; only the testing half's row has an interval and a p-value."""
    return pd.DataFrame(
        {
            "half": [t("causes.half_searching"), t("causes.half_testing")],
            "difference": [found.found_difference, found.difference],
            "ci_low": pd.Series([None, found.ci_low], dtype="float64"),
            "ci_high": pd.Series([None, found.ci_high], dtype="float64"),
            "p_value": pd.Series([None, found.p_value], dtype="float64"),
        }
    )


def _draw_table(found: WorstSubgroup) -> None:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    columns = {
        "half": text(t("causes.half"), width=200),
        "difference": number(t("fairness.gap"), format="%+.4f", help=t("causes.half_help")),
        "ci_low": number(t("fairness.ci_low"), format="%+.4f"),
        "ci_high": number(t("fairness.ci_high"), format="%+.4f"),
        "p_value": number("p", format="%.4f", help=t("causes.p_help")),
    }
    numbers, alt = subgroup_table(found).dropna(axis="columns", how="all"), t("causes.subgroup")
    table(numbers, "subgroup_table", "subgroup.csv", alt=alt, column_config=columns)
    if found.ci_low is None:
        st.caption(t("causes.subgroup_no_interval", least=FEWEST_ABOVE_ZERO))
