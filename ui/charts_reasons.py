"""Plotly figures of what parts add up to; like `ui.charts`, nothing in here knows of a page or a language."""

import pandas as pd
import plotly.graph_objects as go

from ui.charts import GREY, LESS, MORE, ROW_HEIGHT, literal


def waterfall(table: pd.DataFrame, value_title: str) -> go.Figure:
    """From a baseline to a score, one row a part, downwards: to the right adds, to the left takes away.

    Args:
        table: `name`, `value`, `is_total` (True for the baseline and the score, whose values are levels).
        value_title: of the value axis.
    """
    names = [literal(name, 40) for name in table["name"]]
    is_level = table["is_total"]
    steps = table["value"].where(~is_level, 0.0)
    ends = table["value"].iloc[0] + steps.cumsum()
    figure = go.Figure()
    figure.add_bar(
        orientation="h",
        y=[name for name, level in zip(names, is_level, strict=True) if not level],
        x=steps[~is_level],
        base=(ends - steps)[~is_level],
        marker_color=[MORE if value >= 0 else LESS for value in steps[~is_level]],
        text=[f"{value:+.3f}" for value in steps[~is_level]],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure.add_scatter(
        y=[name for name, level in zip(names, is_level, strict=True) if level],
        x=table["value"][is_level],
        mode="markers+text",
        marker={"symbol": "diamond", "size": 11, "color": GREY},
        text=[f"{value:.3f}" for value in table["value"][is_level]],
        textposition="middle right",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    for level in table["value"][is_level]:
        figure.add_vline(x=level, line_width=1, line_dash="dot", line_color=GREY)
    low, high = min(ends.min(), table["value"].iloc[0]), max(ends.max(), table["value"].iloc[0])
    room = 0.18 * max(high - low, 1e-9)  # for the numbers beside the bars
    figure.update_xaxes(title=value_title, range=[low - room, high + room], zeroline=False)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    height = 96 + ROW_HEIGHT * len(names)
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 12, "b": 8}, showlegend=False)
    return figure


def concept_bars(table: pd.DataFrame, value_title: str, most: int = 24) -> go.Figure:
    """One bar a concept and group, furthest from 0 first: filled where it is sure, else hatched and grey.

    Args:
        table: `concept`, `group`, `score_change`, `p_adjusted`, `sure`.
        value_title: of the value axis.
        most: bars; the table has the others.
    """
    shown = table.sort_values("score_change", key=abs, ascending=False, kind="stable").head(most)
    several = table["group"].nunique() > 1
    names = [
        literal(f"{concept} · {group}" if several else concept, 40)
        for concept, group in zip(shown["concept"], shown["group"], strict=True)
    ]
    sure = shown["sure"].tolist()
    colours = [
        (MORE if change > 0 else LESS) if is_sure else GREY
        for change, is_sure in zip(shown["score_change"], sure, strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=names,
            x=shown["score_change"],
            marker={"color": colours, "pattern": {"shape": ["" if is_sure else "/" for is_sure in sure]}},
            customdata=shown["p_adjusted"],
            hovertemplate="%{y}: %{x:+.4f}<br>p = %{customdata:.4f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=value_title, zeroline=True, zerolinewidth=1.5, zerolinecolor=GREY)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], type="category", automargin=True)
    height = 96 + ROW_HEIGHT * len(names)
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 12, "b": 8}, showlegend=False)
    return figure
