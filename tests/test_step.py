"""One step: what cutting a batch in pieces must not change, clipping, schedules."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hand_made import random_histories, small_transformer

from recsys_core.data.profiles import ItemTraits, ProfileLayout
from recsys_core.ranker.hybrid import HybridRanker
from recsys_core.ranker.profile import ProfileColumns
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.loop import train, training_loss
from recsys_core.trainer.processes import ALONE
from recsys_core.trainer.recipe import Callbacks, Recipe
from recsys_core.trainer.schedule import Schedule, rate_at
from recsys_core.trainer.step import Stepper
from recsys_core.trainer.windows import Batch, batches, cut_windows

N_ITEMS = 20
HISTORIES = random_histories(seed=3, n=24, n_items=N_ITEMS, longest=12, shortest=3)
(BATCH,) = batches(cut_windows(HISTORIES, 12), 100, np.random.default_rng(0))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
    torch.set_rng_state(state)


RECIPE = Recipe(
    epochs=2,
    patience=2,
    batch_size=8,
    learning_rate=0.01,
    weight_decay=0.0,
    seed=0,
    precision="fp32",
    optimizer="adamw",
)


def a_stepper(recipe: Recipe) -> Stepper:
    """On a ranker without dropout, in training, with plain gradients of any length."""
    ranker = small_transformer(N_ITEMS).train()
    for module in ranker.modules():
        if hasattr(module, "rate"):
            module.rate = 0.0
    return Stepper(ranker, training_loss, recipe, 10, ALONE, None)


def gradient_seen_by_optimizer(stepper: Stepper, batch: Batch = BATCH) -> dict[str, torch.Tensor]:
    """After one step from nothing, the first moment is (1 − β₁) times the gradient."""
    stepper.step(batch, "here")
    moments = stepper.optimizer.moments()
    return {name: moments[f"{name}/exp_avg"] / 0.1 for name in stepper.weights}


def plain_gradient() -> tuple[float, dict[str, torch.Tensor]]:
    """By one backward pass over the whole batch."""
    ranker = a_stepper(RECIPE).ranker
    loss = training_loss(ranker, BATCH)
    loss.backward()
    return float(loss.detach()), {
        name: weight.grad for name, weight in ranker.named_parameters() if weight.grad is not None
    }


@pytest.mark.parametrize("accumulation", [1, 2, 3, 7, 1000])
def test_pieces_have_the_gradient_of_the_whole(accumulation: int):
    """Pieces of unequal numbers of targets, and more pieces than windows."""
    expected_loss, expected = plain_gradient()
    recipe = replace(RECIPE, accumulation=accumulation, max_gradient_norm=1e9)
    assert a_stepper(recipe).step(BATCH, "here") == pytest.approx(expected_loss, rel=1e-5)
    found = gradient_seen_by_optimizer(a_stepper(recipe))
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("longest", [0.01, 0.5])
def test_a_long_gradient_is_shortened_in_its_direction(longest: float):
    _, expected = plain_gradient()
    length = math.sqrt(sum(float((gradient**2).sum()) for gradient in expected.values()))
    assert length > longest
    found = gradient_seen_by_optimizer(a_stepper(replace(RECIPE, max_gradient_norm=longest)))
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient * longest / length, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("accumulation", [1, 3])
def test_a_step_is_that_of_torch_adamw(accumulation: int):
    """First step of AdamW by hand: −rate · g / (|g| + ε), the rate being at its full height."""
    stepper = a_stepper(
        replace(
            RECIPE, accumulation=accumulation, schedule="constant", warm_up_share=0.0, max_gradient_norm=1e9
        )
    )
    before = {name: weight.detach().clone() for name, weight in stepper.weights.items()}
    _, gradients = plain_gradient()
    stepper.step(BATCH, "here")
    for name, gradient in gradients.items():
        clear = gradient.abs() > 1e-4  # elsewhere rounding decides the direction
        expected = before[name] - 0.01 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(
            stepper.weights[name].detach()[clear], expected[clear], rtol=1e-4, atol=1e-5
        )


def test_the_cosine_is_half_way_down_in_the_middle():
    rates = [rate_at(step, 100, "cosine", 0.2) for step in (0, 19, 20, 40, 60, 80, 100)]
    expected = [0.05, 1.0, 1.0, 0.5 * (1 + math.sqrt(0.5)), 0.5, 0.5 * (1 - math.sqrt(0.5)), 0.0]
    assert rates == pytest.approx(expected)


def test_the_line_falls_evenly_after_the_warm_up():
    assert [rate_at(step, 100, "linear", 0.2) for step in (0, 19, 20, 40, 60, 100)] == pytest.approx(
        [0.05, 1.0, 1.0, 0.75, 0.5, 0.0]
    )


def test_a_constant_rate_stays_after_the_warm_up():
    assert [rate_at(step, 10, "constant", 0.2) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warm_up_share", [0.0, 0.05, 0.5, 0.99])
@pytest.mark.parametrize("n_steps", [1, 2, 7, 100])
def test_a_rate_is_above_zero_and_never_above_one(schedule: Schedule, warm_up_share: float, n_steps: int):
    rates = [rate_at(step, n_steps, schedule, warm_up_share) for step in range(n_steps)]
    assert all(0 < rate <= 1 for rate in rates)
    peak = int(np.argmax(rates))
    assert all(a <= b for a, b in itertools.pairwise(rates[: peak + 1]))
    assert all(a >= b for a, b in itertools.pairwise(rates[peak:]))


def losses_under(schedule: Schedule) -> list[float]:
    torch.manual_seed(0)
    ranker = TransformerRanker(N_ITEMS, 8, 1, 2, max_length=6, dropout=0.0)
    told: list[float] = []
    callbacks = Callbacks(lambda _: None, lambda epoch: told.append(epoch.loss))
    train(ranker, HISTORIES, lambda: 0.5, replace(RECIPE, schedule=schedule), torch.device("cpu"), callbacks)
    return told


def test_a_schedule_reaches_the_weights():
    assert len({tuple(losses_under(schedule)) for schedule in ("cosine", "linear", "constant")}) == 3


def learned_in_threads(n_threads: int) -> dict[str, torch.Tensor]:
    """A hybrid, which meets one of its layers twice on the way, after twelve steps in bfloat16."""
    torch.manual_seed(0)
    traits = ItemTraits(("popularity taste",), np.zeros((N_ITEMS + 1, 1)))
    layout = ProfileLayout(traits.names, (), (), (), has_times=False, has_dwell=False, has_strengths=False)
    ranker = HybridRanker(N_ITEMS, 16, 12, 0.1, ProfileColumns.of(layout, traits))
    torch.set_num_threads(n_threads)
    recipe = replace(RECIPE, epochs=4, patience=4, precision="bf16", optimizer="muon")
    callbacks = Callbacks(lambda _: None, lambda _: None)
    rising = iter(range(4))
    train(ranker, HISTORIES, lambda: next(rising), recipe, torch.device("cpu"), callbacks)
    return ranker.tensors()


def test_threads_change_no_bit_of_what_is_learned():
    alone = learned_in_threads(1)
    for _ in range(5):  # what depends on time needs several chances
        together = learned_in_threads(2)
        assert all(value.equal(alone[name]) for name, value in together.items())
