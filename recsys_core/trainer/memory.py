"""How much memory a run will take, known before it starts, and a sentence where that is too much.

What grows with the catalogue and with the batch is measured, not written down in formulas that another
ranker would make untrue: one tiny batch goes through the ranker with two sizes of each, and what the way
back would need is counted. It grows in a straight line in both.
"""

import math
import resource
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from recsys_core.errors import ConfigError
from recsys_core.ranker.evaluation import BATCH_USERS, SCORES_AT_ONCE
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.trainer.device import working_precision
from recsys_core.trainer.losses import CHUNK_LOGITS
from recsys_core.trainer.recipe import Recipe
from recsys_core.trainer.step import CPU_PARTS, Loss
from recsys_core.trainer.windows import Batch

EASE_MATRICES = 8  # dense ones of float64, or as much, that it holds at its peak
SEEN_BYTES = 48  # for each place in the logits that is closed because its item was seen
WAY_BACK = 1.3  # gradients on the way, beside what the way back reads


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes that training takes at its peak, beside what the process holds already, by what takes them.

    Attributes:
        weights: of the ranker and of its best epoch, the items' texts included.
        optimizer: two moments a weight, though Muon keeps one.
        gradients: of the parts of a batch, and their sum.
        activations: what the way back reads, in all parts that are under way at once.
        loss: logits of a chunk, and which of them are closed.
        scoring: a chunk of people by all items, after an epoch, when the four above are free again.
    """

    weights: int
    optimizer: int
    gradients: int
    activations: int
    loss: int
    scoring: int

    @property
    def total(self) -> int:
        """The peak."""
        step = self.gradients + self.activations + self.loss
        return self.weights + self.optimizer + max(step, self.scoring)


@dataclass(frozen=True, slots=True)
class Load:
    """What goes into a step.

    Attributes:
        n_items: of the catalogue.
        length: of the longest window, without its last item.
        n_windows: of a step.
        n_processes: that share the step.
    """

    n_items: int
    length: int
    n_windows: int
    n_processes: int = 1


def estimate_memory(
    new_ranker: Callable[[int], NeuralRanker], loss: Loss, load: Load, recipe: Recipe, device: torch.device
) -> MemoryEstimate:
    """What training such a ranker will take.

    Args:
        new_ranker: makes one for a catalogue of that many items.
        loss: of a batch.
        load: what goes into a step.
        recipe: how it is trained.
        device: where.
    """
    n_parts = CPU_PARTS if device.type == "cpu" else 1
    part = math.ceil(load.n_windows / (n_parts * recipe.accumulation * load.n_processes))
    sizes = _Sizes.measured(new_ranker, loss, load.length, working_precision(recipe.precision, device))
    learned, frozen = sizes.learned(load.n_items), sizes.frozen(load.n_items)
    chunk = max(CHUNK_LOGITS, 128 * load.n_items)
    seen = part * load.length * (load.length + 1) // 2
    return MemoryEstimate(
        weights=2 * (learned + frozen),
        optimizer=2 * learned,
        gradients=(n_parts + 2) * learned,
        activations=round(n_parts * WAY_BACK * sizes.activations(load.n_items, part)),
        loss=n_parts * (3 * 4 * chunk + SEEN_BYTES * seen) + 2 * load.n_windows * load.length**2,
        scoring=3 * 4 * min(BATCH_USERS * load.n_items, SCORES_AT_ONCE),
    )


def free_bytes(device: torch.device) -> int:
    """Memory that a process may still take: of the device, or of the machine and its container."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(min(psutil.virtual_memory().available, _left_in_container()))


def peak_bytes() -> int:
    """The most memory that this process has held.

    Linux keeps it in the process's status. What `getrusage` says is never under the peak of whoever started
    the process, and so for a job that of the dashboard.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def check_memory(estimate: MemoryEstimate, free: int, recipe: Recipe) -> None:
    """Lets what fits pass.

    Raises:
        ConfigError: it doesn't fit; with the figures, and what to lower.
    """
    if estimate.total > free:
        raise ConfigError(
            f"training would take about {_gigabytes(estimate.total)} of memory, and "
            f"{_gigabytes(free)} are free; {_advice(estimate, recipe)}"
        )


def check_ease_memory(n_items: int, free: int) -> None:
    """Lets a catalogue pass whose dense item-to-item matrices fit.

    Raises:
        ConfigError: they don't fit.
    """
    needed = EASE_MATRICES * 8 * (n_items + 1) ** 2
    if needed > free:
        raise ConfigError(
            f"ease would take about {_gigabytes(needed)} of memory for {n_items:,} × {n_items:,} items, and "
            f"{_gigabytes(free)} are free; take item-knn or transitions, or fewer items"
        )


@contextmanager
def out_of_memory_in_words(estimate: MemoryEstimate, recipe: Recipe) -> Generator[None]:
    """Says in a sentence that memory ran out, whoever noticed it.

    Raises:
        ConfigError: it ran out; with what to lower.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch has a class of its own for its devices, and a plain RuntimeError for the computer's memory
        is_torch = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        if not isinstance(error, MemoryError) and not is_torch:
            raise
        raise ConfigError(
            f"training ran out of memory (about {_gigabytes(estimate.total)} were expected); "
            f"{_advice(estimate, recipe)}"
        ) from error


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Bytes at two sizes of catalogue, and of one and two windows."""

    n_items: tuple[int, int]
    learned_bytes: tuple[int, int]
    frozen_bytes: tuple[int, int]
    saved: tuple[tuple[int, int], tuple[int, int]]  # [catalogue][windows]

    @staticmethod
    def measured(
        new_ranker: Callable[[int], NeuralRanker], loss: Loss, length: int, precision: torch.dtype
    ) -> "_Sizes":
        few, many = 2 * length + 2, 4 * length + 4
        with torch.random.fork_rng(devices=[]):
            small, large = new_ranker(few).train(), new_ranker(many).train()
        learned, frozen = zip(*(_bytes_of(ranker) for ranker in (small, large)), strict=True)
        saved = tuple(
            tuple(_saved_bytes(ranker, loss, n, length, precision) for n in (1, 2))
            for ranker in (small, large)
        )
        return _Sizes((few, many), learned, frozen, saved)  # pyright: ignore[reportArgumentType]

    def learned(self, n_items: int) -> int:
        return self._at(self.learned_bytes, n_items)

    def frozen(self, n_items: int) -> int:
        return self._at(self.frozen_bytes, n_items)

    def activations(self, n_items: int, n_windows: int) -> int:
        """What n windows leave for the way back in a catalogue of that size."""
        one, two = (self._at((few, many), n_items) for few, many in zip(*self.saved, strict=True))
        small_one, small_two = self.saved[0]
        return one + max(two - one, small_two - small_one) * (n_windows - 1)

    def _at(self, sizes: tuple[int, int], n_items: int) -> int:
        few, many = self.n_items
        return round(sizes[0] + (sizes[1] - sizes[0]) / (many - few) * (n_items - few))


def _bytes_of(ranker: NeuralRanker) -> tuple[int, int]:
    learned = sum(weight.nbytes for weight in ranker.parameters())
    return learned, sum(tensor.nbytes for tensor in ranker.state_dict().values()) - learned


def _saved_bytes(ranker: NeuralRanker, loss: Loss, n: int, length: int, precision: torch.dtype) -> int:
    """What the way back of n windows would read, each piece of memory counted once."""
    window = np.tile(np.arange(1, length + 2), (n, 1))
    saved: dict[int, Tensor] = {}  # holding them keeps their addresses from being given away again

    def note(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16),
    ):
        loss(ranker, Batch(window[:, :-1], window[:, 1:]))
    for own in ranker.state_dict().values():
        saved.pop(own.untyped_storage().data_ptr(), None)
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


def _left_in_container() -> float:
    """What the control group of this process leaves it; infinite where it sets no limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (int((folder / name).read_text()) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such file, or "max"
        return math.inf
    return limit - used + int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))


def _advice(estimate: MemoryEstimate, recipe: Recipe) -> str:
    by_batch = estimate.activations + estimate.loss
    if by_batch >= estimate.total / 2:
        return (
            f"lower batch_size (it is {recipe.batch_size}) or max_length, or raise accumulation "
            f"(it is {recipe.accumulation})"
        )
    return "lower embedding_size, or take fewer items: weights and scores of so many take most of it"


def _gigabytes(n: float) -> str:
    return f"{n / 2**30:,.1f} GB" if n >= 2**30 / 10 else f"{n / 2**20:,.0f} MB"
