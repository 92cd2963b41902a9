"""The probe: vectors in which the group is planted, vectors that know nothing, AUC against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.leakage import auc_and_variance, probe_group


def vectors_of(seed: int, n: int = 400, planted: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    in_group = rng.random(n) < 0.4
    vectors = rng.normal(0, 1, (n, 8))
    vectors[:, 3] += planted * in_group
    return vectors, in_group


def test_auc_is_that_of_scikit_learn_ties_included():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 6, 200).astype(float), rng.random(200) < 0.3
    value, _ = auc_and_variance(scores[labels], scores[~labels])
    assert value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_the_variance_of_auc_is_that_of_its_resamples():
    rng = np.random.default_rng(1)
    inside, outside = rng.normal(0.5, 1, 150), rng.normal(0, 1, 250)
    drawn = [auc_and_variance(rng.choice(inside, 150), rng.choice(outside, 250))[0] for _ in range(400)]
    assert np.sqrt(auc_and_variance(inside, outside)[1]) == pytest.approx(np.std(drawn), rel=0.15)


def test_a_planted_group_is_told():
    found = probe_group(*vectors_of(2, planted=2.0), n_permutations=19)
    assert found.auc > 0.85
    assert found.ci_low > 0.8 and found.ci_high <= 1
    assert found.p_value == 1 / 20
    assert found.null_high < found.auc


def test_vectors_that_know_nothing_give_no_group_away():
    """Twenty worlds at level .05 with 19 shuffles: four or more have a chance of 1.6 %; seeds are fixed."""
    found = [probe_group(*vectors_of(seed), n_permutations=19, seed=seed) for seed in range(20)]
    assert sum(one.p_value <= 0.05 for one in found) <= 3
    assert np.mean([one.auc for one in found]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([one.null_mean for one in found]) == pytest.approx(0.5, abs=0.02)


def test_the_scale_of_a_column_does_not_matter():
    vectors, in_group = vectors_of(3, planted=1.0)
    scaled = vectors * np.array([1, 1, 1, 1e-6, 1, 1, 1e6, 1])
    first, second = (probe_group(some, in_group, 19).auc for some in (vectors, scaled))
    assert first == pytest.approx(second, abs=1e-6)


def test_a_column_that_never_changes_does_no_harm():
    vectors, in_group = vectors_of(4, planted=2.0)
    vectors[:, 0] = 7.0
    assert probe_group(vectors, in_group, 19).auc > 0.85


def test_the_same_seed_gives_the_same_figures():
    assert probe_group(*vectors_of(5), 19, seed=2) == probe_group(*vectors_of(5), 19, seed=2)


def test_bad_input_is_refused():
    vectors, in_group = vectors_of(6)
    with pytest.raises(ConfigError, match="5 shuffles were asked for"):
        probe_group(vectors, in_group, 5)
    with pytest.raises(DataError, match="insufficient data: a probe needs 50 people"):
        probe_group(vectors, np.arange(400) < 20, 19)
    with pytest.raises(DataError, match="400 vectors and 3 people"):
        probe_group(vectors, np.array([True, False, True]), 19)
    vectors[0, 0] = np.nan
    with pytest.raises(DataError, match="isn't finite"):
        probe_group(vectors, in_group, 19)
