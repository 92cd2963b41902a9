"""Losses that heed whose they are: groups weighed anew while it learns, or made unreadable from the states.

A loss over all targets is Σ p_g L_g, where p_g is a group's share of the targets and L_g its mean loss.
Three methods put a weight w_g on each term, which they move after every step by the running means of L_g:

- reweighting: w_g ∝ p_g^−s, which never moves;
- group DRO (Sagawa et al., ICLR 2020, algorithm 1, by importance): q_g ← q_g exp(η L_g), w_g = q_g / p_g;
- gap regulariser: w_g = 1 + 2 λ (L_g − L), the gradient of Σ p_g L_g + λ Σ p_g (L_g − L)², and never below 0.

Running means, because a batch holds too few people of a small group for its loss to be told from luck.
The fourth moves the states to where the best reader of the group tells it worse; see `unreadable.py`.

Shapes: n states of a batch, d their size, G groups.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from recsys_core.data.dataset import Histories, IntArray
from recsys_core.ranker.neural import Prediction
from recsys_core.trainer.groups import GroupChoice, PeopleGroups
from recsys_core.trainer.processes import Processes
from recsys_core.trainer.unreadable import BestReader

MEMORY = 0.9  # of a running mean, a step
BY_WEIGHTS = ("reweighting", "dro", "gap")


class GroupObjective(nn.Module):
    """What training by groups adds to a loss; its weights, means and reader belong to a checkpoint."""

    weights: Tensor
    means: Tensor
    shares: Tensor

    def __init__(
        self, choice: GroupChoice, groups: PeopleGroups, shares: Tensor, state_size: int, n_steps: int
    ) -> None:
        """Before the first step.

        Args:
            choice: what is done, and how much of it.
            groups: who belongs where.
            shares: [G] p_g, adding up to 1.
            state_size: d.
            n_steps: of an epoch, to which the strength of DRO refers.
        """
        super().__init__()
        self.choice, self.groups, self.n_steps = choice, groups, n_steps
        self.register_buffer("shares", shares.double())
        self.register_buffer("weights", starting_weights(choice, shares.double()))
        self.register_buffer("means", torch.full_like(self.shares, torch.nan))
        self.reader = BestReader(state_size, len(groups.names)) if choice.method == "adversarial" else None
        self._losses = list[tuple[int, float, int]]()  # (group, sum, count) of the step under way

    @staticmethod
    def of(
        choice: GroupChoice, groups: PeopleGroups | None, windows: Histories, state_size: int, n_steps: int
    ) -> "GroupObjective | None":
        """For the people behind training windows; None where the choice leaves the loss as it is."""
        if groups is None or choice.method not in (*BY_WEIGHTS, "adversarial"):
            return None
        n_targets = windows.lengths - 1
        sums = np.bincount(groups.of_histories(windows), n_targets, minlength=len(groups.names))
        return GroupObjective(choice, groups, torch.from_numpy(sums / sums.sum()), state_size, n_steps)

    def loss(self, asked: Prediction, groups: IntArray, loss_of: Callable[[Prediction], Tensor]) -> Tensor:
        """The mean loss of what was asked, by the weights of the groups, and what the reader adds.

        Args:
            asked: states and targets.
            groups: [n] the group of who is behind each state.
            loss_of: the mean loss of any part of what was asked.
        """
        if self.reader is not None:
            return loss_of(asked) + self.choice.strength * self.reader.readable(asked.states, groups)
        total = asked.states.new_zeros(())
        for group in np.unique(groups).tolist():
            rows = torch.from_numpy(np.flatnonzero(groups == group)).to(asked.row.device)
            own = loss_of(_rows(asked, rows))
            self._losses.append((group, float(own.detach()) * len(rows), len(rows)))
            total = total + float(self.weights[group]) * len(rows) / len(groups) * own
        return total

    def after_step(self, processes: Processes) -> None:
        """Moves means, weights and reader by the step that was just taken, by all processes.

        Exact sums, because threads finish in any order.
        """
        if self.reader is not None:
            self.reader.after_step(processes)
        if self.choice.method not in BY_WEIGHTS:
            return
        sums = torch.zeros(2, len(self.shares), dtype=torch.float64)
        for group in range(len(self.shares)):
            own = [(total, count) for number, total, count in self._losses if number == group]
            sums[:, group] = torch.tensor([math.fsum(total for total, _ in own), sum(n for _, n in own)])
        self._losses.clear()
        processes.add_up([sums])
        there = sums[1] > 0
        now = (sums[0] / sums[1]).to(self.means)
        mixed = torch.where(self.means.isnan(), now, MEMORY * self.means + (1 - MEMORY) * now)
        self.means = torch.where(there.to(self.means.device), mixed, self.means)
        self.weights = moved_weights(self.choice, self.weights, self.means, self.shares, self.n_steps)


def starting_weights(choice: GroupChoice, shares: Tensor) -> Tensor:
    """[G] what a group's targets count before the first step: 1, or p_g^−s for reweighting; 1 on average.

    Args:
        choice: what is done, and how much of it.
        shares: [G] p_g, adding up to 1; a group without targets gets 0.
    """
    if choice.method != "reweighting":
        return torch.ones_like(shares)
    weights = torch.where(shares > 0, shares**-choice.strength, 0.0)
    return weights / (shares * weights).sum()


def moved_weights(
    choice: GroupChoice, weights: Tensor, means: Tensor, shares: Tensor, n_steps: int
) -> Tensor:
    """[G] the weights after one more step; see the formulas in the module's first lines.

    Args:
        choice: what is done, and how much of it.
        weights: [G] w_g so far.
        means: [G] running mean losses; NaN for a group that hasn't been met, which counts as average.
        shares: [G] p_g, adding up to 1.
        n_steps: of an epoch; η is the strength over it.
    """
    met = ~means.isnan()
    overall = (shares[met] * means[met]).sum() / shares[met].sum()
    above = torch.where(met, means - overall, 0.0)
    if choice.method == "gap":
        return (1 + 2 * choice.strength * above).clamp(min=0)
    if choice.method == "dro":
        grown = weights * (choice.strength / n_steps * (above - above.max())).exp()
        return grown / (shares * grown).sum()
    return weights


def _rows(asked: Prediction, rows: Tensor) -> Prediction:
    return Prediction(
        asked.states[rows], asked.row[rows], asked.length[rows], asked.targets[rows], asked.known
    )
