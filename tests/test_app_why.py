"""Fairness: where the gaps come from, drawn once it is asked for, in parts that add up."""

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from app_workspace import BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.causes import decompose_gaps
from recsys_core.actions.models import open_model
from recsys_core.fairness.decomposition import Term
from recsys_core.fairness.result import AuditSettings
from recsys_core.store.workspace import Workspace
from ui.why_views import parts_table, share_sentence, waterfall

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
    assert table["share"].tolist()[-1] == 1
    assert len(table) == len(own.parts.factors) + 2


def test_the_share_of_length_is_told_with_its_interval() -> None:
    assert share_sentence(Term(0.914, 0.7, 1.2)).endswith("go with 91% of the gap (95 % from 70% to 120%).")


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
