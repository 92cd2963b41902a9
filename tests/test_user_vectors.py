"""What a ranker makes of people, as one vector each."""

import numpy as np
import pytest
from hand_made import WeightedSum, random_histories, small_transformer

from recsys_core.data.dataset import Histories
from recsys_core.ranker.als import fit_als
from recsys_core.ranker.user_vectors import history_vectors, user_vectors

N_ITEMS = 30
KNOWN = random_histories(1, 40, N_ITEMS, 12, shortest=1)


def test_a_neural_ranker_tells_its_states():
    ranker = small_transformer(N_ITEMS)
    assert user_vectors(ranker, KNOWN) == pytest.approx(ranker.states(KNOWN).numpy())


def test_a_factorisation_tells_the_persons_vector():
    ranker = fit_als(KNOWN, N_ITEMS, factors=4, regularization=1.0, alpha=1.0, iterations=3, seed=0)
    vectors = user_vectors(ranker, KNOWN)
    assert vectors @ ranker.item_factors.T == pytest.approx(ranker.score(KNOWN), abs=1e-4)


def test_rankers_without_vectors_are_known_by_their_scores():
    """Equal scores give equal vectors, others don't; a constant added to all scores changes nothing."""
    weights = np.random.default_rng(0).normal(0, 1, (N_ITEMS + 1, N_ITEMS + 1))
    twice = Histories.of([[1, 2], [1, 2], [3]])
    first, again, other = user_vectors(WeightedSum(weights), twice)
    assert first == pytest.approx(again)
    assert np.abs(first - other).max() > 0.1
    shifted = user_vectors(WeightedSum(weights + 5), Histories.of([[1, 2]]))[0]
    assert shifted == pytest.approx(first, abs=1e-3)


def test_vectors_of_histories_are_those_of_their_different_items():
    same = history_vectors(Histories.of([[1, 2], [2, 1, 1], [3], []]), N_ITEMS)
    assert same[0] == pytest.approx(same[1])
    assert np.abs(same[0] - same[2]).max() > 0.1
    assert not same[3].any()
