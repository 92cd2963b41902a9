"""What attributions must keep to: completeness, dummy, symmetry, linearity; sampled values the exact ones."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from hand_made import WeightedSum, histories_in, random_histories, shaken
from one_of_each import N_ITEMS, NEURAL

from recsys_core.explain.attributions import Method, Options
from recsys_core.explain.history import attribute
from recsys_core.explain.scoring import Question
from recsys_core.ranker.blocks import SasrecBlock
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.transformer import TransformerRanker

pytestmark = pytest.mark.usefixtures("one_thread")

COMPLETE: list[Method] = ["integrated-gradients", "shapley-sampling", "shapley-exact"]
BY_GRADIENTS: list[Method] = ["integrated-gradients", "gradient-x-input", "gradient-shap"]


@pytest.fixture(params=list(NEURAL))
def ranker(request: pytest.FixtureRequest) -> NeuralRanker:
    return NEURAL[request.param]()


def about(history: list[int], item_number: int = 7) -> Question:
    return Question(np.array(history, dtype=np.int64), item_number, np.array(history, dtype=np.int64))


def one_plain_block(n_items: int = N_ITEMS) -> tuple[TransformerRanker, SasrecBlock]:
    """A transformer of one block that knows no neighbours and no distances."""
    torch.manual_seed(0)
    made = shaken(TransformerRanker(n_items, 8, 1, 2, max_length=12, dropout=0.0))
    block = cast(SasrecBlock, made.blocks[0])
    with torch.no_grad():
        block.relative_bias.zero_()
        block.convolution.weight.weight.zero_()
    return made, block


@pytest.mark.parametrize("method", COMPLETE)
def test_completeness_values_sum_to_the_difference_of_the_scores(ranker: NeuralRanker, method: Method):
    """To a thousandth by gradients, which say where a path is too steep for that; else to rounding."""
    n_warned = 0
    for number, history in enumerate(histories_in(random_histories(4, 8, N_ITEMS, 8, shortest=1))):
        found = attribute(ranker, Question(history, 1 + number, history), method)
        difference = found.score - found.baseline_score
        slack = 1e-3 * max(abs(difference), 0.01) if method == "integrated-gradients" else 1e-9
        assert found.delta == pytest.approx(found.values.sum() - difference, abs=1e-9)
        if found.warnings:
            n_warned += 1
            assert "miss the difference of the scores" in found.warnings[0]
            assert found.n_steps == 641
        else:
            assert found.values.sum() == pytest.approx(difference, abs=slack)
    assert n_warned <= (1 if method == "integrated-gradients" else 0)


@pytest.mark.parametrize("method", BY_GRADIENTS)
def test_dummy_places_that_the_model_ignores_get_nothing(method: Method):
    """Without attention's output, and without neighbours, the last place is all that the state knows."""
    ranker, block = one_plain_block()
    with torch.no_grad():
        block.output.weight.zero_()
    values = attribute(ranker, about([3, 1, 4, 9]), method).values
    assert values[:3].tolist() == [0, 0, 0]
    assert abs(values[3]) > 1e-3


@pytest.mark.parametrize("method", ["shapley-sampling", "shapley-exact", "leave-one-out"])
def test_dummy_items_that_change_no_score_get_nothing(method: Method):
    weights = np.zeros((6, 6))
    weights[[1, 3], 4] = [1, -5]
    values = attribute(WeightedSum(weights), about([1, 2, 3], 4), method).values
    assert values.tolist() == [1, 0, -5]


@pytest.mark.parametrize("method", ["integrated-gradients", "gradient-x-input"])
def test_symmetry_of_places_that_the_model_does_not_tell_apart(method: Method):
    """One block without distances: to the last place all earlier ones are alike."""
    ranker, _ = one_plain_block()
    there, back = (attribute(ranker, about(history), method).values for history in ([3, 1, 9], [1, 3, 9]))
    np.testing.assert_allclose(there, back[[1, 0, 2]], rtol=0, atol=1e-5)
    twice = attribute(ranker, about([3, 1, 3, 9]), method).values
    assert twice[0] == pytest.approx(twice[2], abs=1e-5)


@pytest.mark.parametrize("method", ["shapley-exact", "leave-one-out"])
def test_symmetry_of_items_that_do_the_same(method: Method):
    """Items 3 and 1 have the same vector, in a model that knows no order."""
    ranker, _ = one_plain_block()
    table = ranker.item_vectors.id
    assert table is not None
    with torch.no_grad():
        table.weight[3] = table.weight[1]
    values = attribute(ranker, about([3, 1, 4, 9]), method).values
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    assert abs(values[0] - values[2]) > 1e-3


@pytest.mark.parametrize("method", [*BY_GRADIENTS, "leave-one-out", "shapley-exact", "shapley-sampling"])
def test_linearity_a_margin_is_the_difference_of_two_logits(ranker: NeuralRanker, method: Method):
    options, logit = Options(n_steps=20), replace(about([3, 1, 4, 9]), explained="logit")
    margin = replace(logit, explained="margin", rival=2)
    own, other, both = (
        attribute(ranker, question, method, options).values
        for question in (logit, replace(logit, item_number=2), margin)
    )
    np.testing.assert_allclose(both, own - other, rtol=1e-4, atol=1e-5)


def test_sampled_shapley_values_are_within_three_standard_errors_of_the_exact_ones():
    """Of 7 rankers × 6 histories × up to 8 items; 3 standard errors of 64 pairs hold 99.6 % of draws."""
    within = list[bool]()
    for made in NEURAL.values():
        ranker = made()
        for seed, history in enumerate(histories_in(random_histories(6, 6, N_ITEMS, 8, shortest=4))):
            question = Question(history, 7, history)
            exact = attribute(ranker, question, "shapley-exact")
            drawn = attribute(ranker, question, "shapley-sampling", Options(n_draws=128, seed=seed))
            assert drawn.standard_errors is not None
            error = np.abs(drawn.values - exact.values)
            within += (error <= 3 * drawn.standard_errors + 1e-9).tolist()
            assert (error <= 5 * drawn.standard_errors + 1e-9).all()
    assert len(within) > 200
    assert np.mean(within) >= 0.985


def test_standard_errors_shrink_with_the_root_of_the_draws():
    ranker, question = NEURAL["transformer"](), about([3, 1, 4, 9, 5, 12])
    few, many = (
        attribute(ranker, question, "shapley-sampling", Options(n_draws=n)).standard_errors
        for n in (64, 1024)
    )
    assert few is not None
    assert many is not None
    assert few.mean() / many.mean() == pytest.approx(4, rel=0.5)


def test_a_sum_is_shared_out_as_its_terms_by_every_method_of_removal():
    """By hand: item 1 speaks for item 4 with 1, item 2 with 2 each of two times, item 3 against it with 5."""
    weights = np.zeros((6, 6))
    weights[[1, 2, 3], 4] = [1, 2, -5]
    for method in ("shapley-exact", "shapley-sampling", "leave-one-out"):
        found = attribute(WeightedSum(weights), about([2, 1, 2, 3], 4), method)
        assert found.values.tolist() == pytest.approx([2, 1, 2, -5])
