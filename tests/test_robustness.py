"""Explanations lose what the weights lose, and stay where little changes."""

import numpy as np
import pytest
import torch
from app_workspace import BuiltWorkspace
from command import Command
from hand_made import WeightedSum, small_transformer
from planted import decided_by_the_key, history_with_a_key, keyed_transformer
from scipy.stats import spearmanr, t

from recsys_core.data.events import EventContext
from recsys_core.errors import ConfigError
from recsys_core.explain.agreement import Explained, agreement, spearman
from recsys_core.explain.randomisation import layers_from_the_top, randomisation_check, randomised_copy
from recsys_core.explain.scoring import Question
from recsys_core.explain.stability import (
    agreement_of_models,
    agreement_under_edits,
    with_one_more,
    without_one,
)
from recsys_core.ranker.lstm import RecurrentRanker
from recsys_core.ranker.transformer import TransformerRanker

pytestmark = pytest.mark.usefixtures("one_thread")


def ask(history: list[int], item_number: int) -> Question:
    return Question(np.array(history), item_number, np.array(history))


def of(*values: float) -> Explained:
    return Explained(np.arange(1, len(values) + 1), np.array(values))


def test_rank_correlation_is_that_of_scipy():
    generator = np.random.default_rng(0)
    for n in (3, 4, 9):
        a, b = generator.integers(0, 5, n).astype(float), generator.normal(size=n)
        a[0] = 7  # so that not all are equal
        assert spearman(a, b) == pytest.approx(float(spearmanr(a, b).statistic))  # pyright: ignore[reportAttributeAccessIssue]


def test_two_items_or_equal_values_have_no_correlation():
    assert np.isnan(spearman(np.array([1.0, 2]), np.array([1.0, 2])))
    assert np.isnan(spearman(np.array([1.0, 1, 1]), np.array([1.0, 2, 3])))


def test_agreement_of_three_people_by_hand():
    """Correlations 1, −1 and 1/2; the first item agrees for the first person alone."""
    one = [of(1, 2, 3), of(1, 2, 3), of(1, 2, 3)]
    other = [of(1, 2, 3), of(3, 2, 1), of(1, 3, 2)]
    found = agreement(one, other)
    assert found.n_people == 3
    assert found.spearman == pytest.approx((1 - 1 + 0.5) / 3)
    half = t.ppf(0.975, 2) * np.std([1, -1, 0.5], ddof=1) / 3**0.5
    assert (found.ci_low, found.ci_high) == pytest.approx((found.spearman - half, found.spearman + half))
    assert found.same_first == pytest.approx(1 / 3)


def test_agreement_is_over_the_items_that_both_have():
    one = Explained(np.array([1, 2, 3, 4]), np.array([9.0, 1, 2, 3]))
    other = Explained(np.array([2, 3, 4, 5]), np.array([1.0, 2, 3, -9]))
    assert agreement([one], [other]).spearman == pytest.approx(1)


def test_nobody_with_three_items_leaves_agreement_unknown():
    found = agreement([of(1, 2)], [of(1, 2)])
    assert found.n_people == 0
    assert np.isnan(found.spearman)


def test_layers_go_from_the_scores_down_to_the_items():
    names = [name for name, _ in layers_from_the_top(small_transformer(9))]
    assert names == ["output", "norm", "blocks.1", "blocks.0", "item_vectors"]
    recurrent = RecurrentRanker(9, 8, 1, max_length=5, dropout=0.0)
    names = [name for name, _ in layers_from_the_top(recurrent)]
    assert (names[0], names[-1]) == ("output", "item_vectors")


@pytest.mark.parametrize("block", ["sasrec", "ligr", "hstu"])
def test_layers_hold_every_weight_once(block: str):
    ranker = small_transformer(9, block=block)  # pyright: ignore[reportArgumentType]
    weights = [id(weight) for _, layer in layers_from_the_top(ranker) for weight in layer]
    assert sorted(weights) == sorted(id(weight) for weight in ranker.parameters())


def test_a_randomised_copy_leaves_the_ranker_as_it_is():
    ranker = small_transformer(9)
    before = {name: tensor.clone() for name, tensor in ranker.state_dict().items()}
    copied = randomised_copy(ranker, 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in ranker.state_dict().items())
    one, other = (own.item_vectors().detach().flatten() for own in (ranker, copied))
    assert abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) < 0.5
    assert float(other.std() / one.std()) == pytest.approx(1, abs=0.4)


@pytest.fixture(scope="module")
def keyed() -> TransformerRanker:
    return keyed_transformer()


def keyed_questions(n: int) -> list[Question]:
    generator = np.random.default_rng(5)
    histories = [history_with_a_key(generator)[0] for _ in range(n)]
    return [ask(history, decided_by_the_key(history)) for history in histories]


def test_explanations_of_a_model_that_forgot_everything_have_nothing_in_common_with_the_true_ones(
    keyed: TransformerRanker,
):
    found = randomisation_check(keyed, keyed_questions(60), "leave-one-out")
    assert [own.layer for own in found] == ["output", "norm", "blocks.0", "item_vectors"]
    last = found[-1].agreement
    assert abs(last.spearman) < 0.3
    assert last.same_first < 0.5


def test_a_model_agrees_with_itself():
    ranker = small_transformer(20)
    found = agreement_of_models(ranker, ranker, [ask([1, 2, 3, 4], 9), ask([5, 6, 7], 9)], "leave-one-out")
    assert (found.spearman, found.same_first, found.n_people) == (1, 1, 2)


def test_terms_of_a_sum_do_not_know_of_each_other():
    ranker = WeightedSum(np.random.default_rng(0).normal(size=(21, 21)))
    generator = np.random.default_rng(1)
    questions = [ask(generator.permutation(np.arange(1, 20))[:8].tolist(), 20) for _ in range(20)]
    for found in agreement_under_edits(ranker, questions, "leave-one-out").values():
        assert found.spearman == pytest.approx(1)
        assert found.n_people == 20


def with_context(history: list[int]) -> Question:
    n = len(history)
    context = EventContext(
        np.arange(1, n + 1),
        np.ones(n),
        np.arange(n, dtype=np.float64),
        np.full(n, np.nan),
        np.zeros((n, 0), dtype=np.int64),
        np.zeros(n, dtype=np.int64),
    )
    return Question(np.array(history), 9, np.array(history), context)


def test_an_item_is_dropped_with_all_its_events():
    found = without_one(with_context([3, 4, 3]), 20, np.random.default_rng(0))
    assert found.history.tolist() in ([4], [3, 3])
    assert found.context is not None
    assert found.context.types.tolist() == ([2] if len(found.history) == 1 else [1, 3])
    assert found.seen.tolist() == [3, 4, 3]


def test_a_history_of_one_item_is_not_emptied():
    question = ask([4, 4], 9)
    assert without_one(question, 20, np.random.default_rng(0)) is question


def test_an_added_item_is_a_stranger_with_the_context_of_its_neighbour():
    for seed in range(20):
        found = with_one_more(with_context([3, 4]), 10, np.random.default_rng(seed))
        (place,) = [place for place, item in enumerate(found.history) if item not in (3, 4)]
        assert 1 <= found.history[place] <= 10
        assert found.history[place] != 9
        assert np.delete(found.history, place).tolist() == [3, 4]
        assert found.context is not None
        assert found.context.types.tolist() == [[1, 1, 2], [1, 2, 2], [1, 2, 2]][place]


def test_where_everything_is_touched_nothing_can_be_added():
    question = ask([1, 2], 3)
    assert with_one_more(question, 3, np.random.default_rng(0)) is question


def test_a_ranker_that_counts_has_no_layers():
    with pytest.raises(ConfigError, match="counts and has no layers"):
        randomisation_check(WeightedSum(np.zeros((3, 3))), [], "leave-one-out")


def test_the_command_shows_layers_edits_and_another_model(shop: BuiltWorkspace):
    reclens = Command(shop.home)
    found = reclens.json(
        "robustness", shop.transformer, "--people", "4", "--other", shop.item_knn, "--method", "leave-one-out"
    )
    assert [row["layer"] for row in found["randomised"]][-1] == "item_vectors"
    assert [row["edit"] for row in found["edited"]] == ["one item dropped", "one item added"]
    assert -1 <= found["other_model"]["spearman"] <= 1
    counted = reclens.json("robustness", shop.item_knn, "--people", "4")
    assert (counted["method"], counted["randomised"], counted["other_model"]) == ("counts", [], None)
