"""Beyond accuracy: coverage, exposure, Gini, novelty, popularity, diversity; by hand and by scipy."""

import math

import numpy as np
import pytest
from hand_made import histories_in, random_histories
from scipy.spatial.distance import pdist
from scipy.stats import rankdata
from sklearn.metrics.pairwise import cosine_similarity

from recsys_core.data.dataset import Histories
from recsys_core.metrics.beyond_accuracy import (
    coverage,
    diversity,
    exposure,
    gini,
    mean_popularity,
    novelty,
    unit_vectors,
)
from recsys_core.metrics.list_measures import ListTotals
from recsys_core.metrics.popularity import (
    ItemPopularity,
    candidate_counts,
    item_popularity,
    people_vectors,
    popular_ranks,
)

NO_LISTS = np.zeros((0, 10), dtype=np.int64)
# Three people with a history: item 1 was touched by all three, 2 by one, 3 by nobody.
KNOWN = Histories.of([[1, 1, 2], [1], [1], []])
POPULARITY = item_popularity(KNOWN, n_items=3)


def test_coverage_counts_different_items_and_no_padding():
    assert coverage(np.array([[1, 2], [2, 0]]), n_items=4) == pytest.approx(0.5)


def test_coverage_of_no_list_is_zero():
    assert coverage(NO_LISTS, n_items=4) == 0.0


def test_exposure_weighs_places_and_leaves_padding_out():
    """Item 2 stands first once and second once; item 1 first once; item 3 nowhere."""
    shown = exposure(np.array([[1, 2], [2, 0]]), n_items=3)
    assert shown.tolist() == pytest.approx([1, 1 + 1 / math.log2(3), 0])


def test_gini_by_hand():
    assert gini(np.array([2.0, 2, 2])) == pytest.approx(0)
    assert gini(np.array([0.0, 0, 0, 5])) == pytest.approx(3 / 4)
    assert gini(np.array([3.0, 1])) == pytest.approx(1 / 4)


def test_gini_is_half_the_relative_mean_difference():
    amounts = np.random.default_rng(0).exponential(size=200)
    expected = np.abs(amounts[:, None] - amounts).mean() / amounts.mean() / 2
    assert gini(amounts) == pytest.approx(expected, abs=1e-9)


def test_gini_of_nothing_shown_is_not_known():
    assert math.isnan(gini(np.zeros(4)))


def test_a_person_counts_once_for_an_item():
    assert POPULARITY.n_people.tolist() == [0, 3, 1, 0]
    assert POPULARITY.n_users == 3


def test_novelty_is_smoothed_self_information_in_bits():
    """(n + 1) / (U + 1): item 1 4/4, item 2 2/4, item 3 1/4: 0, 1 and 2 bits."""
    assert novelty(np.array([[1, 2], [3, 0], [2, 3]]), POPULARITY).tolist() == pytest.approx([0.5, 2, 1.5])


def test_popularity_of_a_list_is_the_mean_share_of_people():
    assert mean_popularity(np.array([[1, 2], [3, 0]]), POPULARITY).tolist() == pytest.approx([2 / 3, 0])


@pytest.mark.parametrize("measure", [novelty, mean_popularity])
def test_an_empty_list_has_no_value(measure: object):
    assert callable(measure)
    assert np.isnan(measure(np.array([[0, 0]]), POPULARITY)).all()
    assert measure(NO_LISTS, POPULARITY).shape == (0,)


def test_diversity_by_hand():
    """Items 1 and 2 are alike, 3 is at right angles to both, 4 opposite to 1."""
    unit = unit_vectors(np.array([[5.0, 5], [1, 0], [2, 0], [0, 3], [-1, 0]]))
    lists = np.array([[1, 2, 0], [1, 3, 0], [1, 4, 0], [1, 2, 3]])
    assert diversity(lists, unit).tolist() == pytest.approx([0, 1, 2, 2 / 3])


def test_a_list_of_one_item_has_no_diversity():
    unit = unit_vectors(np.eye(3))
    assert np.isnan(diversity(np.array([[1, 0], [0, 0]]), unit)).all()


def test_an_item_without_a_vector_is_like_no_other():
    unit = unit_vectors(np.array([[0.0, 0], [1, 0], [0, 0], [0, 0]]))
    assert diversity(np.array([[1, 2], [2, 3]]), unit).tolist() == pytest.approx([1, 1])


def test_diversity_is_the_mean_cosine_distance_of_scipy():
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((30, 7))
    lists = np.array([generator.permutation(29)[:10] + 1 for _ in range(50)])
    expected = [pdist(vectors[items], "cosine").mean() for items in lists]
    np.testing.assert_allclose(diversity(lists, unit_vectors(vectors)), expected, atol=1e-9)


def test_places_by_popularity_are_ranks_with_ties_by_item_number():
    popularity = ItemPopularity(np.array([0, 2, 5, 2, 7, 0]), 9)
    assert popularity.places.tolist() == [0, 3, 2, 4, 1, 5]
    n_people = np.random.default_rng(0).integers(0, 5, 40)
    places = ItemPopularity(np.concatenate([[0], n_people]), 9).places[1:]
    assert places.tolist() == rankdata(-n_people, method="ordinal").tolist()


def test_the_rank_by_popularity_leaves_known_items_out():
    """In order of popularity: 1, 2, 3. Who knows 1 (twice) has 2 first; who knows 2 has 3 second."""
    known = Histories.of([[1, 1], [2], []])
    relevant = Histories.of([[2, 3], [3], [1]])
    assert popular_ranks(POPULARITY, known, relevant).tolist() == [1, 2, 2, 1]


def test_ranks_by_popularity_are_places_in_a_sorted_list():
    known = random_histories(seed=4, n=40, n_items=15, longest=9)
    popularity = item_popularity(random_histories(seed=5, n=30, n_items=15, longest=9), 15)
    relevant = Histories.of([np.setdiff1d(np.arange(1, 16), history)[:3] for history in histories_in(known)])
    expected: list[int] = []
    for history, wanted in zip(histories_in(known), histories_in(relevant), strict=True):
        left = sorted(set(range(1, 16)) - set(history), key=lambda item: (-popularity.n_people[item], item))
        expected += [left.index(item) + 1 for item in wanted]
    assert popular_ranks(popularity, known, relevant).tolist() == expected


def test_candidates_are_all_items_but_the_known_ones():
    assert candidate_counts(KNOWN, n_items=3).tolist() == [1, 2, 2, 3]


def test_hashed_people_keep_the_cosines_of_the_sets_of_people():
    known = random_histories(seed=0, n=400, n_items=20, longest=12)
    touched = np.zeros((400, 21))
    for row, history in enumerate(histories_in(known)):
        touched[row, history] = 1
    expected = cosine_similarity(touched.T[1:])
    found = [cosine_similarity(people_vectors(known, 20, seed=seed)[1:]) for seed in range(40)]
    off = np.array(found) - expected
    assert np.abs(off.mean(axis=0)).max() < 0.05  # no pair is off in one direction
    assert off.std(axis=0).max() < 1.3 / math.sqrt(128)


def test_hashed_people_are_the_same_each_time():
    assert np.array_equal(people_vectors(KNOWN, 3), people_vectors(KNOWN, 3))


def test_lists_taken_in_chunks_are_those_taken_in_at_once():
    generator = np.random.default_rng(2)
    lists = generator.integers(0, 4, (9, 3))
    unit = unit_vectors(generator.standard_normal((4, 5)))
    totals, at_once = (ListTotals(10, POPULARITY, unit) for _ in range(2))
    at_once.add(np.arange(9), lists)
    for rows in np.array_split(np.arange(9), 4):
        totals.add(rows, lists[rows])
    chunked, whole = totals.measures(), at_once.measures()
    assert chunked.coverage == whole.coverage == coverage(lists, 3)
    assert chunked.gini == pytest.approx(whole.gini)
    for name in ("novelty", "popularity", "diversity"):
        np.testing.assert_allclose(getattr(chunked, name), getattr(whole, name))
        assert np.isnan(getattr(whole, name)[9])
