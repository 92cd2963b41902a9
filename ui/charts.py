"""Plotly figures from tables: nothing in here knows of a page, a language or a theme.

Every colour is of the Okabe–Ito palette, and none says something that shape, side or a word doesn't say
too. Texts that came from a data set are made literal here, because plotly reads HTML in any label.
"""

from collections.abc import Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ui.text import plain

BLUE, VERMILLION, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#8A8A8A"
MORE, LESS = BLUE, VERMILLION  # what adds to a score, what takes away from it

LONGEST_LABEL = 28  # characters; wider labels leave no room for the chart on a phone
ROW_HEIGHT, FRAME_HEIGHT, LEGEND_HEIGHT = 34, 96, 40  # pixels
BAND_OPACITY = 0.14
REMOVAL_SYMBOLS = ("circle", "diamond-open")
VERDICT_MARKS = {
    "disparity": (VERMILLION, "triangle-up"),
    "equivalent": (GREEN, "square"),
    "inconclusive": (GREY, "circle-open"),
}


def literal(text: object, longest: int = LONGEST_LABEL) -> str:
    """A text that plotly shows as it is, cut at `longest` characters: no tag, link or formula in it works."""
    shown = plain(text)
    cut = shown if len(shown) <= longest else shown[: longest - 1] + "…"
    return escape(cut, quote=False).replace("$", "&#36;")


def attribution_bars(table: pd.DataFrame, position_title: str, value_title: str) -> go.Figure:
    """Signed bars on the timeline of a history, oldest first: up adds to the score, down takes away.

    Args:
        table: `position` (1 = oldest), `title`, `attribution`.
        position_title: of the time axis.
        value_title: of the value axis.
    """
    titles = [literal(title, 60) for title in table["title"]]
    colours = [MORE if value >= 0 else LESS for value in table["attribution"]]
    bars = go.Bar(
        x=table["position"],
        y=table["attribution"],
        marker_color=colours,
        customdata=titles,
        hovertemplate="%{x}. %{customdata}<br>%{y:+.4f}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_xaxes(title=position_title, tickformat="d", range=[0.4, len(table) + 0.6], showgrid=False)
    figure.update_yaxes(title=value_title, zeroline=True, zerolinewidth=1.5, zerolinecolor=GREY)
    if len(table) <= 12:
        figure.update_xaxes(tickmode="array", tickvals=table["position"])
    figure.update_layout(bargap=0.25)
    return _framed(figure, 300)


def faithfulness_points(table: pd.DataFrame, value_title: str) -> go.Figure:
    """How far the score falls under each order of removal: one row an order, one mark a kind of removal.

    Args:
        table: `order`, `removal`, `value`, `own` (True for the explanation that is tested).
        value_title: of the value axis.
    """
    figure = go.Figure()
    orders = list(dict.fromkeys(table["order"]))
    for symbol, (removal, rows) in zip(REMOVAL_SYMBOLS, table.groupby("removal", sort=False), strict=False):
        figure.add_scatter(
            x=rows["value"],
            y=[literal(order) for order in rows["order"]],
            mode="markers",
            name=literal(removal),
            marker={
                "symbol": symbol,
                "size": 11,
                "color": [BLUE if own else GREY for own in rows["own"]],
                "line": {"width": 2, "color": [BLUE if own else GREY for own in rows["own"]]},
            },
            hovertemplate=f"%{{y}} · {literal(removal)}<br>%{{x:.4f}}<extra></extra>",
        )
    figure.add_vline(x=0, line_width=1, line_color=GREY)
    figure.update_xaxes(title=value_title)
    return in_rows(figure, orders, legend_above=True)


def interval_plot(
    table: pd.DataFrame, value_title: str, overall: float | None = None, overall_name: str = ""
) -> go.Figure:
    """One group a row: its value as a mark, its 95 % interval as a line, everybody's value as a dashed line.

    Args:
        table: `group`, `value`, `ci_low`, `ci_high` (NaN where there is no interval), `n`.
        value_title: of the value axis.
        overall: the value over everybody.
        overall_name: its label.
    """
    labels = [f"{literal(group)} (n = {n:,.0f})" for group, n in zip(table["group"], table["n"], strict=True)]
    figure = go.Figure(
        go.Scatter(
            x=table["value"],
            y=labels,
            mode="markers",
            marker={"size": 10, "color": BLUE},
            error_x=whiskers(table["value"], table["ci_low"], table["ci_high"]),
            customdata=_intervals_in_words(table),
            hovertemplate="%{y}<br>%{x:.4f} %{customdata}<extra></extra>",
            showlegend=False,
            cliponaxis=False,  # a group at 0 would be half a mark
        )
    )
    if overall is not None:
        figure.add_vline(
            x=overall,
            line_dash="dash",
            line_width=1.5,
            line_color=GREY,
            annotation_text=literal(overall_name),
            annotation_position="top",
        )
    figure.update_xaxes(title=value_title, rangemode="tozero")
    return in_rows(figure, labels)


def gap_plot(table: pd.DataFrame, value_title: str, margin: float, margin_name: str) -> go.Figure:
    """One gap a row with its 95 % interval around zero; the band is the margin that counts as no difference.

    Args:
        table: `label`, `difference`, `ci_low`, `ci_high`, `verdict` (a key), `verdict_name` (in words).
        value_title: of the value axis.
        margin: largest difference that counts as none.
        margin_name: label of the band.
    """
    figure = go.Figure()
    labels = [literal(label, 40) for label in table["label"]]
    for verdict, (colour, symbol) in VERDICT_MARKS.items():
        rows = table[table["verdict"] == verdict]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["difference"],
            y=[literal(label, 40) for label in rows["label"]],
            mode="markers",
            name=literal(rows["verdict_name"].iloc[0]),
            marker={"size": 11, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
            error_x=whiskers(rows["difference"], rows["ci_low"], rows["ci_high"], colour),
            customdata=_intervals_in_words(rows),
            hovertemplate="%{y}<br>%{x:+.4f} %{customdata}",
        )
    figure.add_vrect(x0=-margin, x1=margin, fillcolor=GREEN, opacity=BAND_OPACITY, line_width=0)
    band = {"symbol": "square", "size": 14, "color": GREEN, "opacity": 2 * BAND_OPACITY}
    figure.add_scatter(x=[None], y=[None], mode="markers", name=literal(margin_name), marker=band)
    figure.add_vline(x=0, line_width=1, line_color=GREY)
    figure.update_xaxes(title=value_title)
    return in_rows(figure, labels, legend_above=True)


def training_curves(table: pd.DataFrame, epoch_title: str, loss_title: str, metric_title: str) -> go.Figure:
    """Loss and validation metric of each epoch, one above the other, the best epoch marked by a star.

    Args:
        table: `number` (from 1), `loss`, `valid_ndcg`.
        epoch_title: of the common axis.
        loss_title: of the upper panel; lower is better.
        metric_title: of the lower panel; higher is better.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for row, (column, colour) in enumerate((("loss", ORANGE), ("valid_ndcg", BLUE)), start=1):
        line = go.Scatter(
            x=table["number"],
            y=table[column],
            mode="lines+markers",
            line_color=colour,
            hovertemplate="%{x}: %{y:.4f}<extra></extra>",
        )
        figure.add_trace(line, row=row, col=1)
    if table["valid_ndcg"].notna().any():
        best = table.loc[[table["valid_ndcg"].idxmax()]]
        star = {"symbol": "star", "size": 14, "color": BLUE}
        figure.add_trace(
            go.Scatter(x=best["number"], y=best["valid_ndcg"], mode="markers", marker=star, hoverinfo="skip"),
            row=2,
            col=1,
        )
    figure.update_yaxes(title=loss_title, row=1, col=1)
    figure.update_yaxes(title=metric_title, row=2, col=1)
    figure.update_xaxes(title=epoch_title, tickformat="d", row=2, col=1)
    return _framed(figure, 420)


def whiskers(
    values: "pd.Series[float]", low: "pd.Series[float]", high: "pd.Series[float]", colour: str = BLUE
) -> dict[str, object]:
    """The lines from each value to both ends of its interval, as plotly takes them; none where it is NaN."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (high - values).to_list(),
        "arrayminus": (values - low).to_list(),
        "thickness": 2,
        "width": 6,
        "color": colour,
    }


def in_rows(figure: go.Figure, labels: Sequence[str], legend_above: bool = False) -> go.Figure:
    """The figure with a row for each label, the first on top as in a table, and as high as the rows need."""
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=list(labels)[::-1],
        type="category",
        automargin=True,
        ticksuffix="  ",
    )
    height = FRAME_HEIGHT + ROW_HEIGHT * max(2, len(labels))
    return _framed(figure, height + LEGEND_HEIGHT * legend_above, legend_above)


def _intervals_in_words(table: pd.DataFrame) -> list[str]:
    """What a tooltip says of each interval; nothing where there is none."""
    return [
        "" if pd.isna(low) else f"[{low:.4f}, {high:.4f}]"
        for low, high in zip(table["ci_low"], table["ci_high"], strict=True)
    ]


def _framed(figure: go.Figure, height: int, legend_above: bool = False) -> go.Figure:
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 36, "b": 8}, showlegend=legend_above)
    if legend_above:
        figure.update_layout(
            legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "title": None}
        )
    return figure
