"""Re-ranking of candidates: by hand, at its extremes, and how it is written."""

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import rel_entr

from recsys_core.errors import ConfigError
from recsys_core.ranker.rerank import (
    Reranking,
    calibrated,
    capped,
    less_popular,
    listed_rerankings,
    mmr,
    parse_reranking,
)

Array = NDArray[np.float64]


def rows(*values: list[float]) -> Array:
    return np.array(values, dtype=np.float64)


def array(*values: float) -> Array:
    return np.array(values, dtype=np.float64)


TWINS = rows([1, 0], [1, 0], [0, 1], [-1, 0])  # the first two are alike, the last is their opposite


def test_mmr_by_hand():
    """Scores become 1, .9, .5, 0. After the first: (.9 − 1) / 2 = −.05, (.5 − 0) / 2 = .25, (0 + 1) / 2 = .5.

    After the last of them, with nearest cosines 1 and 0: −.05 against .25.
    """
    assert mmr(array(10, 9, 5, 0), TWINS, 4, 0.5).tolist() == [0, 3, 2, 1]


def test_mmr_of_strength_one_looks_at_vectors_alone():
    assert mmr(array(0, 9, 5, 10), TWINS, 3, 1.0).tolist() == [0, 3, 2]


def test_calibration_by_hand():
    """Half and half is wanted: after the best item, of the first category, the best of the second follows."""
    shares = rows([1, 0], [1, 0], [0, 1], [0, 1])
    assert calibrated(array(10, 9, 8, 7), shares, array(0.5, 0.5), 4, 0.9).tolist() == [0, 2, 1, 3]


def test_calibration_weighs_scores_against_the_mix():
    """KL of a list of the first category alone: ½ log(.5/.995) + ½ log(.5/.005) = 1.958; of the two: 0.

    The second item stands 1 above the third, so its place turns where (1 − s) · 1 = s · 1.958.
    """
    kl = 0.5 * math.log(0.5 / 0.995) + 0.5 * math.log(0.5 / 0.005)
    turn = 1 / (1 + kl)
    scores, shares = array(1, 1, 0), rows([1, 0], [1, 0], [0, 1])
    assert calibrated(scores, shares, array(0.5, 0.5), 2, turn - 0.01).tolist() == [0, 1]
    assert calibrated(scores, shares, array(0.5, 0.5), 2, turn + 0.01).tolist() == [0, 2]


def test_calibration_of_strength_one_takes_the_nearest_mix_at_each_step():
    generator = np.random.default_rng(0)
    shares, wanted = generator.dirichlet(np.ones(3), 8), generator.dirichlet(np.ones(3))
    chosen = calibrated(generator.normal(size=8), shares, wanted, 4, 1.0).tolist()
    for length in range(1, 5):

        def distance(item: int, before: list[int] = chosen[: length - 1]) -> float:
            mix = shares[[*before, item]].mean(axis=0)
            return float(rel_entr(wanted, 0.99 * mix + 0.01 * wanted).sum())

        left = [item for item in range(8) if item not in chosen[: length - 1]]
        assert chosen[length - 1] == min(left, key=distance)


def test_calibration_to_no_category_leaves_the_order_by_score():
    assert calibrated(array(1, 3, 2), rows([1], [1], [0]), array(0), 3, 0.5).tolist() == [1, 2, 0]


def test_popularity_by_hand():
    """Scores 1, .5, 0; log(1 + count) 2, 1, 0 → 1, .5, 0: at a quarter .75 s − .25 p = .5, .25, 0."""
    counts = array(math.e**2 - 1, math.e - 1, 0)
    assert less_popular(array(3, 2, 1), counts, 3, 0.25).tolist() == [0, 1, 2]
    assert less_popular(array(3, 2, 1), counts, 3, 0.75).tolist() == [2, 1, 0]
    assert less_popular(array(3, 2, 1), counts, 2, 1.0).tolist() == [2, 1]


def test_a_cap_by_hand():
    """The second is a third of category one; the fourth is in both, and so too much for it."""
    shares = rows([1, 0], [1, 0], [1, 0], [0.5, 0.5], [0, 1], [0, 0])
    assert capped(array(9, 8, 7, 6, 5, 4), shares, 6, 2).tolist() == [0, 1, 4, 5]
    assert capped(array(9, 8, 7, 6, 5, 4), shares, 3, 1).tolist() == [0, 4, 5]


def example(seed: int, n: int = 12) -> tuple[Array, Array, Array, Array]:
    """Scores with ties, unit vectors, category shares (some without), counts."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(n, 3))
    shares = generator.integers(0, 2, (n, 4)).astype(float)
    return (
        generator.integers(0, 6, n).astype(float),
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        shares / np.maximum(shares.sum(axis=1, keepdims=True), 1),
        generator.integers(0, 5, n).astype(float),
    )


def all_methods(seed: int, k: int, strength: float) -> dict[str, list[int]]:
    scores, vectors, shares, counts = example(seed)
    return {
        "mmr": mmr(scores, vectors, k, strength).tolist(),
        "calibration": calibrated(scores, shares, array(0.1, 0.2, 0.3, 0.4), k, strength).tolist(),
        "popularity": less_popular(scores, counts, k, strength).tolist(),
    }


@given(st.integers(0, 1_000), st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_a_strength_of_zero_leaves_the_order_by_score_and_number(seed: int, k: int):
    scores = example(seed)[0]
    expected = sorted(range(12), key=lambda place: (-scores[place], place))[:k]
    for places in all_methods(seed, k, 0.0).values():
        assert places == expected


@given(st.integers(0, 1_000), st.floats(0, 1), st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_a_list_has_k_different_candidates(seed: int, strength: float, k: int):
    for places in all_methods(seed, k, strength).values():
        assert len(set(places)) == len(places) == min(k, 12)


@given(st.integers(0, 1_000), st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_a_strength_of_one_does_not_know_the_scores(seed: int, k: int):
    scores, vectors, shares, counts = example(seed)
    wanted = array(0.1, 0.2, 0.3, 0.4)
    for other in (np.zeros(12), scores[::-1]):
        found = {
            "mmr": mmr(other, vectors, k, 1.0).tolist(),
            "calibration": calibrated(other, shares, wanted, k, 1.0).tolist(),
            "popularity": less_popular(other, counts, k, 1.0).tolist(),
        }
        assert found == all_methods(seed, k, 1.0)


@given(st.integers(0, 1_000), st.integers(1, 4), st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_a_cap_is_kept_and_nothing_better_was_left_out_without_need(seed: int, cap: int, k: int):
    scores, _, shares, _ = example(seed)
    places = capped(scores, shares, k, cap).tolist()
    assert ((shares[places] > 0).sum(axis=0) <= cap).all()
    for place in set(range(12)) - set(places):
        before = [p for p in places if (-scores[p], p) < (-scores[place], place)]
        full = ((shares[[*before, place]] > 0).sum(axis=0) > cap).any()
        assert full or len(before) == k


@pytest.mark.parametrize("method", ["mmr", "calibration", "popularity"])
def test_equal_items_come_by_their_number(method: str):
    same, n = np.ones(5), 5
    found = {
        "mmr": mmr(same, np.tile([1.0, 0.0], (n, 1)), n, 0.7),
        "calibration": calibrated(same, np.ones((n, 1)), np.ones(1), n, 0.7),
        "popularity": less_popular(same, same, n, 0.7),
    }
    assert found[method].tolist() == [0, 1, 2, 3, 4]


def test_mmr_makes_a_list_more_various_than_its_scores_do():
    """The largest cosine of any two on the list, on average over examples."""

    def alike(seed: int, strength: float) -> float:
        scores, vectors, _, _ = example(seed, n=60)
        places = mmr(scores, vectors, 8, strength).tolist()
        return max(float(vectors[one] @ vectors[other]) for one, other in combinations(places, 2))

    by_strength = [np.mean([alike(seed, strength) for seed in range(20)]) for strength in (0.0, 0.5, 1.0)]
    assert by_strength[0] > by_strength[1] + 0.05
    assert by_strength[1] > by_strength[2] + 0.05


@pytest.mark.parametrize(
    "function",
    [
        lambda: mmr(array(), np.zeros((0, 2)), 3, 0.5),
        lambda: calibrated(array(), np.zeros((0, 2)), array(0.5, 0.5), 3, 0.5),
        lambda: less_popular(array(), array(), 3, 0.5),
        lambda: capped(array(), np.zeros((0, 2)), 3, 1),
    ],
    ids=["mmr", "calibration", "popularity", "cap"],
)
def test_of_no_candidate_there_is_no_list(function: Callable[[], NDArray[np.int64]]):
    assert function().tolist() == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("mmr:0.3", Reranking("mmr", 0.3)),
        (" calibration : 1 ", Reranking("calibration", 1.0)),
        ("popularity:0", Reranking("popularity", 0.0)),
        ("cap:2", Reranking("cap", 2.0)),
        ("share:0.3@popularity=tail", Reranking("share", 0.3, "popularity=tail")),
        ("exposure : 0.2 @ provider=A, B = C", Reranking("exposure", 0.2, "provider=A, B = C")),
    ],
)
def test_a_reranking_from_a_text(spec: str, expected: Reranking):
    assert parse_reranking(spec) == expected


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "mmr",
        "mmr:",
        "mmr:much",
        "mmr:1.1",
        "mmr:-0.1",
        "mmr:nan",
        "cap:0",
        "cap:1.5",
        "cap:inf",
        "cap:-1",
        "share:0.3",
        "share:0@popularity=tail",
        "share:1@popularity=tail",
        "exposure:1@popularity=tail",
        "exposure:0.3@tail",
        "exposure:0.3@=tail",
        "exposure:0.3@popularity=",
        "mmr:0.3@popularity=tail",
        "magic:0.5",
        "0.5",
    ],
)
def test_a_text_that_is_no_reranking_is_an_error(spec: str):
    with pytest.raises(
        ConfigError, match="is no re-ranking; write mmr:S, calibration:S or popularity:S with S"
    ):
        parse_reranking(spec)


def test_several_rerankings_of_one_text_with_commas_within_a_name():
    text = "mmr:0.3,share:0.2@provider=Small, Old & Co, cap:2,"
    assert listed_rerankings(text) == ["mmr:0.3", "share:0.2@provider=Small, Old & Co", "cap:2"]
    assert listed_rerankings("") == []
