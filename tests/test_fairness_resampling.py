"""Everybody resampled at once: against fairlearn on the same rows, against drawing rows, and edges."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, mean_prediction

from recsys_core.fairness.inference import bootstrap_mean, interval, sample_of
from recsys_core.fairness.resampling import MEAN, POISSON, means_of_draws, moments_of, resample

N_BOOT, QUANTILES = 30, [0.025, 0.5, 0.975]


def fairlearns_rows(n: int, n_boot: int, seed: int) -> np.ndarray:
    """[n_boot, n] the rows that fairlearn 0.15 draws: DataFrame.sample by seeds of its generator."""
    seeds = np.random.default_rng(seed=seed).integers(0, np.iinfo(np.uint32).max, n_boot, dtype=np.uint32)
    people = pd.DataFrame({"row": np.arange(n)})
    return np.stack(
        [people.sample(frac=1, replace=True, random_state=one)["row"].to_numpy() for one in seeds]
    )


@pytest.mark.parametrize("kind", ["few outcomes", "continuous"])
def test_same_rows_give_the_intervals_that_fairlearn_gives(kind: str):
    rng = np.random.default_rng(0)
    n = 400
    values = rng.choice([0, 0.5, 1.0], n) if kind == "few outcomes" else rng.gamma(2, 1, n)
    group = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])
    frame = MetricFrame(
        metrics=mean_prediction,
        y_true=values,
        y_pred=values,
        sensitive_features=group,
        n_boot=N_BOOT,
        ci_quantiles=QUANTILES,
        random_state=7,
    )
    codes = np.unique(group, return_inverse=True)[1]
    means = means_of_draws(fairlearns_rows(n, N_BOOT, 7), values[:, None], codes)[:, :, 0]  # [groups, draws]
    ours = np.quantile(means, QUANTILES, axis=1)
    for quantile, expected in zip(ours, frame.by_group_ci, strict=True):
        assert quantile == pytest.approx(expected.to_numpy(), abs=1e-12)


def test_moments_of_zero_and_of_numbers_below():
    zero, two, below = moments_of(np.array([[0.0], [2.0], [-1.0]]))
    assert zero.tolist() == [0, 0, 0, 0]
    assert two == pytest.approx([2, 2 * np.log(2), 4, 1])
    assert below[0] == -1 and np.isnan(below[1]) and below[2] == 1


def test_nobody_drawn_of_a_group_is_unknown_not_zero():
    drawn = np.array([[0, 0, 1], [2, 2, 2]])
    means = means_of_draws(drawn, np.array([[1.0], [4.0], [9.0]]), np.array([0, 0, 1]))
    assert means[0, 0, 0] == pytest.approx(2.0)
    assert np.isnan(means[1, 0, 0]) and np.isnan(means[0, 1, 0])
    assert means[1, 1, 0] == 9.0


def test_poisson_weights_have_mean_and_variance_one():
    assert POISSON.mean() == pytest.approx(1, abs=1e-4)
    assert POISSON.var() == pytest.approx(1, abs=1e-3)
    assert (POISSON == 0).mean() == pytest.approx(np.exp(-1), abs=1e-4)


@pytest.mark.parametrize("few", [True, False])
def test_draws_have_the_moments_of_drawing_rows(few: bool):
    rng = np.random.default_rng(2)
    values = rng.choice([0, 0.5, 1.0], 300) if few else rng.gamma(2, 1, 300)
    codes = np.repeat([0, 1, 2], [50, 100, 150])
    draws = resample(values[:, None], [codes], 20_000, [[3]])[0][0]
    for group in range(3):
        own = values[codes == group]
        assert draws.moments[group, MEAN] == pytest.approx(own.mean())
        drawn = draws.draws[group, :, MEAN]
        assert drawn.mean() == pytest.approx(own.mean(), abs=0.01)
        assert drawn.std() == pytest.approx(own.std() / np.sqrt(len(own)), rel=0.04)
    assert abs(np.corrcoef(draws.draws[0, :, MEAN], draws.draws[1, :, MEAN])[0, 1]) < 0.03  # strata are apart


def test_weighted_people_give_the_interval_of_drawn_rows():
    values = np.random.default_rng(6).gamma(1, 1, 300)
    codes = np.zeros(300, dtype=np.int64)
    ours = interval(resample(values[:, None], [codes], 20_000, [[1]])[0][0].pooled([0]))
    rows = interval(bootstrap_mean(sample_of(values), 20_000, np.random.default_rng(2)))
    assert ours == pytest.approx(rows, abs=0.01)


def test_pooled_groups_have_the_mean_of_all_their_people():
    rng = np.random.default_rng(7)
    values, codes = rng.random(100), np.repeat([0, 1, 2], [20, 30, 50])
    estimate = resample(values[:, None], [codes], 500, [[1]])[0][0].pooled([0, 2])
    own = values[codes != 1]
    assert (estimate.n, estimate.value) == (70, pytest.approx(own.mean()))
    within = 20 * values[codes == 0].var() + 50 * values[codes == 2].var()
    assert estimate.second == pytest.approx(within / 70**2)


def test_every_attribute_sees_the_same_people_in_different_groups():
    rng = np.random.default_rng(8)
    values, first, second = rng.random((500, 2)), rng.integers(0, 3, 500), rng.integers(0, 2, 500)
    made = resample(values, [first, second], 400, [[1], [2]])
    assert [[draws.n.sum() for draws in metric] for metric in made] == [[500, 500], [500, 500]]
    for metric in range(2):
        for codes, draws in zip((first, second), made[metric], strict=True):
            expected = [values[codes == code, metric].mean() for code in range(int(codes.max()) + 1)]
            assert draws.moments[:, MEAN] == pytest.approx(expected)
            assert draws.draws[:, :, MEAN].mean(axis=1) == pytest.approx(expected, abs=0.01)


def test_order_of_people_changes_no_draw_of_a_continuous_metric():
    rng = np.random.default_rng(9)
    values, codes, order = rng.random((200, 1)), rng.integers(0, 2, 200), rng.permutation(200)
    plain = resample(values, [codes], 50, [[1]])[0][0].draws
    shuffled = resample(values[order], [codes[order]], 50, [[1]])[0][0].draws
    assert shuffled == pytest.approx(plain, abs=1e-12)


def test_metrics_of_one_rank_are_drawn_together():
    rng = np.random.default_rng(10)
    hit = rng.random(300) < 0.4
    values = np.stack([hit * 1.0, hit * 0.5], axis=1).astype(np.float64)
    first, second = (
        metric[0].draws[:, :, MEAN] for metric in resample(values, [np.zeros(300, int)], 100, [[1]])
    )
    assert second == pytest.approx(first / 2, abs=1e-12)  # the second is half of the first in every draw


def test_metrics_with_many_outcomes_together_are_drawn_one_by_one():
    rng = np.random.default_rng(11)
    values = (rng.integers(0, 20, (400, 2)) / 19).astype(np.float64)  # 20 outcomes each, up to 400 together
    made = resample(values, [np.zeros(400, int)], 2000, [[1]])
    for metric in range(2):
        draws = made[metric][0].draws[0, :, MEAN]
        assert draws.mean() == pytest.approx(values[:, metric].mean(), abs=0.005)
        assert draws.std() == pytest.approx(values[:, metric].std() / 20, rel=0.08)
