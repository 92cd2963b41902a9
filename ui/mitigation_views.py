"""What closing a gap costs, on Fairness: the frontier, side effects on everybody, and keeping a point."""

import shlex

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from recsys_core.actions.mitigation import RERANKED, Chosen, Mitigation, keep_mitigated
from recsys_core.actions.models import LoadedModel
from recsys_core.errors import RecsysError
from recsys_core.fairness.result import AuditResult
from ui import answers, cache
from ui.audit_names import attribute_name, group_name
from ui.charts import BLUE, GREY, ORANGE, literal, whiskers
from ui.components import chart, metric_name, sentence, table
from ui.text import plain, safe, t

MOST_PEOPLE = 3_000  # more take too long to be waited for on a page
HEIGHT = 360  # pixels
ROOM = 0.06  # of an axis, left at either end


def draw_mitigation(model: LoadedModel, result: AuditResult) -> None:
    """The frontier of one attribute's gap, once it is asked for; for large data the command that makes it."""
    if not result.gaps or model.ranker_name == RERANKED:
        return
    st.subheader(t("mitigation.heading"), anchor=False, help=t("mitigation.heading_help"))
    attributes = list(dict.fromkeys(gap.attribute for gap in result.gaps))
    by = attributes[0]
    if len(attributes) > 1:
        by = st.selectbox(t("mitigation.by"), attributes, format_func=attribute_name, key="mitigation_by")
    if model.data.dataset.n_users > MOST_PEOPLE:
        st.caption(t("mitigation.command"))
        words = ["reclens", "mitigate", model.record.name, "--by", by, "--metric", result.settings.metric]
        st.code(shlex.join(words), language=None, wrap_lines=True)
        return
    asked = f"mitigation_asked_{model.record.id}_{by}_{result.settings.metric}_{result.settings.seed}"
    if st.button(t("mitigation.run"), key="mitigation_run", icon=":material/healing:"):
        st.session_state[asked] = True
    if not st.session_state.get(asked):
        st.caption(t("mitigation.not_run"))
        return
    with st.spinner(t("mitigation.running")):
        try:
            found, ranker = answers.mitigated(
                cache.workspace(), model, by, result.settings.metric, result.settings.seed
            )
        except RecsysError as error:  # such as lists from elsewhere, which can't be ranked anew
            st.caption(safe(sentence(error)))
            return
    _draw_frontier(found)
    _draw_side_effects(found)
    _draw_keep(model, found, ranker)


def points_table(found: Mitigation) -> pd.DataFrame:
    """One row a point: gap and utility with intervals of their change, who chose, and the re-rankings."""
    return pd.DataFrame(
        [
            {
                "chosen": point.chosen,
                "start": not any(found.rules(point).values()),
                "gap": point.gap.after,
                "gap_change": point.gap.difference,
                "gap_low": point.gap.ci_low,
                "gap_high": point.gap.ci_high,
                "utility": point.utility.after,
                "utility_change": point.utility.difference,
                "utility_low": point.utility.ci_low,
                "utility_high": point.utility.ci_high,
                "rules": "; ".join(
                    f"{group_name(group)}: {spec}" for group, spec in found.rules(point).items() if spec
                )
                or t("mitigation.as_it_is"),
            }
            for point in found.points
        ]
    )


def frontier_plot(
    points: pd.DataFrame, gap_title: str, utility_title: str, names: tuple[str, str, str]
) -> go.Figure:
    """Utility over gap, a mark a point; lines are 95 % intervals of the change from the lists as they are.

    Both axes begin and end where the points and their intervals do: a gap of 0 is in sight only if one of
    them reaches it.

    Args:
        points: as `points_table`.
        gap_title: of the horizontal axis; nearer to 0 is better.
        utility_title: of the vertical axis; higher is better.
        names: of the lists as they are, of other points, and of the chosen one.
    """
    figure = go.Figure()
    kinds = (points["start"] & ~points["chosen"], ~points["start"] & ~points["chosen"], points["chosen"])
    marks = ((GREY, "square-open", 13), (BLUE, "circle", 10), (ORANGE, "star", 18))
    for name, own, (colour, symbol, size) in zip(names, kinds, marks, strict=True):
        rows = points[own]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["gap"],
            y=rows["utility"],
            mode="markers",
            name=literal(name),
            marker={"size": size, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
            error_x=_reach(rows, "gap", colour),
            error_y=_reach(rows, "utility", colour),
            customdata=[literal(rules, 80) for rules in rows["rules"]],
            hovertemplate="%{customdata}<br>%{x:.4f}, %{y:.4f}<extra></extra>",
        )
    figure.add_vline(x=0, line_width=1, line_color=GREY)
    figure.update_xaxes(title=gap_title, range=_ends(points, "gap"))
    figure.update_yaxes(title=utility_title, range=_ends(points, "utility"))
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
    margin = {"l": 8, "r": 8, "t": 36, "b": 8}
    figure.update_layout(height=HEIGHT, margin=margin, legend=legend, showlegend=True)
    return figure


def _ends(points: pd.DataFrame, name: str) -> list[float]:
    """The ends of an axis: where the values and their intervals lie, and a little room."""
    unchanged = points[name] - points[f"{name}_change"]
    low = float(pd.concat([points[name], unchanged + points[f"{name}_low"]]).min())
    high = float(pd.concat([points[name], unchanged + points[f"{name}_high"]]).max())
    room = ROOM * ((high - low) or abs(high) or 1.0)
    return [low - room, high + room]


def _reach(rows: pd.DataFrame, name: str, colour: str) -> dict[str, object]:
    """The interval of a change, drawn around the value after it."""
    return whiskers(rows[f"{name}_change"], rows[f"{name}_low"], rows[f"{name}_high"], colour)


def _draw_frontier(found: Mitigation) -> None:
    points, metric = points_table(found), metric_name(found.metric)
    st.caption(
        t("mitigation.means", fitting=f"{found.n_fitting:,}", showing=f"{found.n_showing:,}", metric=metric)
    )
    names = t("mitigation.start"), t("mitigation.others"), t("mitigation.chosen")
    figure = frontier_plot(points, t("mitigation.gap"), t("mitigation.utility", metric=metric), names)
    numbers = points.drop(columns="start")
    chart(figure, "mitigation_frontier", t("mitigation.alt"), numbers, "frontier")
    change = found.chosen.gap
    key = "says_smaller" if change.ci_high < 0 else "says_larger" if change.ci_low > 0 else "says_open"
    st.markdown(t(f"mitigation.{key}", before=f"{change.before:.4f}", after=f"{change.after:.4f}"))


def _draw_side_effects(found: Mitigation) -> None:
    rows = pd.DataFrame(
        [
            {
                "attribute": attribute_name(row.attribute),
                "group": group_name(row.group),
                "n": row.n,
                "before": row.change.before,
                "after": row.change.after,
                "difference": row.change.difference,
                "ci_low": row.change.ci_low,
                "ci_high": row.change.ci_high,
            }
            for row in found.side_effects
        ]
    )
    items = pd.DataFrame(
        [{"figure": metric_name(row.name), "before": row.before, "after": row.after} for row in found.items]
    )
    with st.expander(t("mitigation.side_effects"), key="mitigation_effects", type="compact"):
        st.caption(t("mitigation.side_effects_means"))
        table(rows, "mitigation_groups", "side_effects.csv", alt=t("mitigation.side_effects"))
        table(items, "mitigation_items", "items.csv", alt=t("mitigation.items"))


def _draw_keep(model: LoadedModel, found: Mitigation, ranker: Chosen) -> None:
    with st.form("mitigation_keep", border=False):
        name = st.text_input(
            t("mitigation.name"),
            value=t("mitigation.new_name", model=plain(model.record.name)),
            max_chars=80,
            key="mitigation_name",
        )
        if st.form_submit_button(t("mitigation.keep"), icon=":material/save:"):
            try:
                record = keep_mitigated(cache.workspace(), model, found, ranker, name.strip())
            except RecsysError as error:
                st.error(safe(sentence(error)), icon=":material/error:")
            else:
                st.success(t("mitigation.kept", name=safe(record.name)), icon=":material/check:")
