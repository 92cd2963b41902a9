"""What an audit says in JSON, and how it is kept and read again."""

import json

import pandas as pd
import pytest
from audited import AGE, GENDER, ndcg, people, with_sizes

from recsys_core.errors import StoreError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditResult, AuditSettings


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return people(3000, 1, gender=GENDER, age=AGE)


@pytest.fixture(scope="module")
def planted(users: pd.DataFrame) -> AuditResult:
    rate = users["gender"].map({"F": 0.15, "M": 0.30})
    return audit(ndcg(users, rate, 2), users, AuditSettings(by=("gender", "age")))


def test_json_has_the_fields_of_the_contract_and_no_nan(planted: AuditResult):
    found = planted.to_json()
    assert list(found)[:4] == ["overall", "by_group", "gaps", "not_computed"]
    assert list(found)[4:] == ["summaries", "bounds", "sizes", "primary", "margin", "more_metrics"]
    assert list(found["overall"]) == ["metric", "n", "value", "ci_low", "ci_high"]
    assert list(found["by_group"][0]) == [
        "attribute",
        "group",
        "n",
        "value",
        "ci_low",
        "ci_high",
        "suppressed",
    ]
    assert list(found["gaps"][0]) == [
        "attribute", "group", "reference", "difference", "ci_low", "ci_high", "p_value", "p_adjusted",
        "effect_size", "minimum_detectable", "verdict", "cliffs_delta", "family",
    ]  # fmt: skip
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_json_of_a_hidden_group_is_null():
    users = with_sizes(a=10, b=300, c=200, d=500)
    found = audit(ndcg(users, 0.5, 11), users, AuditSettings(by=("job",))).to_json()
    assert found["by_group"][0] == {
        "attribute": "job", "group": "a", "n": None, "value": None, "ci_low": None, "ci_high": None,
        "suppressed": True,
    }  # fmt: skip


def test_kept_audit_reads_back_as_it_was(planted: AuditResult):
    assert AuditResult.from_record(json.loads(json.dumps(planted.to_record(), allow_nan=False))) == planted


def test_damaged_record_is_refused(planted: AuditResult):
    record = planted.to_record()
    del record["margin"]
    with pytest.raises(StoreError, match="the kept audit can't be read"):
        AuditResult.from_record(record)
