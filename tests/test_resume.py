"""Checkpoints: a run that was stopped ends with the bits of a run that was not, or says why it can't."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_made import random_histories
from safetensors import safe_open
from safetensors.torch import save_file

from recsys_core.data.dataset import Histories
from recsys_core.errors import CancelledError, ConfigError, RecsysError, StoreError
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Epoch, Recipe, TrainingLog
from recsys_core.trainer.resume import Checkpoint, digest_of

N_ITEMS = 20
HISTORIES = random_histories(seed=3, n=40, n_items=N_ITEMS, longest=12, shortest=3)
RECIPE = Recipe(
    epochs=4, patience=4, batch_size=8, learning_rate=0.01, weight_decay=0.01, seed=0, optimizer="muon"
)
VALID = [0.2, 0.5, 0.3, 0.4]


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
    torch.set_rng_state(state)


def fresh() -> TransformerRanker:
    torch.manual_seed(0)
    return TransformerRanker(N_ITEMS, 8, 1, 2, max_length=6, dropout=0.2)


def run(
    checkpoint: Checkpoint | None,
    ranker: TransformerRanker | None = None,
    recipe: Recipe = RECIPE,
    stop_after: int | None = None,
    valid: list[float] = VALID,
    on_step: Callable[[float], None] = lambda _: None,
) -> tuple[TransformerRanker, TrainingLog | None]:
    """Trains; with `stop_after`, as if a person had stopped it behind that epoch."""
    ranker, told = ranker or fresh(), list[Epoch]()

    def follow(epoch: Epoch) -> None:
        told.append(epoch)
        if epoch.number == stop_after:
            raise CancelledError("stopped")

    def validate() -> float:
        return valid[len(told) + (n_before or 0)]

    n_before = n_epochs_in(checkpoint)
    try:
        log = train(
            ranker, HISTORIES, validate, recipe, torch.device("cpu"), Callbacks(on_step, follow), checkpoint
        )
    except CancelledError:
        return ranker, None
    return ranker, log


def n_epochs_in(checkpoint: Checkpoint | None) -> int:
    if checkpoint is None or not checkpoint.path.exists():
        return 0
    return len(header_of(checkpoint.path)["epochs"])


def header_of(path: Path) -> dict[str, object]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["run"])


def in_folder(folder: Path, settings: str = "s", data: str = "d") -> Checkpoint:
    return Checkpoint(folder / "checkpoint.safetensors", settings, data)


def same_bits(first: TransformerRanker, second: TransformerRanker) -> bool:
    pairs = zip(first.tensors().items(), second.tensors().items(), strict=True)
    return all(name == other and torch.equal(a, b) for (name, a), (other, b) in pairs)


def without_times(log: TrainingLog | None) -> list[tuple[int, float, float]]:
    assert log is not None
    return [(epoch.number, epoch.loss, epoch.valid_ndcg) for epoch in log.epochs]


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
def test_a_stopped_run_ends_with_the_bits_of_one_that_was_not(stop_after: int, tmp_path: Path):
    straight, straight_log = run(None)
    run(in_folder(tmp_path), stop_after=stop_after)
    resumed, log = run(in_folder(tmp_path))
    assert same_bits(resumed, straight)
    assert without_times(log) == without_times(straight_log)
    assert log is not None and log.best_epoch == 2


def test_the_last_weights_are_taken_up_and_not_only_the_best(tmp_path: Path):
    """Rising figures: the weights of every epoch are the best, until the last ones."""
    rising = [0.1, 0.2, 0.3, 0.4]
    straight, _ = run(None, valid=rising)
    run(in_folder(tmp_path), stop_after=3, valid=rising)
    assert same_bits(run(in_folder(tmp_path), valid=rising)[0], straight)


def test_a_run_stopped_within_an_epoch_does_that_epoch_again(tmp_path: Path):
    def stop(share: float) -> None:
        if share > 0.6:
            raise CancelledError("stopped")

    run(in_folder(tmp_path), on_step=stop)
    assert n_epochs_in(in_folder(tmp_path)) == 2
    assert same_bits(run(in_folder(tmp_path))[0], run(None)[0])


def test_a_run_stopped_twice_ends_with_the_same_bits(tmp_path: Path):
    run(in_folder(tmp_path), stop_after=1)
    run(in_folder(tmp_path), stop_after=3)
    assert same_bits(run(in_folder(tmp_path))[0], run(None)[0])


def test_a_run_whose_patience_is_over_does_not_go_on(tmp_path: Path):
    recipe, valid = dataclasses.replace(RECIPE, patience=2), [0.5, 0.4, 0.3, 0.9]
    run(in_folder(tmp_path), recipe=recipe, stop_after=3, valid=valid)
    ranker, log = run(in_folder(tmp_path), recipe=recipe, valid=valid)
    assert [number for number, _, _ in without_times(log)] == [1, 2, 3]
    assert same_bits(ranker, run(None, recipe=recipe, valid=valid)[0])


def test_time_goes_on_where_it_stopped(tmp_path: Path):
    run(in_folder(tmp_path), stop_after=2)
    _, log = run(in_folder(tmp_path))
    assert log is not None
    assert np.all(np.diff([epoch.elapsed_s for epoch in log.epochs]) > 0)
    assert log.seconds >= log.epochs[-1].elapsed_s


def test_a_checkpoint_is_tensors_and_json_in_one_file(tmp_path: Path):
    run(in_folder(tmp_path), stop_after=3)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    header = header_of(tmp_path / "checkpoint.safetensors")
    assert (header["version"], header["settings_sha256"], header["data_sha256"]) == (3, "s", "d")
    with safe_open(tmp_path / "checkpoint.safetensors", framework="pt") as file:
        names = set(file.keys())
    for prefix in ("weights/", "best/"):
        assert f"{prefix}item_bias" in names
    assert {f"moments/item_bias/{kind}" for kind in ("step", "exp_avg", "exp_avg_sq")} <= names
    assert any(name.endswith("/momentum_buffer") for name in names)


@pytest.mark.parametrize(
    ("settings", "data", "words"),
    [
        ("x", "d", "was kept by a run with other settings; go on with those"),
        ("s", "x", "was kept by a run on other data; go on with those"),
        ("x", "x", "was kept by a run with other settings and on other data"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_kept(
    settings: str, data: str, words: str, tmp_path: Path
):
    run(in_folder(tmp_path), stop_after=1)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ConfigError, match=words):
        run(in_folder(tmp_path, settings, data))
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("version", [1, 2, 9])
def test_a_checkpoint_of_another_version_is_refused(version: int, tmp_path: Path):
    """Whatever else it holds: settings of versions 1 and 2 had fewer names, and so another digest."""
    run(in_folder(tmp_path), stop_after=1)
    path = tmp_path / "checkpoint.safetensors"
    header = json.dumps(header_of(path) | {"version": version, "settings_sha256": "x"})
    save_file({"weights/item_bias": torch.zeros(1)}, path, {"run": header})
    words = f"a checkpoint of version {version}, this RecLens goes on from version 3; delete it to start anew"
    with pytest.raises(StoreError, match=words):
        train_again(tmp_path)


def train_again(folder: Path) -> None:
    train(
        fresh(),
        HISTORIES,
        lambda: 0.5,
        RECIPE,
        torch.device("cpu"),
        Callbacks(lambda _: None, lambda _: None),
        in_folder(folder),
    )


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def without_moments(path: Path) -> None:
    header = json.dumps(header_of(path))
    save_file(
        {f"weights/{name}": tensor for name, tensor in fresh().tensors().items()}, path, {"run": header}
    )


def of_another_width(path: Path) -> None:
    header = json.dumps(header_of(path))
    save_file({"weights/item_bias": torch.zeros(3)}, path, {"run": header})


@pytest.mark.parametrize("spoil", [cut_short, empty, without_moments, of_another_width])
def test_a_damaged_checkpoint_is_refused(spoil: Callable[[Path], None], tmp_path: Path):
    run(in_folder(tmp_path), stop_after=1)
    spoil(tmp_path / "checkpoint.safetensors")
    with pytest.raises(StoreError, match="holds no usable checkpoint; delete it to start anew"):
        train_again(tmp_path)


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run(in_folder(tmp_path), stop_after=1)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()

    def full(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recsys_core.trainer.resume.save_file", full)
    with pytest.raises(StoreError, match=r"could not write checkpoint\.safetensors: No space left on device"):
        train_again(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_a_loss_that_is_no_number_leaves_the_checkpoint_of_the_last_good_epoch(tmp_path: Path):
    ranker = fresh()

    def spoil(share: float) -> None:
        if share > 0.5:
            with torch.no_grad():
                ranker.item_bias[3] = float("nan")

    with pytest.raises(RecsysError, match="the loss became nan"):
        run(in_folder(tmp_path), ranker, on_step=spoil)
    assert n_epochs_in(in_folder(tmp_path)) == 2


def test_digests_differ_where_anything_differs():
    plain = [digest_of({"a": 1}), digest_of({"a": 2}), digest_of({"b": 1}), digest_of({"a": 1}, 0)]
    first, longer = Histories.of([[1, 2], [3]]), Histories.of([[1, 2, 3]])
    arrays = [digest_of(first), digest_of(longer), digest_of(Histories.of([[1], [2, 3]]))]
    assert len(set(plain + arrays)) == len(plain + arrays)
    assert digest_of(first, {"a": 1, "b": 2}) == digest_of(Histories.of([[1, 2], [3]]), {"b": 2, "a": 1})


def test_arrays_of_texts_are_told_apart_by_their_texts():
    first, same, other = (np.array(["".join(word), "b"], dtype=object) for word in ("aa", ["a", "a"], "ab"))
    assert digest_of(first) == digest_of(same) != digest_of(other)


KILLED = """
import sys
from pathlib import Path
import test_resume as own
own.torch.set_num_threads(1)
own.run(own.in_folder(Path(sys.argv[1])), on_step=lambda share: print(share, flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_steps", [3, 7, 12, 17])
def test_a_killed_run_is_taken_up_to_the_same_bits(n_steps: int, tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}"}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as killed:
        assert killed.stdout is not None
        for _ in range(n_steps):
            killed.stdout.readline()
        time.sleep(0.001 * n_steps)  # somewhere in a step, an epoch's end or a checkpoint's write
        killed.send_signal(signal.SIGKILL)
    assert same_bits(run(in_folder(tmp_path))[0], run(None)[0])
