"""The training loop of a neural ranker, to be read from top to bottom.

Windows → batches → loss → step, with a warm-up and a cosine; after every epoch the ranker is measured
on the validation targets, and the weights of its best epoch are what stays.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import Histories
from recsys_core.errors import DataError, RecsysError
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.losses import softmax_over_candidates
from recsys_core.trainer.windows import Batch, batches, cut_windows, seen_so_far

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
    """

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int


def train(
    ranker: TransformerRanker,
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
    generator = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    ranker.to(device)
    optimizer = _optimizer(ranker, recipe)
    n_steps = recipe.epochs * math.ceil(len(windows) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, n_steps))
    start, log, best = time.perf_counter(), list[Epoch](), copy.deepcopy(ranker.state_dict())

    def on_step() -> None:
        schedule.step()
        callbacks.step(schedule.last_epoch / n_steps)

    for number in range(1, recipe.epochs + 1):
        epoch_start = time.perf_counter()
        try:
            loss, n_targets = _run_epoch(
                ranker, batches(windows, recipe.batch_size, generator), optimizer, on_step
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
    ranker: TransformerRanker,
    epoch: Iterator[Batch],
    optimizer: torch.optim.Optimizer,
    on_step: Callable[[], None],
) -> tuple[float, int]:
    """One pass; the mean loss of its steps and the number of targets it learned from.

    Raises:
        FloatingPointError: the loss or its gradient became NaN or infinite; no weight was changed by it.
    """
    ranker.train()
    losses, n_targets = list[float](), 0
    for batch in epoch:
        loss = _loss(ranker, batch)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(f"the loss became {losses[-1]} at step {len(losses)}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(ranker.parameters(), MAX_GRADIENT_NORM))
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient became {norm} at step {len(losses)}")
        optimizer.step()
        n_targets += int((batch.targets > 0).sum())
        on_step()
    return float(np.mean(losses)), n_targets


def rate_at(step: int, n_steps: int) -> float:
    """Factor of the learning rate: linear up over 5 % of the steps, then half a cosine down to 0."""
    warm_up = max(1, round(WARM_UP_SHARE * n_steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, n_steps - warm_up)))


def _loss(ranker: TransformerRanker, batch: Batch) -> Tensor:
    device = ranker.item_bias.device
    at = np.nonzero(batch.targets)
    history, targets, seen = (
        torch.from_numpy(array).to(device)
        for array in (batch.history, batch.targets[at], seen_so_far(batch.history)[at])
    )
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        vectors = ranker.item_vectors()
        hidden = ranker.hidden(history, vectors)[torch.from_numpy(at[0]), torch.from_numpy(at[1])]  # [n, d]
    return softmax_over_candidates(hidden.float(), vectors.float(), ranker.item_bias, targets, seen)


def _optimizer(ranker: TransformerRanker, recipe: Recipe) -> torch.optim.Optimizer:
    matrices = [weight for weight in ranker.parameters() if weight.ndim >= 2]
    others = [weight for weight in ranker.parameters() if weight.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))


def _best(log: list[Epoch]) -> int:
    """Number of the epoch with the highest validation NDCG@10, the first of equals; 0 before any."""
    return max(log, key=lambda epoch: (epoch.valid_ndcg, -epoch.number)).number if log else 0
