"""Training windows: long histories cut into pieces of one length, batched with others of that length."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.data.events import EventContext

LENGTH_MULTIPLE = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """B windows of one person each, padded behind with 0.

    Attributes:
        history: [B, L] item numbers.
        targets: [B, L] the item that came next; 0 where there is none or where it occurs earlier in the
            window, because such an item leaves the list and so is no target. Every batch has a target.
        context: [B, L] what is known of each event of the history beside its item; None = nothing.
        request_s: [B, L] when each next item came, in Unix seconds; None = not known.
        attributes: [B, a] codes of the people's attributes; None = not known.
        n_before: [B] how many items of the whole history came before each window; None = none did.
        strengths: [B, L] of each next event, such as its rating; None = not known.
    """

    history: IntArray
    targets: IntArray
    context: EventContext | None = None
    request_s: FloatArray | None = None
    attributes: IntArray | None = None
    n_before: IntArray | None = None
    strengths: FloatArray | None = None

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
        cuts = np.array_split(np.arange(len(self.history)), n)
        return [self._rows(rows) for rows in cuts if self.targets[rows].any()]

    def _rows(self, rows: IntArray) -> "Batch":
        return Batch(
            self.history[rows],
            self.targets[rows],
            None if self.context is None else self.context.at(rows),
            None if self.request_s is None else self.request_s[rows],
            None if self.attributes is None else self.attributes[rows],
            None if self.n_before is None else self.n_before[rows],
            None if self.strengths is None else self.strengths[rows],
        )


def cut_windows(histories: Histories, max_length: int) -> Histories:
    """Windows of at most max_length + 1 items, so that each item of a history is a target once.

    Cut from the end, so that what was touched last has the longest history. Windows of one item, or of
    one item repeated, have no target and are left out.
    """
    cuts = [
        (row, max(0, stop - max_length - 1), stop)
        for row, length in enumerate(histories.lengths.tolist())
        for stop in range(length, 1, -max_length)
    ]
    rows, starts, stops = np.array(cuts, dtype=np.int64).reshape(-1, 3).T
    windows = histories.pieces(rows, starts, stops)
    first = np.repeat(windows.items[windows.offsets[:-1]], windows.lengths)
    others = np.bincount(windows.rows[windows.items != first], minlength=len(windows))
    return windows.take(np.flatnonzero(others))


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
        yield _batch(windows.take(order[start : start + batch_size]), longest)


def _batch(windows: Histories, longest: int) -> Batch:
    padded, context = windows.padded(longest + 1), windows.padded_context(longest + 1)
    width = min(-(-(padded.shape[1] - 1) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE, longest)
    more = width + 1 - padded.shape[1]
    padded = np.pad(padded, ((0, 0), (0, more)))
    history, targets = padded[:, :-1], padded[:, 1:]
    targets = np.where(_touched_before(history, targets), 0, targets)
    attributes = None if windows.askers is None else windows.askers.attributes
    if context is None:
        return Batch(history, targets, attributes=attributes, n_before=windows.n_before)
    widened = context.widened(more)
    before, after = (slice(None), slice(None, -1)), (slice(None), slice(1, None))
    request_s, strengths = widened.timestamps_s[after], widened.strengths[after]
    return Batch(history, targets, widened.at(before), request_s, attributes, windows.n_before, strengths)


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
