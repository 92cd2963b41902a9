"""A ranker taught by foreign lists finds them again where they follow from histories, and says so if not."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from app_workspace import BuiltWorkspace
from hand_made import dataset_of, random_histories
from sklearn.metrics import ndcg_score

from recsys_core.actions.models import lists_for_all, open_model
from recsys_core.actions.surrogates import distil_lists, list_item_json, lists_of_table
from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.surrogate import Surrogate, agreement, distil, explain_list_item
from recsys_core.ranker.neighbours import WHOLE_HISTORY, NeighbourRanker
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.store.workspace import Workspace

N_ITEMS = 40
KNOWN = random_histories(seed=4, n=400, n_items=N_ITEMS, longest=12, shortest=3)


def elsewhere(decay: float = 1.0) -> NeighbourRanker:
    """Another's recommender: every item leads to four others, with different weights."""
    generator = np.random.default_rng(2)
    weights = np.zeros((N_ITEMS + 1, N_ITEMS + 1))
    for item in range(1, N_ITEMS + 1):
        weights[item, generator.permutation(N_ITEMS)[:4] + 1] = [4, 3, 2, 1]
    return NeighbourRanker(sp.csr_matrix(weights), decay, WHOLE_HISTORY)


def lists_of(ranker: NeighbourRanker, k: int = 10) -> Histories:
    return Histories.of(list(top_k(mask_seen(ranker.score(KNOWN), KNOWN), k)))


@pytest.fixture(scope="module")
def taught() -> Surrogate:
    return distil(KNOWN, lists_of(elsewhere()), N_ITEMS, k=5)


def test_lists_that_follow_from_histories_are_found_again(taught: Surrogate):
    assert taught.agreement.overlap > 0.6
    assert taught.agreement.ndcg > 0.7
    assert taught.agreement.n_people == 80
    assert taught.explains
    assert taught.reason.startswith("on 80 people whom it hadn't seen, the surrogate found")


def test_lists_by_chance_are_not_explained():
    generator = np.random.default_rng(5)
    by_chance = Histories.of([generator.permutation(N_ITEMS)[:20] + 1 for _ in range(len(KNOWN))])
    found = distil(KNOWN, by_chance, N_ITEMS, k=5)
    assert found.agreement.overlap < 0.3
    assert not found.explains
    with pytest.raises(DataError, match="50% are needed, so it can't say why items are on these lists"):
        explain_list_item(found, KNOWN[0], 7, [])


def test_the_stated_agreement_decides(taught: Surrogate):
    strict = Surrogate(taught.ranker, taught.agreement, min_agreement=0.99)
    assert not strict.explains
    assert "99% are needed" in strict.reason


def test_recent_items_weigh_more_where_they_did_elsewhere():
    assert distil(KNOWN, lists_of(elsewhere(decay=0.6)), N_ITEMS, k=5).ranker.decay == 0.7


def test_the_terms_add_up_to_the_surrogates_score(taught: Surrogate):
    found = explain_list_item(taught, KNOWN[3], 7, KNOWN[3].tolist())
    score = taught.ranker.score(Histories.of([KNOWN[3]]))[0, 7]
    assert found.values.sum() == pytest.approx(score, abs=1e-5)
    assert len(found.values) == len(KNOWN[3])


def test_the_planted_cause_is_the_strongest_term(taught: Surrogate):
    """Item 1 alone of the history leads to its first target with the full weight."""
    target = int(elsewhere().weights.toarray()[1].argmax())
    others = [
        item for item in range(2, N_ITEMS + 1) if elsewhere().weights[item, target] == 0 and item != target
    ]
    history = np.array([others[0], 1, others[1], others[2]])
    found = explain_list_item(taught, history, target, history.tolist())
    assert int(np.argmax(found.values)) == 1


def test_agreement_by_hand():
    """Theirs is 5, 6; ours is 6, 7: half is found. Gains 2 and 1: 1 / (2 + 1 / log2 3)."""
    weights = np.zeros((8, 8))
    weights[1, [6, 7, 5]] = [3, 2, 1]
    ranker = NeighbourRanker(sp.csr_matrix(weights), 1.0, WHOLE_HISTORY)
    found = agreement(ranker, Histories.of([[1]]), Histories.of([[5, 6]]), k=2)
    assert found.overlap == 0.5
    assert found.ndcg == pytest.approx(1 / (2 + 1 / np.log2(3)))


def test_ndcg_against_their_order_is_that_of_scikit_learn():
    ranker, lists, k = elsewhere(0.7), lists_of(elsewhere()), 6
    relevance = np.zeros((len(KNOWN), N_ITEMS + 1))
    for row in range(len(KNOWN)):
        relevance[row, lists[row][:k]] = k - np.arange(k)
    noise = np.random.default_rng(0).normal(size=(N_ITEMS + 1, N_ITEMS + 1))  # so that scores don't tie
    ranker = NeighbourRanker(sp.csr_matrix(ranker.weights.toarray() + noise), 0.7, WHOLE_HISTORY)
    scores = mask_seen(ranker.score(KNOWN), KNOWN)
    scores[~np.isfinite(scores)] = scores[np.isfinite(scores)].min() - 1
    expected = ndcg_score(relevance, scores, k=k)
    assert agreement(ranker, KNOWN, lists, k).ndcg == pytest.approx(expected, abs=1e-9)


def test_touched_items_on_a_list_count_for_nothing():
    with_touched = [[*KNOWN[row], *own] for row, own in enumerate(map(list, _rows(lists_of(elsewhere()))))]
    found = distil(KNOWN, Histories.of(with_touched), N_ITEMS, k=5)
    assert found.agreement == distil(KNOWN, lists_of(elsewhere()), N_ITEMS, k=5).agreement


def _rows(histories: Histories) -> list[list[int]]:
    return [histories[row].tolist() for row in range(len(histories))]


def test_the_same_seed_holds_the_same_people_out(taught: Surrogate):
    again = distil(KNOWN, lists_of(elsewhere()), N_ITEMS, k=5)
    assert again.agreement == taught.agreement


def test_too_few_lists_or_too_many_items_are_refused():
    with pytest.raises(DataError, match="2 people have a history and a list"):
        distil(Histories.of([[1], [2], []]), Histories.of([[3], [4], [5]]), N_ITEMS)
    with pytest.raises(ConfigError, match="a surrogate of 9,000 items"):
        distil(KNOWN, lists_of(elsewhere()), 9_000)
    with pytest.raises(ConfigError, match="k is 0"):
        distil(KNOWN, lists_of(elsewhere()), N_ITEMS, k=0)


def test_a_table_becomes_lists_in_the_order_of_ranks_or_scores():
    data = dataset_of({"ann": "abc", "bob": "cba"})
    rows = pd.DataFrame(
        {
            "user_id": ["bob", "ann", "ann", "eve", "ann"],
            "item_id": ["a", "c", "a", "a", "z"],
            "rank": [1, 2, 1, 1, 3],
        }
    )
    assert _rows(lists_of_table(data, rows)) == [[1, 3], [1]]
    scores = rows.drop(columns="rank").assign(score=[0.1, 0.9, 0.2, 0.3, 0.5])
    assert _rows(lists_of_table(data, scores)) == [[3, 1], [1]]
    with pytest.raises(DataError, match="the table has user_id, item_id"):
        lists_of_table(data, rows.drop(columns="rank"))


def test_lists_of_a_kept_model_are_explained_by_a_surrogate_with_its_agreement_first(shop: BuiltWorkspace):
    model = open_model(Workspace.open(shop.home), shop.item_knn)
    lists = lists_of_table(model.data.dataset, lists_for_all(model, 10))
    surrogate = distil_lists(model.data, lists, min_agreement=0.05)
    user = str(model.data.dataset.users["user_id"].iloc[0])
    item = str(model.data.dataset.item_ids[lists[0][0]])
    found = list_item_json(model.data, surrogate, user, item)
    assert next(iter(found)) == "agreement"
    assert 0.05 <= found["agreement"]["overlap"] <= 1
    total = sum(row["attribution"] for row in found["attributions"])
    assert total == pytest.approx(found["score"], abs=1e-4)
    touched = str(model.data.dataset.item_ids[model.data.dataset.events[0][0]])
    with pytest.raises(DataError, match="so it is no candidate"):
        list_item_json(model.data, surrogate, user, touched)
