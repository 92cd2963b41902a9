"""Charts of the checks beside an audit: probes of an attribute, rounds of a feedback loop."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ui.charts import BAND_OPACITY, BLUE, GREY, ORANGE, VERMILLION, in_rows, literal, whiskers

MARGIN = {"l": 8, "r": 8, "t": 36, "b": 8}


def probe_plot(table: pd.DataFrame, value_title: str, names: tuple[str, str, str]) -> go.Figure:
    """One group a row: how well it is told from the model, from histories, and by chance; ½ is a guess.

    Args:
        table: `group`, `auc`, `ci_low`, `ci_high`, `history`, `null_high`.
        value_title: of the value axis.
        names: of the AUC of the model, of the histories, and of the end of chance.
    """
    labels = [literal(group) for group in table["group"]]
    figure = go.Figure()
    marks = (
        ("auc", BLUE, "circle"),
        ("history", ORANGE, "diamond-open"),
        ("null_high", GREY, "line-ns-open"),
    )
    for name, (column, colour, symbol) in zip(names, marks, strict=True):
        figure.add_scatter(
            x=table[column],
            y=labels,
            mode="markers",
            name=literal(name, 40),
            marker={"size": 12, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
            hovertemplate=f"%{{y}}<br>{literal(name, 40)} %{{x:.3f}}<extra></extra>",
        )
    interval = whiskers(table["auc"], table["ci_low"], table["ci_high"])
    figure.update_traces(error_x=interval, selector=0)
    figure.add_vline(x=0.5, line_width=1, line_color=GREY)
    figure.update_xaxes(title=value_title)
    return in_rows(figure, labels, legend_above=True)


def mass_plot(table: pd.DataFrame, value_title: str, names: tuple[str, str, str]) -> go.Figure:
    """One group a row: what lies on the attribute and on its proxies, and the proxies' even share.

    Args:
        table: `group`, `attribute_share`, `attribute_low`, `attribute_high`; where there are proxies, also
            the same of `proxies`, and `even`.
        value_title: of the value axis.
        names: of the attribute, of its proxies, and of the even share.
    """
    labels = [literal(group) for group in table["group"]]
    figure = go.Figure()
    marks = (("attribute", ORANGE, "diamond", names[0]), ("proxies", BLUE, "circle", names[1]))
    for part, colour, symbol, name in marks:
        if f"{part}_share" not in table:
            continue
        value = table[f"{part}_share"]
        figure.add_scatter(
            x=value,
            y=labels,
            mode="markers",
            cliponaxis=False,
            name=literal(name, 40),
            marker={"size": 12, "color": colour, "symbol": symbol},
            error_x=whiskers(value, table[f"{part}_low"], table[f"{part}_high"], colour),
            hovertemplate=f"%{{y}}<br>{literal(name, 40)} %{{x:.1%}}<extra></extra>",
        )
    if "even" in table:
        figure.add_scatter(
            x=table["even"],
            y=labels,
            mode="markers",
            name=literal(names[2], 40),
            marker={"size": 12, "color": GREY, "symbol": "line-ns-open", "line": {"width": 2, "color": GREY}},
            hovertemplate=f"%{{y}}<br>{literal(names[2], 40)} %{{x:.1%}}<extra></extra>",
        )
    figure.update_xaxes(title=value_title, tickformat=".0%", rangemode="tozero")
    return in_rows(figure, labels, legend_above=True)


def rounds_plot(table: pd.DataFrame, round_title: str, gap_title: str, gini_title: str) -> go.Figure:
    """Gap and exposure Gini over rounds, one above the other; bands reach over all seeds.

    Args:
        table: `round`, and mean, lowest and highest of both: `gap`, `gap_low`, `gap_high`, `gini`, ….
        round_title: of the common axis.
        gap_title: of the upper panel.
        gini_title: of the lower panel.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for row, (name, colour) in enumerate((("gap", VERMILLION), ("gini", BLUE)), start=1):
        for end, fill in (("low", None), ("high", "tonexty")):
            edge = go.Scatter(
                x=table["round"],
                y=table[f"{name}_{end}"],
                mode="lines",
                line={"width": 0, "color": colour},
                fill=fill,
                opacity=BAND_OPACITY,
                hoverinfo="skip",
            )
            figure.add_trace(edge, row=row, col=1)
        line = go.Scatter(
            x=table["round"],
            y=table[name],
            mode="lines+markers",
            line_color=colour,
            hovertemplate="%{x}: %{y:.4f}<extra></extra>",
        )
        figure.add_trace(line, row=row, col=1)
    figure.update_yaxes(title=gap_title, row=1, col=1)
    figure.update_yaxes(title=gini_title, row=2, col=1)
    figure.update_xaxes(title=round_title, tickformat="d", dtick=1, row=2, col=1)
    figure.update_layout(height=420, margin=MARGIN, showlegend=False)
    return figure
