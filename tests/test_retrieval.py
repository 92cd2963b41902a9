"""Exact search: a full sort in float64 gives the same, whatever the pass, the ties, the mask, the norms."""

from typing import Any

import numpy as np
import pytest
import torch
from hand_made import random_histories
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.ranker.first_pass import FullPrecision, HalfPrecision
from recsys_core.ranker.retrieval import ItemIndex, TopItems

N_ITEMS, N_PEOPLE, SIZE = 3_000, 70, 16


@pytest.fixture(params=["bfloat16 first", "float32 first"])
def first_pass(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to begin, whatever the processor that the tests run on is good at."""
    monkeypatch.setattr(HalfPrecision, "is_fast_on", lambda device: request.param.startswith("bfloat16"))
    return request.param


def nobody_saw_anything(n: int) -> Histories:
    return Histories.of([[] for _ in range(n)])


def exact_scores(
    states: torch.Tensor, vectors: torch.Tensor, bias: torch.Tensor | None, seen: Histories
) -> NDArray[np.float64]:
    """[n, V] in float64; −∞ for what is no candidate."""
    scores = states.double().numpy() @ vectors.double().numpy().T
    scores += 0 if bias is None else bias.double().numpy()
    scores[:, 0] = -np.inf
    for row in range(len(seen)):
        scores[row, seen[row]] = -np.inf
    return scores


def full_sort(scores: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """[n, k] by score, ties by item number, 0 where no candidate is left."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.where(np.isfinite(np.take_along_axis(scores, order, axis=1)), order, 0)


def assert_the_best_were_found(
    found: TopItems,
    states: torch.Tensor,
    vectors: torch.Tensor,
    bias: torch.Tensor | None,
    seen: Histories,
) -> None:
    """The scores of a full sort in float64, and the same items wherever float32 can tell them apart."""
    expected = exact_scores(states, vectors, bias, seen)
    k = found.items.shape[1]
    best = -np.sort(-expected, axis=1)[:, :k]
    rounding = 1e-6 * (float(vectors.norm(dim=1).max()) * states.norm(dim=1).numpy()[:, None] + 1)
    rounding = rounding * max(1.0, 0.0 if bias is None else float(bias.abs().max()))
    achieved = np.where(found.items > 0, np.take_along_axis(expected, found.items, axis=1), -np.inf)
    assert np.array_equal(np.isfinite(achieved), np.isfinite(best))
    finite = np.isfinite(best)
    assert (np.abs(np.where(finite, achieved - best, 0)) <= rounding).all()
    assert (np.abs(np.where(finite, found.scores - best, 0)) <= rounding).all()
    assert all(len(set(row[row > 0])) == (row > 0).sum() for row in found.items)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_best_of_a_catalogue_are_those_of_a_full_sort(first_pass: str):
    vectors, states, bias = (
        drawn(N_ITEMS + 1, SIZE),
        drawn(N_PEOPLE, SIZE, seed=1),
        drawn(N_ITEMS + 1, seed=2),
    )
    seen = random_histories(0, N_PEOPLE, N_ITEMS, longest=200)
    found = ItemIndex(vectors, bias).search(states, seen, k=10)
    scores = exact_scores(states, vectors, bias, seen)
    assert np.array_equal(found.items, full_sort(scores, 10))
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, found.items, 1), rtol=1e-5)


def test_ordinary_lists_are_proven_by_the_first_pass(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(HalfPrecision, "is_fast_on", lambda device: True)
    monkeypatch.setattr(FullPrecision, "select", lambda *arguments: pytest.fail("a second pass was needed"))
    index = ItemIndex(drawn(N_ITEMS + 1, SIZE), drawn(N_ITEMS + 1, seed=1) / 10)
    index.search(drawn(N_PEOPLE, SIZE, seed=2), nobody_saw_anything(N_PEOPLE), k=10)


def test_a_single_person_gets_the_list_that_they_get_among_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(HalfPrecision, "is_fast_on", lambda device: True)
    index, states = ItemIndex(drawn(N_ITEMS + 1, SIZE)), drawn(N_PEOPLE, SIZE, seed=1)
    seen = random_histories(3, N_PEOPLE, N_ITEMS, longest=50)
    together = index.search(states, seen, k=20)
    for row in range(5):
        alone = index.search(states[row : row + 1], seen.take(np.array([row])), k=20)
        assert alone.items[0].tolist() == together.items[row].tolist()
        assert alone.scores[0].tolist() == together.scores[row].tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.booleans())
def test_ties_go_by_item_number(seed: int, k: int, rough: bool):
    generator = np.random.default_rng(seed)
    values = generator.integers(-2, 3, (601, 3))  # small whole numbers: exact in float32, full of ties
    vectors, states = torch.from_numpy(values).float(), torch.from_numpy(generator.integers(-2, 3, (66, 3)))
    bias, seen = torch.from_numpy(generator.integers(0, 2, 601)).float(), random_histories(seed, 66, 600, 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HalfPrecision, "is_fast_on", lambda device: rough)
        found = ItemIndex(vectors, bias).search(states.float(), seen, k)
    expected = exact_scores(states, vectors, bias, seen)
    assert np.array_equal(found.items, full_sort(expected, k))
    assert np.array_equal(found.scores, np.take_along_axis(expected, found.items, axis=1))


def test_identical_items_are_listed_by_number(first_pass: str):
    vectors = drawn(1, SIZE).repeat(N_ITEMS + 1, 1)
    found = ItemIndex(vectors).search(drawn(N_PEOPLE, SIZE, seed=1), nobody_saw_anything(N_PEOPLE), k=5)
    assert found.items.tolist() == [[1, 2, 3, 4, 5]] * N_PEOPLE


def test_scores_that_differ_in_the_seventh_digit_are_in_order(first_pass: str):
    vectors = torch.zeros(N_ITEMS + 1, 2)
    steps = np.random.default_rng(0).permutation(N_ITEMS)
    vectors[1:, 0], vectors[1:, 1] = 1.0, torch.from_numpy(steps).float() * 2**-22  # all within 0.08 %
    states = torch.ones(N_PEOPLE, 2)
    found = ItemIndex(vectors).search(states, nobody_saw_anything(N_PEOPLE), k=10)
    scores = (1 + steps * 2.0**-22).astype(np.float32)  # several items round to each score
    assert (found.items == 1 + np.lexsort((np.arange(N_ITEMS), -scores))[:10]).all()


@pytest.mark.parametrize("spread", ["one giant", "many sizes", "far from zero", "all below the mean"])
def test_lists_are_right_whatever_the_norms(first_pass: str, spread: str):
    vectors, states, bias = drawn(N_ITEMS + 1, SIZE), drawn(N_PEOPLE, SIZE, seed=1), torch.zeros(N_ITEMS + 1)
    if spread == "one giant":
        vectors[7] *= 1e6
    elif spread == "many sizes":
        vectors *= torch.logspace(-6, 6, N_ITEMS + 1)[:, None]
    elif spread == "far from zero":
        vectors, bias = vectors + 1e4, bias - 1e6
    else:
        bias[1:3] = 1e5  # no third item is above the mean
    seen = random_histories(1, N_PEOPLE, N_ITEMS, longest=20)
    found = ItemIndex(vectors, bias).search(states, seen, k=10)
    assert_the_best_were_found(found, states, vectors, bias, seen)


def test_an_item_that_rounding_puts_last_is_still_found(first_pass: str):
    # In bfloat16 1.0038 is 1.0: item 9 looks like the 400 others and is better than all of them.
    vectors = torch.ones(N_ITEMS + 1, 1)
    vectors[401:] = -1.0
    vectors[9] = 1.0038
    found = ItemIndex(vectors).search(torch.ones(N_PEOPLE, 1), nobody_saw_anything(N_PEOPLE), k=3)
    assert found.items.tolist() == [[9, 1, 2]] * N_PEOPLE


def test_a_list_ends_where_candidates_run_out(first_pass: str):
    vectors, states = drawn(601, SIZE), drawn(N_PEOPLE, SIZE, seed=1)
    seen = Histories.of([np.delete(np.arange(1, 601), [3, 5]) for _ in range(N_PEOPLE)])
    found = ItemIndex(vectors).search(states, seen, k=5)
    expected = full_sort(exact_scores(states, vectors, None, seen), 5)
    assert np.array_equal(found.items, expected)
    assert found.items[0, 2:].tolist() == [0, 0, 0]
    assert set(found.items[0, :2].tolist()) == {4, 6}
    assert np.isneginf(found.scores[:, 2:]).all()


def test_someone_who_has_seen_everything_gets_an_empty_list(first_pass: str):
    seen = Histories.of([np.arange(1, 601), *([] for _ in range(N_PEOPLE - 1))])
    found = ItemIndex(drawn(601, SIZE)).search(drawn(N_PEOPLE, SIZE, seed=1), seen, k=3)
    assert found.items[0].tolist() == [0, 0, 0]
    assert (found.items[1:] > 0).all()


def test_a_list_is_no_longer_than_the_catalogue(first_pass: str):
    vectors, states = drawn(4, 2), drawn(N_PEOPLE, 2, seed=1)
    found = ItemIndex(vectors).search(states, nobody_saw_anything(N_PEOPLE), k=50)
    assert np.array_equal(
        found.items, full_sort(exact_scores(states, vectors, None, nobody_saw_anything(N_PEOPLE)), 3)
    )


def test_a_list_as_long_as_the_catalogue_is_the_whole_order(first_pass: str):
    vectors, states = drawn(N_ITEMS + 1, SIZE), drawn(N_PEOPLE, SIZE, seed=1)
    nothing = nobody_saw_anything(N_PEOPLE)
    found = ItemIndex(vectors).search(states, nothing, k=N_ITEMS)
    assert_the_best_were_found(found, states, vectors, None, nothing)


def test_people_without_a_state_get_the_highest_biases(first_pass: str):
    bias = torch.arange(N_ITEMS + 1).float()
    found = ItemIndex(drawn(N_ITEMS + 1, SIZE), bias).search(
        torch.zeros(N_PEOPLE, SIZE), nobody_saw_anything(N_PEOPLE), k=3
    )
    assert found.items.tolist() == [[N_ITEMS, N_ITEMS - 1, N_ITEMS - 2]] * N_PEOPLE


def test_nobody_asks_for_nothing(first_pass: str):
    found = ItemIndex(drawn(10, 2)).search(torch.zeros(0, 2), nobody_saw_anything(0), k=3)
    assert found.items.shape == found.scores.shape == (0, 3)


def test_the_padding_is_never_listed(first_pass: str):
    vectors = torch.zeros(N_ITEMS + 1, 1)
    vectors[0] = 1e9
    found = ItemIndex(vectors).search(torch.ones(N_PEOPLE, 1), nobody_saw_anything(N_PEOPLE), k=2)
    assert found.items.tolist() == [[1, 2]] * N_PEOPLE


@pytest.mark.parametrize("at_a_time", [1, 9])
def test_more_people_than_fit_at_once_get_the_same_lists(
    first_pass: str, at_a_time: int, monkeypatch: pytest.MonkeyPatch
):
    vectors, states = drawn(N_ITEMS + 1, SIZE), drawn(N_PEOPLE, SIZE, seed=1)
    seen = random_histories(2, N_PEOPLE, N_ITEMS, longest=20)
    at_once = ItemIndex(vectors).search(states, seen, k=7)
    monkeypatch.setattr("recsys_core.ranker.retrieval.MOST_SCORES", at_a_time * 3_100)  # columns of a pass
    assert np.array_equal(ItemIndex(vectors).search(states, seen, k=7).items, at_once.items)


def test_lists_found_in_several_threads_are_those_found_in_one(
    first_pass: str, monkeypatch: pytest.MonkeyPatch
):
    vectors, states = drawn(N_ITEMS + 1, SIZE), drawn(N_PEOPLE, SIZE, seed=1)
    seen, n_threads = random_histories(2, N_PEOPLE, N_ITEMS, longest=20), torch.get_num_threads()
    in_one = ItemIndex(vectors).search(states, seen, k=7)
    monkeypatch.setattr("recsys_core.ranker.retrieval.FEWEST_OF_A_THREAD", 20)
    try:
        torch.set_num_threads(3)
        in_three = ItemIndex(vectors).search(states, seen, k=7)
    finally:
        torch.set_num_threads(n_threads)
    assert np.array_equal(in_three.items, in_one.items) and np.array_equal(in_three.scores, in_one.scores)


def test_threads_share_the_room_for_scores(first_pass: str, monkeypatch: pytest.MonkeyPatch):
    """Of 3,100 columns for a person at most nine fit, for all threads together."""
    index, n_threads = ItemIndex(drawn(N_ITEMS + 1, SIZE)), torch.get_num_threads()
    monkeypatch.setattr("recsys_core.ranker.retrieval.MOST_SCORES", 9 * 3_100)
    monkeypatch.setattr("recsys_core.ranker.retrieval.FEWEST_OF_A_THREAD", 20)
    rows, own = list[int](), ItemIndex._scratch

    def counted(index: ItemIndex, *arguments: Any) -> tuple[torch.Tensor, int]:
        scratch, n_rows = own(index, *arguments)
        rows.append(n_rows)
        return scratch, n_rows

    monkeypatch.setattr(ItemIndex, "_scratch", counted)
    try:
        torch.set_num_threads(3)
        index.search(drawn(N_PEOPLE, SIZE, seed=1), nobody_saw_anything(N_PEOPLE), k=7)
    finally:
        torch.set_num_threads(n_threads)
    assert rows[:3] == [3, 3, 3]


def test_totals_make_probabilities_of_scores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("recsys_core.ranker.retrieval.MOST_SCORES", 9 * N_ITEMS)
    vectors, states, bias = (
        drawn(N_ITEMS + 1, SIZE),
        drawn(N_PEOPLE, SIZE, seed=1),
        drawn(N_ITEMS + 1, seed=2),
    )
    seen = random_histories(4, N_PEOPLE, N_ITEMS, longest=100)
    scores = exact_scores(states, vectors, bias, seen)
    expected = np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1)) + scores.max(1)
    np.testing.assert_allclose(ItemIndex(vectors, bias).log_totals(states, seen), expected, atol=2e-6)


def test_nothing_left_to_recommend_has_no_total():
    totals = ItemIndex(drawn(4, 2)).log_totals(torch.ones(2, 2), Histories.of([[1, 2, 3], [1, 2]]))
    assert np.isneginf(totals[0])
    assert np.isfinite(totals[1])


@pytest.mark.parametrize("k", [0, -1])
def test_a_list_of_no_item_is_an_error(k: int):
    with pytest.raises(ConfigError, match=f"k is {k}; a list has at least 1 item"):
        ItemIndex(drawn(4, 2)).search(torch.ones(1, 2), nobody_saw_anything(1), k)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_an_error(value: float):
    broken = torch.full((4, 2), value)
    with pytest.raises(ConfigError, match="an item's vector is NaN or infinite"):
        ItemIndex(broken)
    with pytest.raises(ConfigError, match="an item's bias is NaN or infinite"):
        ItemIndex(drawn(4, 2), broken[:, 0])
    with pytest.raises(ConfigError, match="a person's state is NaN or infinite"):
        ItemIndex(drawn(4, 2)).search(broken[:1], nobody_saw_anything(1), 1)


def test_scores_beyond_float32_are_an_error():
    with pytest.raises(ConfigError, match=r"norms up to 1.0e\+20 and vectors up to 1.0e\+20"):
        ItemIndex(torch.full((4, 1), 1e20)).search(torch.full((1, 1), 1e20), nobody_saw_anything(1), 1)


def test_a_catalogue_without_items_is_an_error():
    with pytest.raises(ConfigError, match="there is no item to search"):
        ItemIndex(drawn(1, 2))
