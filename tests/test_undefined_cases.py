"""Every statistic of the audit where it isn't defined: a reason in words, never 0, NaN or "equivalent"."""

import json
from dataclasses import asdict
from math import isfinite

import numpy as np
import pandas as pd
import pytest

from recsys_core.data.dataset import Histories
from recsys_core.errors import DataError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.decomposition import decompose
from recsys_core.fairness.exposure import BY_MERIT, audit_items
from recsys_core.fairness.exposure_result import ATTRIBUTE_MEASURES, GROUP_MEASURES, ItemAuditSettings
from recsys_core.fairness.inference import hedges_g, minimum_detectable, sample_of
from recsys_core.fairness.leakage import probe_group
from recsys_core.fairness.list_gaps import ShownGroups, bias_disparity, popularity_lift
from recsys_core.fairness.mitigation import frontier
from recsys_core.fairness.paired_groups import paired_by_group
from recsys_core.fairness.planning import plan
from recsys_core.fairness.result import AuditSettings
from recsys_core.fairness.worst_subgroup import Search, find_worst_subgroup

REASONS = ("insufficient data", "hidden", "missing attribute", "no other group")


def people(**sizes: int) -> pd.DataFrame:
    labels = [group for group, n in sizes.items() for _ in range(n)]
    return pd.DataFrame(
        {
            "user_id": [str(number) for number in range(len(labels))],
            "group": ["" if label == "unknown" else label for label in labels],
        }
    )


def alternating(users: pd.DataFrame, **means: float) -> pd.Series:
    """1 for the first of ten people of a group up to its mean, else 0; .5 where nothing is said."""
    places = users.groupby("group").cumcount() % 10
    rates = users["group"].map(means).fillna(0.5)
    return pd.Series(np.where(places < 10 * rates, 1.0, 0.0), index=users["user_id"])


CASES = {
    "one person": (people(a=300, b=300, c=1), {}, {"c"}),
    "a group that nobody has a hit in": (people(a=300, b=300, c=200), {"c": 0.0}, {"c"}),
    "too few hits": (people(a=300, b=300, c=100), {"c": 0.1}, {"c"}),
    "one hidden, one without hits": (people(a=300, b=300, c=1, d=40), {"d": 0.0}, {"c", "d"}),
    "nobody has a hit": (people(a=60, b=60, c=60), {"a": 0.0, "b": 0.0, "c": 0.0}, {"a", "b", "c"}),
    "one group alone has hits": (people(a=300, b=60), {"b": 0.0}, {"a", "b"}),
    "most people's attribute is missing": (people(a=40, b=12, unknown=500), {"b": 0.1}, {"a", "b"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_group_without_data_has_a_reason_and_no_gap_or_verdict(case: str):
    users, means, without = CASES[case]
    result = audit(alternating(users, **means), users, AuditSettings(("group",), draws=200))
    reasons = {row.group: row.reason for row in result.not_computed}
    assert without <= set(reasons)
    assert all(reasons[group].startswith(REASONS) for group in without)
    assert not without & {gap.group for gap in result.gaps}
    assert all(
        (row.ci_low, row.ci_high) == (None, None) for row in result.by_group if row.group in without - {"a"}
    )
    assert not without & {row.group for row in result.summaries if row.value is not None}


@pytest.mark.parametrize("case", CASES)
def test_json_of_an_audit_has_numbers_or_null(case: str):
    users, means, _ = CASES[case]
    result = audit(alternating(users, **means), users, AuditSettings(("group",), draws=200))
    json.dumps(result.to_json(), allow_nan=False)
    for row in result.summaries:
        assert (row.value is None) == (row.reason is not None)
        assert row.reason is None or row.reason.startswith(("insufficient data", "not defined"))


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith(("nobody", "one group", "most"))])
def test_where_fewer_than_two_groups_have_data_every_summary_says_so(case: str):
    users, means, _ = CASES[case]
    result = audit(alternating(users, **means), users, AuditSettings(("group",), draws=200))
    assert result.gaps == ()
    assert result.summaries
    assert all(row.value is None for row in result.summaries)
    assert all(
        row.reason is not None and row.reason.startswith("insufficient data") for row in result.summaries
    )


def test_nobody_at_all_and_no_attribute_at_all_are_refused():
    users = people(a=30, b=30)
    with pytest.raises(DataError, match="0 people have a value"):
        audit(pd.Series([], dtype=float), users, AuditSettings(("group",)))
    with pytest.raises(DataError, match="can't form groups: nobody has a value"):
        audit(alternating(users), users.assign(group=""), AuditSettings(("group",)))


def test_the_plan_names_hidden_groups_nowhere_and_has_finite_figures():
    users = people(a=300, b=300, c=1)
    ((found,), _) = plan(alternating(users), users, AuditSettings(("group",)))
    assert "c" not in {row.group for row in found.rows}
    json.dumps(found.to_json(), allow_nan=False)


def test_one_person_has_no_effect_size_and_no_smallest_gap():
    one, many = sample_of(np.array([0.3])), sample_of(np.arange(50.0))
    assert hedges_g(one, many) is None
    assert np.isnan(minimum_detectable(one, many))


def test_the_gain_of_a_group_without_data_has_a_reason():
    users = people(a=60, b=60, c=1, d=20)
    first = alternating(users, b=0.0)
    gains = {row.group: row for row in paired_by_group(first, first, users, ["group"], 200)}
    assert gains["a"].reason is None
    assert (gains["b"].result, gains["b"].p_adjusted) == (None, None)
    assert gains["c"].result is None
    for group in "bc":
        reason = gains[group].reason
        assert reason is not None and reason.startswith(("insufficient data", "hidden"))


def test_lists_of_a_group_without_histories_have_a_reason():
    groups = ShownGroups(("a", "b"), np.repeat([0, 1], 50), frozenset())
    history = np.repeat([0.2, np.nan], 50)
    own, nobody = popularity_lift(groups, history, np.full(100, 0.3), 200, [0])
    assert own.value == pytest.approx(0.5)
    counts = np.where(np.repeat([True, False], 50)[:, None], [[2.0, 0.0]], 0.0)
    disparities = bias_disparity(groups, ["x", "y"], counts, np.ones((100, 2)), 200, [0])
    left_out = [nobody, *(row for row in disparities if row.group == "b" or row.category == "y")]
    assert len(left_out) == 4
    for row in left_out:
        assert (row.value, row.ci_low, row.ci_high) == (None, None, None)
        assert row.reason is not None and row.reason.startswith("insufficient data")


def test_items_without_merit_are_listed_apart_and_every_figure_is_a_number_or_named():
    """Nobody chose an item of z, and nobody could have been shown one: all had it before."""
    items = pd.DataFrame({"item_id": list("1234"), "maker": ["x", "x", "y", "z"]})
    n = 40
    lists = np.tile([[1, 3]], (n, 1))
    known, wanted = Histories.of([[4]] * n), Histories.of([[2 - number % 2] for number in range(n)])
    found = audit_items(
        lists, known, wanted, items, np.ones(5, dtype=np.int64), ItemAuditSettings(("maker",), draws=200)
    )
    json.dumps(found.to_json(), allow_nan=False)
    assert all(isfinite(row.value) for row in found.figures)
    for group in "yz":
        assert found.figure("maker", group, "exposure_per_merit") is None
        assert any(row.group == group and "no merit" in row.reason for row in found.not_computed)
    named = {(row.group, row.reason) for row in found.not_computed}
    for group in "xyz":
        without_merit = any(name == group and "no merit" in reason for name, reason in named)
        for measure in GROUP_MEASURES:
            there = found.figure("maker", group, measure) is not None
            said = (group, f"insufficient data for {measure}") in named or (
                without_merit and measure in BY_MERIT
            )
            assert there != said, (group, measure)
    for measure in ATTRIBUTE_MEASURES:
        assert (found.figure("maker", "", measure) is None) == (
            ("", f"insufficient data for {measure}") in named
        )


@pytest.mark.parametrize(("n", "rate"), [(1, 1.0), (100, 0.0), (100, 0.1)])
def test_a_gap_of_too_few_is_not_decomposed(n: int, rate: float):
    in_group = np.repeat([True, False], [n, 200])
    values = np.concatenate([np.arange(n) < rate * n, np.tile([0.0, 1.0], 100)]).astype(np.float64)
    factors = pd.DataFrame({"factor": np.arange(n + 200.0)})
    with pytest.raises(DataError, match="insufficient data"):
        decompose(values, in_group, ~in_group, factors, 200)


def test_a_factor_that_is_known_of_one_side_alone_has_no_mean_of_the_other():
    in_group = np.repeat([True, False], 100)
    factor = np.where(in_group, np.nan, np.arange(200.0))
    found = decompose(np.tile([0.0, 1.0], 100), in_group, ~in_group, pd.DataFrame({"factor": factor}), 200)
    terms = [term for row in found.factors for term in asdict(row.term).values()]
    assert all(isfinite(value) for value in [*terms, *asdict(found.structure).values()])
    assert np.isnan(found.factors[0].group_mean)


def test_no_subgroup_is_worst_where_nobody_is_served_or_no_attribute_is_known():
    users = people(a=200, b=200)
    with pytest.raises(DataError, match="insufficient data"):
        find_worst_subgroup(alternating(users, a=0.0, b=0.0), users, Search(("group",)))
    with pytest.raises(DataError, match="nobody has a value"):
        find_worst_subgroup(alternating(users), users.assign(group=""), Search(("group",)))


def test_a_probe_of_few_people_and_a_frontier_of_an_empty_group_are_refused():
    with pytest.raises(DataError, match="insufficient data"):
        probe_group(np.zeros((60, 2)), np.arange(60) < 1)
    values, groups = np.ones((2, 40)), np.zeros(40, dtype=np.int64)
    with pytest.raises(DataError, match="a group has nobody"):
        frontier(values, groups, values, groups, 2, draws=200)
