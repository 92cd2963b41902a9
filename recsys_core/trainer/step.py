"""One step of training: the gradients of a batch, made in parts, then one move of the weights.

On a CPU a batch is cut in two parts, each with a thread of its own from the first layer to its last
gradient. Threads inside of single operations would have to meet thousands of times a step; these meet
once. All noise comes from the seed, the step and the part, so the weights don't depend on the cores.
"""

import math
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce

import torch
from torch import Tensor

from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.noise import seed_noise
from recsys_core.trainer.device import working_precision
from recsys_core.trainer.group_objectives import GroupObjective
from recsys_core.trainer.optimizer import Optimizer, matrices_of_layers
from recsys_core.trainer.processes import Processes
from recsys_core.trainer.recipe import Recipe
from recsys_core.trainer.schedule import rate_at
from recsys_core.trainer.windows import Batch

CPU_PARTS = 2

Loss = Callable[[NeuralRanker, Batch], Tensor]


class Stepper:
    """Takes steps, and knows how many it has taken."""

    def __init__(
        self,
        ranker: NeuralRanker,
        loss: Loss,
        recipe: Recipe,
        n_steps: int,
        processes: Processes,
        threads: ThreadPoolExecutor | None,
        groups: GroupObjective | None = None,
    ) -> None:
        self.ranker, self.loss, self.recipe, self.n_steps = ranker, loss, recipe, n_steps
        self.processes, self.threads, self.groups = processes, threads, groups
        self.n_done = 0
        beside = () if groups is None else groups.named_parameters(prefix="groups")
        named = (
            (name, weight) for name, weight in (*ranker.named_parameters(), *beside) if weight.requires_grad
        )
        self.weights = dict[str, Tensor](named)
        self.precision = working_precision(recipe.precision, ranker.item_bias.device)
        self.optimizer = Optimizer(
            self.weights,
            matrices_of_layers(ranker) if recipe.optimizer == "muon" else [],
            recipe.learning_rate,
            recipe.weight_decay,
            threads.map if threads else map,
        )

    def step(self, batch: Batch, place: str) -> float:
        """The mean loss of the batch before the step.

        A batch goes in pieces, to save memory and to share it among processes, and each piece in one
        part a thread. A gradient is added up in the same order however the work is shared.

        Raises:
            FloatingPointError: the loss or its gradient became NaN or infinite; no weight was changed by it.
        """
        n_threads = CPU_PARTS if self.threads else 1
        parts = list(
            enumerate(batch.parts(n_threads * self.recipe.accumulation * self.processes.size))
        )  # [(number, part)]
        pieces = [parts[start : start + n_threads] for start in range(0, len(parts), n_threads)]
        loss, gradients = 0.0, list[Tensor]()
        for piece in pieces[self.processes.rank :: self.processes.size]:
            piece_loss, added = self._of_piece(piece, batch.n_targets)
            loss += piece_loss
            gradients = [a + b for a, b in zip(gradients, added, strict=True)] if gradients else added
        gradients = gradients or [torch.zeros_like(weight) for weight in self.weights.values()]
        loss = self.processes.sum(loss)
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss} {place}")
        self.processes.add_up(gradients)
        self._move(gradients, place)
        if self.groups is not None:
            self.groups.after_step(self.processes)
        return loss

    def _of_piece(self, piece: Sequence[tuple[int, Batch]], n_targets: int) -> tuple[float, list[Tensor]]:
        """The piece's share in the batch's loss and in its gradients, one part a thread."""
        numbers, parts = zip(*piece, strict=True)
        shares = [part.n_targets / n_targets for part in parts]
        results = list((self.threads.map if self.threads else map)(self._of_part, numbers, parts, shares))
        loss = sum((loss for loss, _ in results), start=0.0)
        by_weight = zip(*(gradients for _, gradients in results), strict=True)
        return loss, [reduce(torch.add, of_parts) for of_parts in by_weight]

    def _of_part(self, number: int, part: Batch, share: float) -> tuple[float, Sequence[Tensor]]:
        """As `_of_piece`, for one part; runs in a thread of the pool."""
        seed_noise(self.recipe.seed, self.n_done, number)
        device = self.ranker.item_bias.device
        half = self.precision == torch.bfloat16
        # its cache is shared by all threads, and the first that leaves empties it: bits would depend on time
        with torch.autocast(device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            loss = share * self.loss(self.ranker, part)
        weights = list(self.weights.values())
        return float(loss.detach()), torch.autograd.grad(
            loss, weights, allow_unused=True, materialize_grads=True
        )

    def _move(self, gradients: Sequence[Tensor], place: str) -> None:
        norm = float(torch.nn.utils.get_total_norm(gradients))
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient became {norm} {place}")
        shortened = min(1.0, self.recipe.max_gradient_norm / (norm + 1e-6))
        rate = rate_at(self.n_done, self.n_steps, self.recipe.schedule, self.recipe.warm_up_share)
        self.optimizer.step([gradient * shortened for gradient in gradients], rate)
        self.n_done += 1

    def go_on_from(self, n_done: int, moments: dict[str, Tensor]) -> None:
        """Goes on after `n_done` steps that left these moments.

        Raises:
            KeyError: moments of a weight are missing.
        """
        self.n_done = n_done
        self.optimizer.remember(moments)


@contextmanager
def stepper(
    ranker: NeuralRanker,
    loss: Loss,
    recipe: Recipe,
    n_steps: int,
    processes: Processes,
    groups: GroupObjective | None = None,
) -> Generator[Stepper]:
    """A stepper with its threads, none of which uses further threads."""
    if ranker.item_bias.device.type != "cpu":
        yield Stepper(ranker, loss, recipe, n_steps, processes, None, groups)
        return
    n_threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(
            min(CPU_PARTS, n_threads), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield Stepper(ranker, loss, recipe, n_steps, processes, pool, groups)
    finally:
        torch.set_num_threads(n_threads)
