"""Where the gaps of an audit come from: a waterfall that adds up, drawn under the audit on Fairness."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from recsys_core.actions.causes import GapParts
from recsys_core.actions.models import LoadedModel
from recsys_core.errors import DataError
from recsys_core.fairness.decomposition import Term
from recsys_core.fairness.result import AuditResult
from ui import answers, cache
from ui.audit_names import attribute_name, reference_name
from ui.charts import BLUE, GREY, LESS, MORE, in_rows, literal, whiskers
from ui.components import chart, metric_name
from ui.text import plain, safe, t

ROOM = 0.4  # of the bars' width, left at either end for numbers, which a phone shows as large as a screen
STRUCTURE, GAP = "structure", "gap_total"


def draw_why(model: LoadedModel, result: AuditResult) -> None:
    """The parts of one gap, chosen by the person, once they ask for them."""
    if not result.gaps:
        return
    st.subheader(t("why.heading"), anchor=False, help=t("why.heading_help"))
    asked = f"why_asked_{model.record.id}_{result.settings!r}"
    if st.button(t("why.run"), key="why_run", icon=":material/account_tree:"):
        st.session_state[asked] = True
    if not st.session_state.get(asked):
        st.caption(t("why.not_run"))
        return
    with st.spinner(t("why.running")):
        try:
            found = answers.gap_parts(cache.workspace(), model, result.settings)
        except DataError:
            st.caption(t("why.none"))
            return
    found = sorted(found, key=lambda own: own.gap.verdict != "disparity")  # what needs a reason comes first
    names = [_gap_name(own) for own in found]
    place = 0
    if len(found) > 1:
        place = st.selectbox(
            t("why.gap"), range(len(found)), format_func=lambda number: names[number], key="why_gap"
        )
    _draw_parts(found[place], names[place], result.settings.metric)


def parts_table(own: GapParts) -> pd.DataFrame:
    """The parts of a gap in the order of the waterfall, with intervals, shares of the gap and means.

    No shares where the gap's interval holds 0.
    """
    gap, has_shares = own.parts.gap.value, own.parts.structure_share is not None
    rows: list[tuple[str, Term, Term | None, float | None, float | None]] = [
        (row.factor, row.term, row.share, row.group_mean, row.reference_mean) for row in own.parts.factors
    ]
    rows += [(name, term, share, None, None) for name, term, share in _last(own)]
    return pd.DataFrame(
        [
            {
                "part": t(f"why.{name}"),
                "value": term.value,
                "ci_low": term.ci_low,
                "ci_high": term.ci_high,
                "share": term.value / gap if has_shares else None,
                "share_low": share.ci_low if share else None,
                "share_high": share.ci_high if share else None,
                "group_mean": group_mean,
                "reference_mean": reference_mean,
            }
            for name, term, share, group_mean, reference_mean in rows
        ]
    ).astype(dict.fromkeys(("share", "share_low", "share_high"), "float64"))


def shares_table(own: GapParts) -> pd.DataFrame:
    """Length and what follows from it together, then each part, as shares of the gap with intervals.

    Nothing where the gap's interval holds 0.
    """
    rows = [("together", own.parts.share)]
    rows += [(row.factor, row.share) for row in own.parts.factors]
    rows.append((STRUCTURE, own.parts.structure_share))
    return pd.DataFrame(
        [
            {"part": t(f"why.{name}"), "value": share.value, "ci_low": share.ci_low, "ci_high": share.ci_high}
            for name, share in rows
            if share is not None
        ],
        columns=["part", "value", "ci_low", "ci_high"],
    )


def shares_plot(table: pd.DataFrame, value_title: str) -> go.Figure:
    """One part a row: its share of the gap with its interval; 0 is none of the gap, 1 all of it.

    Args:
        table: `part`, `value`, `ci_low`, `ci_high`; the first row is a sum of others.
        value_title: of the value axis.
    """
    labels = [literal(part, 40) for part in table["part"]]
    sums = [BLUE] + [GREY] * (len(labels) - 1)
    figure = go.Figure(
        go.Scatter(
            x=table["value"],
            y=labels,
            mode="markers",
            marker={"size": 10, "color": sums, "symbol": ["diamond"] + ["circle"] * (len(labels) - 1)},
            error_x=whiskers(table["value"], table["ci_low"], table["ci_high"], GREY),
            customdata=[
                f"{low:.0%} – {high:.0%}" for low, high in zip(table["ci_low"], table["ci_high"], strict=True)
            ],
            hovertemplate="%{y}<br>%{x:.0%} [%{customdata}]<extra></extra>",
        )
    )
    for end in (0, 1):
        figure.add_vline(x=end, line_width=1.5, line_color=GREY, line_dash="solid" if end == 0 else "dash")
    figure.update_xaxes(title=value_title, tickformat=".0%")
    return in_rows(figure, labels)


def waterfall(table: pd.DataFrame, value_title: str) -> go.Figure:
    """One part a row, each bar beginning where the one above it ended; the last row is the sum.

    Args:
        table: `part`, `value`, `ci_low`, `ci_high`; the last row is the sum of the others.
        value_title: of the value axis.
    """
    intervals = [
        f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
        for value, low, high in zip(table["value"], table["ci_low"], table["ci_high"], strict=True)
    ]
    labels = [literal(part, 40) for part in table["part"]]
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            x=table["value"],
            y=labels,
            measure=["relative"] * (len(table) - 1) + ["total"],
            text=[f"{value:+.4f}" for value in table["value"]],
            textposition="auto",
            cliponaxis=False,
            customdata=intervals,
            hovertemplate="%{y}<br>%{customdata}<extra></extra>",
            increasing={"marker": {"color": MORE}},
            decreasing={"marker": {"color": LESS}},
            totals={"marker": {"color": GREY}},
            connector={"line": {"width": 1, "color": GREY}},
        )
    )
    figure.update_xaxes(
        title=value_title, range=_reach(table["value"]), zeroline=True, zerolinewidth=1.5, zerolinecolor=GREY
    )
    return in_rows(figure, labels).update_layout(margin_r=40)


def share_sentence(share: Term) -> str:
    """What part of the gap goes with the length of the histories and what follows from it, in percent."""
    ends = {"ci_low": f"{share.ci_low:.0%}", "ci_high": f"{share.ci_high:.0%}"}
    return t("why.says_share", value=f"{share.value:.0%}", **ends)


def _draw_parts(own: GapParts, name: str, metric: str) -> None:
    table = parts_table(own)
    st.caption(t("why.means", metric=safe(metric_name(metric))))
    title = t("why.part_of_gap", metric=metric_name(metric))
    chart(waterfall(table, title), "why_parts", t("why.alt", gap=name), table, "why")
    structure, parts = own.parts.structure, own.parts
    if parts.share is not None:
        st.markdown(share_sentence(parts.share))
        st.caption(t("why.shares_mean"))
        shares = shares_table(own)
        chart(shares_plot(shares, t("why.share_of_gap")), "why_shares", t("why.shares_alt", gap=name), shares)
    else:
        st.caption(t("why.no_shares"))
    if parts.structure_may_be_none:
        st.markdown(t("why.says_alike"))
    else:
        st.markdown(t("why.says_structure", structure=f"{structure.value:+.4f}"))
    outside = [row for row in parts.factors if row.outside > 0.1]
    if outside:
        furthest = max(outside, key=lambda row: row.outside)
        st.markdown(
            t("why.says_outside", share=f"{furthest.outside:.0%}", factor=t(f"why.{furthest.factor}"))
        )
    if parts.not_used:
        left_out = ", ".join(t(f"why.{row.factor}") for row in parts.not_used)
        st.caption(t("why.not_used", factors=left_out))
    st.caption(t("why.associational"))


def _reach(values: "pd.Series[float]") -> list[float]:
    """The ends of an axis on which each bar and the number beside it have room."""
    ends = [0.0, *values.iloc[:-1].cumsum(), float(values.iloc[-1])]
    room = ROOM * (max(ends) - min(ends) or 1.0)
    return [min(ends) - room, max(ends) + room]


def _last(own: GapParts) -> tuple[tuple[str, Term, Term | None], ...]:
    return ((STRUCTURE, own.parts.structure, own.parts.structure_share), (GAP, own.parts.gap, None))


def _gap_name(own: GapParts) -> str:
    gap = own.gap
    against = t("fairness.against", group=plain(gap.group), reference=reference_name(gap.reference))
    return f"{attribute_name(gap.attribute)}: {against}"
