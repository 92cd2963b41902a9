"""Texts of histories and candidates as rows of tokens, for an encoder that reads both together.

A row holds one history and several candidates one behind the other. Every candidate may look at the
history and at itself; the history doesn't look at candidates, nor they at each other. So a candidate
gets the same score as if it were alone with the history, and the history is read once for all of them:
on MovieLens that is a fourth of the work.

Shapes: R rows, T tokens of the longest, n_pairs (history, candidate) pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import Histories, IntArray

CANDIDATES_A_ROW = 25
TOKENS_A_BATCH = 2_048
LENGTH_MULTIPLE = 32  # kernels are made anew for every shape: keep shapes few
HISTORY, PADDING = 0, -1


@dataclass(frozen=True, slots=True)
class ItemTokens:
    """The texts of all items as tokens, and the two tokens that stand around texts.

    Attributes:
        texts: [n_items + 1] tokens of each item; none for the padding.
        start: opens a row.
        stop: closes a text.
    """

    texts: Histories
    start: int
    stop: int

    def of_history(self, items: IntArray) -> IntArray:
        """Tokens of a history, oldest item first; padding and "no item in particular" are skipped."""
        parts = [np.append(self.texts[int(item)], self.stop) for item in items if item > 0]
        return np.concatenate([[self.start], *parts]).astype(np.int64)

    def of_wish(self, tokens: Sequence[int]) -> IntArray:
        """Tokens of a text that somebody typed, in the place of a history."""
        return np.array([self.start, *tokens, self.stop], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class PairRows:
    """R rows of pairs as tensors.

    Attributes:
        tokens: [R, T].
        segments: [R, T] 0 = history, 1, 2, … = the row's candidates, -1 = padding.
        positions: [R, T] place in the text: a candidate starts where its history ends.
        pairs: [n_pairs in these rows] the pair that each candidate is of, row by row.
    """

    tokens: Tensor
    segments: Tensor
    positions: Tensor
    pairs: IntArray

    def may_look(self) -> Tensor:
        """[R, 1, T, T] whether the token of a line may look at the token of a column."""
        own = self.segments[:, :, None] == self.segments[:, None, :]
        return (own | (self.segments == HISTORY)[:, None, :])[:, None]


def pair_rows(
    item_tokens: ItemTokens, heads: Sequence[IntArray], head_of_pair: IntArray, candidates: IntArray
) -> Iterator[PairRows]:
    """All pairs, in batches of rows of similar length.

    Args:
        item_tokens: of the candidates.
        heads: tokens of the histories or wishes.
        head_of_pair: [n_pairs] which of them is read; pairs of one head stand together.
        candidates: [n_pairs] item numbers.
    """
    starts = np.flatnonzero(np.diff(head_of_pair, prepend=-1))
    stops = np.append(starts, len(head_of_pair))[1:]
    pieces: list[IntArray] = [
        np.arange(begin, min(begin + CANDIDATES_A_ROW, stop))
        for start, stop in zip(starts, stops, strict=True)
        for begin in range(start, stop, CANDIDATES_A_ROW)
    ]
    lengths = item_tokens.texts.lengths[candidates] + 1
    widths = [len(heads[int(head_of_pair[pairs[0]])]) + int(lengths[pairs].sum()) for pairs in pieces]
    order: list[int] = np.argsort(widths, kind="stable")[::-1].tolist()
    first = 0
    while first < len(order):
        width = -(-widths[order[first]] // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
        rows = order[first : first + max(1, TOKENS_A_BATCH // width)]
        own = [pieces[row] for row in rows]
        yield _filled(
            item_tokens, [heads[int(head_of_pair[pairs[0]])] for pairs in own], own, candidates, width
        )
        first += len(rows)


def _filled(
    item_tokens: ItemTokens,
    heads: Sequence[IntArray],
    pieces: Sequence[IntArray],
    candidates: IntArray,
    width: int,
) -> PairRows:
    tokens, positions = (np.zeros((len(pieces), width), dtype=np.int64) for _ in range(2))
    segments = np.full((len(pieces), width), PADDING)
    for row, (head, pairs) in enumerate(zip(heads, pieces, strict=True)):
        texts = [
            head,
            *(np.append(item_tokens.texts[int(item)], item_tokens.stop) for item in candidates[pairs]),
        ]
        lengths = np.array([len(text) for text in texts])
        used = int(lengths.sum())
        tokens[row, :used] = np.concatenate(texts)
        segments[row, :used] = np.repeat(np.arange(len(texts)), lengths)
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        offset = np.where(np.arange(len(texts)) == 0, 0, len(head)) - begins
        positions[row, :used] = np.arange(used) + np.repeat(offset, lengths)
    return PairRows(
        torch.from_numpy(tokens),
        torch.from_numpy(segments),
        torch.from_numpy(positions),
        np.concatenate(pieces),
    )
