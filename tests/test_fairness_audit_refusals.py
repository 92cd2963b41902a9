"""Audits that can't be made: values, people, references and settings, each refused in a sentence."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from audited import AGE, GENDER, ndcg, people, with_sizes

from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditSettings


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return people(3000, 1, gender=GENDER, age=AGE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.Series([0.5] * 9 + [np.nan] * 3), r"user_id '9' is not a finite number \(3 such values\)"),
        (pd.Series([0.5] * 11 + [np.inf]), "user_id '11' is not a finite number"),
        (pd.Series([0.5] * 12, index=list("aabcdefghijk")), "user_id 'a' has more than one value of ndcg@10"),
        (pd.Series([0.5] * 10), "10 people have a value of ndcg@10; an audit needs at least 11"),
        (pd.Series([], dtype=float), "0 people have a value"),
        (pd.Series([0.5] * 12, index=list("abcdefghijkl")), "none of the 12 people with a value is in"),
    ],
)  # fmt: skip
def test_bad_values_are_refused(values: pd.Series, message: str, users: pd.DataFrame):
    with pytest.raises(DataError, match=message):
        audit(values, users, AuditSettings(by=("gender",)))


def test_bad_tables_of_people_are_refused(users: pd.DataFrame):
    values = ndcg(users, 0.3, 1)
    with pytest.raises(DataError, match="no column user_id"):
        audit(values, users.drop(columns="user_id"), AuditSettings(by=("gender",)))
    with pytest.raises(DataError, match="names user_id '0' more than once"):
        audit(values, pd.concat([users, users]), AuditSettings(by=("gender",)))
    with pytest.raises(DataError, match="'country' is not an attribute"):
        audit(values, users, AuditSettings(by=("country",)))


def test_absent_reference_is_refused_with_the_groups_there_are(users: pd.DataFrame):
    with pytest.raises(DataError, match=r"'X' is neither 'rest', 'best' nor a group \(gender: F, M\)"):
        audit(ndcg(users, 0.3, 1), users, AuditSettings(by=("gender",), reference="X"))


@pytest.mark.parametrize(
    ("reference", "message"), [("a", "'a' of job may not be shown"), ("unknown", "can't be 'unknown'")]
)
def test_hidden_and_unknown_references_are_refused(reference: str, message: str):
    users = with_sizes(a=5, b=300, c=200, d=400, unknown=50)
    with pytest.raises(DataError, match=message):
        audit(ndcg(users, 0.5, 1), users, AuditSettings(by=("job",), reference=reference))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"by": ()}, "by is empty"),
        ({"by": ("",)}, "by is empty"),
        ({"by": ("a*b", "b*a")}, r"by names the same groups twice: a\*b, b\*a"),
        ({"metric": " "}, "metric is empty"),
        ({"reference": ""}, "reference is empty"),
        ({"margin": 0.0}, r"margin is 0.0; it must be a finite number above 0"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"draws": 199}, "draws is 199; allowed are 200 to 100000"),
        ({"draws": 100_001}, "draws is 100001"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"minimum_group": 10}, "minimum_group is 10; it must be 11 or more"),
        ({"seed": -1, "draws": 1}, "draws is 1; .*; seed is -1"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        replace(AuditSettings(by=("gender",)), **changes)


def test_primary_attribute_that_is_not_audited_is_refused():
    with pytest.raises(ConfigError, match="primary is job; it must name attributes of the audit: gender"):
        AuditSettings(("gender",), primary=("job",))


def test_metric_named_twice_is_refused():
    with pytest.raises(ConfigError, match="metric names the same metric twice: ndcg@10, ndcg@10"):
        AuditSettings(("gender",), more_metrics=("ndcg@10",))


def test_metric_without_values_is_named(users: pd.DataFrame):
    values = pd.DataFrame({"ndcg@10": ndcg(users, 0.3, 1)})
    with pytest.raises(DataError, match=r"there are no values of auc; there are: ndcg@10"):
        audit(values, users, AuditSettings(("gender",), more_metrics=("auc",)))
