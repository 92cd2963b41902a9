"""Two processes on this machine that train one ranker, as torchrun starts them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_made import random_histories
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from recsys_core.data.events import Askers
from recsys_core.errors import CancelledError, RecsysError
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.groups import GroupChoice, PeopleGroups
from recsys_core.trainer.loop import train
from recsys_core.trainer.processes import ALONE, Processes, joined_processes
from recsys_core.trainer.recipe import Callbacks, Epoch, Recipe
from recsys_core.trainer.resume import Checkpoint
from recsys_core.trainer.windows import cut_windows

HISTORIES = random_histories(seed=3, n=37, n_items=20, longest=12, shortest=3)
FEW = random_histories(seed=3, n=9, n_items=20, longest=6, shortest=3)
VALID = [0.2, 0.5, 0.3, 0.4]
PATIENCE_S = 200


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
    torch.set_rng_state(state)


RECIPE = Recipe(4, 2, batch_size=8, learning_rate=0.01, weight_decay=0.01, seed=0, optimizer="muon")


def run(
    folder: Path, processes: Processes, accumulation: int, stop_after: int | None = None, poison: bool = False
) -> TransformerRanker:
    """Trains for as long as patience lasts; only the first process validates, is told and writes."""
    torch.manual_seed(0)
    ranker = TransformerRanker(20, 8, 1, 2, max_length=6, dropout=0.2)
    checkpoint = Checkpoint(folder / "checkpoint", "s", "d")

    def validate() -> float:
        (folder / f"validated by {processes.rank}").touch()
        return VALID[n_epochs_in(checkpoint.path)]

    def follow(epoch: Epoch) -> None:
        if epoch.number == stop_after:
            raise CancelledError("a person stopped it")
        if poison and processes.is_first:
            with torch.no_grad():
                ranker.item_bias[3] = float("nan")

    callbacks = Callbacks(lambda _: None, follow)
    how, cpu = replace(RECIPE, accumulation=accumulation), torch.device("cpu")
    train(ranker, HISTORIES, validate, how, cpu, callbacks, checkpoint, processes)
    return ranker


def run_by_groups(processes: Processes) -> TransformerRanker:
    """Trains on nine people, the last batch being of one, while two groups are made unreadable."""
    torch.manual_seed(0)
    ranker, attributes = TransformerRanker(20, 8, 1, 2, max_length=6, dropout=0.2), np.arange(9) % 2 + 1
    known = replace(FEW, askers=Askers(attributes[:, None], np.full(9, np.nan)))
    how = replace(RECIPE, accumulation=3 - processes.size, groups=GroupChoice("adversarial", 1.0))
    groups = PeopleGroups(("even", "odd"), (0,), ((1,), (2,)), (0, 1))
    callbacks, rising = Callbacks(lambda _: None, lambda _: None), iter(VALID)
    cpu = torch.device("cpu")
    train(ranker, known, lambda: next(rising), how, cpu, callbacks, None, processes, groups)
    return ranker


def n_epochs_in(path: Path) -> int:
    """How many epochs a checkpoint is of; 0 where there is none."""
    if not path.exists():
        return 0
    with safe_open(path, framework="pt") as file:
        return len(json.loads(file.metadata()["run"])["epochs"])


def one_of_two(folder: Path, stop_after: int | None, poison: bool) -> None:
    """What each process does; how it ended is in a file of its own."""
    torch.set_num_threads(2)
    with joined_processes() as processes:
        try:
            ranker = run(folder, processes, 1, stop_after, poison)
        except RecsysError as error:
            (folder / f"error {processes.rank}").write_text(f"{type(error).__name__}: {error}")
            return
        save_file(ranker.tensors(), folder / f"weights {processes.rank}")


def one_of_two_by_groups(folder: Path) -> None:
    """As `one_of_two`, by groups."""
    torch.set_num_threads(2)
    with joined_processes() as processes:
        save_file(run_by_groups(processes).tensors(), folder / f"weights {processes.rank}")


def two_processes(folder: Path, stop_after: int | None = None, poison: bool = False) -> None:
    in_two(f"one_of_two(t.Path({str(folder)!r}), {stop_after}, {poison})")


def in_two(call: str) -> None:
    """Calls a function of this module in two processes, and waits for both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = Path(__file__).parent
    shared = {
        "PYTHONPATH": f"{here}:{here.parent}",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", f"import test_processes as t; t.{call}"],
            env=os.environ | shared | {"RANK": rank},
        )
        for rank in ("0", "1")
    ]
    try:
        assert [process.wait(PATIENCE_S) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()


def same_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_two_processes_end_with_the_bits_of_one_with_as_many_pieces(tmp_path: Path):
    """Stopped after an epoch, resumed by both, and ended by patience: each of them holds the same."""
    both, alone = tmp_path / "both", tmp_path / "alone"
    both.mkdir(), alone.mkdir()
    two_processes(both, stop_after=1)
    assert (both / "error 0").read_text() == "CancelledError: a person stopped it"
    assert (both / "error 1").read_text() == "CancelledError: the first process stopped the training"
    two_processes(both)
    expected = run(alone, ALONE, accumulation=2).tensors()
    for rank in (0, 1):
        assert same_bits(load_file(both / f"weights {rank}"), expected)
    assert (both / "validated by 0").exists()
    assert not (both / "validated by 1").exists()


@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_process_stops_both(tmp_path: Path):
    two_processes(tmp_path, poison=True)
    for rank in (0, 1):
        assert (
            "RecsysError: the loss became nan at step 1 in epoch 2"
            in (tmp_path / f"error {rank}").read_text()
        )


@pytest.mark.slow
def test_a_batch_of_fewer_windows_than_processes_trains_by_groups_too(tmp_path: Path):
    """The second process has no part of such a batch, and both end with what one makes of it."""
    assert len(cut_windows(FEW, 6)) == RECIPE.batch_size + 1
    in_two(f"one_of_two_by_groups(t.Path({str(tmp_path)!r}))")
    first, second = (load_file(tmp_path / f"weights {rank}") for rank in (0, 1))
    assert same_bits(first, second)
    for name, expected in run_by_groups(ALONE).tensors().items():
        torch.testing.assert_close(first[name], expected, rtol=1e-3, atol=1e-4)


def test_a_process_alone_adds_up_nothing():
    tensors = [torch.ones(2), torch.zeros(3)]
    ALONE.add_up(tensors)
    assert ALONE.sum(0.25) == 0.25
    assert ALONE.told_by_first(lambda: 0.5) == 0.5
    assert ALONE.told_by_first(lambda: None) == 0.0
    ALONE.wait_for_all()
    np.testing.assert_array_equal(torch.cat(tensors).numpy(), [1, 1, 0, 0, 0])


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_processes() as processes:
        assert (processes.rank, processes.size, processes.is_first) == (0, 1, True)
