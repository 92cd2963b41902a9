"""Fairness: where the gaps come from, drawn once it is asked for, in parts that add up."""

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from app_workspace import BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.causes import GapParts, decompose_gaps, decomposition_json
from recsys_core.actions.models import open_model
from recsys_core.fairness.decomposition import Decomposition, FactorTerm, Term
from recsys_core.fairness.result import AuditSettings, GapRow
from recsys_core.store.workspace import Workspace
from ui.why_views import parts_table, share_sentence, shares_plot, shares_table, waterfall

HEADING = "Where the gaps come from"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    st.cache_resource.clear()


def audited(shop: BuiltWorkspace) -> AppTest:
    """The page with an audit by region, at a k at which there are hits enough."""
    app = open_page("fairness", model=shop.item_knn, k="50")
    app.multiselect(key="fairness_by").set_value(["region"]).run()
    app.selectbox(key="fairness_metric").set_value("hr").run()
    app.button(key="fairness_run").click().run()
    return app.segmented_control(key="fairness_section").set_value("why").run()


def test_nothing_is_split_before_it_is_asked_for(own_shop: BuiltWorkspace) -> None:
    app = audited(own_shop)
    assert HEADING in texts(app)
    assert "every gap is split anew" in texts(app)
    assert "not what causes it" not in texts(app)


def test_the_parts_of_a_gap_add_up_on_the_page(own_shop: BuiltWorkspace) -> None:
    app = audited(own_shop)
    app.button(key="why_run").click().run()
    assert not app.exception and not app.error
    assert "not what causes it" in texts(app)
    table = next(one.value for one in app.dataframe if one.proto.alt.startswith("Parts of the gap"))
    assert table["value"].iloc[:-1].sum() == pytest.approx(table["value"].iloc[-1], abs=1e-12)
    assert table["part"].iloc[0] == "Length of the history"
    assert table["part"].iloc[-2:].tolist() == ["Left between people who are alike", "The gap"]


def test_the_table_has_the_figures_of_the_core(kept_shop: BuiltWorkspace) -> None:
    model = open_model(Workspace.open(kept_shop.home), kept_shop.item_knn)
    own = decompose_gaps(model, AuditSettings(("region",), "hr@50", draws=200))[0]
    table = parts_table(own)
    assert table["value"].tolist()[-1] == own.parts.gap.value
    gap = own.parts.gap
    has_shares = not gap.ci_low <= 0 <= gap.ci_high
    assert table["share"].notna().tolist() == [has_shares] * len(table)
    assert len(table) == len(own.parts.factors) + 2


def test_the_share_of_length_is_told_with_its_interval() -> None:
    assert share_sentence(Term(0.914, 0.7, 1.2)).endswith("go with 91% of the gap (95 % from 70% to 120%).")


def gap_parts(share: Term | None) -> GapParts:
    """A gap of −0.2 of which length has half, with or without shares."""
    one = Term(-0.1, -0.15, -0.05)
    factor = FactorTerm("history_length", one, 5.0, 9.0, 0.0, share)
    parts = Decomposition(Term(-0.2, -0.3, -0.1), (factor,), one, one, share, share, (), 50, 60)
    return GapParts(GapRow("age", "old", "rest", -0.2, -0.3, -0.1, 0.01, 0.01, None, 0.1, "disparity"), parts)


def test_every_share_of_a_gap_has_its_interval_in_table_and_chart() -> None:
    own = gap_parts(Term(0.5, 0.25, 0.75))
    table = parts_table(own)
    assert table["share"].tolist() == [0.5, 0.5, 1.0]
    assert table["share_low"].tolist()[:2] == [0.25, 0.25] and np.isnan(table["share_low"].iloc[2])
    assert table["share_high"].tolist()[:2] == [0.75, 0.75]
    shares = shares_table(own)
    assert shares["part"].tolist() == [
        "Length and what follows from it",
        "Length of the history",
        "Left between people who are alike",
    ]
    (marks,) = shares_plot(shares, "Share").data
    assert list(marks.x) == [0.5] * 3
    assert list(marks.error_x.array) == list(marks.error_x.arrayminus) == [0.25] * 3


def test_of_a_gap_that_may_be_none_no_shares_are_told() -> None:
    own = gap_parts(None)
    assert shares_table(own).empty
    assert parts_table(own)[["share", "share_low", "share_high"]].isna().all(axis=None)
    (told,) = decomposition_json(AuditSettings(("age",)), (own,))["gaps"]
    assert [told["factors"][0][name] for name in ("share", "share_interval")] == [None, None]
    assert told["share_of_length_and_what_follows"] is told["share_of_length_interval"] is None
    assert told["factors"][0]["value"] == -0.1


def test_of_a_gap_that_is_sure_json_tells_the_shares() -> None:
    (told,) = decomposition_json(AuditSettings(("age",)), (gap_parts(Term(0.5, 0.25, 0.75)),))["gaps"]
    assert told["factors"][0]["share"] == told["share_of_length_and_what_follows"] == 0.5
    assert told["factors"][0]["share_interval"] == [0.25, 0.75]


def test_the_page_draws_the_shares_or_says_why_not(own_shop: BuiltWorkspace) -> None:
    app = audited(own_shop)
    app.button(key="why_run").click().run()
    own = decompose_gaps(
        open_model(Workspace.open(own_shop.home), own_shop.item_knn), AuditSettings(("region",), "hr@50")
    )
    first = sorted(own, key=lambda one: one.gap.verdict != "disparity")[0]
    drawn = any(one.proto.alt.startswith("Parts as shares of the gap") for one in app.dataframe)
    assert drawn == (first.parts.share is not None)
    assert drawn != ("aren't told as shares" in texts(app))


def test_the_waterfall_ends_with_the_sum() -> None:
    table = pd.DataFrame(
        {
            "part": ["a<b>", "left", "gap"],
            "value": [0.1, -0.3, -0.2],
            "ci_low": np.zeros(3),
            "ci_high": np.ones(3),
        }
    )
    (bars,) = waterfall(table, "NDCG").data
    assert list(bars.measure) == ["relative", "relative", "total"]
    assert list(bars.x) == [0.1, -0.3, -0.2]
    assert list(bars.y) == ["a&lt;b&gt;", "left", "gap"]
