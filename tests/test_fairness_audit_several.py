"""An audit of several metrics: one family of gaps, and each metric as if it were the only one."""

import json

import numpy as np
import pandas as pd
import pytest
from audited import AGE, GENDER, gap_of, ndcg, people

from recsys_core.errors import ConfigError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditResult, AuditSettings


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return people(3000, 1, gender=GENDER, age=AGE)


@pytest.fixture(scope="module")
def several(users: pd.DataFrame) -> AuditResult:
    rate = users["gender"].map({"F": 0.15, "M": 0.30})
    first = ndcg(users, rate, 2)
    values = pd.DataFrame({"ndcg@10": first, "hr@10": (first > 0) * 1.0})
    values["novelty@10"] = np.random.default_rng(20).gamma(8, 1, len(users))
    values.loc[users["user_id"][:7], "novelty@10"] = np.nan
    settings = AuditSettings(
        by=("gender", "age"), more_metrics=("hr@10", "novelty@10"), primary=("gender",), draws=300
    )
    return audit(values, users, settings)


def test_people_without_a_value_of_any_metric_are_left_out_of_all(several: AuditResult):
    assert several.n_without_value == 7
    assert {found.overall.n for found in several.more} == {several.overall.n} == {2993}


def test_each_metric_is_found_as_if_it_were_the_only_one(several: AuditResult):
    hits = several.of_metric("hr@10")
    assert hits.settings.metric == "hr@10"
    assert hits.margin == pytest.approx(hits.overall.value / 10)
    assert gap_of(hits, "F").verdict == "disparity"
    assert {row.group for row in hits.by_group} == {"F", "M", "18", "25", "35"}
    assert several.of_metric("ndcg@10") is several
    with pytest.raises(ConfigError, match="the audit has no metric auc; it has ndcg@10, hr@10, novelty@10"):
        several.of_metric("auc")


def test_named_attribute_is_the_primary_family_over_all_metrics(several: AuditResult):
    gaps = [gap for metric in several.settings.metrics for gap in several.of_metric(metric).gaps]
    primary = [gap for gap in gaps if gap.family == "primary"]
    assert {gap.attribute for gap in primary} == {"gender"}
    assert len(primary) == 3
    smallest = min(primary, key=lambda gap: gap.p_value)
    assert smallest.p_adjusted == pytest.approx(3 * smallest.p_value)
    rest = sorted((gap.p_value, gap.p_adjusted) for gap in gaps if gap.family == "exploratory")
    assert rest[-1][1] == pytest.approx(rest[-1][0])  # Benjamini–Hochberg leaves the largest of 9 as it is
    assert len(rest) == 9


def test_primary_family_is_kept_in_the_record(several: AuditResult):
    kept = AuditResult.from_record(json.loads(json.dumps(several.to_record(), allow_nan=False)))
    assert kept == several
    assert kept.settings.primary == ("gender",)
    assert several.to_json()["primary"] == ["gender"]


def test_continuous_metric_has_intervals_of_its_own(several: AuditResult):
    novelty = several.of_metric("novelty@10")
    for row in novelty.by_group:
        assert row.ci_low is not None and row.ci_high is not None and row.value is not None
        assert row.ci_low < row.value < row.ci_high
    assert json.loads(json.dumps(several.to_json(), allow_nan=False))["more_metrics"][1]["gaps"]
