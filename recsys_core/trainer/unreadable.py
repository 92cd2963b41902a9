"""States from which a group is hard to read: the best reader of it is worked out anew after every step.

A probe that learns beside the ranker stays behind it: the states only have to keep moving, and a fresh
probe reads them as well as ever. So here the reader is worked out in closed form, as in Sadeghi, Yu & Boddeti
(On the Global Optima of Kernelized Adversarial Representation Learning, ICCV 2019). It is the linear
discriminant of features φ of a state, the state itself and random rectified directions of it:

    D = 1/G Σ_g (μ_g − μ)ᵀ Σ⁻¹ (μ_g − μ),

μ_g the mean of φ over a group, μ the mean of these, Σ what varies within groups with a ridge. D is 0 where
no reader that is linear in φ tells the groups apart, and states move down its slope.

Shapes: n states of a batch, d their size, F features, G groups.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_core.data.dataset import IntArray
from recsys_core.trainer.processes import Processes

MEMORY = 0.9  # of sums, a step: a batch alone holds too few states for F × F products
RIDGE = 0.1  # of the mean variance of a feature, added to each
DIRECTIONS, MOST_DIRECTIONS = 8, 128  # a number of the state, and in all
MOST_STATES = 256  # of a part of a batch that are read: for F × F products more cost time and tell little
SMALLEST_SHARE = 0.01  # a group of fewer states doesn't pull harder


class BestReader(nn.Module):
    """Who tells groups apart best by the states of the last steps; its buffers belong to a checkpoint."""

    directions: Tensor
    offsets: Tensor
    counts: Tensor
    sums: Tensor
    products: Tensor
    pull: Tensor

    def __init__(self, state_size: int, n_groups: int) -> None:
        """Before the first step, when it has read nothing.

        Args:
            state_size: d.
            n_groups: G.
        """
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        n = min(DIRECTIONS * state_size, MOST_DIRECTIONS)
        size = state_size + n
        self.register_buffer("directions", torch.randn(state_size, n, generator=generator) / state_size**0.5)
        self.register_buffer("offsets", torch.randn(n, generator=generator))
        self.register_buffer("counts", torch.zeros(n_groups, dtype=torch.float64))
        self.register_buffer("sums", torch.zeros(n_groups, size, dtype=torch.float64))
        self.register_buffer("products", torch.zeros(size, size, dtype=torch.float64))
        self.register_buffer("pull", torch.zeros(n_groups, size))
        self._parts = list[tuple[Tensor, Tensor, Tensor]]()  # (counts, sums, products) of the step under way

    def features(self, states: Tensor) -> Tensor:
        """[n, F] the states, and random rectified directions of them at a common scale."""
        level = F.layer_norm(states, states.shape[-1:])
        return torch.cat([states, F.relu(level @ self.directions + self.offsets)], dim=1)

    def readable(self, states: Tensor, groups: IntArray) -> Tensor:
        """What to add to a mean loss so that states move to where D is smaller: half the slope of D.

        Some of the states, at places that depend on how many there are alone, are remembered for the reader
        of the next step.

        Args:
            states: [n, d].
            groups: [n] the group of who is behind each.
        """
        with torch.autocast(states.device.type, enabled=False):
            features = self.features(states.float())
            own = torch.from_numpy(groups).to(states.device)
            read = _drawn(len(features)).to(states.device)
            self._parts.append(_moments(features.detach()[read], own[read], len(self.counts)))
            return (features * self.pull[own]).sum() / len(features)

    def after_step(self, processes: Processes) -> None:
        """Works out the reader of the next step from all processes' states of this one and those before.

        Threads finish in any order: sums are over sorted parts, so that they have the same bits. A process
        without a part of a small batch adds nothing, and waits for the others like them.
        """
        before = (self.counts, self.sums, self.products)
        parts = self._parts or [tuple(map(torch.zeros_like, before))]
        now = [torch.stack(own).sort(dim=0).values.sum(dim=0) for own in zip(*parts, strict=True)]
        self._parts.clear()
        processes.add_up(now)
        self.counts, self.sums, self.products = (
            MEMORY * old + new for old, new in zip(before, now, strict=True)
        )
        self.pull = self._pull().to(self.pull)

    def _pull(self) -> Tensor:
        """[G, F] half the slope of D by the features of a state of each group, times the states in all."""
        shares = self.counts / self.counts.sum()
        met = (shares > 0).double()[:, None]
        means = self.sums / self.counts.clamp(min=1e-9)[:, None]
        apart = (means - (met * means).sum(dim=0) / met.sum()) * met
        within = (self.products - (means * self.counts[:, None]).T @ means) / self.counts.sum()
        ridge = RIDGE * within.diagonal().mean().clamp(min=1e-12)
        reader = torch.linalg.solve(within + ridge * torch.eye(len(within)).to(within), apart.T).T
        return reader / (met.sum() * shares.clamp(min=SMALLEST_SHARE)[:, None])


def _drawn(n: int) -> Tensor:
    """[min(n, 256)] scattered places among n, always the same: even steps could match the windows' length."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(n))[:MOST_STATES]


def _moments(features: Tensor, groups: Tensor, n_groups: int) -> tuple[Tensor, Tensor, Tensor]:
    """[G] how many states there are of each group, [G, F] their sums, and [F, F] the products of all."""
    members = F.one_hot(groups, n_groups).to(features)
    found = members.sum(dim=0), members.T @ features, features.T @ features
    counts, sums, products = (own.double() for own in found)
    return counts, sums, products
