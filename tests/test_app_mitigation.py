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


def test_the_chosen_point_is_a_star_and_the_others_are_not() -> None:
    change = {"gap_change": 0.0, "gap_low": -0.1, "gap_high": 0.1}
    change |= {"utility_change": 0.0, "utility_low": -0.1, "utility_high": 0.1}
    rows = [
        {"chosen": False, "gap": 0.2, "utility": 0.5, "rules": "as it is"} | change,
        {"chosen": True, "gap": 0.1, "utility": 0.4, "rules": "<b>"} | change,
    ]
    plain, star = frontier_plot(pd.DataFrame(rows), "gap", "utility", "chosen").data
    assert (plain.marker.symbol, star.marker.symbol) == ("circle", "star")
    assert list(star.x) == [0.1] and list(star.y) == [0.4]
    assert list(star.customdata) == ["&lt;b&gt;"]
