"""How far lists are from their people, and rating gaps: hand-worked cases, scipy, and empty ones."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from recsys_core.data.dataset import Histories
from recsys_core.metrics.popularity import ItemPopularity
from recsys_core.metrics.rating_gaps import rating_gaps
from recsys_core.metrics.taste import (
    band_counts,
    category_counts,
    history_popularity,
    miscalibration,
    popularity_bands,
    popularity_deviation,
)


def test_miscalibration_of_the_same_mix_is_zero():
    assert miscalibration(np.array([[2.0, 2.0]]), np.array([[5.0, 5.0]])) == pytest.approx([0.0])


def test_miscalibration_of_a_category_that_is_not_listed_by_hand():
    # p = (1, 0), q = (0, 1): q̃ = (.01, .99), KL = ln 100
    assert miscalibration(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]])) == pytest.approx([np.log(100)])


@pytest.mark.parametrize("seed", range(3))
def test_miscalibration_is_the_divergence_of_scipy(seed: int):
    p, q = np.random.default_rng(seed).dirichlet(np.ones(5), 2)
    assert miscalibration(p[None], q[None])[0] == pytest.approx(entropy(p, 0.99 * q + 0.01 * p), abs=1e-12)


def test_miscalibration_without_categories_is_unknown():
    found = miscalibration(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert np.isnan(found).all()


def test_category_counts_share_items_of_two_categories():
    shares = sp.csr_matrix(np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]]))
    found = category_counts(np.array([1, 2, 0, 2]), np.array([0, 0, 0, 1]), 3, shares)
    assert found.tolist() == [[1.5, 0.5], [0.5, 0.5], [0.0, 0.0]]


def test_bands_by_hand():
    # 10 touches in order 5, 3, 1, 1: they begin at 0, .5, .8 and .9 of them
    popularity = ItemPopularity(np.array([0, 1, 5, 3, 1]), 5)
    assert popularity_bands(popularity).tolist() == [2, 2, 0, 1, 2]


def test_deviation_of_opposite_shares_is_one_bit():
    assert popularity_deviation(np.array([[4.0, 0, 0]]), np.array([[0.0, 0, 2]])) == pytest.approx([1.0])


@pytest.mark.parametrize("seed", range(3))
def test_deviation_is_the_squared_distance_of_scipy(seed: int):
    p, q = np.random.default_rng(seed).dirichlet(np.ones(3), 2)
    expected = jensenshannon(p, q, base=2) ** 2
    assert popularity_deviation(p[None], q[None])[0] == pytest.approx(expected, abs=1e-12)


def test_deviation_of_an_empty_list_is_unknown():
    assert np.isnan(popularity_deviation(np.array([[1.0, 0, 0]]), np.zeros((1, 3)))).all()


def test_band_counts_leave_empty_places_out():
    found = band_counts(np.array([1, 0, 2]), np.array([0, 0, 1]), 2, np.array([2, 0, 1]))
    assert found.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_history_popularity_counts_an_item_once():
    popularity = ItemPopularity(np.array([0, 4, 1]), 4)
    found = history_popularity(Histories.of([[1, 1, 2], [2], []]), popularity)
    assert found[:2] == pytest.approx([(1 + 0.25) / 2, 0.25])
    assert np.isnan(found[2])


def test_rating_gaps_by_hand():
    # item 1: the group is 1 too high, the others 1 too low; item 2: both .5 too low; item 3 has no one else
    items = np.array([1, 1, 2, 2, 3])
    ratings, predicted = np.array([3.0, 3, 4, 4, 5]), np.array([4.0, 2, 3.5, 3.5, 1])
    found = rating_gaps(items, ratings, predicted, np.array([True, False, True, False, True]))
    assert (found.value, found.absolute) == (pytest.approx(1.0), pytest.approx(0.0))
    assert (found.under, found.over) == (pytest.approx(0.5), pytest.approx(0.5))
    assert found.non_parity == pytest.approx(abs((4 + 3.5 + 1) / 3 - (2 + 3.5) / 2))
    assert found.n_items == 2


def test_rating_gaps_without_a_common_item_are_unknown():
    found = rating_gaps(np.array([1, 2]), np.ones(2), np.ones(2), np.array([True, False]))
    assert np.isnan(found.value) and found.n_items == 0
