"""The whole audit: tables against fairlearn, planted and absent gaps, who is compared, and bad input."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, mean_prediction

from recsys_core.errors import ConfigError, DataError, StoreError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditResult, AuditSettings, GapRow

GAINS = 1 / np.log2(np.arange(1, 11) + 1)


def people(n: int, seed: int, **shares: dict[str, float]) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    drawn = {name: rng.choice(list(share), n, p=list(share.values())) for name, share in shares.items()}
    return pd.DataFrame({"user_id": [str(number) for number in range(n)], **drawn})


def ndcg(users: pd.DataFrame, hit_rate: float | pd.Series, seed: int) -> pd.Series:
    """NDCG@10 of one held-out item a person, found with the given probability at a random rank."""
    rng = np.random.default_rng([seed, 1])
    hit = rng.random(len(users)) < np.asarray(hit_rate)
    return pd.Series(np.where(hit, rng.choice(GAINS, len(users)), 0.0), index=users["user_id"])


GENDER = {"F": 0.3, "M": 0.7}
AGE = {"18": 0.3, "25": 0.5, "35": 0.2}


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return people(3000, 1, gender=GENDER, age=AGE)


@pytest.fixture(scope="module")
def planted(users: pd.DataFrame) -> AuditResult:
    rate = users["gender"].map({"F": 0.15, "M": 0.30})
    return audit(ndcg(users, rate, 2), users, AuditSettings(by=("gender", "age")))


def gap_of(result: AuditResult, group: str) -> GapRow:
    return next(gap for gap in result.gaps if gap.group == group)


def reason_of(result: AuditResult, group: str) -> str:
    return next(row.reason for row in result.not_computed if row.group == group)


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


def with_sizes(**sizes: int) -> pd.DataFrame:
    labels = [group for group, n in sizes.items() for _ in range(n)]
    return pd.DataFrame(
        {
            "user_id": [str(number) for number in range(len(labels))],
            "job": ["" if g == "unknown" else g for g in labels],
        }
    )


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


def test_people_without_a_value_are_left_out_and_counted(users: pd.DataFrame):
    result = audit(ndcg(users, 0.3, 14).iloc[:2900], users, AuditSettings(by=("gender",), draws=200))
    assert (result.overall.n, result.n_without_value) == (2900, 100)


def test_people_without_a_row_are_unknown(users: pd.DataFrame):
    result = audit(ndcg(users, 0.3, 14), users.iloc[:2950], AuditSettings(by=("gender",), draws=200))
    assert result.by_group[-1].group == "unknown"
    assert result.by_group[-1].n == 50


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


def test_continuous_metric_has_intervals_of_its_own(several: AuditResult):
    novelty = several.of_metric("novelty@10")
    for row in novelty.by_group:
        assert row.ci_low is not None and row.ci_high is not None and row.value is not None
        assert row.ci_low < row.value < row.ci_high
    assert json.loads(json.dumps(several.to_json(), allow_nan=False))["more_metrics"][1]["gaps"]


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
