"""Sizes first: what is compared, how large a gap must be, and that no group's values are looked at."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys_core.fairness.audit import audit
from recsys_core.fairness.effects import power, smallest_gap
from recsys_core.fairness.planning import plan
from recsys_core.fairness.result import AuditSettings


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    jobs = np.repeat(["a", "b", "c", "d"], [300, 200, 100, 30])
    return pd.DataFrame({"user_id": [str(n) for n in range(630)], "job": jobs, "home": ["x", "y"] * 315})


@pytest.fixture(scope="module")
def values(users: pd.DataFrame) -> pd.Series:
    return pd.Series([0.0, 1.0, 0.0] * 210, index=users["user_id"])


def test_every_comparison_has_its_sizes_and_smallest_gap(users: pd.DataFrame, values: pd.Series):
    ((found,), _) = plan(values, users, AuditSettings(("job", "home")))
    assert [(row.attribute, row.group, row.n, row.n_reference) for row in found.rows] == [
        ("job", "a", 300, 330), ("job", "b", 200, 430), ("job", "c", 100, 530), ("job", "d", 30, 600),
        ("home", "x", 315, 315),
    ]  # fmt: skip
    deviation = float(np.std(values, ddof=1))
    assert found.deviation == pytest.approx(deviation)
    assert found.rows[2].minimum_detectable == pytest.approx(smallest_gap(deviation, 100, 530))
    assert found.rows[2].minimum_detectable_family == pytest.approx(
        smallest_gap(deviation, 100, 530, 0.05 / 5)
    )
    assert found.rows[2].power_of_010 == pytest.approx(power(0.1, deviation, 100, 530))


def test_group_that_can_hardly_have_twenty_above_zero_says_so(users: pd.DataFrame, values: pd.Series):
    ((found,), _) = plan(values, users, AuditSettings(("job",)))
    assert [row.expected_enough for row in found.rows] == [True, True, True, False]


def test_values_moved_between_groups_change_nothing(users: pd.DataFrame, values: pd.Series):
    settings = AuditSettings(("job",), reference="best")
    moved = pd.Series(np.sort(values.to_numpy()), index=values.index)
    assert plan(moved, users, settings)[0] == plan(values, users, settings)[0]


def test_family_is_the_primary_attributes_by_all_metrics(users: pd.DataFrame, values: pd.Series):
    table = pd.DataFrame({"hr@10": values, "mrr@10": values})
    settings = AuditSettings(("job", "home"), "hr@10", more_metrics=("mrr@10",), primary=("home",))
    home = plan(table, users, settings)[0][0].rows[-1]
    assert home.minimum_detectable_family == pytest.approx(
        smallest_gap(float(np.std(values, ddof=1)), 315, 315, 0.05 / 2)
    )


def test_hidden_group_is_in_no_plan(users: pd.DataFrame, values: pd.Series):
    small = users.assign(job=np.repeat(["a", "b", "c", "d"], [400, 140, 85, 5]))
    ((found,), _) = plan(values, small, AuditSettings(("job",)))
    assert [row.group for row in found.rows] == ["a", "b"]


def test_audit_carries_the_plan_of_each_metric(users: pd.DataFrame, values: pd.Series):
    table = pd.DataFrame({"hr@10": values, "mrr@10": values / 2})
    settings = AuditSettings(("job",), "hr@10", more_metrics=("mrr@10",), draws=200)
    result = audit(table, users, settings)
    assert (result.plan, result.more[0].plan) == plan(table, users, settings)[0]


def test_plan_does_not_depend_on_the_draws_or_the_seed(users: pd.DataFrame, values: pd.Series):
    settings = AuditSettings(("job",))
    assert plan(values, users, replace(settings, draws=200, seed=9)) == plan(values, users, settings)
