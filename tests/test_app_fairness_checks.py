"""Fairness: what the model knows of an attribute, and whether what the audit says holds."""

from dataclasses import replace

import pandas as pd
import pytest
import streamlit as st
from app_workspace import BuiltWorkspace, in_chinese, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.attribution_mass import AttributeMass, GroupMass, Mass, Proxy, find_mass_of
from recsys_core.actions.audit_checks import (
    Band,
    FeedbackLoop,
    FeedbackRound,
    VerdictChange,
    WithoutFlagged,
    run_feedback,
)
from recsys_core.actions.leakage import FlipEffect, GroupLeak, Leakage, find_leakage_of
from recsys_core.actions.membership import Membership, attack_membership
from recsys_core.actions.models import open_model
from recsys_core.data.suspicious import SuspiciousUsers
from recsys_core.fairness.leakage import Probe
from recsys_core.fairness.result import AuditResult, AuditSettings, GroupRow, Overall
from recsys_core.store.workspace import Workspace
from ui import audit_leakage, audit_mass, audit_membership
from ui.audit_checks import (
    changes_table,
    feedback_sentence,
    rounds_table,
    suspicious_sentence,
)
from ui.audit_leakage import enough_shuffles, leak_sentences, leaks_table
from ui.audit_mass import mass_sentence, mass_table, proxies_sentence
from ui.audit_membership import membership_sentence
from ui.charts_checks import mass_plot, probe_plot, rounds_plot


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    st.cache_resource.clear()


def part(shop: BuiltWorkspace, section: str, by: str = "region") -> AppTest:
    """A part of an audit, at a k at which there are hits enough."""
    app = open_page("fairness", model=shop.item_knn, k="50")
    app.multiselect(key="fairness_by").set_value([by]).run()
    app.selectbox(key="fairness_metric").set_value("hr").run()
    app.button(key="fairness_run").click().run()
    return app.segmented_control(key="fairness_section").set_value(section).run()


def numbers(app: AppTest, alt: str) -> pd.DataFrame:
    return next(one.value for one in app.dataframe if one.proto.alt == alt)


def test_nothing_is_probed_or_simulated_before_it_is_asked_for(own_shop: BuiltWorkspace) -> None:
    app = part(own_shop, "attribute")
    assert "the probe learns anew for every shuffle" in texts(app)
    app.segmented_control(key="fairness_section").set_value("checks").run()
    for cost in ("the audit is run a second time", "made anew in each round", "everybody is scored"):
        assert cost in texts(app)
    assert not app.exception and not app.error


@pytest.mark.slow
def test_probes_on_the_page_are_those_of_the_core(own_wider_shop: BuiltWorkspace) -> None:
    app = part(own_wider_shop, "attribute", "gender")
    app.button(key="leakage_run").click().run()
    assert not app.exception and not app.error
    model = open_model(Workspace.open(own_wider_shop.home), own_wider_shop.item_knn)
    expected = leaks_table(find_leakage_of(model, "gender", 50, 99))
    alt = "How well each group is told from the model and from histories, with the end of chance"
    assert numbers(app, alt)["auc"].tolist() == expected["auc"].tolist()
    assert "doesn't read this attribute" in texts(app)


def test_flagged_accounts_rounds_and_the_attack_are_drawn_once_asked_for(own_shop: BuiltWorkspace) -> None:
    app = part(own_shop, "checks")
    app.button(key="suspicious_run").click().run()
    app.segmented_control(key="feedback_rounds").set_value(3).run()
    app.button(key="feedback_run").click().run()
    app.button(key="membership_run").click().run()
    assert not app.exception and not app.error
    model = open_model(Workspace.open(own_shop.home), own_shop.item_knn)
    rounds = run_feedback(model, "region", "hr@50", 3, 5)
    alt = "Gap and exposure Gini from round to round, with bands over seeds"
    assert numbers(app, alt)["gap"].tolist() == [one.gap.mean for one in rounds.rounds]
    assert feedback_sentence(rounds) in texts(app)
    assert membership_sentence(attack_membership(model, AuditSettings(("region",)))) in texts(app)
    assert "accounts" in texts(app)


def test_for_many_people_the_page_tells_the_commands(
    own_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_membership, "MOST_PEOPLE", 10)
    monkeypatch.setattr(audit_leakage, "MOST_LEARNT", 10)
    monkeypatch.setattr(audit_mass, "MOST_SCORED", 150 * 120 - 1)
    app = part(own_shop, "attribute")
    assert any(one.value == "reclens leakage 'Test item-knn' --by region" for one in app.code)
    assert "mass_run" not in [one.key for one in app.button]
    assert any(one.value.startswith("reclens leakage 'Test item-knn' --by region --k 50") for one in app.code)
    app.segmented_control(key="fairness_section").set_value("checks").run()
    assert any(one.value == "reclens membership 'Test item-knn' --by region --seed 0" for one in app.code)


def test_page_speaks_chinese(own_shop: BuiltWorkspace) -> None:
    app = part(own_shop, "checks")
    app.button(key="suspicious_run").click().run()
    app = in_chinese(app, "fairness", "fairness_section", "fairness_by", "fairness_metric", "asked_for")
    assert not app.exception and "去掉可能无人的账号" in texts(app)


def probe(auc: float, p_value: float) -> Probe:
    return Probe(60, 90, auc, auc - 0.1, auc + 0.1, 0.5, 0.58, p_value)


def share(value: float) -> Mass:
    return Mass(value, value - 0.05, value + 0.05)


MASS = AttributeMass(
    True,
    (Proxy("item", "i1", 0.42), Proxy("category", "Poetry", 0.3)),
    (GroupMass("", 150, share(0.2), share(0.3), 0.1), GroupMass("old", 60, share(0.25), share(0.35), 0.12)),
    "",
)
FOUND = Leakage(
    "age",
    (
        GroupLeak("old", probe(0.8, 0.01), probe(0.9, 0.01), ""),
        GroupLeak("young", probe(0.6, 0.04), probe(0.7, 0.01), ""),
        GroupLeak("few", None, None, "insufficient data"),
    ),
    FlipEffect(150, 10, 0.9, 0.8, 0.25, {"old": 0.85, "young": 0.95}),
)


def test_probes_of_several_groups_are_adjusted_for_each_other() -> None:
    leaks = leaks_table(FOUND)
    assert leaks["p_adjusted"].tolist() == pytest.approx([0.02, 0.04])
    leaks = leaks_table(Leakage("age", (*FOUND.groups, FOUND.groups[1]), None))
    assert leaks["p_adjusted"].tolist() == pytest.approx([0.03, 0.08, 0.08])
    first, second, _ = leak_sentences(leaks)
    assert "can be told from the model (AUC 0.800" in first
    assert "isn't told from the model beyond chance" in second


def test_mass_is_told_by_group_with_intervals() -> None:
    told = mass_sentence(MASS)
    assert "Over 150 people 20% of what moves their first item lies on the attribute itself" in told
    assert "(95 % 15% to 25%), and 30% on its proxies (95 % 25% to 35%)" in told
    blind = replace(MASS, reads=False)
    assert mass_sentence(blind).startswith("The model doesn't read the attribute, so nothing lies on it.")
    table = mass_table(MASS)
    assert table["group"].tolist() == ["everybody", "old"]
    assert table["attribute_share"].tolist() == [0.2, 0.25] and table["even"].tolist() == [0.1, 0.12]
    attribute, proxies, even = mass_plot(table, "Share", ("on it", "on proxies", "even")).data
    assert list(attribute.x) == [0.2, 0.25] and list(attribute.error_x.array) == pytest.approx([0.05, 0.05])
    assert list(proxies.x) == [0.3, 0.35] and list(even.x) == [0.1, 0.12]


def test_without_proxies_nothing_is_drawn_or_said_of_them() -> None:
    alone = replace(MASS, proxies=())
    assert mass_sentence(alone).endswith("lies on the attribute itself (95 % 15% to 25%).")
    table = mass_table(alone)
    assert [name for name in table.columns if "proxies" in name or name == "even"] == []
    assert len(mass_plot(table, "Share", ("on it", "on proxies", "even")).data) == 1
    assert "have and lack tells it beyond chance" in mass_sentence(replace(alone, reads=False))


def test_mass_on_the_page_is_that_of_the_core(own_wider_shop: BuiltWorkspace) -> None:
    app = part(own_wider_shop, "attribute", "gender")
    assert "is scored eight times" in texts(app)
    app.button(key="mass_run").click().run()
    assert not app.exception and not app.error
    model = open_model(Workspace.open(own_wider_shop.home), own_wider_shop.item_knn)
    found = find_mass_of(model, "gender")
    assert mass_sentence(found) in texts(app) and "doesn't read the attribute" in texts(app)
    drawn = [one.value for one in app.dataframe if one.proto.alt.startswith("Share of what moves")]
    assert len(drawn) == bool(found.proxies)
    for table in drawn:
        assert table["proxies_share"].tolist() == mass_table(found)["proxies_share"].tolist()


def test_proxies_are_named_by_title_and_none_is_said_in_words() -> None:
    told = proxies_sentence(MASS.proxies, {"i1": "A <b>title</b>"})
    assert told.startswith("2 proxies") and "Poetry (0.30)" in told and "<b>" not in told
    assert "no proxies" in proxies_sentence((), {})


@pytest.mark.parametrize(("n_groups", "shuffles"), [(2, 99), (5, 99), (6, 199), (10, 199), (30, 999)])
def test_shuffles_suffice_for_the_adjusted_p_value_to_reach_its_level(n_groups: int, shuffles: int) -> None:
    rows = tuple(GroupRow("age", f"g{n}", 50, 0.1, 0.0, 0.2, False) for n in range(n_groups))
    rows += (GroupRow("age", "unknown", 50, 0.1, 0.0, 0.2, False),)
    overall = Overall(0.1, 100, 0.0, 0.2)
    result = AuditResult(overall, rows, (), (), AuditSettings(("age",)), 0.01, 0)
    assert enough_shuffles(result, "age") == shuffles


def test_the_probe_chart_tells_model_history_and_chance_apart_by_shape() -> None:
    model, history, chance = probe_plot(leaks_table(FOUND), "AUC", ("model", "history", "chance")).data
    symbols = model.marker.symbol, history.marker.symbol, chance.marker.symbol
    assert symbols == ("circle", "diamond-open", "line-ns-open")
    assert list(model.error_x.array) == pytest.approx([0.1, 0.1])


def flagged(n: int, *verdicts: tuple[str, str]) -> WithoutFlagged:
    table = pd.DataFrame({"user_id": [f"u{k}" for k in range(n)], "reason": ["burst"] * n})
    gaps = tuple(VerdictChange("age", f"g{k}", "rest", *pair) for k, pair in enumerate(verdicts))
    return WithoutFlagged(SuspiciousUsers(table, {"twin": 0.3}, 100), n, gaps)


def test_flips_are_counted_and_named() -> None:
    found = flagged(
        3, ("disparity", "inconclusive"), ("equivalent", "equivalent"), ("disparity", "not tested")
    )
    told = suspicious_sentence(found)
    assert "3 of 100 accounts are flagged (twenty events within a minute 3)" in told
    assert "2 of 3 verdicts are others" in told
    assert "the same history as somebody else's (30% of them)" in told
    assert changes_table(found)["flips"].tolist() == ["yes", "no", "yes"]
    assert changes_table(found)["without_flagged"].iloc[2] == "not tested"
    assert not any("u0" in str(cell) for cell in changes_table(found).to_numpy().ravel())


def test_where_no_verdict_flips_that_is_said() -> None:
    told = suspicious_sentence(flagged(3, ("disparity", "disparity"), ("equivalent", "equivalent")))
    assert "Without them no verdict changes: all 2 stay as they are." in told


def test_where_nobody_is_flagged_no_verdict_can_change() -> None:
    assert suspicious_sentence(flagged(0, ("disparity", "disparity"))).startswith("None of 100 accounts")


def loop(*gaps: Band) -> FeedbackLoop:
    flat = Band(0.5, 0.4, 0.6)
    rounds = tuple(FeedbackRound(n, flat, gap, flat, flat) for n, gap in enumerate(gaps))
    return FeedbackLoop("age", "ndcg@10", ("a", "b"), True, 100, 5, rounds)


def test_a_change_is_said_only_where_all_seeds_agree() -> None:
    before = Band(0.1, 0.1, 0.1)
    assert "has grown from 0.1000 to 0.3000" in feedback_sentence(loop(before, Band(0.3, 0.2, 0.4)))
    assert "has fallen" in feedback_sentence(loop(before, Band(0.05, 0.0, 0.09)))
    told = feedback_sentence(loop(before, Band(0.3, 0.05, 0.4)))
    assert "the seeds don't agree on a change." in told and "spread of attention" in told
    assert "everybody's mean goes from 0.5000 to 0.5000" in told


def test_bands_are_drawn_from_the_lowest_to_the_highest_seed() -> None:
    table = rounds_table(loop(Band(0.1, 0.0, 0.2), Band(0.3, 0.2, 0.4)))
    low, high, line, _, _, _ = rounds_plot(table, "round", "gap", "gini").data
    assert list(low.y) == [0.0, 0.2] and list(high.y) == [0.2, 0.4] and high.fill == "tonexty"
    assert list(line.y) == [0.1, 0.3]


@pytest.mark.parametrize(
    ("value", "low", "popularity", "said"),
    [
        (0.8, 0.75, 0.6, "training data show through"),
        (0.62, 0.55, 0.6, "not surely above"),
        (0.45, 0.42, 0.4, "not surely above"),  # above popularity, but below a guess
    ],
)
def test_the_attack_counts_beyond_popularity_alone(
    value: float, low: float, popularity: float, said: str
) -> None:
    overall = Overall(value, 100, low, value + 0.05)
    result = AuditResult(overall, (), (), (), AuditSettings(("age",)), 0.01, 0)
    assert said in membership_sentence(Membership(result, popularity))
