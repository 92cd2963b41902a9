"""Metrics of lists with several relevant items a person: by hand, and equal to ranx and pytrec_eval."""

import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import pytrec_eval
from numpy.typing import NDArray

from recsys_core.data.dataset import Histories
from recsys_core.metrics import ranks as ranks_module
from recsys_core.metrics.ranking import METRICS, per_person
from recsys_core.metrics.ranks import RelevantRanks, one_each, ranks_on_lists

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Qrels = dict[str, dict[str, int]]
Run = dict[str, dict[str, float]]

DATA = Path(os.environ.get("RECLENS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
TREC = DATA / "trec_eval"
CUTOFFS = (1, 2, 3, 5, 10, 100)


def ranked(lists: list[list[int]], relevant: list[list[int]]) -> RelevantRanks:
    return ranks_on_lists(np.array(lists), Histories.of(relevant))


# Relevant are 1, 2, 3. The list is 9 1 8 2 7: found at places 2 and 4, one is missing.
ONE_LIST = ranked([[9, 1, 8, 2, 7]], [[1, 2, 3]])
LOG3, LOG5 = 1 / math.log2(3), 1 / math.log2(5)
BY_HAND = {
    "hr@1": 0,
    "hr@2": 1,
    "recall@2": 1 / 3,
    "recall@5": 2 / 3,
    "precision@2": 1 / 2,
    "precision@4": 2 / 4,
    "precision@100": 2 / 100,
    "f1@4": 2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3),
    "f1@1": 0,
    "mrr@1": 0,
    "mrr@5": 1 / 2,
    "map@3": (1 / 2) / 3,
    "map@5": (1 / 2 + 2 / 4) / 3,
    "dcg@3": LOG3,
    "dcg@4": LOG3 + LOG5,
    "ndcg@2": LOG3 / (1 + LOG3),
    "ndcg@4": (LOG3 + LOG5) / (1 + LOG3 + 1 / 2),
}


@pytest.mark.parametrize("metric", BY_HAND)
def test_metric_of_one_list_by_hand(metric: str):
    assert per_person(metric, ONE_LIST).tolist() == pytest.approx([BY_HAND[metric]], abs=1e-12)


@pytest.mark.parametrize("metric", ["hr", "recall", "precision", "f1", "mrr", "map", "ndcg"])
def test_a_perfect_list_has_every_metric_at_one(metric: str):
    perfect = ranked([[3, 1, 2]], [[1, 2, 3]])
    assert per_person(f"{metric}@3", perfect).tolist() == pytest.approx([1])


def test_serendipity_counts_what_popularity_would_not_have_shown():
    """Found at 1 and 2; popularity would have had the first at 2 and the second at 5."""
    ranks = RelevantRanks(np.array([1, 2, 3]), np.array([0, 3]), popular_ranks=np.array([2, 5, 9]))
    assert per_person("serendipity@2", ranks).tolist() == [1 / 2]
    assert per_person("serendipity@3", ranks).tolist() == [2 / 3]
    assert per_person("serendipity@1", ranks).tolist() == [1]


def test_auc_counts_pairs_by_hand():
    """Of 6 candidates those at 1 and 4 are relevant: 4 + 2 of 8 pairs are in order."""
    ranks = RelevantRanks(np.array([4, 1]), np.array([0, 2]), n_candidates=np.array([6]))
    assert per_person("auc", ranks).tolist() == [6 / 8]


def test_auc_is_not_known_where_a_relevant_item_has_no_rank():
    ranks = RelevantRanks(np.array([0, 1]), np.array([0, 2]), n_candidates=np.array([6]))
    assert np.isnan(per_person("auc", ranks)).all()


def test_people_without_relevant_items_have_no_value_and_empty_lists_have_zero():
    ranks = ranked([[1, 2], [1, 2], [0, 0]], [[], [2], [2]])
    for metric in ("ndcg", "map", "mrr", "hr", "f1"):
        values = per_person(f"{metric}@2", ranks)
        assert np.isnan(values[0])
        assert values[1] > 0
        assert values[2] == 0


@pytest.mark.parametrize("metric", METRICS)
def test_metric_of_nobody_is_empty(metric: str):
    ranks = ranks_on_lists(np.zeros((0, 5), dtype=np.int64), Histories.of([]))
    assert per_person(f"{metric}@5", ranks).shape == (0,)


def test_of_an_item_that_comes_twice_the_first_place_counts():
    assert ranked([[7, 5, 5]], [[5]]).ranks.tolist() == [2]


def test_lists_without_places_find_nothing():
    assert ranks_on_lists(np.zeros((2, 0), dtype=np.int64), Histories.of([[1], [2]])).ranks.tolist() == [0, 0]


def test_chunks_change_no_rank(monkeypatch: pytest.MonkeyPatch):
    lists, relevant = random_lists(50, seed=3)
    whole = ranks_on_lists(lists, relevant).ranks
    monkeypatch.setattr(ranks_module, "CELLS_AT_ONCE", 36)
    assert ranks_on_lists(lists, relevant).ranks.tolist() == whole.tolist()


def test_some_of_the_relevant_items_keep_their_ranks():
    ranks = RelevantRanks(np.array([3, 1, 2]), np.array([0, 2, 2, 3]), popular_ranks=np.array([7, 8, 9]))
    some = ranks.only(np.array([False, True, True]))
    assert (some.ranks.tolist(), some.offsets.tolist()) == ([1, 2], [0, 1, 1, 2])
    assert some.popular_ranks is not None and some.popular_ranks.tolist() == [8, 9]


def test_one_rank_a_person_is_a_case_of_many():
    ranks = one_each(np.array([2, 0, 5]), popular_ranks=np.array([1, 0, 4]))
    assert (ranks.ranks.tolist(), ranks.offsets.tolist()) == ([2, 5], [0, 1, 1, 2])
    assert ranks.popular_ranks is not None and ranks.popular_ranks.tolist() == [1, 4]
    assert ranks.first.tolist() == [2, 0, 5]


def random_lists(n: int, seed: int) -> tuple[IntArray, Histories]:
    """Lists of up to 12 of 20 items by scores full of ties, then by item number; 1 to 6 relevant items."""
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 5, (n, 20))
    lists = np.argsort(-scores, axis=1, kind="stable")[:, :12] + 1
    lists[np.arange(12) >= generator.integers(1, 13, n)[:, None]] = 0
    relevant = [generator.permutation(20)[:size] + 1 for size in generator.integers(1, 7, n)]
    return lists, Histories.of(relevant)


def as_dicts(
    lists: IntArray, relevant: Histories
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """What ranx and pytrec_eval read; −rank as score, so that neither breaks ties in its own way."""
    qrels = {f"{row:06}": {str(item): 1 for item in relevant[row]} for row in range(len(lists))}
    run = {
        f"{row:06}": {str(item): float(-place) for place, item in enumerate(items) if item > 0}
        for row, items in enumerate(lists)
    }
    return qrels, run


def by_trec_eval(qrels: Qrels, run: Run, measures: set[str]) -> Callable[[str], FloatArray]:
    found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    return lambda name: np.array([found[person][name] for person in qrels])


TREC_NAMES = {"hr": "success", "recall": "recall", "precision": "P", "map": "map_cut", "ndcg": "ndcg_cut"}


def test_metrics_equal_pytrec_eval_on_ten_thousand_cases():
    lists, relevant = random_lists(10_000, seed=11)
    cuts = ",".join(map(str, CUTOFFS))
    expected = by_trec_eval(*as_dicts(lists, relevant), {f"{name}.{cuts}" for name in TREC_NAMES.values()})
    ranks = ranks_on_lists(lists, relevant)
    for metric, name in TREC_NAMES.items():
        for k in CUTOFFS:
            np.testing.assert_allclose(per_person(f"{metric}@{k}", ranks), expected(f"{name}_{k}"), atol=1e-9)


def test_reciprocal_rank_equals_pytrec_eval_on_ten_thousand_cases():
    """trec_eval cuts no reciprocal rank, so the lists are cut."""
    lists, relevant = random_lists(10_000, seed=12)
    for k in (1, 3, 12):
        expected = by_trec_eval(*as_dicts(lists[:, :k], relevant), {"recip_rank"})("recip_rank")
        found = per_person(f"mrr@{k}", ranks_on_lists(lists, relevant))
        np.testing.assert_allclose(found, expected, atol=1e-9)


RANX_NAMES = {
    "ndcg": "ndcg",
    "dcg": "dcg",
    "hr": "hit_rate",
    "recall": "recall",
    "precision": "precision",
    "f1": "f1",
    "mrr": "mrr",
    "map": "map",
}


@pytest.mark.parametrize("k", [1, 3, 5, 10, 100])
def test_metrics_equal_ranx_on_two_thousand_cases_each(k: int):
    """Ten thousand in all."""
    lists, relevant = random_lists(2_000, seed=k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and ranx's own
        import ranx

        qrels, run = as_dicts(lists, relevant)
        names = [f"{name}@{k}" for name in RANX_NAMES.values()]
        expected = cast(
            dict[str, FloatArray], ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names, return_mean=False)
        )
    ranks = ranks_on_lists(lists, relevant)
    for metric, name in RANX_NAMES.items():
        np.testing.assert_allclose(per_person(f"{metric}@{k}", ranks), expected[f"{name}@{k}"], atol=1e-9)


needs_trec = pytest.mark.skipif(not TREC.is_dir(), reason="trec_eval's own test isn't at RECLENS_TEST_DATA")


def trec_case() -> tuple[Qrels, Run]:
    """trec_eval's own test: judgements and scores of three questions."""
    qrels: Qrels = {}
    run: Run = {}
    for line in (TREC / "qrels.test").read_text().splitlines():
        question, _, document, relevance = line.split()
        qrels.setdefault(question, {})[document] = int(relevance)
    for line in (TREC / "results.test").read_text().splitlines():
        question, _, document, _, score, _ = line.split()
        run.setdefault(question, {})[document] = float(score)
    return qrels, run


def trec_ranks() -> tuple[list[str], RelevantRanks]:
    """The same, ranked by trec_eval's rule: by score in single precision, ties by document backwards."""
    qrels, run = trec_case()
    names = sorted({document for rows in (*qrels.values(), *run.values()) for document in rows})
    number = {document: place for place, document in enumerate(names, 1)}
    lists = np.zeros((len(qrels), max(map(len, run.values()))), dtype=np.int64)
    for row, question in enumerate(qrels):
        order = sorted(run[question], key=lambda name: (np.float32(run[question][name]), name), reverse=True)
        lists[row, : len(order)] = [number[document] for document in order]
    relevant = [[number[name] for name, value in rows.items() if value > 0] for rows in qrels.values()]
    return list(qrels), ranks_on_lists(lists, Histories.of(relevant))


@needs_trec
def test_figures_are_those_that_trec_eval_ships_with():
    _, ranks = trec_ranks()
    printed = {
        name: float(value)
        for name, who, value in (line.split() for line in (TREC / "out.test").read_text().splitlines())
        if who == "all" and name not in ("runid",)
    }
    found = {"map": "map@1000", "recip_rank": "mrr@1000"}
    found |= {f"P_{k}": f"precision@{k}" for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)}
    for name, metric in found.items():
        assert f"{per_person(metric, ranks).mean():.4f}" == f"{printed[name]:.4f}", name
    assert ranks.total(ranks.ranks > 0).sum() == printed["num_rel_ret"]


@needs_trec
def test_figures_of_each_question_of_trec_evals_own_test_equal_pytrec_eval():
    questions, ranks = trec_ranks()
    found = pytrec_eval.RelevanceEvaluator(
        trec_case()[0], {"map", "recip_rank", *(f"{name}.10,100" for name in TREC_NAMES.values())}
    ).evaluate(trec_case()[1])
    names = {f"{ours}@{k}": f"{theirs}_{k}" for ours, theirs in TREC_NAMES.items() for k in (10, 100)}
    for ours, theirs in {**names, "map@1000": "map", "mrr@1000": "recip_rank"}.items():
        expected = [found[question][theirs] for question in questions]
        np.testing.assert_allclose(per_person(ours, ranks), expected, atol=1e-9, err_msg=ours)
