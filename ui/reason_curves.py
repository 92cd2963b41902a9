"""The score of one item while its history leaves, or enters, in the order of each explanation."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from recsys_core.explain.explanation import Explanation
from recsys_core.explain.faithfulness import Removal
from ui.charts import BLUE, GREY, literal
from ui.components import chart
from ui.reasons import order_name
from ui.text import t

HEIGHT = 320
SYMBOLS = ("circle", "square", "triangle-up", "x", "cross", "diamond")
REMOVAL: Removal = "delete-and-shift"


def draw_curves(explanation: Explanation) -> None:
    """The deletion or the insertion curve of the method beside those of orders that anybody could make up."""
    with st.expander(t("reasons.curves"), key="explain_curves"):
        moving = st.segmented_control(
            t("reasons.curves"),
            ("deletion", "insertion"),
            default="deletion",
            required=True,
            format_func=lambda name: t(f"reasons.curve_{name}"),
            key="explain_curve",
            label_visibility="collapsed",
        )
        st.caption(t(f"reasons.curve_{moving}_means"))
        numbers = curves_table(explanation, moving == "deletion")
        figure = curves(numbers, t(f"reasons.curve_{moving}_axis"), t("explain.score"))
        chart(figure, "explain_curves_chart", t("reasons.curves_alt"), numbers.drop(columns="own"))


def curves_table(explanation: Explanation, leaving: bool) -> pd.DataFrame:
    """One row a step of an order, gaps closed: `order` (in words), `n` (items moved), `score`, `own`."""
    method = explanation.attributions.method
    rows = [
        (order_name(order), int(n), float(score), order == method)
        for order, found in explanation.measured[REMOVAL].items()
        for curve in (found.deletion if leaving else found.insertion,)
        for n, score in zip(curve.n_moved, curve.scores, strict=True)
    ]
    return pd.DataFrame(rows, columns=["order", "n", "score", "own"])


def curves(table: pd.DataFrame, n_title: str, score_title: str) -> go.Figure:
    """One line an order; the method's own is blue and thick, each has its own mark."""
    figure = go.Figure()
    for symbol, (order, rows) in zip(SYMBOLS, table.groupby("order", sort=False), strict=False):
        own = bool(rows["own"].iloc[0])
        figure.add_scatter(
            x=rows["n"],
            y=rows["score"],
            mode="lines+markers",
            name=literal(order),
            line={"color": BLUE if own else GREY, "width": 3 if own else 1.2},
            marker={"symbol": symbol, "size": 8 if own else 6},
            hovertemplate=f"{literal(order)}<br>%{{x}}: %{{y:.4f}}<extra></extra>",
        )
    figure.update_xaxes(title=n_title, tickformat="d")
    figure.update_yaxes(title=score_title)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "title": None},
    )
    return figure
