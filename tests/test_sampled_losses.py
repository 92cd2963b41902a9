"""Losses with drawn negatives: by hand, against the full softmax and torch, and how negatives are drawn."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hand_made import histories_in, random_histories, small_transformer
from scipy.stats import chisquare
from torch import Tensor

from recsys_core.data.dataset import Histories
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker, Prediction
from recsys_core.ranker.noise import seed_noise
from recsys_core.ranker.popularity import item_counts
from recsys_core.trainer.losses import softmax_over_candidates
from recsys_core.trainer.negatives import NegativeSampler, allowed_negatives
from recsys_core.trainer.objective import LossChoice, LossName, Objective
from recsys_core.trainer.sampled_losses import (
    bayesian_personalised_ranking,
    binary_cross_entropy,
    gbce_power,
    sampled_softmax,
    squared_error,
)

N_ITEMS = 12
LOG3 = math.log(3)
BOTH = torch.tensor([[True, True]])


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_sampled_softmax_by_hand():
    """e⁰ = 1 for the target; the negatives e⁰ / 2 and e^ln 3 / 0.5 = 6: −log(1 / 7.5)."""
    loss = sampled_softmax(column(0), column(0, LOG3)[None], BOTH, column(math.log(2), math.log(0.5)))
    assert float(loss) == pytest.approx(math.log(7.5))


def test_sampled_softmax_leaves_out_what_is_not_allowed():
    loss = sampled_softmax(column(0), column(0, 50)[None], torch.tensor([[True, False]]), column(0, 0))
    assert float(loss) == pytest.approx(math.log(2))


def test_sampled_softmax_without_an_allowed_negative_is_certain():
    nobody = torch.tensor([[False, False]])
    assert float(sampled_softmax(column(-3), column(0, 50)[None], nobody, column(0, 0))) == 0.0


def test_sampled_softmax_is_the_mean_over_states():
    """log 2 where the negative scores the same, log 4 where it scores log 3 more."""
    loss = sampled_softmax(column(0, 1), column(0, 1 + LOG3)[:, None], BOTH.T, column(0))
    assert float(loss) == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_binary_cross_entropy_by_hand():
    """σ(ln 3) = 3/4 for the target; 1 − σ(0) = 1/2 and 1 − σ(ln 3) = 1/4 for the negatives."""
    loss = binary_cross_entropy(column(LOG3), column(0, LOG3)[None], BOTH)
    assert float(loss) == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2) + math.log(1 / 4)) / 3)


def test_binary_cross_entropy_equals_torch():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    labels = torch.zeros(6, 5, dtype=torch.float64)
    labels[:, 0] = 1
    expected = F.binary_cross_entropy_with_logits(scores, labels)
    found = binary_cross_entropy(scores[:, 0], scores[:, 1:], torch.ones(6, 4, dtype=torch.bool))
    torch.testing.assert_close(found, expected)


def test_binary_cross_entropy_counts_the_negatives_that_are_allowed():
    loss = binary_cross_entropy(column(LOG3), column(0, 9)[None], torch.tensor([[True, False]]))
    assert float(loss) == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2)


def test_gbce_by_hand():
    """m = 2 of 9 others: α = 2/9. t = 0.5: β = 2/9 (0.5 (1 − 9/2) + 9/2) = 2/9 · 11/4 = 11/18."""
    power = gbce_power(n_negatives=2, n_items=10, calibration=0.5)
    assert power == pytest.approx(11 / 18)
    loss = binary_cross_entropy(column(LOG3), column(0, LOG3)[None], BOTH, power)
    expected = -(11 / 18 * math.log(3 / 4) + math.log(1 / 2) + math.log(1 / 4)) / 3
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize(("calibration", "power"), [(0.0, 1.0), (1.0, 0.25)])
def test_gbce_goes_from_bce_to_the_share_of_items_drawn(calibration: float, power: float):
    assert gbce_power(25, 101, calibration) == pytest.approx(power)


def test_gbce_with_more_negatives_than_items_is_bce():
    assert gbce_power(50, 11, 0.75) == pytest.approx(1.0)


def test_bpr_by_hand():
    """σ(0) = 1/2 and σ(ln 3) = 3/4."""
    loss = bayesian_personalised_ranking(column(LOG3), column(LOG3, 0)[None], BOTH)
    assert float(loss) == pytest.approx(-(math.log(1 / 2) + math.log(3 / 4)) / 2)


def test_bpr_leaves_out_what_is_not_allowed():
    allowed = torch.tensor([[True, False], [False, False]])
    loss = bayesian_personalised_ranking(column(LOG3, 0), torch.zeros(2, 2, dtype=torch.float64), allowed)
    assert float(loss) == pytest.approx(-math.log(3 / 4) / 2)


def test_squared_error_by_hand():
    """(3 − 5)² and (4 − 4.5)²; the unknown rating counts for nothing."""
    predicted = column(3, 4, 100).requires_grad_()
    loss = squared_error(predicted, column(5, 4.5, math.nan))
    assert loss.item() == pytest.approx((4 + 0.25) / 2)
    (gradient,) = torch.autograd.grad(loss, predicted)
    assert gradient.tolist() == [-2, -0.5, 0]


def test_squared_error_of_no_rating_is_zero():
    assert float(squared_error(column(3), column(math.nan))) == 0.0


def test_extreme_scores_have_finite_losses_and_gradients():
    positive = column(-500, 500).requires_grad_()
    negative = column(500, -500)[:, None].clone().requires_grad_()
    allowed = torch.ones(2, 1, dtype=torch.bool)
    for loss in (
        sampled_softmax(positive, negative, allowed, column(0)),
        binary_cross_entropy(positive, negative, allowed),
        bayesian_personalised_ranking(positive, negative, allowed),
    ):
        assert math.isfinite(loss.item())
        assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, [positive, negative]))


def example(n: int = 40) -> tuple[NeuralRanker, Prediction, Tensor, Histories]:
    """A ranker's states with random targets that aren't among what was seen."""
    ranker = small_transformer(N_ITEMS).double()
    seen = random_histories(seed=1, n=n, n_items=N_ITEMS, longest=4, shortest=1)
    generator = np.random.default_rng(2)
    targets = [generator.choice(np.setdiff1d(np.arange(1, N_ITEMS + 1), own)) for own in histories_in(seen)]
    vectors = ranker.item_vectors()
    padded = seen.padded(4)
    batch = HistoryBatch(torch.from_numpy(padded), torch.from_numpy(seen.lengths))
    states = ranker.last_state(batch, vectors)
    asked = Prediction(states, torch.arange(n), batch.lengths, torch.tensor(np.array(targets)))
    return ranker, asked, vectors, seen


def test_with_every_item_drawn_as_often_as_expected_it_is_the_full_softmax():
    ranker, asked, vectors, seen = example()
    full = softmax_over_candidates(asked.states, vectors, ranker.item_bias, asked.targets, seen)
    items = np.arange(1, N_ITEMS + 1)
    allowed = allowed_negatives(items, asked.targets.numpy(), seen)
    positive = ranker.own_logits(asked.states, vectors[asked.targets], ranker.item_bias[asked.targets])
    negative = ranker.logits(asked.states, vectors[1:], ranker.item_bias[1:])
    sampled = sampled_softmax(positive, negative, allowed, torch.zeros(N_ITEMS, dtype=torch.float64))
    torch.testing.assert_close(sampled, full)
    for one, other in zip(
        torch.autograd.grad(sampled, asked.states, retain_graph=True),
        torch.autograd.grad(full, asked.states),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_many_negatives_come_close_to_the_full_softmax_however_they_are_drawn(exponent: float):
    """The correction takes back that popular items are drawn more often."""
    ranker, asked, vectors, seen = example()
    counts = np.arange(N_ITEMS + 1.0) ** 2
    choice = LossChoice("sampled-softmax", 20_000, exponent)
    seed_noise(0)
    sampled = Objective.of(choice, counts).loss(ranker, asked, vectors, seen)
    full = Objective.of(LossChoice("softmax"), counts).loss(ranker, asked, vectors, seen)
    assert sampled.item() == pytest.approx(full.item(), rel=0.02)


def losses_of(name: LossName, seed: int) -> float:
    ranker, asked, vectors, seen = example()
    seed_noise(seed)
    return Objective.of(LossChoice(name, 5), np.ones(N_ITEMS + 1)).loss(ranker, asked, vectors, seen).item()


@pytest.mark.parametrize("name", ["sampled-softmax", "gbce", "bce", "bpr"])
def test_negatives_are_drawn_by_the_seeded_noise(name: LossName):
    assert losses_of(name, seed=1) == losses_of(name, seed=1)
    assert losses_of(name, seed=1) != losses_of(name, seed=2)


def test_each_loss_is_that_of_its_name():
    found = {name: losses_of(name, seed=1) for name in ("sampled-softmax", "gbce", "bce", "bpr")}
    ranker, asked, vectors, seen = example()
    seed_noise(1)
    objective = Objective.of(LossChoice("bce", 5), np.ones(N_ITEMS + 1))
    drawn = objective.sampler.draw(5, np.random.Generator(np.random.SFC64([1])))
    scores = (asked.states @ vectors.T + ranker.item_bias).detach()
    positive, negative = scores[torch.arange(40), asked.targets], scores[:, drawn.items]
    banned = [
        [item == target or item in own for item in drawn.items]
        for target, own in zip(asked.targets.tolist(), histories_in(seen), strict=True)
    ]
    allowed = ~torch.tensor(banned)
    power = gbce_power(5, N_ITEMS, 0.75)
    log_expected = torch.full((5,), math.log(5 / N_ITEMS), dtype=torch.float64)
    assert found == {
        "sampled-softmax": pytest.approx(
            float(sampled_softmax(positive, negative, allowed, log_expected)), rel=1e-5
        ),
        "gbce": pytest.approx(float(binary_cross_entropy(positive, negative, allowed, power)), rel=1e-5),
        "bce": pytest.approx(float(binary_cross_entropy(positive, negative, allowed)), rel=1e-5),
        "bpr": pytest.approx(float(bayesian_personalised_ranking(positive, negative, allowed)), rel=1e-5),
    }


@pytest.mark.parametrize(
    ("exponent", "shares"),
    [(0.0, [1 / 3] * 3), (1.0, [1 / 14, 4 / 14, 9 / 14]), (0.5, [1 / 6, 2 / 6, 3 / 6])],
)
def test_negatives_are_drawn_by_popularity_to_a_power(exponent: float, shares: list[float]):
    """Counts 0, 3 and 8, with one more each: 1, 4, 9."""
    sampler = NegativeSampler.by_popularity(np.array([0.0, 0.0, 3.0, 8.0]), exponent)
    np.testing.assert_allclose(sampler.probabilities, [0, *shares])
    drawn = sampler.draw(9_000, np.random.default_rng(0))
    counts = item_counts(Histories.of([drawn.items]), 3)[1:]
    assert chisquare(counts, 9_000 * np.array(shares)).pvalue > 0.01
    np.testing.assert_allclose(drawn.log_expected, np.log(9_000 * np.array(shares))[drawn.items - 1])


def test_neither_the_target_nor_what_was_seen_stands_against_a_state():
    seen = Histories.of([[1, 2], [], [9]])
    allowed = allowed_negatives(np.array([5, 2, 5, 7]), np.array([5, 7, 1]), seen)
    assert allowed.tolist() == [
        [False, False, False, True],
        [True, True, True, False],
        [True, True, True, True],
    ]
