"""What methods are asked and what they answer: values that every method shares."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys_core.data.dataset import FloatArray, Histories
from recsys_core.errors import ConfigError

Method = Literal[
    "integrated-gradients",
    "gradient-x-input",
    "gradient-shap",
    "leave-one-out",
    "shapley-sampling",
    "shapley-exact",
    "counts",
    "attention-rollout",
]
Baseline = Literal["removed", "padding", "mask", "mean-item", "other-people", "zero"]

SMALLEST_DIFFERENCE = 1e-2  # in nats; a share of less would be what single precision rounds away
MAX_POINTS = 512
MAX_RELATIVE_DELTA = 1e-3


@dataclass(frozen=True, slots=True)
class Options:
    """How an explanation is worked out; every method reads what concerns it.

    Attributes:
        baseline: what the score is compared with; None = the first that the method has.
        n_steps: Gauss–Legendre points on the path of integrated gradients, 1 to 512; None = as many
            points as `max_relative_delta` asks for.
        max_relative_delta: how far the sum of the values may be from the difference of the scores, as a
            share of that difference; above 0.
        n_draws: permutations of `shapley-sampling`, points of `gradient-shap`; 4 or more, even.
        seed: decides what is drawn.
        others: histories of other people, for the baselines `mean-item` and `other-people`.
        budget: histories that may be scored for one explanation; what would take more is refused.
    """

    baseline: Baseline | None = None
    n_steps: int | None = None
    max_relative_delta: float = MAX_RELATIVE_DELTA
    n_draws: int = 64
    seed: int = 0
    others: Histories | None = None
    budget: int = 50_000

    def __post_init__(self) -> None:
        if self.n_steps is not None and not 1 <= self.n_steps <= MAX_POINTS:
            raise ConfigError(f"n_steps is {self.n_steps}; a path has 1 to {MAX_POINTS} points")
        if not self.max_relative_delta > 0:
            raise ConfigError(f"max_relative_delta is {self.max_relative_delta:g}; write a number above 0")
        if self.n_draws < 4 or self.n_draws % 2:
            raise ConfigError(f"n_draws is {self.n_draws}; write an even number from 4")

    def check_budget(self, n_histories: int, instead: str) -> None:
        """Refuses what would take too long.

        Raises:
            ConfigError: more than `budget` histories would be scored.
        """
        if n_histories > self.budget:
            raise ConfigError(
                f"this would score {n_histories:,} histories, more than the budget of {self.budget:,}; "
                f"{instead}"
            )


DEFAULT = Options()


@dataclass(frozen=True, slots=True)
class Cost:
    """What an explanation took; of several items that were explained together, what all of them took.

    Attributes:
        forward: histories that went through the ranker, points of a path among them.
        backward: of these, how many gradients went back, over all items.
        seconds: by the clock.
    """

    forward: int = 0
    backward: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Attributions:
    """One value a history position, and the check that they add up.

    Attributes:
        values: [length] oldest first; 0 for what the model's window doesn't reach.
        method: how they were found.
        baseline: what the score is compared with, in words.
        score: the score of the item with the full history.
        baseline_score: its score at the baseline; NaN where there is none.
        delta: Σ values − (score − baseline_score); 0 = they add up exactly. NaN for methods that promise
            no sum.
        n_steps: points on the path of integrated gradients, draws of a method that draws; 0 for others.
        standard_errors: [length] of the values, for methods that draw; None = nothing was drawn.
        cost: what it took.
        warnings: what has to be said beside the values, a sentence each.
    """

    values: FloatArray
    method: Method
    baseline: str
    score: float
    baseline_score: float
    delta: float
    n_steps: int
    standard_errors: FloatArray | None = None
    cost: Cost = Cost()
    warnings: tuple[str, ...] = ()

    @property
    def relative_delta(self) -> float:
        """|delta| as a share of the score difference, of 0.01 at least; NaN where there is no sum."""
        if np.isnan(self.delta):
            return self.delta
        return abs(self.delta) / max(abs(self.score - self.baseline_score), SMALLEST_DIFFERENCE)
