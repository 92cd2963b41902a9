"""Figures hold the numbers of their tables, and no text of a data set can do anything in them."""

from math import isnan, nan

import pandas as pd
import plotly.graph_objects as go
import pytest

from ui.charts import (
    BLUE,
    GREY,
    LESS,
    MORE,
    attribution_bars,
    faithfulness_points,
    gap_plot,
    in_rows,
    interval_plot,
    literal,
    training_curves,
    whiskers,
)

CONTRIBUTIONS = pd.DataFrame(
    {
        "position": [1, 2, 3],
        "title": ["Alien", "<a href='http://evil.example'>x</a>", "Dune"],
        "attribution": [0.5, -0.25, 0.0],
    }
)
GROUPS = pd.DataFrame(
    {
        "group": ["F", "unknown"],
        "value": [0.2, 0.4],
        "ci_low": [0.1, nan],
        "ci_high": [0.35, nan],
        "n": [1200.0, 12.0],
    }
)
GAPS = pd.DataFrame(
    {
        "label": ["A", "B", "C"],
        "difference": [-0.2, 0.01, 0.05],
        "ci_low": [-0.3, -0.01, -0.1],
        "ci_high": [-0.1, 0.03, 0.2],
        "verdict": ["disparity", "equivalent", "inconclusive"],
        "verdict_name": ["Disparity", "Equivalent", "Inconclusive"],
    }
)
FALLS = pd.DataFrame(
    {
        "order": ["Mine", "Random", "Mine", "Random"],
        "removal": ["closed", "closed", "open", "open"],
        "value": [2.0, 0.5, 1.5, 0.25],
        "own": [True, False, True, False],
    }
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("a & b", "a &amp; b"),
        ("$x^2$", "&#36;x^2&#36;"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}x", "U+202Ex"),
        ("short", "short"),
    ],
)
def test_label_is_shown_letter_for_letter(text: str, shown: str) -> None:
    assert literal(text) == shown


def test_long_label_is_cut_before_it_is_escaped() -> None:
    assert literal("<" * 40, 3) == "&lt;&lt;…"


def test_bars_stand_at_their_positions_with_the_colour_of_their_sign() -> None:
    bars = attribution_bars(CONTRIBUTIONS, "place", "adds").data[0]
    assert list(bars.x) == [1, 2, 3]
    assert list(bars.y) == [0.5, -0.25, 0.0]
    assert list(bars.marker.color) == [MORE, LESS, MORE]


def test_title_in_a_tooltip_is_no_link() -> None:
    bars = attribution_bars(CONTRIBUTIONS, "place", "adds").data[0]
    assert bars.customdata[1] == "&lt;a href='http://evil.example'&gt;x&lt;/a&gt;"


def test_bars_of_an_empty_history_draw_nothing() -> None:
    assert len(attribution_bars(CONTRIBUTIONS.iloc[:0], "place", "adds").data[0].x) == 0


def test_interval_reaches_from_its_low_to_its_high_end() -> None:
    points = interval_plot(GROUPS, "NDCG@10").data[0]
    assert points.x[0] - points.error_x.arrayminus[0] == pytest.approx(0.1)
    assert points.x[0] + points.error_x.array[0] == pytest.approx(0.35)


def test_group_label_has_its_n() -> None:
    assert interval_plot(GROUPS, "NDCG@10").data[0].y == ("F (n = 1,200)", "unknown (n = 12)")


def test_first_group_is_on_top() -> None:
    assert interval_plot(GROUPS, "NDCG@10").layout.yaxis.categoryarray[-1] == "F (n = 1,200)"


def test_group_without_an_interval_has_a_point_alone() -> None:
    points = interval_plot(GROUPS, "NDCG@10").data[0]
    assert isnan(points.error_x.array[1])
    assert points.customdata[1] == ""


def test_overall_value_is_a_line_with_its_name() -> None:
    figure = interval_plot(GROUPS, "NDCG@10", 0.25, "everybody")
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == 0.25
    assert figure.layout.annotations[0].text == "everybody"


def test_each_verdict_has_its_own_shape_and_entry_in_the_legend() -> None:
    figure = gap_plot(GAPS, "Gap", 0.04, "Margin")
    assert [(trace.name, trace.marker.symbol) for trace in figure.data] == [
        ("Disparity", "triangle-up"),
        ("Equivalent", "square"),
        ("Inconclusive", "circle-open"),
        ("Margin", "square"),
    ]


def test_margin_is_a_band_around_zero() -> None:
    band = gap_plot(GAPS, "Gap", 0.04, "Margin").layout.shapes[0]
    assert (band.x0, band.x1) == (-0.04, 0.04)


def test_verdict_that_nobody_got_is_not_in_the_legend() -> None:
    figure = gap_plot(GAPS.iloc[:1], "Gap", 0.04, "Margin")
    assert [trace.name for trace in figure.data] == ["Disparity", "Margin"]


def test_kinds_of_removal_differ_by_shape_and_the_own_order_by_colour() -> None:
    closed, opened = faithfulness_points(FALLS, "fall").data
    assert (list(closed.x), list(opened.x)) == ([2.0, 0.5], [1.5, 0.25])
    assert closed.marker.symbol != opened.marker.symbol
    assert list(closed.marker.color) == [BLUE, GREY]


def test_best_epoch_has_the_star() -> None:
    epochs = pd.DataFrame({"number": [1, 2, 3], "loss": [3.0, 2.0, 1.5], "valid_ndcg": [0.1, 0.3, 0.2]})
    star = training_curves(epochs, "epoch", "loss", "NDCG").data[-1]
    assert (list(star.x), list(star.y)) == ([2], [0.3])


def test_curves_without_a_validation_figure_have_no_star() -> None:
    epochs = pd.DataFrame({"number": [1], "loss": [3.0], "valid_ndcg": [nan]})
    assert len(training_curves(epochs, "epoch", "loss", "NDCG").data) == 2


def test_whiskers_reach_from_each_value_to_both_ends() -> None:
    ends = pd.Series([0.5, nan]), pd.Series([0.25, nan]), pd.Series([1.0, nan])
    drawn = go.Figure(go.Scatter(x=ends[0], error_x=whiskers(*ends, GREY))).data[0].error_x
    assert (drawn.array[0], drawn.arrayminus[0], drawn.color) == (0.5, 0.25, GREY)
    assert isnan(drawn.array[1]) and isnan(drawn.arrayminus[1])


def test_a_row_more_makes_a_figure_higher_and_the_first_stands_on_top() -> None:
    two, three = in_rows(go.Figure(), ["a", "b"]), in_rows(go.Figure(), ["a", "b", "c"])
    assert list(three.layout.yaxis.categoryarray) == ["c", "b", "a"]
    assert two.layout.height < three.layout.height < in_rows(go.Figure(), ["a", "b", "c"], True).layout.height
