"""The training loop of a neural ranker, to be read from top to bottom.

Windows → batches → loss → step, with a warm-up and a cosine; after every epoch the ranker is measured
on the validation targets, and the weights of its best epoch are what stays.

On a CPU a batch is cut in two parts, each with a thread of its own from the first layer to its last
gradient. Threads inside of single operations would have to meet thousands of times a step; these meet
once. All noise comes from the seed, the step and the part, so the weights don't depend on the cores.
"""

import copy
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import Histories
from recsys_core.errors import DataError, RecsysError
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.noise import seed_noise
from recsys_core.ranker.popularity import item_counts
from recsys_core.trainer.device import Precision, working_precision
from recsys_core.trainer.objective import FULL_SOFTMAX, LossChoice, Objective
from recsys_core.trainer.windows import Batch, batches, cut_windows, seen_before

CPU_PARTS = 2
WARM_UP_SHARE = 0.05
MAX_GRADIENT_NORM = 5.0


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch showed: its mean training loss and the validation NDCG@10 behind it."""

    number: int
    loss: float
    valid_ndcg: float
    elapsed_s: float
    targets_per_s: float


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """All epochs of a run and the one whose weights were kept."""

    epochs: tuple[Epoch, ...]
    best_epoch: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Callbacks:
    """How the outside follows a run. `step` gets the share of all steps; it may raise to stop."""

    step: Callable[[float], None]
    epoch: Callable[[Epoch], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over all windows, at most.
        patience: epochs without a better validation NDCG@10 before it stops.
        batch_size: windows a step.
        learning_rate: the peak, reached after 5 % of the steps.
        weight_decay: of matrices, decoupled (AdamW).
        seed: decides the order of batches and the dropout.
        precision: of matrix products in training; "auto" is bf16 where the device has units for it.
        loss: what it learns by.
    """

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int
    precision: Precision = "auto"
    loss: LossChoice = FULL_SOFTMAX


def train(
    ranker: NeuralRanker,
    histories: Histories,
    validate: Callable[[], float],
    recipe: Recipe,
    device: torch.device,
    callbacks: Callbacks,
) -> TrainingLog:
    """Trains in place and leaves the weights of the best epoch in the ranker.

    Args:
        ranker: moved to `device`.
        histories: [n] training items of each person, oldest first.
        validate: validation NDCG@10 of the ranker as it is, 0 to 1.
        recipe: how.
        device: where.
        callbacks: told about steps and epochs.

    Raises:
        DataError: nobody has two different items, so there is no next item to learn.
        RecsysError: the loss or its gradient became NaN or infinite; the ranker has the weights of its
            best epoch so far.
    """
    windows = cut_windows(histories, ranker.max_length)
    if len(windows) == 0:
        raise DataError("nobody in the data has two different items, so there is no next item to learn from")
    ranker.to(device)
    n_steps = recipe.epochs * math.ceil(len(windows) / recipe.batch_size)
    generator = np.random.default_rng(recipe.seed)
    start, log, best = time.perf_counter(), list[Epoch](), copy.deepcopy(ranker.state_dict())
    objective = Objective.of(recipe.loss, item_counts(histories, ranker.n_items))
    with _stepper(ranker, recipe, objective, n_steps) as stepper:
        for number in range(1, recipe.epochs + 1):
            epoch_start = time.perf_counter()
            try:
                loss, n_targets = _run_epoch(
                    ranker, batches(windows, recipe.batch_size, generator), stepper, callbacks
                )
            except FloatingPointError as error:
                ranker.load_state_dict(best)
                raise RecsysError(
                    f"{error} in epoch {number}; the weights of epoch {_best(log)} were kept; "
                    f"lower learning_rate (it is {recipe.learning_rate:g})"
                ) from error
            per_s = n_targets / (time.perf_counter() - epoch_start)
            log.append(Epoch(number, loss, validate(), time.perf_counter() - start, per_s))
            callbacks.epoch(log[-1])
            if _best(log) == number:
                best = copy.deepcopy(ranker.state_dict())
            elif number - _best(log) >= recipe.patience:
                break
    ranker.load_state_dict(best)
    ranker.eval()
    return TrainingLog(tuple(log), _best(log), time.perf_counter() - start)


def _run_epoch(
    ranker: NeuralRanker, epoch: Iterator[Batch], stepper: "_Stepper", callbacks: Callbacks
) -> tuple[float, int]:
    """One pass; the mean loss of its steps and the number of targets it learned from.

    Raises:
        FloatingPointError: the loss or its gradient became NaN or infinite; no weight was changed by it.
    """
    ranker.train()
    losses, n_targets = list[float](), 0
    for batch in epoch:
        losses.append(stepper.step(batch, f"at step {len(losses) + 1}"))
        n_targets += batch.n_targets
        callbacks.step(stepper.n_done / stepper.n_steps)
    return float(np.mean(losses)), n_targets


class _Stepper:
    """Takes steps: the gradients of a batch, made in parts, then one move of the weights."""

    def __init__(
        self,
        ranker: NeuralRanker,
        recipe: Recipe,
        objective: Objective,
        n_steps: int,
        threads: ThreadPoolExecutor | None,
    ) -> None:
        self.ranker, self.recipe, self.n_steps, self.threads = ranker, recipe, n_steps, threads
        self.objective = objective
        self.n_done = 0
        self.weights = [weight for weight in ranker.parameters() if weight.requires_grad]
        self.precision = working_precision(recipe.precision, ranker.item_bias.device)
        self.optimizer = _optimizer(self.weights, recipe)

    def step(self, batch: Batch, place: str) -> float:
        """The mean loss of the batch before the step.

        Raises:
            FloatingPointError: as `_run_epoch`.
        """
        parts = batch.parts(CPU_PARTS if self.threads else 1)
        shares = [part.n_targets / batch.n_targets for part in parts]
        results = (self.threads.map if self.threads else map)(
            self._gradients, parts, shares, range(len(parts))
        )
        losses, gradients = zip(*results, strict=True)
        loss = float(sum(losses))
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss} {place}")
        self._move(gradients, place)
        return loss

    def _gradients(self, part: Batch, share: float, number: int) -> tuple[float, Sequence[Tensor]]:
        """The part's share in the batch's loss and in its gradients; runs in a thread of the pool."""
        seed_noise(self.recipe.seed, self.n_done, number)
        device = self.ranker.item_bias.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
            loss = share * training_loss(self.ranker, part, self.objective)
        gradients = torch.autograd.grad(loss, self.weights, allow_unused=True, materialize_grads=True)
        return float(loss.detach()), gradients

    def _move(self, gradients: Sequence[Sequence[Tensor]], place: str) -> None:
        for weight, *of_parts in zip(self.weights, *gradients, strict=True):
            weight.grad = sum(of_parts[1:], start=of_parts[0])
        norm = float(torch.nn.utils.clip_grad_norm_(self.weights, MAX_GRADIENT_NORM))
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient became {norm} {place}")
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * rate_at(self.n_done, self.n_steps)
        self.optimizer.step()
        self.n_done += 1


@contextmanager
def _stepper(ranker: NeuralRanker, recipe: Recipe, objective: Objective, n_steps: int) -> Generator[_Stepper]:
    """A stepper with its threads, none of which uses further threads."""
    if ranker.item_bias.device.type != "cpu":
        yield _Stepper(ranker, recipe, objective, n_steps, None)
        return
    n_threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(
            min(CPU_PARTS, n_threads), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield _Stepper(ranker, recipe, objective, n_steps, pool)
    finally:
        torch.set_num_threads(n_threads)


def training_loss(ranker: NeuralRanker, batch: Batch, objective: Objective) -> Tensor:
    """The mean loss of what a batch asks, to be differentiated."""
    device = ranker.item_bias.device
    history, lengths, targets = (
        torch.from_numpy(array).to(device) for array in (batch.history, batch.lengths, batch.targets)
    )
    vectors = ranker.item_vectors()
    asked = ranker.predict(HistoryBatch(history, lengths), targets, vectors)
    known = batch.history if asked.known is None else asked.known.cpu().numpy()
    seen = seen_before(known, asked.row.cpu().numpy(), asked.length.cpu().numpy())
    return objective.loss(ranker, asked, vectors, seen)


def rate_at(step: int, n_steps: int) -> float:
    """Factor of the learning rate: linear up over 5 % of the steps, then half a cosine down to 0."""
    warm_up = max(1, round(WARM_UP_SHARE * n_steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, n_steps - warm_up)))


def _optimizer(weights: Sequence[Tensor], recipe: Recipe) -> torch.optim.Optimizer:
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)


def _best(log: list[Epoch]) -> int:
    """Number of the epoch with the highest validation NDCG@10, the first of equals; 0 before any."""
    return max(log, key=lambda epoch: (epoch.valid_ndcg, -epoch.number)).number if log else 0
