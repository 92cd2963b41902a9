"""Fairness, the items' side: who is shown how much, counted once it is asked for, and handed over."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from app_workspace import BuiltWorkspace, in_chinese, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.audits import open_audit
from recsys_core.actions.data import ingest
from recsys_core.actions.item_audits import audit_model_items
from recsys_core.actions.models import open_model, train
from recsys_core.fairness.exposure_result import ItemAudit, ItemAuditSettings, ItemFigure, ItemGroupRow
from recsys_core.fairness.exposure_verdicts import exposure_verdicts
from recsys_core.store.workspace import Workspace
from ui.audit_items import (
    drawn_first,
    item_group_name,
    item_groups_table,
    item_measures_table,
    item_sentences,
    items_headline,
)
from ui.charts_items import ratio_plot, shares_plot

HEADING = "The items' side"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    st.cache_resource.clear()


def items_part(shop: BuiltWorkspace) -> AppTest:
    app = open_page("fairness", model=shop.item_knn)
    app.button(key="fairness_run").click().run()
    return app.segmented_control(key="fairness_section").set_value("items").run()


def shown(app: AppTest) -> pd.DataFrame:
    return next(one.value for one in app.dataframe if one.proto.alt == HEADING)


def test_nothing_is_counted_before_it_is_asked_for(own_shop: BuiltWorkspace) -> None:
    app = items_part(own_shop)
    assert app.multiselect(key="items_by").value == ["provider"]
    assert "Makes everybody's list anew" in texts(app)
    assert all(one.proto.alt != HEADING for one in app.dataframe)


def test_the_page_has_the_figures_of_the_core_keeps_them_and_names_them_in_the_command(
    own_shop: BuiltWorkspace,
) -> None:
    app = items_part(own_shop)
    app.multiselect(key="items_by").set_value(["popularity", "category"]).run()
    app.button(key="items_run").click().run()
    assert not app.exception and not app.error
    workspace = Workspace.open(own_shop.home)
    settings = ItemAuditSettings(("popularity", "category"))
    expected = audit_model_items(open_model(workspace, own_shop.item_knn), settings)
    head = expected.figure("popularity", "head", "exposure_share")
    assert head is not None
    assert shown(app).set_index("group")["exposure_share"]["head"] == head.value
    assert app.code[-1].value.endswith("--items-by popularity --items-by category")
    kept = [open_audit(workspace, record.id).evidence.extras.items for record in workspace.audits()]
    assert sorted(items is None for items in kept) == [False, True]
    app.segmented_control(key="items_attribute").set_value("category").run()
    app.segmented_control(key="items_due").set_value("catalogue").run()
    assert not app.exception and "share of the catalogue" in texts(app)
    app.segmented_control(key="fairness_section").set_value("groups").run()
    assert app.code[-1].value.endswith("--items-by popularity --items-by category")


def test_people_without_attributes_still_have_an_item_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"u{n}", f"i{(n + item) % 9}", 100 * n + item) for n in range(15) for item in range(4)]
    path = tmp_path / "interactions.csv"
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(path, index=False)
    workspace = Workspace.open(tmp_path / "home")
    ingest(workspace, "Bare", path)
    model = train(workspace, "Bare", "popularity", "Bare popularity", "quick").id
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path / "home"))
    app = open_page("fairness", model=model, k="3")
    assert "no attribute that can form groups" in texts(app)
    app.button(key="items_run").click().run()
    assert not app.exception and not app.error
    assert set(shown(app)["group"]) == {"head", "middle", "tail"}


def test_page_speaks_chinese(own_shop: BuiltWorkspace) -> None:
    app = items_part(own_shop)
    app.button(key="items_run").click().run()
    app = in_chinese(app, "fairness", "items_by", "fairness_section", "asked_for")
    assert not app.exception and "物品一侧" in texts(app) and "95 % 区间" in texts(app)


FIGURES = {"exposure_share": (0.1, 0.08, 0.12), "merit_share": (0.4, 0.35, 0.45)}


@pytest.fixture
def audited() -> ItemAudit:
    """Three providers: `a` is shown a quarter of its due, `b` its due, `few` has too few people behind it."""
    named = ("a", "b", "few")
    rows = tuple(ItemGroupRow("provider", name, 10, 1 / 3, 100, 50) for name in named)
    ratios = {"a": (0.25, 0.2, 0.3), "b": (1.0, 0.95, 1.05), "few": (0.5, None, None)}
    figures = [ItemFigure("provider", name, "exposure_per_merit", *ratios[name]) for name in named]
    figures += [ItemFigure("provider", name, "exposure_share", *FIGURES["exposure_share"]) for name in named]
    figures += [ItemFigure("provider", name, "merit_share", *FIGURES["merit_share"]) for name in ("a", "b")]
    figures.append(ItemFigure("provider", "", "gini", 0.5, 0.4, 0.6))
    return ItemAudit(ItemAuditSettings(("provider",)), 100, 0, (*rows[:2], rows[2]), tuple(figures), ())


def test_the_least_exposed_group_stands_first_and_what_has_no_interval_has_no_verdict(
    audited: ItemAudit,
) -> None:
    table = item_groups_table(audited, "provider", "merit").set_index("group")
    assert table.index.tolist() == ["a", "few", "b"]
    assert table["verdict"].to_dict() == {"a": "disparity", "few": "", "b": "equivalent"}
    assert table["ci_low"].isna().tolist() == table["merit_share"].isna().tolist() == [False, True, False]


def test_sentences_say_how_much_is_shown_of_what_is_due(audited: ItemAudit) -> None:
    first, second = item_sentences(item_groups_table(audited, "provider", "merit"), "merit")
    assert "shown 0.25 times as much as people's choices merit (10.0% of the attention" in first
    assert "**b**" not in second and "shown about as much as people's choices merit" in second


def test_the_headline_claims_no_more_than_was_found(audited: ItemAudit) -> None:
    verdicts = exposure_verdicts(audited, "provider", "merit")
    assert items_headline(verdicts, "merit").startswith("1 group of items is shown more or less")
    assert items_headline(verdicts[1:], "merit").startswith("Every group")
    open_one = (replace(verdicts[1], verdict="inconclusive"),)
    assert items_headline(open_one, "merit").endswith("doesn't show that none is.")
    assert items_headline((), "merit").startswith("Too few people")


def test_measures_over_all_groups_have_their_meaning(audited: ItemAudit) -> None:
    (row,) = item_measures_table(audited, "provider").to_dict("records")
    assert (row["value"], row["ci_low"], row["ci_high"]) == (0.5, 0.4, 0.6)
    assert row["meaning"] == "0: all groups have the same exposure"


def test_a_chart_of_many_groups_has_both_ends_of_the_order() -> None:
    groups = pd.DataFrame({"group": [f"g{n}" for n in range(50)], "ci_low": 0.5})
    assert drawn_first(groups)["group"].tolist() == [f"g{n}" for n in (*range(10), *range(40, 50))]


def test_only_strata_of_popularity_have_names_of_their_own() -> None:
    assert item_group_name("popularity", "head") == "head"
    assert item_group_name("provider", "unknown") == "(unknown)"


def test_charts_show_names_as_they_are_and_say_verdicts_by_shape(audited: ItemAudit) -> None:
    groups = item_groups_table(audited, "provider", "merit").dropna(subset="ci_low")
    groups["group"] = ["<b>", "$x$"]
    less, equal, band = ratio_plot(groups, "ratio", (0.8, 1.25), "alike").data
    assert [one.marker.symbol for one in (less, equal, band)] == ["triangle-up", "square", "square"]
    assert (list(less.y), list(equal.y)) == (["&lt;b&gt;"], ["&#36;x&#36;"])
    catalogue, choices, attention = shares_plot(groups, ("catalogue", "choices", "attention"), "share").data
    assert list(catalogue.x) == pytest.approx([1 / 3, 1 / 3])
    assert (list(choices.x), list(attention.x)) == ([0.4, 0.4], [0.1, 0.1])
