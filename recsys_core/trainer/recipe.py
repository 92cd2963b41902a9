"""How to train, and what a run showed: the values that go into the loop and come out of it."""

from collections.abc import Callable
from dataclasses import dataclass

from recsys_core.trainer.device import Precision
from recsys_core.trainer.groups import AS_IT_IS, GroupChoice
from recsys_core.trainer.objective import FULL_SOFTMAX, LossChoice
from recsys_core.trainer.optimizer import OptimizerName
from recsys_core.trainer.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over all windows, at most.
        patience: epochs without a better validation NDCG@10 before it stops.
        batch_size: windows a step.
        learning_rate: the peak, reached when the warm-up is over.
        weight_decay: of matrices and tables of vectors, decoupled.
        seed: decides the order of batches and the dropout.
        precision: of matrix products in training; "auto" is bf16 where the device has units for it.
        accumulation: a batch goes through the ranker in so many pieces, one after the other.
        schedule: what becomes of the learning rate after the warm-up.
        warm_up_share: of the steps; the learning rate rises during them.
        max_gradient_norm: longer gradients are shortened to it.
        loss: what it learns by.
        groups: what it does about groups of people, where it is told who belongs to which.
        optimizer: what moves the matrices of layers; AdamW moves the rest.
    """

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int
    precision: Precision = "auto"
    accumulation: int = 1
    schedule: Schedule = "cosine"
    warm_up_share: float = 0.05
    max_gradient_norm: float = 5.0
    loss: LossChoice = FULL_SOFTMAX
    groups: GroupChoice = AS_IT_IS
    optimizer: OptimizerName = "adamw"


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch showed: its mean training loss and the validation NDCG@10 behind it.

    Where ratings are learned, the epoch with the lowest validation RMSE is the best one.
    """

    number: int
    loss: float
    valid_ndcg: float
    elapsed_s: float
    targets_per_s: float
    valid_rmse: float | None = None


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


def best_epoch(log: list[Epoch]) -> int:
    """Number of the epoch that did best on validation, the first of equals; 0 before any.

    The lowest RMSE, where ratings are learned; else the highest NDCG@10.
    """

    def merit(epoch: Epoch) -> tuple[float, int]:
        return epoch.valid_ndcg if epoch.valid_rmse is None else -epoch.valid_rmse, -epoch.number

    return max(log, key=merit).number if log else 0
