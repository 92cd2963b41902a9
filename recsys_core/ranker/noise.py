"""Dropout whose noise depends on a seed alone: not on the device's state, the thread, or who drew before."""

import threading

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEVELS = 256  # one random byte decides, so a rate is rounded to a multiple of 1/256
_drawn = threading.local()


def seed_noise(*seeds: int) -> None:
    """Starts the noise of this thread's dropout anew, and of CUDA's; the same seeds give the same noise."""
    _drawn.generator = np.random.Generator(np.random.SFC64(list(seeds)))
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(int(np.random.SeedSequence(list(seeds)).generate_state(1)[0]))


def noise_of_this_thread() -> np.random.Generator:
    """The generator that dropout and masking draw from in this thread; seeded by 0 until `seed_noise`."""
    if not hasattr(_drawn, "generator"):
        seed_noise(0)
    return _drawn.generator


class Dropout(nn.Module):
    """Sets a share of the values to 0 in training and scales the others so that the mean stays.

    On the CPU it draws bytes by numpy: torch's own draws one number after the other under a lock, which
    took an eighth of a training step and made its noise depend on the order of threads.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        threshold = round(self.rate * _LEVELS)
        if not self.training or threshold == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.rate)
        drawn = np.frombuffer(bytearray(noise_of_this_thread().bytes(x.numel())), dtype=np.uint8)
        kept = torch.from_numpy(drawn).view(x.shape).ge(threshold).to(x.dtype)
        return x * kept.mul_(_LEVELS / (_LEVELS - threshold))
