"""Training windows: long histories cut into pieces of one length, batched with others of that length."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import Histories, IntArray

LENGTH_MULTIPLE = 8


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

    @property
    def lengths(self) -> IntArray:
        """[B] number of real items of each window."""
        return (self.history > 0).sum(axis=1)

    @property
    def n_targets(self) -> int:
        """How many next items there are to learn."""
        return int((self.targets > 0).sum())

    def parts(self, n: int) -> list["Batch"]:
        """Up to n parts of about as many windows each; a part without a target is left out."""
        pieces = zip(np.array_split(self.history, n), np.array_split(self.targets, n), strict=True)
        return [Batch(history, targets) for history, targets in pieces if targets.any()]


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
    """All windows once, in random order, those of similar length together, so that little is padded.

    Lengths are rounded up to a multiple of 8: matrix kernels are made anew for every shape that they
    meet, and with every length of its own that took as long as the first epoch's arithmetic.
    """
    longest = int(windows.lengths.max()) - 1
    noisy_length = windows.lengths * generator.uniform(0.95, 1.05, len(windows))
    order = np.argsort(noisy_length, kind="stable")
    starts = np.arange(0, len(order), batch_size)
    for start in generator.permutation(starts):
        padded = windows.take(order[start : start + batch_size]).padded(longest + 1)
        width = min(-(-(padded.shape[1] - 1) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE, longest)
        padded = np.pad(padded, ((0, 0), (0, width + 1 - padded.shape[1])))
        history, targets = padded[:, :-1], padded[:, 1:]
        yield Batch(history, np.where(_touched_before(history, targets), 0, targets))


def _touched_before(history: IntArray, targets: IntArray) -> IntArray:
    """[B, L] whether the target occurs in its row of the history up to its position."""
    length = history.shape[1]
    same = targets[:, :, None] == history[:, None, :]  # [B, target position, history position]
    return (same & np.tri(length, dtype=bool)).any(axis=2)


def seen_before(history: IntArray, rows: IntArray, lengths: IntArray) -> Histories:
    """[n] the first `lengths[i]` items of row `rows[i]`: what is no candidate any more.

    Args:
        history: [B, L] item numbers.
        rows: [n] rows of `history`.
        lengths: [n] how many items of that row have been seen.
    """
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return Histories(history[np.repeat(rows, lengths), within], offsets)
