"""Figures of a data set: how active people are, how popular items are, what people there are."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.groups import group_labels
from recsys_core.fairness.suppression import hidden_groups
from ui.charts import BLUE

MOST_BARS = 24


def histogram_table(counts: NDArray[np.int64]) -> pd.DataFrame:
    """How many have how much: `from`, `to` (whole numbers, both included) and `n`.

    One bin a number where that is readable; else bins whose width grows with the number, for activity
    and popularity have long tails.
    """
    if len(counts) == 0:
        return pd.DataFrame({"from": [], "to": [], "n": []}, dtype="int64")
    low, high = int(counts.min()), int(counts.max())
    if high - low < MOST_BARS:
        edges = np.arange(low, high + 2)
    else:
        steps = np.geomspace(max(low, 1), high + 1, MOST_BARS + 1)
        edges = np.unique(np.concatenate([[low], np.ceil(steps).astype(np.int64)]))
    n = np.histogram(counts, bins=edges)[0]
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:] - 1, "n": n})


def histogram(table: pd.DataFrame, x_title: str, y_title: str) -> go.Figure:
    """A bar for each row of `histogram_table`, drawn without gaps."""
    labels = [
        f"{start:,}" if start == end else f"{start:,}–{end:,}"
        for start, end in zip(table["from"], table["to"], strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            marker_color=BLUE,
            x=labels,
            y=table["n"],
            hovertemplate=f"{x_title}: %{{x}}<br>{y_title}: %{{y:,}}<extra></extra>",
        )
    )
    figure.update_layout(height=280, bargap=0.06, margin={"l": 8, "r": 8, "t": 8, "b": 8})
    figure.update_xaxes(title=x_title, type="category", automargin=True, nticks=12)
    figure.update_yaxes(title=y_title, automargin=True, rangemode="tozero")
    return figure


def group_sizes(
    users: pd.DataFrame, attributes: Sequence[str], hidden: Mapping[str, frozenset[str]] | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """How many people each group has, and why some attributes make no groups.

    Groups that are small, or that the sizes of the others would give away, have no size.

    Args:
        users: everybody.
        attributes: whose groups.
        hidden: the groups of each attribute that may not be shown; None = as if nothing else were shown.

    Returns:
        `attribute`, `group`, `n` and `share`, both missing where they are hidden; and a reason by attribute.
    """
    labels: dict[str, pd.Series] = {}
    refused: dict[str, str] = {}
    for attribute in attributes:
        try:
            labels[attribute] = group_labels(users, attribute)
        except DataError as error:
            refused[attribute] = str(error)
    if hidden is None:
        hidden = hidden_groups(labels) if labels else {}
    rows = [
        (attribute, str(group), None if str(group) in hidden[attribute] else int(n))
        for attribute, groups in labels.items()
        for group, n in groups.value_counts(sort=False).items()
    ]
    table = pd.DataFrame(rows, columns=["attribute", "group", "n"]).astype({"n": "Int64"})
    return table.assign(share=table["n"].astype("Float64") / max(len(users), 1)), refused
