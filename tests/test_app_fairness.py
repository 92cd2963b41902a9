"""Fairness: choices, the audit run by a button, and that nothing of a small group is shown."""

import json
import shutil
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from app_workspace import HOSTILE, BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.audits import audit_model
from recsys_core.actions.data import ingest
from recsys_core.actions.models import open_model, train
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditResult, AuditSettings
from recsys_core.store.workspace import Workspace
from ui.audit_names import crossings
from ui.audit_words import (
    bounds_table,
    gap_sentence,
    gaps_table,
    groups_table,
    headline,
    n_hidden,
    not_computed_table,
    sizes_table,
    summaries_table,
    told_first,
)
from ui.text import plain

SIZES, GAPS, OPEN = "Sizes first", "Each gap in words", "Not computed, and why"


def shown(app: AppTest, alt: str) -> pd.DataFrame:
    """What the table with that name for screen readers holds."""
    return next(table.value for table in app.dataframe if table.proto.alt == alt)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """No audit of another test is still in memory."""
    st.cache_resource.clear()


@pytest.fixture
def own_hostile(hostile: BuiltWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuiltWorkspace:
    """A copy of the workspace full of hostile names, in which an audit may be kept."""
    shutil.copytree(hostile.home, tmp_path / "home")
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path / "home"))
    return replace(hostile, home=tmp_path / "home")


def run(app: AppTest) -> AppTest:
    return app.button(key="fairness_run").click().run()


def test_empty_workspace_offers_the_way_to_data(empty_home: Path) -> None:
    app = open_page("fairness")
    assert app.button(key="empty_no_data").label == "Get data"


def test_sizes_are_all_that_is_shown_before_the_audit_is_run(own_shop: BuiltWorkspace) -> None:
    app = open_page("fairness", model=own_shop.item_knn)
    assert "Not run with these choices yet" in texts(app)
    assert len(app.metric) == 0 and len(app.dataframe) == 1
    assert {"people", "people_reference", "detectable", "power_005"} <= set(shown(app, SIZES))
    assert "value" not in shown(app, SIZES)


def test_audit_shows_the_figures_of_the_core(own_shop: BuiltWorkspace) -> None:
    app = open_page("fairness", model=own_shop.item_knn)
    app.multiselect(key="fairness_by").set_value(["gender", "region"]).run()
    run(app)
    model = open_model(Workspace.open(own_shop.home), own_shop.item_knn)
    result = audit_model(model, AuditSettings(("gender", "region")))
    assert not app.exception and not app.error
    assert app.metric[0].value == f"{result.overall.value:.4f}"
    assert result.plan is not None and len(shown(app, SIZES)) == len(result.plan.rows)
    assert headline(result) in texts(app)


def test_report_and_json_can_be_taken_along_with_the_command_that_gives_them_again(
    own_shop: BuiltWorkspace,
) -> None:
    app = run(open_page("fairness", model=own_shop.item_knn))
    assert app.get_by_key("fairness_report").label == "Download the report (HTML)"
    assert app.get_by_key("fairness_json").label == "Download JSON"
    assert app.code[-1].value.startswith("reclens audit 'Test item-knn' --by age_band --metric ndcg@10")


def test_run_is_kept_in_the_workspace(own_shop: BuiltWorkspace) -> None:
    run(open_page("fairness", model=own_shop.item_knn))
    assert [record.details["by"] for record in Workspace.open(own_shop.home).audits()] == [["age_band"]]


def test_result_is_still_there_after_another_page(own_shop: BuiltWorkspace) -> None:
    app = open_page("fairness", model=own_shop.item_knn)
    app.multiselect(key="fairness_by").set_value(["region"]).run()
    app.selectbox(key="fairness_metric").set_value("hr").run()
    run(app)
    value = app.metric[0].value
    app.switch_page("pages/explore.py").run()
    app.switch_page("pages/fairness.py").run()
    assert app.multiselect(key="fairness_by").value == ["region"]
    assert (app.metric[0].label, app.metric[0].value) == ("HR@10", value)


def test_other_choices_show_no_result_of_the_old_ones(own_shop: BuiltWorkspace) -> None:
    app = run(open_page("fairness", model=own_shop.item_knn))
    app.number_input(key="fairness_seed").set_value(7).run()
    assert "Not run with these choices yet" in texts(app)
    assert len(app.metric) == 0


def test_metric_has_the_k_of_the_context(own_shop: BuiltWorkspace) -> None:
    app = run(open_page("fairness", model=own_shop.item_knn, k="5"))
    assert app.metric[0].label == "NDCG@5"


def test_further_metrics_are_shown_by_choice_and_the_declared_family_is_marked(
    own_shop: BuiltWorkspace,
) -> None:
    app = open_page("fairness", model=own_shop.item_knn)
    app.multiselect(key="fairness_by").set_value(["age_band", "activity"]).run()
    app.multiselect(key="fairness_more").set_value(["hr@10", "novelty@10"]).run()
    app.multiselect(key="fairness_primary").set_value(["activity"]).run()
    run(app)
    assert not app.exception and not app.error
    app.segmented_control(key="fairness_shown").set_value("novelty@10").run()
    model = open_model(Workspace.open(own_shop.home), own_shop.item_knn)
    settings = AuditSettings(
        ("age_band", "activity"), more_metrics=("hr@10", "novelty@10"), primary=("activity",)
    )
    expected = audit_model(model, settings).of_metric("novelty@10")
    assert app.metric[0].value == f"{expected.overall.value:.4f}"
    assert headline(expected) in texts(app)
    assert set(shown(app, GAPS)["family"]) == {"exploratory"}  # of age, which wasn't declared


def test_people_can_be_compared_by_how_active_and_mainstream_they_are(own_shop: BuiltWorkspace) -> None:
    app = open_page("fairness", model=own_shop.item_knn)
    app.multiselect(key="fairness_by").set_value(["activity", "mainstreamness"]).run()
    run(app)
    assert not app.exception and not app.error
    assert set(shown(app, SIZES)["attribute"]) == {"activity", "mainstreamness"}


def test_two_attributes_at_once_are_crossed(own_shop: BuiltWorkspace) -> None:
    app = open_page("fairness", model=own_shop.item_knn)
    app.multiselect(key="fairness_by").set_value([]).run()
    assert app.button(key="fairness_run").disabled
    app.multiselect(key="fairness_crossed").set_value(["gender*region"]).run()
    run(app)
    assert shown(app, SIZES)["attribute"].unique().tolist() == ["gender × region"]
    assert shown(app, SIZES)["group"].str.contains(" × ").any()


def test_hidden_group_as_reference_is_refused_in_a_sentence(own_shop: BuiltWorkspace) -> None:
    users = open_model(Workspace.open(own_shop.home), own_shop.item_knn).data.dataset.users
    smallest = str(users["gender"].value_counts().drop("", errors="ignore").index[-1])
    app = open_page("fairness", model=own_shop.item_knn)
    app.multiselect(key="fairness_by").set_value(["gender"]).run()
    app.selectbox(key="fairness_reference").set_value(smallest).run()
    run(app)
    assert users["gender"].value_counts()[smallest] < 11
    assert "may not be shown" in app.error[0].value
    assert not app.exception


def test_data_without_attributes_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"u{n}", f"i{(n + item) % 5}", 100 * n + item) for n in range(6) for item in range(4)]
    path = tmp_path / "interactions.csv"
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(path, index=False)
    workspace = Workspace.open(tmp_path / "home")
    ingest(workspace, "Bare", path)
    model = train(workspace, "Bare", "popularity", "Bare popularity", "quick").id
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path / "home"))
    app = open_page("fairness", model=model)
    assert "no attribute that can form groups" in texts(app)
    assert app.button(key="empty_attribute").label == "Bring data"


def test_hostile_attribute_is_shown_letter_for_letter(own_hostile: BuiltWorkspace) -> None:
    app = run(open_page("fairness", model=own_hostile.popularity))
    assert not app.exception
    assert set(shown(app, SIZES)["attribute"]) == {plain(HOSTILE[0])}
    assert "<script>" not in texts(app)


def test_page_speaks_chinese(own_shop: BuiltWorkspace) -> None:
    run(open_page("fairness", model=own_shop.item_knn))
    app = open_page("fairness", model=own_shop.item_knn, lang="zh")
    assert app.title[0].value == "公平性"
    assert "先看人数" in texts(app)


@pytest.fixture(scope="module")
def planted() -> AuditResult:
    """120 F with 0.2, 120 M with 0.6, 5 X, 30 with all but no utility, 20 without a value."""
    generator = np.random.default_rng(0)
    sizes = {"F": (120, 0.2), "M": (120, 0.6), "X": (5, 0.5), "N": (30, 0.0), "": (20, 0.5)}
    users = pd.DataFrame(
        {
            "user_id": [str(number) for number in range(295)],
            "gender": np.repeat(list(sizes), [n for n, _ in sizes.values()]),
        }
    )
    shares = np.repeat([share for _, share in sizes.values()], [n for n, _ in sizes.values()])
    values = pd.Series((generator.random(295) < shares).astype(float), index=users["user_id"])
    return audit(values, users, AuditSettings(("gender",), "hr@10", draws=200))


def test_small_group_says_so_and_has_no_figure(planted: AuditResult) -> None:
    assert planted.plan is not None
    assert "X" not in sizes_table(planted.plan)["group"].tolist()
    assert "X" not in groups_table(planted, "gender")["group"].tolist()
    assert n_hidden(planted, "gender") == 2  # X, and those without a value, who would give X away


def test_no_word_or_figure_of_a_small_group_is_anywhere(planted: AuditResult) -> None:
    written = gaps_table(planted, "gender").to_csv() + groups_table(planted, "gender").to_csv()
    assert "X against" not in written
    hidden = [row for row in planted.by_group if row.suppressed]
    assert {row.n for row in hidden} == {None}


def test_group_with_too_little_data_has_a_value_without_an_interval(planted: AuditResult) -> None:
    row = groups_table(planted, "gender").set_index("group").loc["N"]
    assert (row["value"], row["n"]) == (0.0, 30)
    assert isnan(row["ci_low"])


def test_disparity_is_told_with_its_side_and_size(planted: AuditResult) -> None:
    gap = next(gap for gap in planted.gaps if gap.group == "F")
    assert gap.verdict == "disparity"
    told = gap_sentence(gap, planted)
    assert told.startswith(f"HR@10 is {abs(gap.difference):.4f}")
    assert told.endswith("lower than for everybody else.")


def test_summaries_have_a_figure_or_a_reason(planted: AuditResult) -> None:
    table = summaries_table(planted, "gender")
    assert (table["value"].isna() == (table["reason"] != "")).all()
    assert table["reason"].isin(["", "insufficient data"]).all()


def test_missing_people_who_are_hidden_bound_no_gap(planted: AuditResult) -> None:
    assert bounds_table(planted, "gender").empty


def test_reasons_for_what_is_left_open_are_in_words(planted: AuditResult) -> None:
    reasons = not_computed_table(planted).set_index("group")["reason"]
    assert reasons["X"] == "hidden: fewer than 11 people, or would give away a group that has"
    assert reasons["N"].startswith("insufficient data: fewer than 20 people with a non-zero HR@10")
    assert reasons["(unknown)"].startswith("these people have no value of the attribute")


def test_verdicts_that_decide_are_told_before_those_that_do_not() -> None:
    gaps = pd.DataFrame({"verdict": ["inconclusive"] * 4 + ["disparity", "equivalent"]})
    assert told_first(gaps)["verdict"].tolist() == ["disparity", "equivalent", "inconclusive", "inconclusive"]


def test_every_pair_of_attributes_can_be_crossed() -> None:
    assert crossings(["a", "b", "c"]) == ["a*b", "a*c", "b*c"]


def test_json_of_an_audit_has_no_nan(planted: AuditResult) -> None:
    assert json.loads(json.dumps(planted.to_json(), allow_nan=False))["overall"]["metric"] == "hr@10"
