"""Charts of the item side of an audit: exposure beside what is due."""

import pandas as pd
import plotly.graph_objects as go

from ui.charts import BAND_OPACITY, BLUE, GREEN, GREY, ORANGE, VERDICT_MARKS, in_rows, literal, whiskers


def ratio_plot(
    table: pd.DataFrame, value_title: str, alike: tuple[float, float], alike_name: str
) -> go.Figure:
    """One group a row: its exposure over its due with the 95 % interval; the band counts as alike.

    Args:
        table: `group`, `ratio`, `ci_low`, `ci_high`, `verdict` (a key), `verdict_name` (in words).
        value_title: of the value axis; 1 is as much as is due.
        alike: the ends of the band.
        alike_name: label of the band.
    """
    figure = go.Figure()
    for verdict, (colour, symbol) in VERDICT_MARKS.items():
        rows = table[table["verdict"] == verdict]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["ratio"],
            y=[literal(group) for group in rows["group"]],
            mode="markers",
            name=literal(rows["verdict_name"].iloc[0]),
            marker={"size": 11, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
            error_x=whiskers(rows["ratio"], rows["ci_low"], rows["ci_high"], colour),
            customdata=[
                f"[{low:.2f}, {high:.2f}]" for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
            ],
            hovertemplate="%{y}<br>%{x:.2f} %{customdata}",
        )
    figure.add_vrect(x0=alike[0], x1=alike[1], fillcolor=GREEN, opacity=BAND_OPACITY, line_width=0)
    band = {"symbol": "square", "size": 14, "color": GREEN, "opacity": 2 * BAND_OPACITY}
    figure.add_scatter(x=[None], y=[None], mode="markers", name=literal(alike_name), marker=band)
    figure.add_vline(x=1, line_width=1, line_color=GREY)
    figure.update_xaxes(title=value_title, rangemode="tozero")
    return in_rows(figure, [literal(group) for group in table["group"]], legend_above=True)


def shares_plot(table: pd.DataFrame, names: tuple[str, str, str], value_title: str) -> go.Figure:
    """One group a row: its shares of the catalogue, of the choices and of the attention.

    Args:
        table: `group`, `catalogue_share`, `merit_share`, `exposure_share`.
        names: of the three, in this order.
        value_title: of the value axis.
    """
    figure = go.Figure()
    marks = (
        ("catalogue_share", GREY, "line-ns-open"),
        ("merit_share", ORANGE, "diamond-open"),
        ("exposure_share", BLUE, "circle"),
    )
    for name, (column, colour, symbol) in zip(names, marks, strict=True):
        figure.add_scatter(
            x=table[column],
            y=[literal(group) for group in table["group"]],
            mode="markers",
            name=literal(name),
            marker={"size": 11, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
            hovertemplate=f"%{{y}}<br>{literal(name)} %{{x:.1%}}<extra></extra>",
        )
    figure.update_xaxes(title=value_title, rangemode="tozero", tickformat=".0%")
    return in_rows(figure, [literal(group) for group in table["group"]], legend_above=True)
