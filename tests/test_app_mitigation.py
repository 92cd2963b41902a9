"""Fairness: the frontier of utility against gap, once it is asked for, and keeping its chosen point."""

import pandas as pd
import pytest
import streamlit as st
from app_workspace import BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.models import open_model
from recsys_core.store.workspace import Workspace
from ui import mitigation_views
from ui.mitigation_views import frontier_plot

HEADING = "What closing a gap costs"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    st.cache_resource.clear()


def audited(shop: BuiltWorkspace, model: str | None = None) -> AppTest:
    """The page with an audit by gender, at a k at which there are hits enough."""
    app = open_page("fairness", model=model or shop.item_knn, k="50")
    app.multiselect(key="fairness_by").set_value(["gender"]).run()
    app.selectbox(key="fairness_metric").set_value("hr").run()
    app.button(key="fairness_run").click().run()
    return app.segmented_control(key="fairness_section").set_value("mitigation").run()


def test_nothing_is_reranked_before_it_is_asked_for(own_wider_shop: BuiltWorkspace) -> None:
    app = audited(own_wider_shop)
    assert HEADING in texts(app)
    assert "re-ranked in several ways" in texts(app)


def test_the_chosen_point_can_be_kept_and_audited(own_wider_shop: BuiltWorkspace) -> None:
    app = audited(own_wider_shop)
    app.button(key="mitigation_run").click().run()
    assert not app.exception and not app.error
    assert "At the chosen point the gap" in texts(app)
    app.text_input(key="mitigation_name").set_value("milder")
    next(one for one in app.button if one.label == "Keep the chosen point as a model").click().run()
    assert not app.exception and not app.error
    kept = open_model(Workspace.open(own_wider_shop.home), "milder")
    assert kept.ranker_name == "reranked"
    again = audited(own_wider_shop, kept.record.id)
    assert not again.exception and not again.error
    assert HEADING not in texts(again)
    assert "Re-ranked" in texts(open_page("home")) and not open_page("train").exception


def test_a_name_that_is_taken_is_a_sentence(own_wider_shop: BuiltWorkspace) -> None:
    app = audited(own_wider_shop)
    app.button(key="mitigation_run").click().run()
    app.text_input(key="mitigation_name").set_value("Test item-knn")
    next(one for one in app.button if one.label == "Keep the chosen point as a model").click().run()
    assert len(app.error) == 1 and not app.exception


def test_for_many_people_the_page_tells_the_command(
    own_wider_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mitigation_views, "MOST_PEOPLE", 10)
    app = audited(own_wider_shop)
    assert any(one.value == "reclens mitigate 'Test item-knn' --by gender --metric hr@50" for one in app.code)


def points(*rows: tuple[bool, bool, float, float]) -> pd.DataFrame:
    """Chosen, as it is, gap and utility of each point; every change is at most 0.02 away from what it is."""
    change = {"gap_change": 0.0, "gap_low": -0.02, "gap_high": 0.02}
    change |= {"utility_change": 0.0, "utility_low": -0.01, "utility_high": 0.01}
    names = ("chosen", "start", "gap", "utility")
    return pd.DataFrame([dict(zip(names, row, strict=True)) | change | {"rules": "<b>"} for row in rows])


NAMES = ("as they are", "others", "chosen")


def test_the_chosen_point_is_a_star_and_the_lists_as_they_are_are_a_square() -> None:
    table = points((False, True, 0.2, 0.5), (False, False, 0.15, 0.45), (True, False, 0.1, 0.4))
    start, other, star = frontier_plot(table, "gap", "utility", NAMES).data
    assert (start.marker.symbol, other.marker.symbol, star.marker.symbol) == ("square-open", "circle", "star")
    assert [one.name for one in (start, other, star)] == list(NAMES)
    assert list(star.x) == [0.1] and list(star.y) == [0.4]
    assert list(star.customdata) == ["&lt;b&gt;"]


def test_axes_begin_where_the_intervals_do_and_not_at_zero() -> None:
    figure = frontier_plot(points((False, True, 0.2, 0.5), (True, False, 0.1, 0.4)), "gap", "utility", NAMES)
    assert figure.layout.yaxis.range == pytest.approx((0.39 - 0.06 * 0.12, 0.51 + 0.06 * 0.12))
    assert figure.layout.xaxis.range == pytest.approx((0.08 - 0.06 * 0.14, 0.22 + 0.06 * 0.14))


def test_where_nothing_but_the_lists_as_they_are_is_chosen_there_is_one_point() -> None:
    (star,) = frontier_plot(points((True, True, 0.2, 0.5)), "gap", "utility", NAMES).data
    assert star.marker.symbol == "star"
