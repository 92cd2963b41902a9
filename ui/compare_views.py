"""What the Compare page draws of two models: figures with a paired test, wins and losses, groups, lists."""

import pandas as pd
import streamlit as st

from recsys_core.actions.comparisons import Comparison
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.paired_groups import GroupGain
from ui import answers, cache, charts
from ui.audit_names import attribute_name, group_name
from ui.audit_words import METRIC_NAMES
from ui.components import chart, help_text, metric_name, table
from ui.lists import list_columns, ranked_list, readable
from ui.state import AsOf
from ui.text import plain, safe, t


def draw_sentence(own: LoadedModel, other: LoadedModel, metric: str) -> None:
    """What the paired test says, in words."""
    found = answers.comparison(own, other, metric).result
    first, second = safe(own.record.name), safe(other.record.name)
    low, high = found.ci_low, found.ci_high
    if found.difference < 0:
        first, second, low, high = second, first, -high, -low
    st.markdown(
        t(
            "compare.open" if low <= 0 <= high else "compare.better",
            a=first,
            b=second,
            metric=metric_name(metric),
            difference=f"{abs(found.difference):.4f}",
            low=f"{low:+.4f}",
            high=f"{high:+.4f}",
            people=f"{found.n:,}",
        )
    )


def draw_figures(own: LoadedModel, other: LoadedModel, k: int) -> None:
    """Every metric of both with the paired difference."""
    st.subheader(t("compare.figures"), anchor=False)
    found = [answers.comparison(own, other, f"{name}@{k}") for name in METRIC_NAMES]
    number = st.column_config.NumberColumn
    table(
        figures_table(found),
        "compare_figures",
        "comparison.csv",
        alt=t("compare.figures"),
        column_config={
            "metric": st.column_config.TextColumn(t("compare.metric"), help=help_text(f"ndcg@{k}")),
            "first": number(plain(own.record.name), format="%.4f"),
            "second": number(plain(other.record.name), format="%.4f"),
            "difference": number(t("compare.difference"), format="%+.4f", help=t("compare.difference_help")),
            "ci_low": number(t("fairness.ci_low"), format="%+.4f", help=t("fairness.ci_help")),
            "ci_high": number(t("fairness.ci_high"), format="%+.4f", help=t("fairness.ci_help")),
            "p_value": number("p", format="%.4f", help=t("compare.p_help")),
        },
    )


def figures_table(found: list[Comparison]) -> pd.DataFrame:
    """One row a metric."""
    columns = ("first", "second", "difference", "ci_low", "ci_high", "p_value")
    rows = [{name: getattr(one.result, name) for name in columns} for one in found]
    return pd.DataFrame(rows).assign(metric=[metric_name(one.metric) for one in found])[["metric", *columns]]


def draw_wins(own: LoadedModel, other: LoadedModel, metric: str) -> None:
    """For how many people either model is better."""
    found = answers.comparison(own, other, metric).result
    st.subheader(t("compare.wins"), anchor=False, help=t("compare.wins_help"))
    same = found.n - found.n_better - found.n_worse
    columns = st.columns(3)
    counts = (
        (t("compare.better_for", model=plain(own.record.name)), found.n_better),
        (t("compare.same_for"), same),
        (t("compare.better_for", model=plain(other.record.name)), found.n_worse),
    )
    for column, (label, n) in zip(columns, counts, strict=True):
        column.metric(safe(label), f"{n:,}", help=t("compare.share", share=f"{100 * n / found.n:.1f}"))


def draw_groups(own: LoadedModel, other: LoadedModel, metric: str, by: tuple[str, ...]) -> None:
    """Which groups gain with the first model."""
    st.subheader(t("compare.groups"), anchor=False, help=t("compare.groups_help"))
    gains = answers.gains(cache.workspace(), own, other, metric, by)
    shown = gains_table(gains, len(by) > 1)
    if shown.empty:
        st.caption(t("compare.no_groups"))
    else:
        title = t("compare.axis", metric=metric_name(metric))
        figure = charts.interval_plot(shown, title, 0.0, t("compare.no_difference"))
        chart(figure, "compare_groups", t("compare.groups_alt"), shown)
    n_hidden = sum(gain.result is None for gain in gains)
    if n_hidden:
        st.caption(t("compare.hidden", n=n_hidden))


def gains_table(gains: tuple[GroupGain, ...], with_attribute: bool) -> pd.DataFrame:
    """One row a group that has a figure: `group`, `n`, `value` (difference), its interval, `p_adjusted`."""
    rows = [
        {
            "group": f"{attribute_name(gain.attribute)}: {group_name(gain.group)}"
            if with_attribute
            else group_name(gain.group),
            "n": gain.result.n,
            "value": gain.result.difference,
            "ci_low": gain.result.ci_low,
            "ci_high": gain.result.ci_high,
            "p_adjusted": gain.p_adjusted,
        }
        for gain in gains
        if gain.result is not None
    ]
    return pd.DataFrame(rows)


def draw_lists(own: LoadedModel, other: LoadedModel, user_id: str, k: int, as_of: AsOf) -> None:
    """One person's list by either model, side by side, and how many items are on both."""
    lists = [ranked_list(model, user_id, k, as_of) for model in (own, other)]
    both = len(set(lists[0]["item_id"]) & set(lists[1]["item_id"]))
    st.caption(t("compare.overlap", n=both, k=max(len(shown) for shown in lists)))
    columns = st.columns(2, gap="medium")
    for column, model, shown, key in zip(columns, (own, other), lists, ("first", "second"), strict=True):
        with column:
            st.markdown(f"**{safe(model.record.name)}**")
            kind = model.ranker.score_kind
            alt = t("compare.list_alt", model=plain(model.record.name))
            table(readable(shown), f"compare_{key}", f"{key}.csv", alt=alt, column_config=list_columns(kind))
