"""The whole audit: tables against fairlearn, planted and absent gaps, who is compared with whom."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from audited import AGE, GAINS, GENDER, gap_of, ndcg, people
from fairlearn.metrics import MetricFrame, mean_prediction

from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditResult, AuditSettings


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return people(3000, 1, gender=GENDER, age=AGE)


@pytest.fixture(scope="module")
def planted(users: pd.DataFrame) -> AuditResult:
    rate = users["gender"].map({"F": 0.15, "M": 0.30})
    return audit(ndcg(users, rate, 2), users, AuditSettings(by=("gender", "age")))


def test_group_means_equal_fairlearn(users: pd.DataFrame):
    values = pd.Series(np.random.default_rng(3).integers(0, 50, len(users)) / 49, index=users["user_id"])
    result = audit(values, users, AuditSettings(by=("gender", "age", "gender*age")))
    crossed = users["gender"] + " × " + users["age"]
    for attribute, feature in (("gender", users["gender"]), ("age", users["age"]), ("gender*age", crossed)):
        frame = MetricFrame(
            metrics=mean_prediction,
            y_true=values.to_numpy(),
            y_pred=values.to_numpy(),
            sensitive_features=feature.to_numpy(),
        )
        ours = {row.group: row.value for row in result.by_group if row.attribute == attribute}
        assert ours == pytest.approx(frame.by_group.to_dict(), abs=1e-12)
        assert result.overall.value == pytest.approx(frame.overall, abs=1e-12)


def test_resampled_people_have_the_means_that_fairlearn_gives_them(users: pd.DataFrame):
    rows = np.random.default_rng(4).integers(0, len(users), len(users))
    drawn = users.iloc[rows].assign(user_id=[f"draw {row}" for row in range(len(rows))])
    values = ndcg(users, 0.3, 5).iloc[rows].set_axis(drawn["user_id"])
    frame = MetricFrame(
        metrics=mean_prediction,
        y_true=values.to_numpy(),
        y_pred=values.to_numpy(),
        sensitive_features=drawn["age"].to_numpy(),
    )
    result = audit(values, drawn, AuditSettings(by=("age",), reference="25", draws=200))
    assert {row.group: row.value for row in result.by_group} == pytest.approx(
        frame.by_group.to_dict(), abs=1e-12
    )
    expected = frame.by_group["35"] - frame.by_group["25"]
    assert gap_of(result, "35").difference == pytest.approx(expected, abs=1e-12)


def test_planted_gap_is_found(planted: AuditResult):
    gap = gap_of(planted, "F")
    assert gap.verdict == "disparity"
    true_gap = -0.15 * GAINS.mean()
    assert gap.ci_low < true_gap < gap.ci_high < 0
    assert gap.p_adjusted <= 0.01


def test_planted_gap_does_not_spread_to_another_attribute(planted: AuditResult):
    assert {gap.verdict for gap in planted.gaps if gap.attribute == "age"} <= {"inconclusive", "equivalent"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_gap_is_reported_where_none_is_planted(users: pd.DataFrame, seed: int):
    result = audit(ndcg(users, 0.3, seed), users, AuditSettings(by=("gender", "age")))
    assert [gap for gap in result.gaps if gap.verdict == "disparity"] == []


def test_equal_groups_of_many_people_are_equivalent():
    users = people(20_000, 6, gender={"F": 0.5, "M": 0.5})
    assert audit(ndcg(users, 0.5, 7), users, AuditSettings(by=("gender",))).gaps[0].verdict == "equivalent"


def test_binary_attribute_is_one_gap_named_after_the_first_group(planted: AuditResult):
    gaps = [gap for gap in planted.gaps if gap.attribute == "gender"]
    assert [(gap.group, gap.reference) for gap in gaps] == [("F", "M")]
    means = {row.group: row.value for row in planted.by_group if row.value is not None}
    assert gaps[0].difference == pytest.approx(means["F"] - means["M"], abs=1e-12)


def test_three_groups_are_each_compared_with_everybody_else(users: pd.DataFrame):
    values = ndcg(users, 0.3, 8)
    result = audit(values, users, AuditSettings(by=("age",)))
    assert [(gap.group, gap.reference) for gap in result.gaps] == [
        ("18", "rest"),
        ("25", "rest"),
        ("35", "rest"),
    ]
    inside = (users["age"] == "18").to_numpy()
    assert result.gaps[0].difference == pytest.approx(values[inside].mean() - values[~inside].mean())


def test_named_reference_is_the_one_compared_with(users: pd.DataFrame):
    result = audit(ndcg(users, 0.3, 8), users, AuditSettings(by=("age",), reference="25"))
    assert [(gap.group, gap.reference) for gap in result.gaps] == [("18", "25"), ("35", "25")]


def test_attribute_without_the_named_reference_is_compared_with_the_rest(users: pd.DataFrame):
    result = audit(ndcg(users, 0.3, 8), users, AuditSettings(by=("gender", "age"), reference="M"))
    assert [gap.reference for gap in result.gaps] == ["M", "rest", "rest", "rest"]


def test_best_reference_is_the_highest_mean_and_every_pair_counts():
    users = people(2000, 9, age={"18": 0.4, "25": 0.3, "35": 0.3})
    result = audit(
        ndcg(users, users["age"].map({"18": 0.2, "25": 0.4, "35": 0.2}), 9),
        users,
        AuditSettings(by=("age",), reference="best"),
    )
    assert [(gap.group, gap.reference) for gap in result.gaps] == [("18", "25"), ("35", "25")]
    smallest = min(result.gaps, key=lambda gap: gap.p_value)
    assert smallest.p_adjusted == pytest.approx(3 * smallest.p_value)  # three pairs, two of them shown


def test_p_values_are_adjusted_over_all_attributes(planted: AuditResult):
    assert len(planted.gaps) == 4
    smallest = min(planted.gaps, key=lambda gap: gap.p_value)
    assert smallest.p_adjusted == pytest.approx(4 * smallest.p_value)


def test_margin_is_a_tenth_of_the_overall_value_unless_given(planted: AuditResult, users: pd.DataFrame):
    assert planted.margin == pytest.approx(planted.overall.value / 10)
    assert audit(ndcg(users, 0.3, 2), users, AuditSettings(by=("age",), margin=0.07)).margin == 0.07


def test_same_seed_gives_the_same_result_and_another_seed_does_not(users: pd.DataFrame):
    values, settings = ndcg(users, 0.3, 13), AuditSettings(by=("gender", "age"), draws=200, seed=4)
    first = audit(values, users, settings)
    assert audit(values, users, settings) == first
    assert audit(values, users, replace(settings, seed=5)).gaps != first.gaps


def test_order_of_people_changes_nothing(users: pd.DataFrame):
    values, settings = ndcg(users, 0.3, 13), AuditSettings(by=("gender", "age"), draws=200)
    shuffled = audit(values.sample(frac=1, random_state=1), users.sample(frac=1, random_state=2), settings)
    expected = audit(values, users, settings)
    for row, other in zip(shuffled.gaps, expected.gaps, strict=True):
        assert (row.ci_low, row.p_value) == pytest.approx((other.ci_low, other.p_value), abs=1e-12)


def test_another_attribute_changes_no_interval(users: pd.DataFrame):
    values = ndcg(users, 0.3, 13)
    alone = audit(values, users, AuditSettings(by=("gender",), draws=200)).gaps[0]
    beside = audit(values, users, AuditSettings(by=("age", "gender"), draws=200)).gaps[-1]
    assert replace(beside, p_adjusted=0.0, verdict="inconclusive") == replace(
        alone, p_adjusted=0.0, verdict="inconclusive"
    )
