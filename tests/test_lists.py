"""Ranked lists: the first k, what stays off them, and scores as people see them."""

import math

import numpy as np
import pandas as pd
import pytest
from hand_made import WeightedSum, dataset_of, random_histories, small_transformer
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_core.data.dataset import Histories
from recsys_core.data.split import leave_one_out
from recsys_core.errors import ConfigError
from recsys_core.ranker import lists
from recsys_core.ranker.lists import ListRequest, list_requests, rank_of, recommend, without
from recsys_core.ranker.popularity import PopularityRanker
from recsys_core.ranker.top_k import candidate_scores, mask_seen, top_k

NOTHING = np.zeros(0, dtype=np.int64)


def first(levels: list[float], k: int, seen: list[int] | None = None) -> list[int]:
    """The first k items of one row of scores of items 1, 2, …; the padding's would win, if it counted."""
    row = np.array([[math.inf, *levels]], dtype=np.float32)
    return top_k(mask_seen(row, Histories.of([seen or []])), k)[0].tolist()


def test_the_first_items_are_those_with_the_highest_scores():
    assert first([0.1, 0.9, 0.5], k=2) == [2, 3]


def test_ties_are_broken_by_item_number():
    assert first([1.0, 2.0, 1.0, 2.0, 1.0], k=4) == [2, 4, 1, 3]


def test_a_list_ends_where_candidates_run_out():
    assert first([0.1, 0.9, 0.5], k=3, seen=[2]) == [3, 1, 0]
    assert first([0.1, 0.9], k=2, seen=[1, 2]) == [0, 0]


def test_a_list_is_no_longer_than_the_catalogue():
    assert first([0.1, 0.9], k=50) == [2, 1]


def test_a_negative_zero_is_a_zero():
    assert first([0.0, -0.0, 0.0], k=2) == [1, 2]


@pytest.mark.parametrize("k", [0, -3])
def test_a_list_of_no_item_is_an_error(k: int):
    with pytest.raises(ConfigError, match=f"k is {k}; a list has at least 1 item"):
        first([0.1], k)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=15), st.integers(1, 16), st.data())
def test_the_first_k_are_those_of_a_full_sort(levels: list[int], k: int, data: st.DataObject):
    seen = data.draw(st.lists(st.integers(1, len(levels)), max_size=6))
    candidates = [item for item in range(1, len(levels) + 1) if item not in seen]
    candidates.sort(key=lambda item: (-levels[item - 1], item))
    expected = (candidates + [0] * len(levels))[: min(k, len(levels))]
    assert first([float(level) for level in levels], k, seen) == expected


def test_log_probabilities_add_up_to_one_over_the_candidates():
    scores = np.random.default_rng(0).normal(scale=30, size=(4, 9)).astype(np.float32)
    seen = Histories.of([[1, 2], [], [8, 8], list(range(1, 8))])
    shown = candidate_scores(scores, seen, "log-probability")
    np.testing.assert_allclose(np.exp(shown).sum(axis=1), 1, atol=1e-12)
    assert shown[0, [0, 1, 2]].tolist() == [-math.inf] * 3
    assert shown[3, 8] == 0.0


def test_logits_beyond_the_range_of_exp_stay_finite():
    scores = np.array([[0, 3e4, -3e4, 2.99e4]], dtype=np.float32)
    shown = candidate_scores(scores, Histories.of([[]]), "log-probability")
    assert shown[0, 1:].tolist() == pytest.approx([0, -6e4, -100])


@pytest.mark.parametrize("kind", ["count", "similarity"])
def test_scores_of_counting_rankers_are_shown_as_they_are(kind: str):
    scores = np.array([[9, 1, 2, 3]], dtype=np.float32)
    shown = candidate_scores(scores, Histories.of([[2]]), "count" if kind == "count" else "similarity")
    assert shown.tolist() == [[-math.inf, 1, -math.inf, 3]]


def test_someone_who_has_touched_everything_has_no_candidate():
    scores = np.array([[1, 1, 1], [0, 1, 1]], dtype=np.float32)
    shown = candidate_scores(scores, Histories.of([[1, 2], [1]]), "log-probability")
    assert shown[0].tolist() == [-math.inf] * 3
    assert shown[1, 2] == 0.0


def popular(counts: list[float]) -> PopularityRanker:
    """A ranker with the same scores of items 1, 2, … for everybody."""
    return PopularityRanker(np.array([0, *counts], dtype=np.float64))


def test_a_list_names_people_items_titles_ranks_and_scores():
    dataset = dataset_of({"ann": "ab", "bob": "cd"})
    requests = [ListRequest(NOTHING, np.array([2]), "ann"), ListRequest(NOTHING, NOTHING, "bob")]
    table = recommend(popular([1, 5, 9, 9]), dataset, requests, k=3)
    assert list(table.columns) == ["user_id", "item_id", "title", "rank", "score", "source"]
    assert list(table.itertuples(index=False, name=None)) == [
        ("ann", "c", "c", 1, 9.0, "popularity"),
        ("ann", "d", "d", 2, 9.0, "popularity"),
        ("ann", "a", "a", 3, 1.0, "popularity"),
        ("bob", "c", "c", 1, 9.0, "popularity"),
        ("bob", "d", "d", 2, 9.0, "popularity"),
        ("bob", "b", "b", 3, 5.0, "popularity"),
    ]


def test_someone_who_has_touched_everything_gets_no_list():
    dataset = dataset_of({"ann": "ab", "bob": "cd"})
    ranker = small_transformer(4)
    everything = np.arange(1, 5)
    requests = [ListRequest(everything, everything, "ann"), ListRequest(NOTHING, everything[:3], "bob")]
    table = recommend(ranker, dataset, requests, k=3)
    assert table["user_id"].tolist() == ["bob"]
    assert table["score"].tolist() == [0.0]


def test_nobody_gets_an_empty_table():
    table = recommend(popular([1, 2]), dataset_of({"u": "ab"}), [], k=3)
    assert len(table) == 0
    assert list(table.columns) == ["user_id", "item_id", "title", "rank", "score", "source"]


def test_ids_of_people_stay_as_they_came():
    requests = [ListRequest(NOTHING, NOTHING, user_id) for user_id in ("a\x00", "a", "", "long id " * 9)]
    table = recommend(popular([1, 2]), dataset_of({"u": "ab"}), requests, k=1)
    assert table["user_id"].tolist() == ["a\x00", "a", "", "long id " * 9]


def test_lists_do_not_depend_on_how_people_are_batched(monkeypatch: pytest.MonkeyPatch):
    dataset = dataset_of({f"u{n}": "abcdefgh" for n in range(3)})
    ranker, known = small_transformer(8), random_histories(0, 7, 8, 6)
    requests = [ListRequest(known[row], known[row], f"u{row}") for row in range(7)]
    together = recommend(ranker, dataset, requests, k=5)
    monkeypatch.setattr(lists, "BATCH_USERS", 2)
    in_twos = recommend(ranker, dataset, requests, k=5)
    pd.testing.assert_frame_equal(together, in_twos, rtol=0, atol=1e-5)


def test_scores_on_a_list_fall_with_the_rank():
    dataset = dataset_of({"u": "abcdefgh"})
    table = recommend(small_transformer(8), dataset, [ListRequest(np.array([1]), np.array([1]))], k=7)
    assert (np.diff(table["score"]) <= 0).all()
    assert np.exp(table["score"]).sum() == pytest.approx(1.0)


def test_touched_items_stay_off_unless_repeats_are_kept():
    dataset = dataset_of({"u": "abcd", "v": "e"})
    split, user = leave_one_out(dataset), np.array([0])
    (request,) = list_requests(dataset, split, user, "test")
    assert (request.history.tolist(), request.seen.tolist(), request.user_id) == ([1, 2, 3], [1, 2, 3], "u")
    (request,) = list_requests(dataset, split, user, "test", keep_repeats=True)
    assert (request.history.tolist(), request.seen.tolist()) == ([1, 2, 3], [])


def test_what_never_happened_leaves_the_history_but_not_the_seen():
    request = ListRequest(np.array([1, 2, 1, 3]), np.array([1, 2, 3]), "u")
    other = without(request, [1, 4])
    assert other.history.tolist() == [2, 3]
    assert other.seen.tolist() == [1, 2, 3, 4]
    assert other.user_id == "u"


def test_rank_of_an_item_is_its_place_on_the_full_list():
    dataset = dataset_of({"u": "abcdefgh"})
    ranker, request = small_transformer(8), ListRequest(np.array([1, 2]), np.array([1, 2]), "u")
    full = recommend(ranker, dataset, [request], k=8)
    for item_id, place in zip(full["item_id"], full["rank"], strict=True):
        assert rank_of(ranker, request, dataset.item_number(item_id)) == place


def test_the_history_decides_the_list_of_a_sum():
    """Item 1 speaks for item 3, item 2 for item 4."""
    weights = np.zeros((5, 5))
    weights[1, 3] = weights[2, 4] = 1.0
    dataset = dataset_of({"u": "abcd"})
    requests = [ListRequest(np.array([item]), np.array([item]), str(item)) for item in (1, 2)]
    table = recommend(WeightedSum(weights), dataset, requests, k=1)
    assert table["item_id"].tolist() == ["c", "d"]
