"""Ranks and the metrics made of them, against hand-made lists and against ranx."""

import math
import warnings
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_core.errors import ConfigError
from recsys_core.metrics.ranking import METRICS, metric_table, per_person, target_ranks
from recsys_core.metrics.ranks import one_each

RANX_NAMES = {
    "ndcg": "ndcg",
    "hr": "hit_rate",
    "recall": "recall",
    "precision": "precision",
    "f1": "f1",
    "mrr": "mrr",
    "map": "map",
    "dcg": "dcg",
}
ScoreArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def rank(scores: list[float], target: int, seen: list[int] | None = None) -> int:
    """The rank of one target among scores of items 1, 2, …; the padding's score would win, if it counted."""
    row = np.array([[math.inf, *scores]], dtype=np.float32)
    return int(target_ranks(row, np.array([target]), np.array([seen or [0]], dtype=np.int64))[0])


def test_the_highest_score_has_rank_one():
    assert rank([0.1, 0.9, 0.5], target=2) == 1


def test_the_lowest_score_has_the_last_rank():
    assert rank([0.1, 0.9, 0.5], target=1) == 3


def test_seen_items_leave_the_ranking():
    assert rank([0.1, 0.9, 0.5], target=1, seen=[2]) == 2
    assert rank([0.1, 0.9, 0.5], target=1, seen=[3, 2]) == 1


def test_a_seen_item_named_twice_leaves_once():
    assert rank([0.1, 0.9, 0.5], target=1, seen=[2, 2, 0]) == 2


def test_equal_scores_are_ranked_by_item_number():
    assert [rank([0.5, 0.5, 0.5], target) for target in (1, 2, 3)] == [1, 2, 3]


def test_a_tie_with_a_seen_item_does_not_count():
    assert rank([0.5, 0.5, 0.5], target=3, seen=[1]) == 2


def test_the_padding_is_no_candidate():
    assert rank([0.1], target=1) == 1


def test_no_target_has_rank_zero():
    assert rank([0.1, 0.9], target=0) == 0


def test_scores_that_differ_in_the_last_bit_are_no_tie():
    low = np.float32(1.0)
    assert rank([float(low), float(np.nextafter(low, np.float32(2)))], target=1) == 2


def test_a_nan_score_is_an_error():
    with pytest.raises(ConfigError, match="a score is NaN"):
        rank([0.1, math.nan], target=1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.data())
def test_rank_equals_the_place_in_a_sorted_list(levels: list[int], data: st.DataObject):
    target = data.draw(st.integers(1, len(levels)))
    others = [item for item in range(1, len(levels) + 1) if item != target]
    seen = data.draw(st.lists(st.sampled_from(others), max_size=5)) if others else []
    candidates = [item for item in range(1, len(levels) + 1) if item not in seen]
    candidates.sort(key=lambda item: (-levels[item - 1], item))
    assert rank([float(level) for level in levels], target, seen) == 1 + candidates.index(target)


# One relevant item at each rank, k = 3: worked out from the definitions in METRICS.md.
BY_HAND = {
    "hr": [1, 1, 1, 0],
    "recall": [1, 1, 1, 0],
    "precision": [1 / 3, 1 / 3, 1 / 3, 0],
    "ndcg": [1, 1 / math.log2(3), 1 / 2, 0],
    "mrr": [1, 1 / 2, 1 / 3, 0],
    "map": [1, 1 / 2, 1 / 3, 0],
    "f1": [1 / 2, 1 / 2, 1 / 2, 0],  # precision 1/3, recall 1
    "dcg": [1, 1 / math.log2(3), 1 / 2, 0],
    "serendipity": [0, 1 / 3, 0, 0],  # popularity would have placed them 1st, 4th, 3rd, 9th
}
POPULAR_RANKS = np.array([1, 4, 3, 9])


@pytest.mark.parametrize("metric", METRICS)
def test_metric_at_three_by_hand(metric: str):
    ranks = one_each(np.array([1, 2, 3, 4]), popular_ranks=POPULAR_RANKS)
    assert per_person(f"{metric}@3", ranks).tolist() == pytest.approx(BY_HAND[metric])


@pytest.mark.parametrize("metric", METRICS)
def test_a_person_without_a_held_out_item_has_no_value(metric: str):
    values = per_person(f"{metric}@5", one_each(np.array([0, 1]), popular_ranks=np.array([0, 7])))
    assert np.isnan(values[0])
    assert not np.isnan(values[1])


@pytest.mark.parametrize("metric", METRICS)
def test_metric_of_nobody_is_empty(metric: str):
    assert per_person(f"{metric}@5", one_each(np.zeros(0, dtype=np.int64))).tolist() == []


@pytest.mark.parametrize("metric", ["ndcg", "ndcg@", "ndcg@0", "ndcg@-1", "ndcg@1.5", "auc@5", "@5", ""])
def test_a_metric_that_does_not_exist_is_named(metric: str):
    with pytest.raises(ConfigError, match=f"no metric '{metric}'.*ndcg, hr"):
        per_person(metric, one_each(np.array([1])))


def test_auc_is_the_share_of_others_ranked_behind():
    """Of 5 candidates 4 are others: all of them, 2 and none behind."""
    ranks = one_each(np.array([1, 3, 5]), n_candidates=np.array([5, 5, 5]))
    assert per_person("auc", ranks).tolist() == [1, 0.5, 0]


def test_auc_of_an_only_candidate_or_an_unknown_number_of_them_is_not_known():
    only, unknown = one_each(np.array([1]), n_candidates=np.array([1])), one_each(np.array([1]))
    assert np.isnan(per_person("auc", only)).all()
    assert np.isnan(per_person("auc", unknown)).all()


def test_serendipity_is_not_known_without_the_ranks_of_popularity():
    assert np.isnan(per_person("serendipity@5", one_each(np.array([1])))).all()


def test_a_table_of_metrics_has_one_column_each():
    table = metric_table(["hr@1", "hr@2", "mrr@9"], one_each(np.array([2, 0, 1])))
    assert table[[0, 2]].tolist() == [[0, 1, 0.5], [1, 1, 1]]
    assert np.isnan(table[1]).all()


def random_cases(n: int, seed: int) -> tuple[ScoreArray, IntArray, IntArray]:
    """Scores with many ties, a target each, and seen items that never are the target."""
    generator = np.random.default_rng(seed)
    n_items = 12
    scores = generator.integers(0, 4, (n, n_items + 1)).astype(np.float32)
    targets = generator.integers(1, n_items + 1, n)
    seen = generator.integers(0, n_items + 1, (n, 8))
    return scores, targets, np.where(seen == targets[:, None], 0, seen)


def candidates_in_order(scores: ScoreArray, seen: IntArray) -> list[int]:
    """The unseen items of one row, best first, ties by item number, in plain Python."""
    left = [item for item in range(1, len(scores)) if item not in seen]
    return sorted(left, key=lambda item: (-scores[item], item))


@pytest.mark.parametrize("k", [1, 3, 5, 10, 100])
def test_metrics_equal_ranx_on_two_thousand_cases(k: int):
    """Ten thousand in all: ties, seen items, lists that are shorter than k."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="unsafe cast from uint64 to int64"
        )  # of numba, if it compiles
        from ranx import Qrels, Run, evaluate

        scores, targets, seen = random_cases(2_000, seed=k)
        orders = [candidates_in_order(*rows) for rows in zip(scores, seen, strict=True)]
        qrels = Qrels({f"{row:05}": {str(target): 1} for row, target in enumerate(targets)})
        run = Run(
            {
                f"{row:05}": {str(item): float(-place) for place, item in enumerate(order)}
                for row, order in enumerate(orders)
            }
        )
        names = [f"{name}@{k}" for name in RANX_NAMES.values()]
        expected = cast(dict[str, NDArray[np.float64]], evaluate(qrels, run, names, return_mean=False))
    ranks = one_each(target_ranks(scores, targets, seen))
    for metric, name in RANX_NAMES.items():
        np.testing.assert_allclose(
            per_person(f"{metric}@{k}", ranks), expected[f"{name}@{k}"], rtol=0, atol=1e-9
        )
