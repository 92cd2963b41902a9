"""What an audit is asked: the choices on the Fairness page."""

from typing import Any

import streamlit as st

from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.result import AuditSettings
from ui.audit_words import METRIC_NAMES, attribute_name, crossings, reference_name, references
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
        single = _choose_attributes("fairness_by", t("fairness.by"), attributes, attributes[:1])
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
        reference, margin, draws, seed = _choose_rules(model, by)
    return AuditSettings(by, f"{metric}@{k}", reference, margin, draws, seed) if by else None


def _choose_attributes(
    key: str, label: str, options: list[str], default: list[str], help_words: str | None = None
) -> list[str]:
    return st.multiselect(
        label,
        options,
        default=default,
        format_func=attribute_name,
        key=key,
        help=help_words,
        placeholder=t("fairness.choose") if options else t("fairness.none_to_choose"),
        **_KEPT,
    )


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
