"""Is the audit as sure as it says? Small runs of `benchmarks.audit_calibration`, which has the full ones."""

import numpy as np
import pytest

from benchmarks.audit_calibration import coverage, false_alarms, planted, within

pytestmark = pytest.mark.slow


def test_shuffled_labels_raise_no_more_alarms_than_said():
    single, family = false_alarms(60, np.random.default_rng(1), 400)
    assert within(single, 0.05, 60)
    assert family <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


@pytest.mark.parametrize(("metric", "n", "rate"), [("ndcg", 100, 0.3), ("hr", 100, 0.3), ("gamma", 100, 1.0)])
def test_intervals_hold_the_truth_where_it_is_promised(metric: str, n: int, rate: float):
    mean, gap = coverage(metric, n, rate, 300, np.random.default_rng(2))
    assert within(mean, 0.95, 300)
    assert within(gap, 0.95, 300)


@pytest.mark.parametrize("gap", [0.05, 0.10])
def test_planted_gap_is_found_with_the_power_said_beforehand(gap: float):
    said, found = planted(gap, (300, 600), 40, np.random.default_rng(3))
    assert within(found, said, 40)
