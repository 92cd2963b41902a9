"""Re-ranked lists of a data set: what they know of its items, who is protected, and what they never do."""

import numpy as np
import pytest
import scipy.sparse as sp
from hand_made import WeightedSum, dataset_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_core.actions.reranking import reranker_of
from recsys_core.data.dataset import Dataset
from recsys_core.data.split import leave_one_out
from recsys_core.errors import ConfigError, DataError
from recsys_core.ranker.fair_top_k import adjusted_significance, fewest_protected
from recsys_core.ranker.lists import ListRequest, recommend
from recsys_core.ranker.popularity import PopularityRanker
from recsys_core.ranker.rerank import (
    POOL,
    ItemFacts,
    ItemSets,
    Reranker,
    Reranking,
    category_shares,
    parse_reranking,
)

NOTHING = np.zeros(0, dtype=np.int64)
DUES = st.floats(0.05, 0.95)


def array(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


@pytest.fixture
def shop() -> Dataset:
    """Items a to f; a, b, c are books, d is music, e is both, f is neither."""
    dataset = dataset_of({"ann": "abcdef", "bob": "ad"})
    dataset.items["category"] = ["Books", "Books", "Books", "Music", "Music|Books", ""]
    return dataset


def test_items_are_in_equal_parts_in_their_categories(shop: Dataset):
    assert category_shares(shop).toarray().tolist() == [
        [0, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0.5, 0.5], [0, 0],
    ]  # fmt: skip


def facts(shop: Dataset) -> ItemFacts:
    return ItemFacts(np.eye(7), category_shares(shop), array(0, 9, 8, 7, 6, 5, 4))


def listed(
    shop: Dataset, spec: str, seen: list[int], k: int = 3, history: list[int] | None = None
) -> list[str]:
    """A list of somebody for whom a is best, then b, c, …"""
    ranker = PopularityRanker(array(0, 6, 5, 4, 3, 2, 1))
    request = ListRequest(np.array(history or [], dtype=np.int64), np.array(seen, dtype=np.int64))
    rerank = Reranker(parse_reranking(spec), facts(shop))
    table = recommend(ranker, shop, [request], k, rerank=rerank)
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    scores = dict(zip("abcdef", (6, 5, 4, 3, 2, 1), strict=True))
    assert table["score"].tolist() == [scores[item] for item in table["item_id"]]
    return table["item_id"].tolist()


def test_a_capped_list_goes_on_where_a_category_is_full(shop: Dataset):
    assert listed(shop, "cap:1", seen=[]) == ["a", "d", "f"]


def test_a_capped_list_ends_where_nothing_fits(shop: Dataset):
    assert listed(shop, "cap:1", seen=[6]) == ["a", "d"]


def test_a_list_is_calibrated_to_the_history(shop: Dataset):
    assert listed(shop, "calibration:1", seen=[], k=2, history=[4]) == ["d", "e"]
    assert listed(shop, "calibration:1", seen=[], k=2, history=[1]) == ["a", "b"]


@given(st.sampled_from(["share", "exposure"]), DUES, st.integers(1, 14), st.integers(0, 1_000))
@settings(max_examples=100, deadline=None)
def test_a_protected_group_has_its_due_and_loses_no_place(method: str, due: float, k: int, seed: int):
    """As many protected items as the adjusted test asks at every length, or that share of the exposure."""
    rng = np.random.default_rng(seed)
    scores, protected = rng.integers(0, 6, 12).astype(float), rng.random(13) < 0.4
    known = ItemFacts(
        np.eye(13), sp.csr_matrix((13, 0)), np.ones(13), ItemSets(("maker=small",), protected[None])
    )
    tool = Reranker(parse_reranking(f"{method}:{due}@maker=small"), known)
    items = np.arange(1, 13)
    first = items[tool.first(items, scores, NOTHING, k)].tolist()
    before = items[np.argsort(-scores, kind="stable")].tolist()
    held, there = protected[first], int(protected[1:].sum())
    if method == "share":
        least = fewest_protected(len(first), due, adjusted_significance(len(first), due, 0.1))
        assert (held.cumsum() >= np.minimum(least, there)).all()
    else:
        weights = 1 / np.log2(np.arange(2, len(first) + 2))
        assert weights[held].sum() >= min(due * weights.sum(), weights[:there].sum()) - 1e-9
    for item in (item for item in items.tolist() if protected[item]):
        now = first.index(item) if item in first else len(first)
        assert now <= before.index(item)
    for side in (True, False):
        own = [item for item in first if protected[item] == side]
        assert own == [item for item in before if protected[item] == side][: len(own)]


def test_a_group_of_items_that_is_not_known_is_refused(shop: Dataset):
    with pytest.raises(ConfigError, match="the items 'maker=small' aren't known here; known are: none"):
        Reranker(parse_reranking("share:0.3@maker=small"), facts(shop))


def test_items_of_a_category_are_found_by_name(shop: Dataset):
    """d and e have a part in music, and so they count as music: the list of a, b, c must end with d."""
    ranker = PopularityRanker(array(0, 6, 5, 4, 3, 2, 1))
    split = leave_one_out(shop)
    rerank = reranker_of(ranker, shop, split, "exposure:0.2@category=Music")
    assert rerank.facts.protected.of("category=Music").tolist() == [False] * 4 + [True, True, False]
    table = recommend(ranker, shop, [ListRequest(NOTHING, NOTHING)], 3, rerank=rerank)
    assert table["item_id"].tolist() == ["a", "b", "d"]
    with pytest.raises(DataError, match="no item's category is 'Tea'; there are: Books, Music, unknown"):
        reranker_of(ranker, shop, split, "exposure:0.2@category=Tea")


@pytest.mark.parametrize("spec", ["mmr:1", "calibration:1", "popularity:1", "cap:1", "mmr:0"])
def test_what_was_seen_stays_off_the_list(shop: Dataset, spec: str):
    assert set(listed(shop, spec, seen=[1, 4], k=6)) <= set("bcef")


@pytest.mark.parametrize("spec", ["mmr:0", "calibration:0", "popularity:0", "cap:6"])
def test_a_reranking_that_asks_for_nothing_changes_no_list(shop: Dataset, spec: str):
    assert listed(shop, spec, seen=[2], k=4) == ["a", "c", "d", "e"]


def test_each_person_is_reranked_for_themselves(shop: Dataset):
    weights = np.zeros((7, 7))
    weights[1, [2, 3, 4]] = 3, 2, 1
    weights[4, [2, 3, 4]] = 1, 2, 3
    requests = [ListRequest(np.array([item]), np.array([item]), str(item)) for item in (1, 4)]
    requests.append(ListRequest(NOTHING, np.arange(1, 7), "all"))
    rerank = Reranker(Reranking("cap", 1), facts(shop))
    table = recommend(WeightedSum(weights), shop, requests, 2, rerank=rerank)
    assert list(zip(table["user_id"], table["item_id"], strict=True)) == [
        ("1", "b"), ("1", "d"), ("4", "c"), ("4", "f"),
    ]  # fmt: skip


def test_only_the_best_candidates_are_looked_at_again_unless_there_is_a_cap(shop: Dataset):
    assert Reranker(Reranking("mmr", 0.5), facts(shop)).pool_size(10) == POOL
    assert Reranker(Reranking("mmr", 0.5), facts(shop)).pool_size(150) == 300
    assert Reranker(Reranking("cap", 2), facts(shop)).pool_size(10) == 6


@pytest.mark.parametrize("method", ["calibration", "cap"])
def test_without_categories_there_is_nothing_to_calibrate_or_cap(method: str):
    dataset = dataset_of({"ann": "abc"})
    with pytest.raises(ConfigError, match=f"no item of this data set has a category, so '{method}'"):
        reranker_of(PopularityRanker(array(0, 1, 1, 1)), dataset, leave_one_out(dataset), f"{method}:1")


def test_facts_come_from_the_training_part(shop: Dataset):
    """Of ann's six items the last two are held out; bob has too few to hold any out."""
    found = reranker_of(PopularityRanker(np.ones(7)), shop, leave_one_out(shop), "mmr:0.5").facts
    assert found.popularity.tolist() == [0, 2, 1, 1, 2, 0, 0]
    lengths = np.linalg.norm(found.unit_vectors, axis=1)
    np.testing.assert_allclose(lengths[[1, 2, 3, 4]], 1)
    assert isinstance(found.shares, sp.csr_matrix)
