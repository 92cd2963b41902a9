"""The training loop of a neural ranker, to be read from top to bottom.

Windows → batches → loss → step (`step.py`); after every epoch the ranker is measured on the validation
targets, a checkpoint is kept (`resume.py`), and the weights of the best epoch are what stays.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import Histories
from recsys_core.errors import DataError, RecsysError
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker, Prediction
from recsys_core.ranker.popularity import item_counts
from recsys_core.trainer.group_objectives import GroupObjective
from recsys_core.trainer.groups import PeopleGroups, resampled
from recsys_core.trainer.objective import ALL_ITEMS, Objective
from recsys_core.trainer.processes import ALONE, Processes
from recsys_core.trainer.recipe import Callbacks, Epoch, Recipe, TrainingLog, best_epoch
from recsys_core.trainer.resume import Checkpoint, keep, taken_up
from recsys_core.trainer.step import Stepper, stepper
from recsys_core.trainer.teachers import NO_TEACHING, Teaching
from recsys_core.trainer.windows import Batch, batches, cut_windows, seen_before


def train(
    ranker: NeuralRanker,
    histories: Histories,
    validate: Callable[[], float],
    recipe: Recipe,
    device: torch.device,
    callbacks: Callbacks,
    checkpoint: Checkpoint | None = None,
    processes: Processes = ALONE,
    groups: PeopleGroups | None = None,
    teaching: Teaching = NO_TEACHING,
    rating_error: Callable[[], float] | None = None,
) -> TrainingLog:
    """Trains in place and leaves the weights of the best epoch in the ranker.

    Args:
        ranker: moved to `device`.
        histories: [n] training items of each person, oldest first.
        validate: validation NDCG@10 of the ranker as it is, 0 to 1.
        recipe: how.
        device: where.
        callbacks: told about steps and epochs, in the first process alone.
        checkpoint: kept after every epoch; if it is there, the run goes on from it.
        processes: those that train this ranker together, each with this same call.
        groups: of the people, which the recipe may heed; the histories must have askers then.
        teaching: trained rankers that it learns from as well, where the loss is the softmax over all items.
        rating_error: validation RMSE of the ranker as it is, where it learns ratings.

    Raises:
        DataError, ConfigError, StoreError: nothing to learn from; the checkpoint is another's, or damaged.
        RecsysError: the loss or its gradient became NaN or infinite; the weights are those of the best epoch.
    """
    windows = _windows(ranker, histories, recipe, groups, teaching)
    ranker.to(device)
    in_epoch = math.ceil(len(windows) / recipe.batch_size)
    log, best = list[Epoch](), copy.deepcopy(ranker.state_dict())
    objective = Objective.of(recipe.loss, item_counts(histories, ranker.n_items), teaching)
    heeding = _heeding(ranker, windows, recipe, groups, in_epoch)
    loss_of = partial(training_loss, objective=objective, heeding=heeding)
    with stepper(ranker, loss_of, recipe, recipe.epochs * in_epoch, processes, heeding) as steps:
        if checkpoint is not None and checkpoint.path.exists():
            best, log = taken_up(checkpoint, ranker, steps)
        start = time.perf_counter() - (log[-1].elapsed_s if log else 0.0)
        while not _is_over(log, recipe):
            number = len(log) + 1
            try:
                loss, per_s = _run_epoch(ranker, windows, number, steps, callbacks)
            except FloatingPointError as error:
                ranker.load_state_dict(best)
                raise RecsysError(_what_was_kept(str(error), log, recipe)) from error
            valid = processes.told_by_first(validate)
            rmse = None if rating_error is None else processes.told_by_first(rating_error)
            log.append(Epoch(number, loss, valid, time.perf_counter() - start, per_s, rmse))
            if best_epoch(log) == number:
                best = copy.deepcopy(ranker.state_dict())
            if checkpoint is not None and processes.is_first:
                keep(checkpoint, ranker, steps, best, log)
            processes.told_by_first(lambda epoch=log[-1]: callbacks.epoch(epoch))
    ranker.load_state_dict(best)
    ranker.eval()
    return TrainingLog(tuple(log), best_epoch(log), time.perf_counter() - start)


def _windows(
    ranker: NeuralRanker,
    histories: Histories,
    recipe: Recipe,
    groups: PeopleGroups | None,
    teaching: Teaching,
) -> Histories:
    """What is learned from, with no more known of it than the ranker, its teachers and its training read."""
    if groups is not None and recipe.groups.method == "resampling":
        own = groups.of_histories(histories)
        histories = resampled(histories, own, recipe.groups.strength, recipe.seed)
    reads_ratings = recipe.loss.name == "squared-error"
    if not (ranker.reads_events or teaching.reads_events or reads_ratings):
        histories = replace(histories, context=None, askers=None if groups is None else histories.askers)
    windows = cut_windows(histories, ranker.max_length)
    if len(windows) == 0:
        raise DataError("nobody in the data has two different items, so there is no next item to learn from")
    return windows


def _heeding(
    ranker: NeuralRanker, windows: Histories, recipe: Recipe, groups: PeopleGroups | None, n_steps: int
) -> GroupObjective | None:
    """What training does about groups beside its loss; None where it does nothing."""
    if groups is None:
        return None
    state_size = ranker.states(windows.take(np.zeros(1, dtype=np.int64))).shape[1]
    heeding = GroupObjective.of(recipe.groups, groups, windows, state_size, n_steps)
    return None if heeding is None else heeding.to(ranker.item_bias.device)


def _is_over(log: list[Epoch], recipe: Recipe) -> bool:
    """Whether all epochs are done, or patience is."""
    return len(log) >= recipe.epochs or len(log) - best_epoch(log) >= recipe.patience


def _what_was_kept(problem: str, log: list[Epoch], recipe: Recipe) -> str:
    return (
        f"{problem} in epoch {len(log) + 1}; the weights of epoch {best_epoch(log)} were kept; "
        f"lower learning_rate (it is {recipe.learning_rate:g})"
    )


def _run_epoch(
    ranker: NeuralRanker, windows: Histories, number: int, steps: Stepper, callbacks: Callbacks
) -> tuple[float, float]:
    """One pass; the mean loss of its steps, and how many targets it learned from in a second.

    Raises:
        FloatingPointError: the loss or its gradient became NaN or infinite; no weight was changed by it.
    """
    start, order = time.perf_counter(), np.random.default_rng([steps.recipe.seed, number])
    ranker.train()
    losses, n_targets = list[float](), 0
    for batch in batches(windows, steps.recipe.batch_size, order):
        losses.append(steps.step(batch, f"at step {len(losses) + 1}"))
        n_targets += batch.n_targets
        share = steps.n_done / steps.n_steps
        steps.processes.told_by_first(lambda share=share: callbacks.step(share))
    return float(np.mean(losses)), n_targets / (time.perf_counter() - start)


def training_loss(
    ranker: NeuralRanker,
    batch: Batch,
    objective: Objective = ALL_ITEMS,
    heeding: GroupObjective | None = None,
) -> Tensor:
    """The mean loss of what a batch asks, to be differentiated."""
    device = ranker.item_bias.device
    known = HistoryBatch.of_arrays(
        batch.history,
        batch.lengths,
        batch.context,
        batch.request_s,
        batch.attributes,
        batch.n_before,
        device,
    )
    vectors = ranker.item_vectors()
    targets = torch.from_numpy(batch.targets).to(device)
    asked = ranker.predict(known, targets, vectors)
    history = batch.history if asked.known is None else asked.known.cpu().numpy()

    def loss_of(part: Prediction) -> Tensor:
        seen = seen_before(history, part.row.cpu().numpy(), part.length.cpu().numpy())
        return objective.loss(ranker, part, vectors, seen, taught, _ratings(batch, part))

    taught = [teacher.tell(known, targets) for teacher in objective.teaching.teachers]
    if heeding is None:
        return loss_of(asked)
    return heeding.loss(asked, heeding.groups.of(batch.attributes)[asked.row.cpu().numpy()], loss_of)


def _ratings(batch: Batch, asked: Prediction) -> Tensor | None:
    """[n] the ratings of what is asked for; None where none is known."""
    if batch.strengths is None or asked.known is not None:
        return None
    strengths = torch.from_numpy(batch.strengths).to(asked.row.device)
    return strengths[asked.row, asked.length - 1].float()
