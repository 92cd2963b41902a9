"""Runs that can be taken up again: after every epoch, all that the rest of the run depends on.

A checkpoint is one safetensors file: the weights, those of the best epoch where they differ, the
optimizer's moments, what training by groups knows beside, and JSON in its header. One file appears whole
or not at all; two could disagree.
The order of batches and all noise are functions of seed, epoch, step and part, so nothing else is needed:
a run that is taken up ends with the very bits of a run that was never stopped, given the same machine,
version of torch and number of processes.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from recsys_core.errors import ConfigError, StoreError
from recsys_core.files import write_atomically
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.trainer.recipe import Epoch
from recsys_core.trainer.step import Stepper

CHECKPOINT_FILE = "checkpoint.safetensors"
CHECKPOINT_VERSION = 3
WEIGHTS, BEST, MOMENTS, GROUPS = "weights/", "best/", "moments/", "groups/"

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run keeps its checkpoint, and what it must have in common with the run that goes on from it.

    Attributes:
        path: of the file.
        settings_sha256: of everything that a person may set; see `digest_of`.
        data_sha256: of everything that it learns from.
    """

    path: Path
    settings_sha256: str
    data_sha256: str


@dataclass(frozen=True, slots=True)
class _Header:
    version: int
    settings_sha256: str
    data_sha256: str
    n_steps_done: int
    epochs: tuple[Epoch, ...]


_HEADER = TypeAdapter(_Header)


def digest_of(*values: Any) -> str:
    """The SHA-256 of plain values and of dataclasses of arrays, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for value in values:
        for piece in _bytes_of(value):
            digest.update(piece)
    return digest.hexdigest()


def keep(
    checkpoint: Checkpoint, ranker: NeuralRanker, stepper: Stepper, best: State, log: Sequence[Epoch]
) -> None:
    """Writes the checkpoint of the epoch that has just ended over the one before.

    Raises:
        StoreError: the disk refused; the one before is as it was.
    """
    weights = ranker.tensors()
    better = {name: tensor.cpu() for name, tensor in best.items() if not tensor.cpu().equal(weights[name])}
    beside = {} if stepper.groups is None else stepper.groups.state_dict()
    states = ((WEIGHTS, weights), (BEST, better), (MOMENTS, stepper.optimizer.moments()), (GROUPS, beside))
    tensors = {prefix + name: tensor for prefix, state in states for name, tensor in state.items()}
    header = _Header(
        CHECKPOINT_VERSION,
        checkpoint.settings_sha256,
        checkpoint.data_sha256,
        stepper.n_done,
        tuple(log),
    )
    text = json.dumps(dataclasses.asdict(header))
    try:
        write_atomically(checkpoint.path, lambda path: save_file(tensors, path, {"run": text}))
    except SafetensorError as error:
        raise StoreError(f"could not write {checkpoint.path.name}: {error}") from error


def taken_up(checkpoint: Checkpoint, ranker: NeuralRanker, stepper: Stepper) -> tuple[State, list[Epoch]]:
    """The best weights and the epochs of the run so far; `ranker` and `stepper` are as they were then.

    Raises:
        StoreError: the file is damaged, or of another version.
        ConfigError: it was kept by a run with other settings or on other data.
    """
    name = checkpoint.path.name
    try:
        with safe_open(checkpoint.path, framework="pt") as file:
            header = _read_header(name, (file.metadata() or {}).get("run", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        _check_same(header, checkpoint)
        weights = _under(WEIGHTS, tensors)
        ranker.load_state_dict(weights)
        if stepper.groups is not None:
            stepper.groups.load_state_dict(_under(GROUPS, tensors))
        stepper.go_on_from(header.n_steps_done, _under(MOMENTS, tensors))
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise StoreError(f"{name} holds no usable checkpoint; delete it to start anew") from error
    return weights | _under(BEST, tensors), list(header.epochs)


def _read_header(name: str, text: str) -> _Header:
    kept = json.loads(text)
    found = kept.get("version")
    if found != CHECKPOINT_VERSION:
        raise StoreError(
            f"{name} is a checkpoint of version {found}, this RecLens goes on from version "
            f"{CHECKPOINT_VERSION}; delete it to start anew"
        )
    try:
        return _HEADER.validate_python(kept)
    except ValidationError as error:
        raise StoreError(f"{name} holds no usable checkpoint; delete it to start anew") from error


def _check_same(header: _Header, checkpoint: Checkpoint) -> None:
    pairs = {
        "with other settings": (header.settings_sha256, checkpoint.settings_sha256),
        "on other data": (header.data_sha256, checkpoint.data_sha256),
    }
    others = [words for words, (kept, wanted) in pairs.items() if kept != wanted]
    if others:
        raise ConfigError(
            f"{checkpoint.path.name} was kept by a run {' and '.join(others)}; go on with those, or "
            "delete it to start anew"
        )


def _under(prefix: str, tensors: State) -> State:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _bytes_of(value: Any) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        as_kept = value.astype(str) if value.dtype.hasobject else value  # else it would be addresses
        yield np.ascontiguousarray(as_kept).tobytes()
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield field.name.encode()
            yield from _bytes_of(getattr(value, field.name))
    else:
        yield json.dumps(value, sort_keys=True).encode()
