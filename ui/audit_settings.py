"""What an audit is asked: the choices on the Fairness page."""

from typing import Any

import streamlit as st

from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.result import AuditSettings
from recsys_core.metrics.ranking import AUC
from ui.audit_names import attribute_name, crossings, reference_name, references
from ui.audit_words import METRIC_NAMES, MORE_METRICS
from ui.components import help_text, metric_name
from ui.text import t

DRAWS = (200, 500, 1_000, 2_000, 5_000, 10_000)
_KEPT: dict[str, Any] = {"persist_state": "session"}


def choose_settings(model: LoadedModel, attributes: list[str], k: int) -> AuditSettings | None:
    """Draws what can be chosen; the settings, or None while no attribute is chosen.

    Args:
        model: whose data set is audited.
        attributes: those that can form groups.
        k: of the metric.
    """
    columns = st.columns([4, 4, 3])
    with columns[0]:
        single = _choose_attributes(
            "fairness_by", t("fairness.by"), attributes, attributes[:1], t("fairness.by_help")
        )
    with columns[1]:
        pairs = crossings(attributes)
        crossed = _choose_attributes(
            "fairness_crossed", t("fairness.crossed"), pairs, [], t("fairness.crossed_help")
        )
    metric = columns[2].selectbox(
        t("fairness.metric"),
        METRIC_NAMES,
        format_func=lambda name: metric_name(f"{name}@{k}"),
        key="fairness_metric",
        help="\n\n".join(f"**{metric_name(name)}** {help_text(f'{name}@{k}')}" for name in METRIC_NAMES),
        **_KEPT,
    )
    by = (*single, *crossed)
    with st.expander(t("fairness.rules"), key="fairness_rules", type="compact"):
        more = _choose_more(model, metric, k)
        primary = _choose_attributes(
            "fairness_primary",
            t("fairness.primary"),
            list(by),
            [],
            t("fairness.primary_help"),
            t("fairness.primary_all"),
        )
        reference, margin, draws, seed = _choose_rules(model, by)
    if not by:
        return None
    return AuditSettings(
        by,
        f"{metric}@{k}",
        reference,
        margin,
        draws,
        seed,
        more_metrics=more,
        primary=tuple(primary) or None,
    )


def choose_section(sections: list[str]) -> str:
    """Which part of an audit is looked at, by choice: each is a page of its own, and some take a while."""
    chosen = st.segmented_control(
        t("fairness.section"),
        sections,
        default=sections[0],
        required=True,
        format_func=lambda name: t(f"fairness.section_{name}"),
        key="fairness_section",
        label_visibility="collapsed",
        **_KEPT,
    )
    return chosen if chosen in sections else sections[0]


def _choose_more(model: LoadedModel, metric: str, k: int) -> tuple[str, ...]:
    """Further metrics; what lists are like is known at the length that was kept."""
    names = [name if name == AUC else f"{name}@{k}" for name in (*METRIC_NAMES, *MORE_METRICS)]
    known = [name for name in names if name != f"{metric}@{k}" and _can_be_told(model, name)]
    chosen = st.multiselect(
        t("fairness.more_metrics"),
        known,
        format_func=metric_name,
        key="fairness_more",
        help=t("fairness.more_metrics_help"),
        placeholder=t("fairness.choose") if known else t("fairness.no_more_metrics"),
        **_KEPT,
    )
    return tuple(name for name in chosen if name in known)


def _can_be_told(model: LoadedModel, metric: str) -> bool:
    if metric.startswith("miscalibration"):
        return bool((model.data.dataset.items["category"] != "").any())
    return metric.startswith("popularity-deviation") or model.test.knows(metric)


def _choose_attributes(
    key: str,
    label: str,
    options: list[str],
    default: list[str],
    help_words: str | None = None,
    nothing_chosen: str | None = None,
) -> list[str]:
    chosen = st.multiselect(
        label,
        options,
        default=default,
        format_func=attribute_name,
        key=key,
        help=help_words,
        placeholder=(nothing_chosen or t("fairness.choose")) if options else t("fairness.none_to_choose"),
        **_KEPT,
    )
    return [name for name in chosen if name in options]


def _choose_rules(model: LoadedModel, by: tuple[str, ...]) -> tuple[str, float | None, int, int]:
    """Reference, margin, draws and seed."""
    left, right = st.columns(2)
    reference = left.selectbox(
        t("fairness.reference"),
        references(model.data, by),
        format_func=reference_name,
        key="fairness_reference",
        help=t("fairness.reference_help"),
        **_KEPT,
    )
    margin = right.number_input(
        t("fairness.margin"),
        min_value=0.0001,
        max_value=1.0,
        value=None,
        step=0.005,
        format="%.4f",
        key="fairness_margin",
        placeholder=t("fairness.margin_default"),
        help=t("fairness.margin_help"),
        **_KEPT,
    )
    draws = left.select_slider(
        t("fairness.draws"), DRAWS, 1_000, key="fairness_draws", help=t("fairness.draws_help"), **_KEPT
    )
    seed = right.number_input(
        t("fairness.seed"), min_value=0, value=0, key="fairness_seed", help=t("fairness.seed_help"), **_KEPT
    )
    return reference, margin, draws, int(seed)
