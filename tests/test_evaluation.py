"""Full-ranking evaluation: held-out items among all candidates, what lists are like, and slices."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hand_made import dataset_of, random_histories, small_transformer, tables
from sklearn.metrics import roc_auc_score

from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.split import Split, all_targets, histories, leave_one_out
from recsys_core.data.split_time import global_time
from recsys_core.errors import ConfigError
from recsys_core.metrics.ranks import one_each
from recsys_core.ranker import evaluation
from recsys_core.ranker.evaluation import Evaluation, evaluate, held_out_ranks, per_person_table
from recsys_core.ranker.kept_evaluation import from_columns, to_columns
from recsys_core.ranker.lists import list_requests, recommend
from recsys_core.ranker.popularity import PopularityRanker, fit_popularity
from recsys_core.ranker.slices import evaluate_slices


def popular(counts: list[float]) -> PopularityRanker:
    return PopularityRanker(np.array([0.0, *counts]))


@pytest.fixture
def shop() -> tuple[Dataset, Split]:
    """Targets of ann: c, d; of bob: d, a; of eve: none. Training: ann ab, eve ab, bob bc."""
    dataset = dataset_of({"ann": "abcd", "eve": "ab", "bob": "bcda"})
    return dataset, leave_one_out(dataset)


def letters_shop(n_users: int = 9, n_items: int = 10, length: int = 6) -> tuple[Dataset, Split]:
    """People with random different items of the first letters."""
    letters, generator = "abcdefghijklmnopqrstuvwxyz"[:n_items], np.random.default_rng(0)
    dataset = dataset_of(
        {f"u{n}": "".join(generator.permutation(list(letters))[:length]) for n in range(n_users)}
    )
    return dataset, leave_one_out(dataset)


def test_evaluation_by_hand(shop: tuple[Dataset, Split]):
    """Popularity d > c > b > a. Valid: ann has seen a, b: d, then c; bob b, c: d. Test: ann d; bob a."""
    ranker = popular([1, 2, 3, 4])
    valid, test = (evaluate(ranker, *shop, part, k=1) for part in ("valid", "test"))
    assert valid.ranks.tolist() == [2, 0, 1]
    assert test.ranks.tolist() == [1, 0, 1]
    assert valid.n_users == 2
    assert valid.mean("hr@1") == 0.5
    assert valid.mean("ndcg@10") == pytest.approx((1 / math.log2(3) + 1) / 2)
    assert valid.mean("mrr@10") == pytest.approx(0.75)
    assert valid.coverage == 1 / 4
    assert test.coverage == 2 / 4


def test_summary_by_hand(shop: tuple[Dataset, Split]):
    """Both lists show d alone, which nobody in training touched: 2 bits among 3 people; for bob it is right.

    By the popularity of training bob's candidates are a, d: showing d first is serendipity.
    """
    summary = evaluate(popular([1, 2, 3, 4]), *shop, "valid", k=1).summary()
    half = ("ndcg", "hr", "recall", "precision", "f1", "mrr", "map", "serendipity")
    expected = dict.fromkeys([f"{name}@1" for name in half], 0.5) | {
        "coverage@1": 0.25,
        "gini@1": 0.75,
        "novelty@1": 2.0,
        "popularity@1": 0.0,
        "diversity@1": math.nan,
        "auc": 0.5,
    }
    assert summary == pytest.approx(expected, nan_ok=True)


def test_diversity_is_by_the_vectors_that_were_handed_in(shop: tuple[Dataset, Split]):
    """Valid lists of ann: d, c; of bob: d, a."""
    vectors = np.array([[9, 9], [1, 0], [1, 0], [0, 1], [0, 2.0]])
    found = evaluate(popular([1, 2, 3, 4]), *shop, "valid", k=2, item_vectors=vectors)
    assert found.per_person("diversity@2")[[0, 2]].tolist() == pytest.approx([0, 1])
    assert np.isnan(found.per_person("diversity@2")[1])


def test_popularity_has_no_serendipity():
    dataset, split = letters_shop()
    ranker = fit_popularity(histories(dataset, split, "valid"), dataset.n_items)
    found = evaluate(ranker, dataset, split, "valid")
    assert found.mean("hr@3") > 0
    assert [found.mean(f"serendipity@{k}") for k in (1, 3, 10)] == [0, 0, 0]
    assert found.held_out.popular_ranks is not None
    assert found.held_out.popular_ranks.tolist() == found.held_out.ranks.tolist()


def test_evaluation_ranks_are_those_of_the_lists(monkeypatch: pytest.MonkeyPatch):
    dataset, split = letters_shop()
    ranker = small_transformer(10)
    monkeypatch.setattr(evaluation, "BATCH_USERS", 4)
    found = evaluate(ranker, dataset, split, "test")
    requests = list_requests(dataset, split, np.arange(9), "test")
    full = recommend(ranker, dataset, requests, k=10)
    for row, user_id in enumerate(dataset.users["user_id"]):
        target = dataset.item_ids[dataset.events.items[split.test_row[row]]]
        own = full[(full["user_id"] == user_id) & (full["item_id"] == target)]
        assert own["rank"].tolist() == [found.ranks[row]]


@pytest.mark.parametrize("limit", ["BATCH_USERS", "SCORES_AT_ONCE"])
def test_chunks_change_nothing(limit: str, monkeypatch: pytest.MonkeyPatch):
    dataset, split = letters_shop()
    ranker = popular(list(range(10)))
    whole = evaluate(ranker, dataset, split, "test").summary()
    monkeypatch.setattr(evaluation, limit, 2)
    assert evaluate(ranker, dataset, split, "test").summary() == pytest.approx(whole)


def test_any_k_is_answered_from_what_was_kept():
    dataset, split = letters_shop()
    found = evaluate(small_transformer(10), dataset, split, "test", k=3)
    expected = [float(np.mean(found.ranks <= k)) for k in (1, 4, 100)]
    assert [found.mean(f"hr@{k}") for k in (1, 4, 100)] == expected


def test_ranks_alone_are_those_of_the_evaluation():
    dataset, split = letters_shop()
    ranker = small_transformer(10)
    alone = held_out_ranks(ranker, dataset, split, "valid")
    assert alone.ranks.tolist() == evaluate(ranker, dataset, split, "valid").held_out.ranks.tolist()


def test_evaluation_of_nobody_has_no_mean():
    dataset = dataset_of({"u": "ab"})
    found = evaluate(popular([1, 2]), dataset, leave_one_out(dataset), "test")
    assert found.n_users == 0
    assert math.isnan(found.mean("ndcg@10"))
    assert math.isnan(found.mean("novelty@10"))
    assert found.coverage == 0.0
    assert held_out_ranks(popular([1, 2]), dataset, leave_one_out(dataset), "test").ranks.tolist() == []


def test_a_figure_of_all_lists_is_nobodys():
    found = evaluate(popular([1, 2, 3]), *letters_shop(n_items=3, length=3), "test")
    with pytest.raises(ConfigError, match="'gini@10' is a figure of all lists together"):
        found.per_person("gini@10")


@pytest.mark.parametrize("metric", ["novelty@20", "coverage@5", "diversity"])
def test_a_figure_of_lists_of_another_length_is_refused(metric: str):
    found = evaluate(popular([1, 2, 3]), *letters_shop(n_items=3, length=3), "test")
    with pytest.raises(ConfigError, match=f"'{metric}' isn't known.*the first 10 items"):
        found.mean(metric)


def test_an_audit_reads_one_value_a_person_with_a_held_out_item(shop: tuple[Dataset, Split]):
    dataset, _ = shop
    found = evaluate(popular([1, 2, 3, 4]), *shop, "valid")
    found = replace(found, held_out=one_each(np.array([3, 0, 1])))
    table = per_person_table(dataset, found, "mrr@10")
    assert table.to_dict() == {"ann": pytest.approx(1 / 3), "bob": 1.0}
    assert table.name == "mrr@10"


def several_targets() -> tuple[Dataset, Split]:
    """Everybody acts at the same seconds: from 3 on all new items are validation, from 6 on test targets."""
    generator = np.random.default_rng(1)
    rows = [
        (f"u{user}", "abcdefghij"[item], second)
        for user in range(12)
        for second, item in enumerate(generator.permutation(10))
    ]
    dataset = build_dataset(tables([(user, item) for user, item, _ in rows], [second for *_, second in rows]))
    return dataset, global_time(dataset, 3, 6, "all")


def test_several_held_out_items_are_ranked_among_all_candidates(monkeypatch: pytest.MonkeyPatch):
    """Everyone has 6 known items at the test and 4 held out: the candidates, so ranks are 1 to 4."""
    dataset, split = several_targets()
    monkeypatch.setattr(evaluation, "BATCH_USERS", 5)
    found = evaluate(small_transformer(10), dataset, split, "test")
    assert found.n_users == 12
    assert [sorted(row) for row in found.held_out.ranks.reshape(12, 4).tolist()] == [[1, 2, 3, 4]] * 12
    assert found.mean("recall@3") == 0.75
    assert found.mean("ndcg@4") == pytest.approx(1)
    assert math.isnan(found.mean("auc"))  # nothing but relevant items was ranked


def test_auc_of_several_held_out_items_equals_scikit_learn():
    dataset, split = several_targets()
    ranker = small_transformer(10)
    found = evaluate(ranker, dataset, split, "valid")
    known, wanted = histories(dataset, split, "valid"), all_targets(dataset, split, "valid")
    scores = ranker.score(known)
    for person, value in enumerate(found.per_person("auc")):
        candidates = np.setdiff1d(np.arange(1, 11), known[person])
        expected = roc_auc_score(np.isin(candidates, wanted[person]), scores[person, candidates])
        assert value == pytest.approx(expected, abs=1e-9)


def test_what_is_kept_comes_back(shop: tuple[Dataset, Split]):
    found = evaluate(popular([1, 2, 3, 4]), *shop, "valid", k=2)
    table = pd.DataFrame(to_columns(found))
    again = from_columns(table, "valid", 2, found.coverage, found.lists.gini)
    assert again.complete
    assert again.summary() == pytest.approx(found.summary(), nan_ok=True)


def test_ranks_that_an_earlier_version_kept_are_read_and_the_rest_is_unknown():
    found = from_columns(pd.DataFrame({"valid": [1, 0, 4]}), "valid", 10, 0.5, math.nan)
    assert not found.complete
    assert found.mean("hr@3") == 0.5
    assert found.coverage == 0.5
    assert all(math.isnan(found.mean(name)) for name in ("auc", "novelty@10", "gini@10", "serendipity@10"))
    assert found.knows("ndcg@20") and not found.knows("auc") and not found.knows("novelty@10")


def test_several_held_out_items_are_not_kept_as_one():
    found = evaluate(popular([1.0] * 10), *several_targets(), "test")
    with pytest.raises(ConfigError, match="one held-out item a person"):
        to_columns(found)


def sliced() -> tuple[Dataset, Split, Evaluation]:
    """Six regulars whose training is a to e, and a newcomer whose training is f and whose test target is b.

    f has one training person, x, y, g and z have none. Of 10 items the head is 2: a and b, by number.
    """
    regulars = {f"r{n}": "abcde" + tail for n, tail in enumerate(["xy", "yx", "fg", "fx", "gz", "fz"])}
    dataset = dataset_of(regulars | {"new": "fab"})
    split = leave_one_out(dataset)
    return dataset, split, evaluate(popular([1.0] * dataset.n_items), dataset, split, "test")


def test_slices_tell_newcomers_and_rare_items_apart():
    dataset, split, found = sliced()
    slices = {part.name: part for part in evaluate_slices(dataset, split, found, ["hr@100"])}
    sizes = {name: (part.n_users, part.n_targets) for name, part in slices.items()}
    assert sizes == {
        "cold people": (1, 1),
        "warm people": (6, 6),
        "cold items": (6, 6),
        "warm items": (1, 1),
        "head items": (1, 1),
        "tail items": (6, 6),
    }
    assert all(part.figures == {"hr@100": 1.0} for part in slices.values())


def test_the_figures_of_a_slice_are_those_of_its_targets_alone():
    dataset, split, found = sliced()
    slices = {part.name: part for part in evaluate_slices(dataset, split, found, ["mrr@50"])}
    newcomer = dataset.user_number("new")
    assert slices["cold people"].figures["mrr@50"] == 1 / found.ranks[newcomer]
    others = np.delete(found.ranks, newcomer)
    assert slices["warm people"].figures["mrr@50"] == pytest.approx(np.mean(1 / others))


def test_an_empty_slice_has_no_figure():
    dataset, split = letters_shop(n_users=3)
    parts = evaluate_slices(
        dataset, split, evaluate(popular([1.0] * dataset.n_items), dataset, split, "test"), ["hr@5"]
    )
    warm = next(part for part in parts if part.name == "warm people")
    assert (warm.n_users, warm.n_targets) == (0, 0)
    assert math.isnan(warm.figures["hr@5"])


def test_a_person_is_in_both_slices_of_items_that_their_targets_are_in():
    dataset, split = several_targets()
    found = evaluate(small_transformer(10), dataset, split, "test")
    parts = {part.name: part for part in evaluate_slices(dataset, split, found, ["recall@4"])}
    head, tail = parts["head items"], parts["tail items"]
    assert head.n_targets + tail.n_targets == 48
    assert head.n_users + tail.n_users > 12
    assert head.figures["recall@4"] == tail.figures["recall@4"] == 1


def test_histories_of_different_items_leave_repeats_out():
    history = Histories.of([[3, 1, 3], [], [2, 2]])
    once = history.without_repeats()
    assert [once[row].tolist() for row in range(3)] == [[1, 3], [], [2]]
    assert len(random_histories(0, 5, 4, 9).without_repeats()) == 5
