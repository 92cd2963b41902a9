"""Every method of attribution against Captum, or against what it must be by its definition."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients, ShapleyValues
from hand_made import random_histories, small_transformer
from numpy.typing import NDArray
from one_of_each import N_ITEMS, NEURAL, bert4rec

from recsys_core.data.dataset import Histories
from recsys_core.explain.attributions import Baseline, Method, Options
from recsys_core.explain.history import METHODS, attribute, attribute_many, default_method, methods_of
from recsys_core.explain.scoring import Explained, Question, item_scores, removed
from recsys_core.explain.twin import KeptGelu, twin
from recsys_core.ranker.neighbours import fit_item_knn
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker

pytestmark = pytest.mark.usefixtures("one_thread")

FloatArray = NDArray[np.float64]
HISTORY = np.array([3, 1, 4, 1, 9], dtype=np.int64)
QUESTION = Question(HISTORY, 7, np.unique(HISTORY))
OTHERS = random_histories(seed=5, n=30, n_items=N_ITEMS, longest=9)
PROMISE_A_SUM: list[Method] = ["integrated-gradients", "shapley-sampling", "shapley-exact"]


@pytest.fixture(params=list(NEURAL))
def ranker(request: pytest.FixtureRequest) -> NeuralRanker:
    return NEURAL[request.param]()


def captum_by_layer(
    kind: type[LayerIntegratedGradients] | type[LayerGradientXActivation],
    ranker: NeuralRanker,
    question: Question,
    baseline: NDArray[np.int64] | None = None,
    **options: object,
) -> FloatArray:
    """[length] Captum's layer method at the looked-up vectors, for log-probabilities."""
    with torch.no_grad():
        vectors = ranker.item_vectors()
    candidates = [
        item
        for item in range(1, ranker.n_items + 1)
        if item == question.item_number or item not in question.seen
    ]
    place = candidates.index(question.item_number)

    def log_probability(items: torch.Tensor) -> torch.Tensor:
        batch = HistoryBatch(items, torch.full((len(items),), items.shape[1]))
        logits = ranker.logits(ranker.last_state(batch, vectors), vectors, ranker.item_bias)
        return logits[:, candidates].log_softmax(1)[:, place]

    inputs = torch.from_numpy(question.history)[None]
    start = () if baseline is None else (torch.from_numpy(baseline)[None],)
    values = kind(log_probability, ranker.history_embedding).attribute(inputs, *start, **options)  # pyright: ignore
    assert isinstance(values, torch.Tensor)
    return values.sum(-1)[0].detach().double().numpy()


def test_integrated_gradients_are_captums_at_its_own_fifty_steps(ranker: NeuralRanker):
    found = attribute(ranker, QUESTION, "integrated-gradients", Options(n_steps=50))
    expected = captum_by_layer(
        LayerIntegratedGradients,
        ranker,
        QUESTION,
        np.zeros_like(HISTORY),
        n_steps=50,
        method="gausslegendre",
    )
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-4)
    assert found.n_steps == 50


def test_points_chosen_by_delta_give_the_values_of_five_hundred(ranker: NeuralRanker):
    chosen = attribute(ranker, QUESTION, "integrated-gradients", Options(max_relative_delta=1e-4))
    many = attribute(ranker, QUESTION, "integrated-gradients", Options(n_steps=512))
    assert chosen.n_steps < 512
    scale = np.abs(many.values).max()
    np.testing.assert_allclose(chosen.values, many.values, rtol=0, atol=2e-3 * scale)


def test_gradient_x_input_is_captums(ranker: NeuralRanker):
    found = attribute(ranker, QUESTION, "gradient-x-input")
    expected = captum_by_layer(LayerGradientXActivation, ranker, QUESTION)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-5)
    assert math.isnan(found.delta)
    assert "promise no sum" in found.warnings[0]


def test_gradient_shap_is_integrated_gradients_within_its_standard_errors(ranker: NeuralRanker):
    drawn = attribute(ranker, QUESTION, "gradient-shap", Options(n_draws=512))
    exact = attribute(ranker, QUESTION, "integrated-gradients", Options(n_steps=200))
    assert drawn.standard_errors is not None
    assert (np.abs(drawn.values - exact.values) <= 4 * drawn.standard_errors + 1e-6).all()
    assert (drawn.standard_errors <= np.abs(exact.values).max()).all()


def test_exact_shapley_values_are_captums(ranker: NeuralRanker):
    """Item 1 comes twice, and its value is shared by both places."""
    found = attribute(ranker, QUESTION, "shapley-exact")
    items, place = np.unique(HISTORY, return_inverse=True)

    def worth(present: torch.Tensor) -> torch.Tensor:
        gone = (present.numpy() == 0)[:, place]
        return torch.from_numpy(item_scores(ranker, QUESTION, removed(QUESTION.known, gone, in_place=False)))

    expected = ShapleyValues(worth).attribute(torch.ones(1, len(items)), torch.zeros(1, len(items)))[0]
    shared = expected.double().numpy()[place] / np.bincount(place)[place]
    np.testing.assert_allclose(found.values, shared, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_items_explained_together_are_explained_as_if_alone(method: Method):
    """Item 9 is in the history: it is a candidate where it is explained itself, and nowhere else."""
    ranker = NEURAL["bert4rec"]() if method != "counts" else fit_item_knn(OTHERS, N_ITEMS, 8, 2.0)
    items = [7, 9, 12]
    together = attribute_many(ranker, QUESTION, items, method)
    for item, found in zip(items, together, strict=True):
        alone = attribute(ranker, replace(QUESTION, item_number=item), method)
        np.testing.assert_allclose(found.values, alone.values, rtol=0, atol=2e-3)
        assert [found.score, found.baseline_score] == pytest.approx(
            [alone.score, alone.baseline_score], abs=1e-5, nan_ok=True
        )


@pytest.mark.parametrize("explained", ["log-probability", "logit", "margin"])
@pytest.mark.parametrize("method", PROMISE_A_SUM)
def test_both_ends_are_scores_of_the_ranker(ranker: NeuralRanker, method: Method, explained: Explained):
    """From the ranker's own scores; for log-probabilities, the candidates are 7 and all that wasn't seen."""
    question = replace(QUESTION, explained=explained, rival=2 if explained == "margin" else None)
    found = attribute(ranker, question, method)
    empty = np.zeros(5, dtype=np.int64) if method == "integrated-gradients" else np.zeros(0, dtype=np.int64)
    expected = list[float]()
    for logits in ranker.score(Histories.of([HISTORY, empty])).astype(np.float64):
        candidates = np.exp(logits[[2, 5, 6, 7, 8, *range(10, 16)]]).sum()
        expected.append(
            {
                "log-probability": logits[7] - math.log(candidates),
                "logit": logits[7],
                "margin": logits[7] - logits[2],
            }[explained]
        )
    assert [found.score, found.baseline_score] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("baseline", ["padding", "mean-item", "other-people"])
def test_integrated_gradients_add_up_from_every_baseline(ranker: NeuralRanker, baseline: Baseline):
    options = Options(baseline=baseline, others=OTHERS)
    found = attribute(ranker, QUESTION, "integrated-gradients", options)
    difference = found.score - found.baseline_score
    assert found.values.sum() == pytest.approx(difference, abs=1e-3 * max(abs(difference), 0.01) + 1e-6)
    assert found.warnings == ()


def test_other_people_are_a_mean_over_their_histories():
    """By hand: one path from each of three histories of the same length, and their mean."""
    ranker = small_transformer(N_ITEMS)
    people = [[5, 6, 8, 10, 11], [12, 13, 2, 14, 15], [2, 6, 13, 13, 8]]
    options = Options(baseline="other-people", others=Histories.of(people), n_steps=50)
    found = attribute(ranker, QUESTION, "integrated-gradients", options)
    expected = [
        captum_by_layer(
            LayerIntegratedGradients, ranker, QUESTION, np.array(own), n_steps=50, method="gausslegendre"
        )
        for own in people
    ]
    np.testing.assert_allclose(found.values, np.mean(expected, axis=0), rtol=0, atol=1e-4)
    bases = item_scores(ranker, QUESTION, Histories.of(people))
    assert found.baseline_score == pytest.approx(bases.mean(), abs=1e-5)


def test_the_mean_item_is_what_people_touch_on_average():
    """Everybody touched item 5 alone, so the mean item is item 5."""
    ranker = small_transformer(N_ITEMS)
    options = Options(baseline="mean-item", others=Histories.of([[5], [5, 5]]))
    found = attribute(ranker, QUESTION, "integrated-gradients", options)
    expected = item_scores(ranker, QUESTION, Histories.of([[5, 5, 5, 5, 5]]))[0]
    assert found.baseline_score == pytest.approx(expected, abs=1e-5)


def test_a_mask_is_a_baseline_where_a_ranker_has_one():
    """A history of masks says what the ranker says where every vector is the mask's."""
    ranker = bert4rec()
    found = attribute(ranker, QUESTION, "integrated-gradients", Options(baseline="mask"))
    with torch.no_grad():
        batch = HistoryBatch(torch.zeros(1, 6, dtype=torch.long), torch.tensor([6]))
        state = ranker.read(torch.zeros(1, 6, 8), torch.ones(1, 6, dtype=torch.bool), batch)[:, 5]
        logits = ranker.logits(state, ranker.item_vectors(), ranker.item_bias)[0].double()
    candidates = [2, 5, 6, 7, 8, *range(10, 16)]
    expected = float(logits[7] - logits[candidates].logsumexp(0))
    assert found.baseline_score == pytest.approx(expected, abs=1e-5)


def test_attention_rollout_shares_out_one_and_warns():
    """All that the last place takes comes from the history; a mask behind it keeps its own part."""
    for name, highest in (("transformer", 1.0), ("ligr", 1.0), ("bert4rec", 0.99)):
        found = attribute(NEURAL[name](), QUESTION, "attention-rollout")
        assert (found.values >= 0).all()
        assert 0.1 < found.values.sum() <= highest + 1e-6
        assert highest < 1 or found.values.sum() == pytest.approx(1, abs=1e-6)
        assert "no attribution" in found.warnings[0]
        assert math.isnan(found.delta)


def test_attention_rollout_of_one_block_is_the_block_s_attention():
    """With equal logits everywhere, the last of four places takes a quarter of each, and itself by half."""
    ranker = small_transformer(N_ITEMS)
    del ranker.blocks[1]
    with torch.no_grad():
        ranker.blocks[0].query_key_value.weight.zero_()  # pyright: ignore
        ranker.blocks[0].query_key_value.bias.zero_()  # pyright: ignore
        ranker.blocks[0].relative_bias.zero_()  # pyright: ignore
    found = attribute(ranker, Question(np.array([1, 2, 3, 4]), 7, np.array([1])), "attention-rollout")
    assert found.values.tolist() == pytest.approx([0.125, 0.125, 0.125, 0.625])


def test_rankers_carry_what_fits_them():
    assert "attention-rollout" not in methods_of(NEURAL["hstu"]())
    assert "attention-rollout" not in methods_of(NEURAL["gru"]())
    for name in NEURAL:
        assert default_method(NEURAL[name]()) == "integrated-gradients"
    counting = methods_of(fit_item_knn(OTHERS, N_ITEMS, 8, 2.0))
    assert counting == ("counts", "leave-one-out", "shapley-sampling", "shapley-exact")


@pytest.mark.parametrize("method", methods_of(small_transformer(3)))
def test_what_is_older_than_the_window_adds_nothing(method: Method):
    ranker = small_transformer(N_ITEMS, max_length=3)
    question = Question(np.array([5, 6, 1, 2, 3]), 7, np.array([5, 6, 1, 2, 3]))
    found = attribute(ranker, question, method)
    assert found.values[:2].tolist() == [0, 0]
    assert len(found.values) == 5
    assert np.isfinite(found.values).all()


def test_what_it_took_is_counted():
    ranker = small_transformer(N_ITEMS)
    path = attribute_many(ranker, QUESTION, [7, 8], "integrated-gradients", Options(n_steps=20))[0].cost
    assert (path.forward, path.backward) == (22, 40)
    falls = attribute(ranker, QUESTION, "leave-one-out").cost
    assert (falls.forward, falls.backward) == (5, 0)
    assert falls.seconds > 0


def test_a_long_history_does_not_lose_a_place():
    """Longer than the cache holds: pieces of one row each."""
    ranker = small_transformer(N_ITEMS, max_length=2_100)
    history = random_histories(2, 1, N_ITEMS, 2_100, shortest=2_100)[0]
    question = Question(history, 7, history)
    found = attribute(ranker, question, "gradient-x-input")
    expected = captum_by_layer(LayerGradientXActivation, ranker, question)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-6)


def test_a_twin_gives_what_its_ranker_gives_and_learns_nothing(ranker: NeuralRanker):
    made = twin(ranker)
    batch = HistoryBatch(torch.tensor([[3, 1, 4]]), torch.tensor([3]))
    with torch.no_grad():
        vectors = ranker.item_vectors()
        torch.testing.assert_close(made.last_state(batch, vectors), ranker.last_state(batch, vectors))
    assert not any(weight.requires_grad for weight in made.parameters())
    assert all(weight.requires_grad for weight in ranker.parameters())
    made.history_embedding.register_forward_hook(lambda *_: pytest.fail("heard by the ranker"))
    ranker.score(QUESTION.known)


def test_gelu_and_its_slope_are_torch_s_own():
    x = torch.linspace(-6, 6, 101, dtype=torch.float64, requires_grad=True)
    own, expected = KeptGelu()(x), torch.nn.functional.gelu(x)
    torch.testing.assert_close(own, expected)
    slopes = [torch.autograd.grad(out.sum(), x)[0] for out in (own, expected)]
    torch.testing.assert_close(*slopes)
