"""Memory: estimated before the start, near to what training then takes, and refused in a sentence."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from hand_made import dataset_of

from recsys_core.config import make_settings
from recsys_core.data.dataset import Histories
from recsys_core.data.split import leave_one_out
from recsys_core.errors import ConfigError
from recsys_core.pipeline import learn
from recsys_core.ranker.neighbours import fit_ease
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.loop import train, training_loss
from recsys_core.trainer.memory import (
    EASE_MATRICES,
    Load,
    MemoryEstimate,
    check_ease_memory,
    check_memory,
    estimate_memory,
    free_bytes,
    out_of_memory_in_words,
    peak_bytes,
)
from recsys_core.trainer.recipe import Callbacks, Recipe

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
RECIPE = Recipe(1, 1, batch_size=32, learning_rate=0.01, weight_decay=0.0, seed=0, precision="fp32")
FACTOR = 1.6  # that the estimate may be away from the measured peak, either way
ESTIMATE = MemoryEstimate(2**30, 2**30, 2**30, 6 * 2**30, 2**30, 2**20)


def new_ranker(n_items: int) -> NeuralRanker:
    return TransformerRanker(n_items, 32, 1, 2, max_length=100, dropout=0.1)


def of_text(n_items: int) -> NeuralRanker:
    text = torch.zeros(n_items + 1, 384, dtype=torch.float16)
    return TransformerRanker(n_items, 32, 1, 2, max_length=100, dropout=0.1, text_vectors=text)


def estimated(load: Load, recipe: Recipe = RECIPE) -> MemoryEstimate:
    return estimate_memory(new_ranker, training_loss, load, recipe, CPU)


def test_weights_and_moments_are_counted_exactly():
    """Ids, bias, block and norm of 32 numbers, each float32, and two moments of each."""
    ranker = new_ranker(5_000)
    n_weights = sum(weight.numel() for weight in ranker.parameters())
    found = estimated(Load(5_000, 50, 32))
    assert found.weights == 2 * 4 * n_weights
    assert found.optimizer == 2 * 4 * n_weights


def test_frozen_text_has_no_moments():
    found = estimate_memory(of_text, training_loss, Load(5_000, 50, 32), RECIPE, CPU)
    n_weights = sum(weight.numel() for weight in of_text(5_000).parameters())
    assert found.optimizer == 2 * 4 * n_weights
    assert found.weights == 2 * (4 * n_weights + 2 * 5_001 * 384)


def test_memory_grows_with_batch_length_and_items():
    base = estimated(Load(1_000, 50, 32))
    assert estimated(Load(1_000, 50, 64)).activations == pytest.approx(2 * base.activations, rel=0.25)
    assert estimated(Load(1_000, 100, 32)).activations > 1.9 * base.activations
    assert estimated(Load(10_000, 50, 32)).optimizer > 7 * base.optimizer


def test_pieces_and_processes_share_what_a_batch_takes():
    whole = estimated(Load(1_000, 50, 64)).activations
    assert estimated(Load(1_000, 50, 64), replace(RECIPE, accumulation=4)).activations < 0.35 * whole
    assert estimated(Load(1_000, 50, 64, n_processes=4)).activations < 0.35 * whole


def test_estimating_draws_nothing_from_the_generator():
    before = torch.get_rng_state()
    estimated(Load(1_000, 50, 32))
    assert torch.equal(torch.get_rng_state(), before)


def training_peak(n_items: int, length: int, batch_size: int) -> None:
    """Writes by how much training raised this process's peak; runs in a process of its own."""
    generator = np.random.default_rng(0)

    def run(items: int, width: int, windows: int) -> None:
        histories = Histories.of([generator.integers(1, items + 1, width + 1) for _ in range(windows)])
        nothing = Callbacks(lambda _: None, lambda _: None)
        train(new_ranker(items), histories, lambda: 0.5, replace(RECIPE, batch_size=windows), CPU, nothing)

    torch.set_num_threads(2)
    run(20, 5, 4)  # what torch loads at its first step is no part of it
    before = psutil.Process().memory_info().rss
    run(n_items, length, batch_size)
    write_peak_above(before)


def write_peak_above(before: int) -> None:
    """Writes the bytes of this process's peak above `before` to its output."""
    sys.stdout.write(str(peak_bytes() - before))


def in_its_own_process(call: str) -> int:
    """What a function of this file writes in a process of its own."""
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here}:{here.parent}", "OMP_WAIT_POLICY": "PASSIVE"}
    words = [sys.executable, "-c", f"import test_memory; test_memory.{call}"]
    return int(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_items", "length", "batch_size"), [(2_000, 100, 512), (60_000, 20, 64)], ids=["batch", "catalogue"]
)
def test_the_estimate_is_near_the_measured_peak(n_items: int, length: int, batch_size: int):
    measured = in_its_own_process(f"training_peak({n_items}, {length}, {batch_size})")
    found = replace(estimated(Load(n_items, length, batch_size)), scoring=0)  # nothing is scored here
    assert measured / FACTOR < found.total < measured * FACTOR, (measured, found)


def own_peak() -> None:
    """Writes this process's peak to its output."""
    sys.stdout.write(str(peak_bytes()))


@pytest.mark.slow
def test_the_peak_is_not_that_of_whoever_started_the_process():
    block = np.ones(2**28, dtype=np.uint8).repeat(4)  # 1 GB here
    assert peak_bytes() > block.nbytes
    assert in_its_own_process("own_peak()") < block.nbytes


def test_what_fits_passes():
    check_memory(ESTIMATE, ESTIMATE.total, RECIPE)


def test_the_peak_is_the_larger_of_a_step_and_of_scoring():
    assert ESTIMATE.total == 10 * 2**30
    assert replace(ESTIMATE, scoring=20 * 2**30).total == 22 * 2**30


def test_too_large_a_batch_is_refused_with_figures_and_what_to_lower():
    with pytest.raises(
        ConfigError,
        match=r"training would take about 10\.0 GB of memory, and 2\.0 GB are free; lower batch_size "
        r"\(it is 32\) or max_length, or raise accumulation \(it is 1\)",
    ):
        check_memory(ESTIMATE, 2 * 2**30, RECIPE)


def test_too_large_a_catalogue_is_refused_with_another_advice():
    with pytest.raises(ConfigError, match="lower embedding_size, or take fewer items"):
        check_memory(replace(ESTIMATE, weights=20 * 2**30), 2 * 2**30, RECIPE)


def test_ease_is_refused_where_its_dense_matrices_do_not_fit():
    check_ease_memory(1_000, 2**30)
    with pytest.raises(
        ConfigError, match=r"ease would take about .* GB of memory for 100,000 × 100,000 items"
    ):
        check_ease_memory(100_000, 64 * 2**30)


def ease_peak(n_items: int) -> None:
    """Writes by how much fitting EASE raised this process's peak; runs in a process of its own."""
    generator = np.random.default_rng(0)
    histories = Histories.of([generator.integers(1, n_items + 1, 50) for _ in range(200)])
    before = psutil.Process().memory_info().rss
    fit_ease(histories, n_items, 1.0)
    write_peak_above(before)


@pytest.mark.slow
@pytest.mark.parametrize("n_items", [1_500, 3_000])
def test_ease_takes_about_eight_dense_matrices(n_items: int):
    measured = in_its_own_process(f"ease_peak({n_items})")
    assert EASE_MATRICES / FACTOR < measured / (8 * n_items**2) < EASE_MATRICES * FACTOR


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
    ids=["python", "device", "torch on the CPU"],
)
def test_memory_that_runs_out_is_a_sentence(error: BaseException):
    with (
        pytest.raises(
            ConfigError, match=r"ran out of memory \(about 10.0 GB were expected\); lower batch_size"
        ),
        out_of_memory_in_words(ESTIMATE, RECIPE),
    ):
        raise error


def test_another_error_stays_what_it_is():
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory_in_words(ESTIMATE, RECIPE):
        raise RuntimeError("shapes do not match")


def test_free_memory_is_that_of_the_container_where_it_is_less(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("recsys_core.trainer.memory._left_in_container", lambda: 12_345.0)
    assert free_bytes(CPU) == 12_345
    monkeypatch.setattr("recsys_core.trainer.memory._left_in_container", lambda: float("inf"))
    assert 2**20 < free_bytes(CPU) < 2**50


@pytest.mark.parametrize("ranker", ["transformer", "ease"])
def test_training_that_does_not_fit_is_refused_before_anything_is_written(
    ranker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("recsys_core.trainer.memory._left_in_container", lambda: 10.0)
    dataset = dataset_of({f"u{n}": "abcdefgh"[: 3 + n % 5] for n in range(10)})
    with pytest.raises(ConfigError, match=r"of memory.* 0 MB are free"):
        learn(
            dataset,
            leave_one_out(dataset),
            make_settings(ranker),
            seed=0,
            device=CPU,
            cache=tmp_path,
            progress=lambda share, message: None,
            on_epoch=lambda epoch: None,
            checkpoint=tmp_path / "checkpoint",
        )
    assert list(tmp_path.iterdir()) == []
