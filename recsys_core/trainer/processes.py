"""Training in several processes, as `torchrun` starts them: who this one is, and what they add up.

Each process has the whole ranker and a share of every batch. They meet twice a step: to add their
gradients, and to hear from the first one whether to go on. Only the first one validates and writes.
"""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from recsys_core.errors import CancelledError

PATIENCE = timedelta(days=2)  # the others wait while the first one evaluates


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes that train one ranker together, seen from one of them.

    Attributes:
        rank: which one this is, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that validates, reports and writes."""
        return self.rank == 0

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Makes each tensor the sum of all processes' tensors, in place."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])  # one message, not one a tensor
        dist.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def sum(self, value: float) -> float:
        """The sum of all processes' values."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(total)
        return float(total)

    def told_by_first(self, work: Callable[[], float | None]) -> float:
        """What `work` gives in the first process (0 for None), which alone does it.

        Raises:
            CancelledError: `work` raised in the first process; there it is that error itself.
        """
        if self.size == 1:
            return work() or 0.0
        message = torch.zeros(2, dtype=torch.float64)  # whether to go on, and the value
        try:
            if self.is_first:
                message = torch.tensor([1.0, work() or 0.0], dtype=torch.float64)
        finally:
            dist.broadcast(message, 0)
        if not message[0]:
            raise CancelledError("the first process stopped the training")
        return float(message[1])

    def wait_for_all(self) -> None:
        """Returns when every process has come here."""
        self.sum(0.0)

    @contextmanager
    def first_goes_ahead(self) -> Generator[None]:
        """The first process does what is in the block; when it has, so do the others."""
        if not self.is_first:
            self.wait_for_all()
        yield
        if self.is_first:
            self.wait_for_all()


ALONE = Processes()


@contextmanager
def joined_processes() -> Generator[Processes]:
    """This process among those that `torchrun` started with it; alone without `torchrun`.

    On the CPU they speak through gloo, between CUDA devices through nccl; process n uses device n.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
