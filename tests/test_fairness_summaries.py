"""One figure for all groups: hand-worked inequality, additivity, intervals, and what has no value."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys_core.fairness.findings import SummaryRow
from recsys_core.fairness.resampling import moments_of, resample
from recsys_core.fairness.summaries import (
    ONE_OUTCOME,
    differential_fairness,
    ge2_terms,
    summaries,
    theil_terms,
    user_mad,
)


def points(groups: list[list[float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the people, and means of x, x ln x, x² of each group."""
    n = np.array([len(group) for group in groups])
    return n / n.sum(), np.stack([moments_of(np.array(group)[:, None]).mean(axis=0) for group in groups])


def theil(values: list[float]) -> float:
    x = np.array(values) / np.mean(values)
    return float(np.mean([0.0 if amount == 0 else amount * np.log(amount) for amount in x]))


def rows_of(groups: Mapping[str, NDArray[np.floating]], n_draws: int = 1000) -> list[SummaryRow]:
    values = np.concatenate(list(groups.values()))[:, None].astype(np.float64)
    codes = np.repeat(np.arange(len(groups)), [len(group) for group in groups.values()])
    draws = resample(values, [codes], n_draws, [[1]])[0][0]
    return summaries("job", list(groups), list(range(len(groups))), draws)


def row_of(rows: list[SummaryRow], measure: str, group: str | None = None) -> SummaryRow:
    return next(row for row in rows if row.measure == measure and group in (row.group, None))


def test_user_mad_by_hand():
    # pairs of .1, .4, .8: .3, .7, .4
    assert user_mad(np.array([0.4, 0.1, 0.8])) == pytest.approx(1.4 / 3)


def test_user_mad_of_two_groups_is_their_gap():
    assert user_mad(np.array([0.2, 0.5])) == pytest.approx(0.3)


def test_theil_by_hand():
    # groups {1, 1} and {1, 5}, mean 2: within = 6/8 · T_2; T_2 = ½ (1/3 ln 1/3 + 5/3 ln 5/3)
    within = 6 / 8 * (1 / 3 * np.log(1 / 3) + 5 / 3 * np.log(5 / 3)) / 2
    between = 2 / 8 * np.log(1 / 2) + 6 / 8 * np.log(3 / 2)
    total, *parts = theil_terms(*points([[1, 1], [1, 5]]))
    assert parts == pytest.approx([within, between])
    assert total == pytest.approx(theil([1, 1, 1, 5]))


def test_ge2_by_hand():
    # mean 2, squares sum to 28: ½ (28/4/4 − 1) = 3/8; between means 1 and 3: ½ (½ ¼ + ½ 9/4 − 1) = 1/8
    assert ge2_terms(*points([[1, 1], [1, 5]])) == pytest.approx([3 / 8, 2 / 8, 1 / 8])


@pytest.mark.parametrize("seed", range(5))
def test_terms_add_up_to_the_index_over_all_people(seed: int):
    rng = np.random.default_rng(seed)
    groups = [np.maximum(rng.normal(1, 1, size), 0).tolist() for size in (7, 11, 30)]
    everybody = [value for group in groups for value in group]
    shares, means = points(groups)
    assert theil_terms(shares, means)[0] == pytest.approx(theil(everybody), abs=1e-12)
    expected = (np.mean(np.square(everybody)) / np.mean(everybody) ** 2 - 1) / 2
    assert ge2_terms(shares, means)[0] == pytest.approx(expected, abs=1e-12)


def test_differential_fairness_by_hand():
    # 1 of 2 and 8 of 8 served: smoothed 2/4 and 9/10; served: ln 1.8, not served: ln (.5 / .1) = ln 5
    assert differential_fairness(np.array([2.0, 8.0]), np.array([0.5, 1.0])) == pytest.approx(np.log(5))


def test_differential_fairness_of_equal_groups_is_zero_and_its_interval_starts_there():
    group = np.repeat([1.0, 0.0], [40, 60])
    row = row_of(rows_of({"a": group, "b": group}), "differential-fairness")
    assert (row.value, row.ci_low) == (pytest.approx(0, abs=1e-12), 0.0)
    assert row.ci_high is not None and row.ci_high > 0.1


def test_differential_fairness_is_not_told_where_everybody_has_the_one_outcome():
    """Smoothing alone would tell two groups of different sizes apart, whatever their values."""
    row = row_of(rows_of({"a": np.linspace(0.2, 0.9, 40), "b": np.full(90, 0.5)}), "differential-fairness")
    assert (row.value, row.ci_low, row.ci_high, row.reason) == (None, None, None, ONE_OUTCOME)


def test_equal_groups_have_nothing_between_them():
    rng = np.random.default_rng(3)
    group = (rng.random(200) < 0.4).astype(float)
    rows = rows_of({"a": group, "b": group, "c": group})
    for measure in ("max-min", "user-mad", "theil-between", "ge2-between"):
        row = row_of(rows, measure)
        assert (row.value, row.ci_low) == (pytest.approx(0, abs=1e-12), 0.0)
        assert row.ci_high is not None and row.ci_high > 0
    assert {row.value for row in rows if row.measure == "impact-ratio"} == {1.0}


def test_worst_group_range_and_impact_ratio_by_hand():
    groups = {
        "a": np.repeat([1.0, 0], 50),
        "b": np.repeat([1.0, 0], [25, 75]),
        "c": np.repeat([1.0, 0], [40, 60]),
    }
    rows = rows_of(groups)
    assert (row_of(rows, "worst-group").group, row_of(rows, "worst-group").value) == ("b", 0.25)
    assert row_of(rows, "max-min").value == pytest.approx(0.25)
    assert row_of(rows, "impact-ratio", "b").value == pytest.approx(0.5)
    for row in rows:
        assert row.value is not None and row.ci_low is not None and row.ci_high is not None
        assert row.ci_low <= row.value <= row.ci_high


def test_amounts_below_zero_have_no_ratio_and_no_inequality():
    rng = np.random.default_rng(4)
    rows = rows_of({"a": rng.normal(0, 1, 100), "b": rng.normal(0, 1, 100)})
    assert row_of(rows, "max-min").value is not None
    for measure in ("impact-ratio", "theil", "theil-within", "theil-between", "ge2", "ge2-between"):
        row = row_of(rows, measure)
        assert (row.value, row.ci_low, row.ci_high) == (None, None, None)
        assert row.reason == "not defined: the metric has values below 0"


@pytest.mark.slow
@pytest.mark.parametrize("rates", [(0.3, 0.3, 0.3, 0.3), (0.2, 0.3, 0.3, 0.4)])
def test_intervals_hold_the_truth_also_at_equality(rates: tuple[float, ...]):
    rng = np.random.default_rng(5)
    truth = {"max-min": max(rates) - min(rates), "worst-group": min(rates)}
    relative = np.array(rates) / np.mean(rates)
    truth["theil-between"] = float(np.mean(relative * np.log(relative)))
    truth["ge2-between"] = float((np.mean(relative**2) - 1) / 2)
    held = dict.fromkeys(truth, 0)
    rounds = 200
    for _ in range(rounds):
        rows = rows_of({f"g{g}": (rng.random(150) < rate) * 1.0 for g, rate in enumerate(rates)}, 400)
        for measure, true in truth.items():
            row = row_of(rows, measure)
            assert row.ci_low is not None and row.ci_high is not None
            held[measure] += row.ci_low - 1e-12 <= true <= row.ci_high + 1e-12
    assert min(held.values()) >= 0.93 * rounds
