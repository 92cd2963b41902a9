"""What Fairness draws around every part of an audit: sizes, the answer, what is open, what to take along."""

import json

import streamlit as st

from recsys_core.actions.audits import report_html
from recsys_core.actions.evidence import rerun_command
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.exposure_result import ItemAudit
from recsys_core.fairness.findings import AuditPlan
from recsys_core.fairness.result import AuditResult
from ui.audit_names import MARKS, verdict_name
from ui.audit_words import headline, not_computed_table, sizes_table, verdict_counts
from ui.components import help_text, metric_name, table
from ui.text import t


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
        for verdict in MARKS:
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


def draw_open(result: AuditResult) -> None:
    """What wasn't computed, and why."""
    missing = not_computed_table(result)
    if missing.empty:
        return
    st.subheader(t("fairness.open"), anchor=False)
    widths = {"attribute": 90, "group": 110, "reason": 600}
    columns = {
        name: st.column_config.TextColumn(t(f"fairness.{name}"), width=width)
        for name, width in widths.items()
    }
    table(missing, "fairness_open", "not_computed.csv", alt=t("fairness.open"), column_config=columns)


def draw_downloads(model: LoadedModel, result: AuditResult, items: ItemAudit | None) -> None:
    """The report, the JSON, and the command that gives the figures again, with the item side if known."""
    st.subheader(t("fairness.hand_over"), anchor=False)
    with st.container(horizontal=True):
        st.download_button(
            t("fairness.download_report"),
            lambda: report_html(model, result, items).encode(),
            file_name="audit.html",
            mime="text/html",
            key="fairness_report",
            icon=":material/description:",
            type="primary",
            on_click="ignore",
        )
        st.download_button(
            t("fairness.download_json"),
            lambda: _json(result, items),
            file_name="audit.json",
            mime="application/json",
            key="fairness_json",
            icon=":material/data_object:",
            on_click="ignore",
        )
    st.caption(t("fairness.command"))
    st.code(rerun_command(model, result, items), language=None, wrap_lines=True)


def _json(result: AuditResult, items: ItemAudit | None) -> bytes:
    """What `reclens audit --json` would print."""
    found = result.to_json() | ({"items": items.to_json()} if items else {})
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False).encode()
