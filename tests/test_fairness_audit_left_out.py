"""Who is left out of an audit: small groups, missing attributes, too few people above zero."""

import numpy as np
import pandas as pd
import pytest
from audited import AGE, GENDER, gap_of, ndcg, people, reason_of, with_sizes

from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditSettings


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return people(3000, 1, gender=GENDER, age=AGE)


def test_missing_attribute_is_its_own_group_and_in_no_gap():
    users = people(2000, 10, gender={"F": 0.4, "M": 0.4, "": 0.2})
    values = ndcg(users, 0.3, 10)
    result = audit(values, users, AuditSettings(by=("gender",)))
    n_missing = int((users["gender"] == "").sum())
    assert [(row.group, row.suppressed) for row in result.by_group] == [
        ("F", False),
        ("M", False),
        ("unknown", False),
    ]
    assert [(gap.group, gap.reference) for gap in result.gaps] == [("F", "M")]
    assert reason_of(result, "unknown") == f"missing attribute: {n_missing} people, left out of every gap"
    known = [values[(users["gender"] == group).to_numpy()].mean() for group in "FM"]
    assert result.gaps[0].difference == pytest.approx(known[0] - known[1])


def test_small_group_and_its_shield_show_nothing_anywhere():
    users = with_sizes(a=10, b=300, c=200, d=500)
    result = audit(ndcg(users, 0.5, 11), users, AuditSettings(by=("job",)))
    hidden = [row for row in result.by_group if row.suppressed]
    assert [row.group for row in hidden] == ["a", "c"]
    assert {(row.n, row.value, row.ci_low, row.ci_high) for row in hidden} == {(None, None, None, None)}
    assert [gap.group for gap in result.gaps] == ["b", "d"]
    assert reason_of(result, "a") == reason_of(result, "c")
    assert "fewer than 11 people" in reason_of(result, "a")


def test_hidden_unknown_group_is_neither_counted_nor_in_the_rest():
    users = with_sizes(a=300, b=300, c=100, d=300, unknown=7)
    values = ndcg(users, 0.5, 12)
    result = audit(values, users, AuditSettings(by=("job",)))
    assert "7" not in reason_of(result, "unknown")
    assert [row.group for row in result.by_group if row.suppressed] == ["c", "unknown"]
    job = users["job"].to_numpy()
    expected = values[job == "a"].mean() - values[(job == "b") | (job == "d")].mean()
    assert gap_of(result, "a").difference == pytest.approx(expected)


def test_hidden_group_stays_in_the_rest_where_nobody_is_unknown():
    users = with_sizes(a=10, b=300, c=200, d=500)
    values = ndcg(users, 0.5, 11)
    inside = (users["job"] == "b").to_numpy()
    gap = gap_of(audit(values, users, AuditSettings(by=("job",))), "b")
    assert gap.difference == pytest.approx(values[inside].mean() - values[~inside].mean())


def test_group_of_few_hits_has_a_mean_but_no_interval_and_no_verdict():
    users = with_sizes(a=100, b=900)
    values = pd.Series([1.0] * 19 + [0.0] * 81 + [1.0, 0.0] * 450, index=users["user_id"])
    result = audit(values, users, AuditSettings(by=("job",)))
    row = result.by_group[0]
    assert (row.group, row.n, row.value, row.ci_low, row.ci_high) == ("a", 100, 0.19, None, None)
    assert result.gaps == ()
    assert reason_of(result, "a") == "insufficient data: fewer than 20 people with a non-zero ndcg@10"
    assert reason_of(result, "b") == "no other group with enough people to compare with"


def test_twenty_hits_are_enough():
    users = with_sizes(a=100, b=900)
    values = pd.Series([1.0] * 20 + [0.0] * 80 + [1.0, 0.0] * 450, index=users["user_id"])
    assert audit(values, users, AuditSettings(by=("job",))).gaps[0].verdict == "disparity"


def test_reference_of_few_hits_is_named_in_the_reason():
    users = with_sizes(a=500, b=100)
    values = pd.Series([1.0, 0.0] * 250 + [1.0] * 5 + [0.0] * 95, index=users["user_id"])
    result = audit(values, users, AuditSettings(by=("job",), reference="b"))
    assert result.gaps == ()
    assert reason_of(result, "a").startswith("insufficient data: the reference, b, has fewer than 20")


def test_nobody_above_zero_leaves_everything_open():
    users = with_sizes(a=50, b=50)
    result = audit(pd.Series(0.0, index=users["user_id"]), users, AuditSettings(by=("job",)))
    assert (result.overall.value, result.overall.ci_low, result.gaps) == (0.0, None, ())
    assert {row.group for row in result.not_computed} == {"overall", "a", "b"}


def test_everybody_at_the_same_value_is_equivalent_without_an_effect_size():
    users = with_sizes(a=50, b=50)
    gap = audit(pd.Series(1.0, index=users["user_id"]), users, AuditSettings(by=("job",))).gaps[0]
    assert (gap.difference, gap.p_value, gap.effect_size, gap.verdict) == (0.0, 1.0, None, "equivalent")


def test_people_without_a_value_are_left_out_and_counted(users: pd.DataFrame):
    result = audit(ndcg(users, 0.3, 14).iloc[:2900], users, AuditSettings(by=("gender",), draws=200))
    assert (result.overall.n, result.n_without_value) == (2900, 100)


def test_people_without_a_row_are_unknown(users: pd.DataFrame):
    result = audit(ndcg(users, 0.3, 14), users.iloc[:2950], AuditSettings(by=("gender",), draws=200))
    assert result.by_group[-1].group == "unknown"
    assert result.by_group[-1].n == 50


def test_missing_people_bound_each_gap_and_hold_it():
    users = people(2000, 10, gender={"F": 0.4, "M": 0.4, "": 0.2})
    values = ndcg(users, 0.3, 10)
    result = audit(values, users, AuditSettings(by=("gender",)))
    (bounds,) = result.bounds
    assert (bounds.group, bounds.reference) == ("F", "M")
    assert bounds.n_missing == int((users["gender"] == "").sum())
    assert bounds.lowest < result.gaps[0].difference < bounds.highest
    women, men, rest = (values[(users["gender"] == g).to_numpy()].to_numpy() for g in ("F", "M", ""))
    hits, misses = rest[rest > 0], rest[rest == 0]
    reachable = np.concatenate([women, hits]).mean() - np.concatenate([men, misses]).mean()
    assert bounds.highest >= reachable - 1e-12


def test_hidden_missing_people_give_no_bounds():
    users = with_sizes(a=300, b=300, c=100, d=300, unknown=7)
    assert audit(ndcg(users, 0.5, 12), users, AuditSettings(by=("job",))).bounds == ()


def test_one_group_with_enough_data_has_no_summaries_but_reasons():
    users = with_sizes(a=100, b=900)
    values = pd.Series([1.0] * 19 + [0.0] * 81 + [1.0, 0.0] * 450, index=users["user_id"])
    rows = audit(values, users, AuditSettings(by=("job",))).summaries
    assert {row.value for row in rows} == {None}
    assert all(row.reason is not None and row.reason.startswith("insufficient data") for row in rows)


def test_summaries_leave_hidden_groups_out():
    users = with_sizes(a=10, b=300, c=200, d=500)
    values = ndcg(users, 0.5, 11)
    result = audit(values, users, AuditSettings(by=("job",)))
    ratios = {row.group: row.value for row in result.summaries if row.measure == "impact-ratio"}
    job = users["job"].to_numpy()
    means = {group: values[job == group].mean() for group in "bd"}
    assert ratios == pytest.approx({group: mean / max(means.values()) for group, mean in means.items()})
