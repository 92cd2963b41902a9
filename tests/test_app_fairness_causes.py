"""Fairness, why: the worst subgroup, explanations by group, and the people behind a group."""

import pandas as pd
import pytest
import streamlit as st
from app_workspace import BuiltWorkspace, in_chinese, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.audits import audit_model
from recsys_core.actions.causes import worst_subgroup_of
from recsys_core.actions.models import open_model
from recsys_core.fairness.result import AuditSettings
from recsys_core.fairness.worst_subgroup import WorstSubgroup
from recsys_core.ranker.evaluation import per_person_table
from recsys_core.store.workspace import Workspace
from ui.audit_people import people_of
from ui.audit_subgroup import subgroup_sentence, subgroup_table


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    st.cache_resource.clear()


def part(shop: BuiltWorkspace, section: str, by: tuple[str, ...] = ("region",)) -> AppTest:
    """A part of an audit, at a k at which there are hits enough."""
    app = open_page("fairness", model=shop.item_knn, k="50")
    app.multiselect(key="fairness_by").set_value(list(by)).run()
    app.selectbox(key="fairness_metric").set_value("hr").run()
    app.button(key="fairness_run").click().run()
    return app.segmented_control(key="fairness_section").set_value(section).run()


def test_nothing_is_searched_or_explained_before_it_is_asked_for(own_shop: BuiltWorkspace) -> None:
    app = part(own_shop, "why")
    assert "Takes a few seconds." in texts(app) and "explanation is made twice" in texts(app)
    assert "half of the people" not in texts(app)


def test_the_subgroup_is_the_one_that_the_core_finds(own_shop: BuiltWorkspace) -> None:
    app = part(own_shop, "why")
    app.segmented_control(key="subgroup_depth").set_value(1).run()
    app.button(key="subgroup_run").click().run()
    assert not app.exception and not app.error
    model = open_model(Workspace.open(own_shop.home), own_shop.item_knn)
    found = worst_subgroup_of(model, ("gender", "age_band", "region"), "hr@50", 1)
    assert subgroup_sentence(found, "hr@50") in texts(app)


def test_explanations_are_compared_by_each_of_three_qualities(own_shop: BuiltWorkspace) -> None:
    app = part(own_shop, "why", ("gender", "region"))
    app.segmented_control(key="parity_people").set_value(100).run()
    app.button(key="parity_run").click().run()
    assert not app.exception and not app.error
    assert "100 people, explained by" in texts(app)
    app.segmented_control(key="parity_measure").set_value("stability").run()
    app.segmented_control(key="parity_attribute").set_value("region").run()
    assert not app.exception and "Overlap of the three strongest items" in texts(app)


def test_a_person_behind_a_group_is_one_click_from_their_list(own_shop: BuiltWorkspace) -> None:
    app = part(own_shop, "groups")
    first = app.selectbox(key="people_one").options[0]
    app.button(key="people_open").click().run()
    assert not app.exception and app.title[0].value == "Explore"
    assert app.query_params["user"] == first


def test_a_server_for_groups_alone_names_nobody(
    own_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECLENS_AUDIT_PEOPLE", "false")
    app = part(own_shop, "groups")
    assert "This server shows groups only" in texts(app)
    assert "people_one" not in {one.key for one in app.selectbox}


def test_people_of_a_group_come_worst_served_first_and_small_groups_have_none(
    kept_shop: BuiltWorkspace,
) -> None:
    model = open_model(Workspace.open(kept_shop.home), kept_shop.item_knn)
    result = audit_model(model, AuditSettings(("gender",), "hr@50", draws=200))
    shown = next(row for row in result.by_group if not row.suppressed)
    people = people_of(model, result, "gender", shown.group)
    assert len(people) == shown.n and people["value"].mean() == pytest.approx(shown.value)
    assert people["value"].is_monotonic_increasing
    values = per_person_table(model.data.dataset, model.test, "hr@50")
    assert people["value"].tolist() == values[people["user_id"]].tolist()
    hidden = [row.group for row in result.by_group if row.suppressed]
    assert hidden and people_of(model, result, "gender", hidden[0]).empty


def subgroup(confirmed: bool, low: float | None = -0.2) -> WorstSubgroup:
    conditions = (("region", "<b>"), ("gender", "F"))
    seen, said = (12, -0.3, 40, 60), (0.1, 0.2, -0.1, low, -0.01 if low else None, 0.04)
    return WorstSubgroup(conditions, *seen, *said, confirmed)


def test_what_is_not_confirmed_is_said_to_be_chance_perhaps() -> None:
    told = subgroup_sentence(subgroup(confirmed=False), "ndcg@10")
    assert r"region\: \<b\> and gender\: F" in told and "-0.3000" in told and "may be chance" in told
    assert subgroup_sentence(subgroup(confirmed=True), "ndcg@10").endswith("That confirms it.")


def test_only_the_testing_half_has_an_interval() -> None:
    first, second = subgroup_table(subgroup(confirmed=True)).to_dict("records")
    assert pd.isna(first["ci_low"]) and first["difference"] == -0.3
    assert (second["difference"], second["ci_low"], second["p_value"]) == (-0.1, -0.2, 0.04)
    assert subgroup_table(subgroup(confirmed=False, low=None))["ci_low"].isna().all()


def test_page_speaks_chinese(own_shop: BuiltWorkspace) -> None:
    app = part(own_shop, "why")
    app.button(key="subgroup_run").click().run()
    app = in_chinese(app, "fairness", "fairness_section", "fairness_by", "fairness_metric", "asked_for")
    assert not app.exception and "效果最差的子组" in texts(app)
