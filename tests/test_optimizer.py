"""What moves which weight, how far, and what is remembered of it."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hand_made import small_transformer
from torch import Tensor, nn

from recsys_core.ranker.lstm import RecurrentRanker
from recsys_core.trainer.optimizer import Optimizer, matrices_of_layers

RATE = 0.1


def weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"wide": (8, 24), "tall": (24, 8), "square": (8, 8), "table": (50, 8), "bias": (8,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def gradients(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(weight.shape, generator=generator) for weight in weights().values()]


def an_optimizer(weight_decay: float = 0.0) -> Optimizer:
    return Optimizer(weights(), ["wide", "tall", "square"], RATE, weight_decay)


def changes(optimizer: Optimizer, of: list[Tensor], rate: float = 1.0) -> dict[str, Tensor]:
    before = {name: weight.clone() for name, weight in optimizer.weights.items()}
    optimizer.step(of, rate)
    return {name: weight - before[name] for name, weight in optimizer.weights.items()}


def test_layers_have_matrices_and_tables_are_none():
    ranker = small_transformer(20)
    found = matrices_of_layers(ranker)
    assert set(found) == {
        f"blocks.{block}.{layer}.weight"
        for block in (0, 1)
        for layer in ("convolution.weight", "query_key_value", "output", "feed_forward.1", "feed_forward.3")
    }
    tables = {name for name, weight in ranker.named_parameters() if weight.ndim == 2} - set(found)
    assert {name.split(".")[-2:][-1] for name in tables} == {"weight", "relative_bias"}


def test_what_projects_texts_stands_for_a_table():
    texts = np.ones((21, 6), dtype=np.float16)
    ranker = small_transformer(20, text_vectors=texts)
    assert "item_vectors.projection.weight" in dict(ranker.named_parameters())
    assert matrices_of_layers(ranker) == matrices_of_layers(small_transformer(20))


def test_recurrent_layers_have_matrices():
    ranker = RecurrentRanker(20, 8, 1, 6, 0.0)
    recurrent = {name for name in matrices_of_layers(ranker) if name.startswith("layers")}
    assert recurrent == {"layers.0.weight_ih_l0", "layers.0.weight_hh_l0"}


def test_frozen_matrices_are_left_out():
    layer = nn.Linear(3, 3)
    assert matrices_of_layers(layer) == ["weight"]
    assert matrices_of_layers(layer.requires_grad_(False)) == []


@pytest.mark.parametrize("name", ["wide", "tall", "square"])
def test_a_matrix_moves_as_far_in_all_directions(name: str):
    """Where the gradient's own directions differ by more than a factor of ten."""
    optimizer = an_optimizer()
    steep = gradients(1)
    at = list(optimizer.weights).index(name)
    u, s, v = torch.linalg.svd(steep[at], full_matrices=False)
    steep[at] = u * torch.logspace(0, -1.5, len(s)) @ v
    change = changes(optimizer, steep)[name]
    n, m = change.shape
    lengths = torch.linalg.svdvals(change) / (RATE * 0.2 * math.sqrt(max(n, m)))
    assert lengths.min() > 0.6
    assert lengths.max() < 1.3
    assert bool(((u.T @ change @ v.T).diagonal() < 0).all())  # against the gradient in each direction


def test_tables_and_biases_move_as_adamw_says():
    """Its first step is −rate · g / (|g| + ε)."""
    optimizer, of = an_optimizer(), gradients(1)
    moved = changes(optimizer, of, rate=0.5)
    for name, gradient in zip(optimizer.weights, of, strict=True):
        if name in ("table", "bias"):
            torch.testing.assert_close(moved[name], -0.5 * RATE * gradient.sign(), rtol=1e-4, atol=1e-5)


def test_nothing_but_biases_escapes_decay():
    optimizer = an_optimizer(weight_decay=0.3)
    plain, decayed = an_optimizer(), optimizer
    of = gradients(1)
    expected = changes(plain, [gradient.clone() for gradient in of])
    found = changes(decayed, of)
    for name, weight in weights().items():
        pull = torch.zeros_like(weight) if name == "bias" else -RATE * 0.3 * weight
        torch.testing.assert_close(found[name], expected[name] + pull, rtol=1e-4, atol=1e-5)


def test_it_goes_on_from_its_moments_to_the_bit():
    first, second = an_optimizer(0.1), an_optimizer(0.1)
    first.step(gradients(1), 1.0)
    for name, weight in second.weights.items():
        weight.copy_(first.weights[name])
    second.remember({name: value.clone() for name, value in first.moments().items()})
    for optimizer in (first, second):
        optimizer.step(gradients(2), 0.5)
    for name, weight in second.weights.items():
        assert weight.equal(first.weights[name]), name


@pytest.mark.parametrize("missing", ["wide/momentum_buffer", "table/exp_avg_sq", "bias/step"])
def test_missing_moments_are_an_error(missing: str):
    optimizer = an_optimizer()
    optimizer.step(gradients(1), 1.0)
    kept = {name: value for name, value in optimizer.moments().items() if name != missing}
    assert len(kept) == 3 * 1 + 2 * 3 - 1
    with pytest.raises(KeyError, match=missing):
        an_optimizer().remember(kept)


def test_threads_change_no_bit():
    alone = an_optimizer()
    with ThreadPoolExecutor(2) as pool:
        together = Optimizer(weights(), ["wide", "tall", "square"], RATE, 0.0, pool.map)
        for seed in range(3):
            alone.step(gradients(seed), 1.0)
            together.step(gradients(seed), 1.0)
    for name, weight in together.weights.items():
        assert weight.equal(alone.weights[name]), name
