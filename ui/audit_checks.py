"""Does what the audit says hold? Flagged accounts left out, and rounds of feedback."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from recsys_core.actions.audit_checks import (
    NOT_TESTED,
    FeedbackLoop,
    WithoutFlagged,
    audit_without_flagged,
    run_feedback,
)
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.result import AuditResult
from ui import cache
from ui.audit_answers import on_request
from ui.audit_names import attribute_name, group_name, in_a_row, reference_name, verdict_name
from ui.charts_checks import rounds_plot
from ui.components import chart, metric_name, table
from ui.text import has, safe, t

ROUNDS = (3, 5, 10)
SEEDS = 5


def draw_suspicious(model: LoadedModel, result: AuditResult) -> None:
    """Whether any verdict of the audit is another one without the accounts that are flagged."""
    st.subheader(t("checks.suspicious"), anchor=False, help=t("checks.suspicious_help"))
    asked = replace(result.settings, more_metrics=())
    words = t("checks.suspicious_run"), t("checks.suspicious_not_run"), t("checks.suspicious_running")
    found = on_request(
        "suspicious",
        (model.record.id, asked),
        words,
        ":material/person_alert:",
        lambda: audit_without_flagged(model, asked, cache.workspace()),
    )
    if found is None:
        return
    st.markdown(suspicious_sentence(found))
    if not found.n_flagged:
        return
    changes = changes_table(found)
    text = st.column_config.TextColumn
    columns = {name: text(t(f"checks.{name}")) for name in ("with_all", "without_flagged")}
    columns["flips"] = text(t("checks.flips_name"))
    alt = t("checks.suspicious")
    columns["label"] = text(t("fairness.comparison"), width=220)
    table(changes, "suspicious_table", "without_flagged.csv", alt=alt, column_config=columns)


def suspicious_sentence(found: WithoutFlagged) -> str:
    """How many accounts are flagged, for what, and how many verdicts change without them; markdown."""
    if not found.n_flagged:
        told = [t("checks.none_flagged", users=f"{found.flagged.n_users:,}")]
    else:
        reasons = ", ".join(
            f"{_reason(str(reason))} {n}"
            for reason, n in found.flagged.table["reason"].value_counts().items()
        )
        told = [
            t("checks.flagged", n=found.n_flagged, users=f"{found.flagged.n_users:,}", reasons=reasons),
            _flips(found),
        ]
    told += [
        t("checks.common", reason=_reason(name), share=f"{share:.0%}")
        for name, share in found.flagged.common.items()
    ]
    return in_a_row(told)


def changes_table(found: WithoutFlagged) -> pd.DataFrame:
    """One row a comparison: its verdict with all accounts, without the flagged ones, and whether it flips."""
    rows = [
        (
            attribute_name(gap.attribute),
            t("fairness.against", group=group_name(gap.group), reference=reference_name(gap.reference)),
            _verdict(gap.with_all),
            _verdict(gap.without_flagged),
            t("fairness.yes") if gap.flips else t("fairness.no"),
        )
        for gap in found.gaps
    ]
    return pd.DataFrame(rows, columns=["attribute", "label", "with_all", "without_flagged", "flips"])


def draw_feedback(model: LoadedModel, result: AuditResult) -> None:
    """Where gap and exposure go while people take what they are shown, round by round."""
    st.subheader(t("checks.feedback"), anchor=False, help=t("checks.feedback_help"))
    left, right = st.columns(2)
    by = left.selectbox(
        t("fairness.attribute"), result.settings.by, format_func=attribute_name, key="feedback_by"
    )
    rounds = right.segmented_control(
        t("checks.rounds"), list(ROUNDS), default=ROUNDS[1], required=True, key="feedback_rounds"
    )
    metric, seed = result.settings.metric, result.settings.seed
    words = t("checks.feedback_run"), t("checks.feedback_not_run"), t("checks.feedback_running")
    found = on_request(
        "feedback",
        (model.record.id, by, metric, rounds, seed),
        words,
        ":material/autorenew:",
        lambda: run_feedback(model, by, metric, rounds, SEEDS, seed, cache.workspace()),
    )
    if found is None:
        return
    numbers, named = rounds_table(found), metric_name(metric)
    learns = t("checks.learns" if found.learns else "checks.learns_not")
    st.caption(t("checks.feedback_means", n=f"{found.n:,}", seeds=found.n_seeds, learns=learns))
    figure = rounds_plot(
        numbers, t("checks.round"), t("checks.gap_of", metric=named), t("checks.gini_of_lists")
    )
    chart(figure, "feedback_rounds_chart", t("checks.feedback_alt"), numbers, "feedback")
    st.markdown(feedback_sentence(found))


def rounds_table(found: FeedbackLoop) -> pd.DataFrame:
    """One row a round, from before the first: mean, lowest and highest over seeds of each figure."""
    return pd.DataFrame(
        [
            {"round": one.number}
            | {
                f"{name}{end}": value
                for name, band in (
                    ("value", one.value),
                    ("gap", one.gap),
                    ("gini", one.gini),
                    ("coverage", one.coverage),
                )
                for end, value in (("", band.mean), ("_low", band.low), ("_high", band.high))
            }
            for one in found.rounds
        ]
    )


def feedback_sentence(found: FeedbackLoop) -> str:
    """Whether gap and Gini end outside of where they began, over all seeds, and where the mean goes."""
    first, last = found.rounds[0], found.rounds[-1]
    told = list[str]()
    for name, before, after in (("gap", first.gap, last.gap), ("gini", first.gini, last.gini)):
        way = "grows" if after.low > before.high else "falls" if after.high < before.low else "stays"
        figures = {"before": f"{before.mean:.4f}", "after": f"{after.mean:.4f}", "n": last.number}
        told.append(t(f"checks.{name}_{way}", **figures))
    mean = {"before": f"{first.value.mean:.4f}", "after": f"{last.value.mean:.4f}"}
    told.append(t("checks.mean_goes", **mean))
    return in_a_row(told)


def _flips(found: WithoutFlagged) -> str:
    """The answer to the question of the heading: does a verdict change without them?"""
    n, n_tested = sum(gap.flips for gap in found.gaps), len(found.gaps)
    return t("checks.flips", n=n, gaps=n_tested) if n else t("checks.flips_none", n=n_tested)


def _verdict(verdict: str) -> str:
    return t("checks.not_tested") if verdict == NOT_TESTED else verdict_name(verdict)


def _reason(reason: str) -> str:
    key = f"checks.reason_{reason.replace(' ', '_')}"
    return t(key) if has(key) else safe(reason)
