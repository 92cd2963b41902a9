"""Training windows: long histories cut into pieces of one length, batched with others of that length."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import Histories, IntArray


@dataclass(frozen=True, slots=True)
class Batch:
    """B windows of one person each, padded behind with 0.

    Attributes:
        history: [B, L] item numbers.
        targets: [B, L] the item that came next; 0 where there is none or where it occurs earlier in the
            window, because such an item leaves the list and so is no target. Every batch has a target.
    """

    history: IntArray
    targets: IntArray


def cut_windows(histories: Histories, max_length: int) -> Histories:
    """Windows of at most max_length + 1 items, so that each item of a history is a target once.

    Cut from the end, so that what was touched last has the longest history. Windows of one item, or of
    one item repeated, have no target and are left out.
    """
    sequences = [
        histories[row][max(0, end - max_length - 1) : end]
        for row in range(len(histories))
        for end in range(len(histories[row]), 1, -max_length)
    ]
    return Histories.of([sequence for sequence in sequences if (sequence != sequence[0]).any()])


def batches(windows: Histories, batch_size: int, generator: np.random.Generator) -> Iterator[Batch]:
    """All windows once, in random order, those of similar length together, so that little is padded."""
    noisy_length = windows.lengths * generator.uniform(0.95, 1.05, len(windows))
    order = np.argsort(noisy_length, kind="stable")
    starts = np.arange(0, len(order), batch_size)
    for start in generator.permutation(starts):
        padded = windows.take(order[start : start + batch_size]).padded(int(windows.lengths.max()))
        history, targets = padded[:, :-1], padded[:, 1:]
        yield Batch(history, np.where(_touched_before(history, targets), 0, targets))


def _touched_before(history: IntArray, targets: IntArray) -> IntArray:
    """[B, L] whether the target occurs in its row of the history up to its position."""
    length = history.shape[1]
    same = targets[:, :, None] == history[:, None, :]  # [B, target position, history position]
    return (same & np.tri(length, dtype=bool)).any(axis=2)


def seen_so_far(history: IntArray) -> IntArray:
    """[B, L, L] at [b, i, j] the item at position j if j ≤ i, else 0."""
    return np.where(np.tri(history.shape[1], dtype=bool), history[:, None, :], 0)
