"""Exact maximum-inner-product search: everybody's best items, without a matrix of all scores.

A fast first pass selects a few candidates and says what no other item can exceed; the candidates are
scored exactly; where the k-th of them is above that ceiling, nothing can be missing. Whom this doesn't
prove gets more candidates, then a pass in float32, then every item as a candidate. So a person's list is
the same whatever the batch and the path: by the score in float32, always summed in the same order, then
by item number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.errors import ConfigError
from recsys_core.ranker.first_pass import FirstPass, FullPrecision, HalfPrecision, Seen
from recsys_core.ranker.protocol import ScoreArray
from recsys_core.ranker.threads import MAX_THREADS, map_in_threads

BLOCK_PEOPLE, BLOCK_SCORES = 96, 2**22  # looked at together, at least
MOST_SCORES = 2**26  # that ever exist at once
FEWEST_PEOPLE = 64  # for fewer, a bfloat16 copy of the items costs more than it saves
FEWEST_OF_A_THREAD = 256
SPARE_CANDIDATES = 48
WIDER = 4  # times as many candidates for those whose lists the first ones didn't prove
LARGEST_SCORE = 1e30  # sums of products stay in the range of float32
ITEM_BITS = 32


@dataclass(frozen=True, slots=True)
class TopItems:
    """The first k items of n people.

    Attributes:
        items: [n, k] item numbers, best first, ties by item number; 0 where no candidate is left.
        scores: [n, k]; −∞ where no candidate is left.
    """

    items: IntArray
    scores: ScoreArray | FloatArray


class ItemIndex:
    """The items of a catalogue, ready to be searched: score = state · vector + bias."""

    def __init__(self, vectors: Tensor, bias: Tensor | None = None) -> None:
        """An index of items, on the device of their vectors.

        Args:
            vectors: [V, d]; row 0, the padding, is never a candidate.
            bias: [V]; none is all zeros.

        Raises:
            ConfigError: a vector or a bias is NaN or infinite, or there is no item.
        """
        if len(vectors) < 2:
            raise ConfigError("there is no item to search; at least 1 is needed")
        self._vectors = vectors.detach().float().contiguous()
        bias = self._vectors.new_zeros(len(vectors)) if bias is None else bias.detach()
        self._bias = bias.float().contiguous()
        _check_finite(self._vectors, "an item's vector")
        _check_finite(self._bias, "an item's bias")
        self._full = FullPrecision.of(self._vectors, self._bias)
        self._half: HalfPrecision | None = None

    @property
    def n_items(self) -> int:
        return len(self._vectors) - 1

    def search(self, states: Tensor, seen: Histories, k: int) -> TopItems:
        """Everybody's k best items among those they haven't seen.

        Args:
            states: [n, d] one a person.
            seen: [n] item numbers that are no candidates.
            k: length of the lists, at least 1; they are no longer than the catalogue.

        Raises:
            ConfigError: k is under 1, or a state is NaN, infinite or too large.
        """
        if k < 1:
            raise ConfigError(f"k is {k}; a list has at least 1 item")
        states = states.detach().to(self._vectors.device, torch.float32)
        self._check_states(states)
        k = min(k, self.n_items)
        found = TopItems(np.zeros((len(states), k), np.int64), np.full((len(states), k), -np.inf, np.float32))
        left = np.arange(len(states))
        for first_pass, width in self._passes(len(states), k):
            shares = self._shares(left)
            most = MOST_SCORES // max(1, len(shares))
            prove = partial(self._prove, first_pass, width, most, states, seen, found)
            left = np.concatenate([left[:0], *map_in_threads(prove, shares)])
        self._score_everything(states, seen, left, found)
        return found

    def log_totals(self, states: Tensor, seen: Histories) -> FloatArray:
        """[n] log Σ exp(score) over the items that a person hasn't seen; −∞ where none is left.

        A score less this is the log-probability of the item among the candidates.
        """
        states = states.detach().to(self._vectors.device, torch.float32)
        totals = np.full(len(states), -np.inf)
        scratch, n_rows = self._scratch(len(states), self._full, MOST_SCORES)
        for rows in _blocks(np.arange(len(states)), n_rows):
            some = self._seen(seen, rows)
            scores = scratch[: len(rows) * len(self._vectors)].view(len(rows), -1)
            torch.addmm(self._bias, states[rows], self._vectors.T, out=scores)
            scores[:, 0] = -torch.inf
            scores[some.rows, some.items] = -torch.inf
            largest = scores.amax(1, keepdim=True)
            finite = largest.where(largest > -torch.inf, 0)
            sums = scores.sub_(finite).exp_().sum(1).double()
            totals[rows] = (sums.log() + finite[:, 0]).cpu().numpy()
        return totals

    def _passes(self, n: int, k: int) -> Iterator[tuple[FirstPass, int]]:
        """What to try, in order, with how many candidates."""
        width = k + max(SPARE_CANDIDATES, k // 4)
        if n >= FEWEST_PEOPLE and HalfPrecision.is_fast_on(self._vectors.device):
            self._half = self._half or HalfPrecision.of(self._full)
            yield from ((self._half, w) for w in (width, WIDER * width) if self._half.can_select(w))
        yield self._full, width

    def _prove(
        self,
        first_pass: FirstPass,
        width: int,
        most: int,
        states: Tensor,
        seen: Histories,
        found: TopItems,
        people: IntArray,
    ) -> IntArray:
        """Enters the lists of people into `found`; whose lists are not proven to be complete."""
        scratch, n_rows = self._scratch(len(people), first_pass, most)
        unproven = [people[:0]]
        for rows in _blocks(people, n_rows):
            some = states[rows]
            selection = first_pass.select(some, self._seen(seen, rows), width, scratch)
            scores = self._exact_scores(some, selection.items)
            last = self._enter(rows, selection.items, scores, found)
            ceiling = selection.ceiling.cpu().numpy()
            unproven.append(rows[~((last > ceiling) | (ceiling == -np.inf))])
        return np.concatenate(unproven)

    def _shares(self, people: IntArray) -> list[IntArray]:
        """The people that each thread looks at by itself: partitions and gathers would use one alone."""
        n_threads = min(MAX_THREADS, torch.get_num_threads()) if self._vectors.device.type == "cpu" else 1
        n_shares = min(n_threads, -(-len(people) // FEWEST_OF_A_THREAD))
        return np.array_split(people, n_shares) if n_shares else []

    def _score_everything(self, states: Tensor, seen: Histories, people: IntArray, found: TopItems) -> None:
        """Enters the lists of people into `found`, every item being a candidate."""
        every = torch.arange(len(self._vectors), device=self._vectors.device)
        for rows in _blocks(people, max(1, BLOCK_SCORES // self._vectors.numel())):
            masked = self._seen(seen, rows)
            items = every.repeat(len(rows), 1)
            items[masked.rows, masked.items] = 0
            self._enter(rows, items, self._exact_scores(states[rows], items), found)

    def _enter(self, rows: IntArray, items: Tensor, scores: Tensor, found: TopItems) -> ScoreArray:
        """[B] the last score of each list, once the best of the candidates [B, w] are in `found`."""
        items, scores = _in_order(items, scores)
        k = found.items.shape[1]
        best: ScoreArray = scores[:, :k].cpu().numpy()
        found.items[rows], found.scores[rows] = items[:, :k].cpu().numpy(), best
        return best[:, -1]

    def _exact_scores(self, states: Tensor, items: Tensor) -> Tensor:
        """[B, w] scores of items [B, w], each summed in the same order wherever it stands; −∞ of item 0."""
        products = F.embedding(items, self._vectors).mul_(states[:, None])  # [B, w, d]
        return (products.sum(2) + self._bias[items]).masked_fill_(items == 0, -torch.inf)

    def _check_states(self, states: Tensor) -> None:
        _check_finite(states, "a person's state")
        longest = float(states.norm(dim=1).max()) if len(states) else 0.0
        if not longest * self._full.reach + self._full.largest_bias < LARGEST_SCORE:
            raise ConfigError(
                f"states have norms up to {longest:.1e} and vectors up to {self._full.reach:.1e}, so a score "
                f"may be beyond {LARGEST_SCORE:.0e}, the most that is allowed"
            )

    def _seen(self, seen: Histories, people: IntArray) -> Seen:
        some = seen.take(people)
        device = self._vectors.device
        return Seen(torch.from_numpy(some.rows).to(device), torch.from_numpy(some.items).to(device))

    def _scratch(self, n: int, first_pass: FirstPass, most: int) -> tuple[Tensor, int]:
        """Space for at most so many scores of people who are looked at together, and how many people."""
        columns = first_pass.n_columns
        n_rows = min(max(BLOCK_PEOPLE, BLOCK_SCORES // columns), max(1, most // columns), max(1, n))
        size = n_rows * columns
        return torch.empty(size, dtype=first_pass.dtype, device=self._vectors.device), n_rows


def _in_order(items: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Items and scores [B, w], the highest score first, ties by item number."""
    bits = (scores + 0.0).view(torch.int32)  # + 0.0 makes a zero of a negative zero
    rising = bits ^ ((bits >> 31) & (2**31 - 1))  # integers in the order of the scores
    keys = _sorted((~rising).long() << ITEM_BITS | items)
    rising = ~(keys >> ITEM_BITS).to(torch.int32)
    return keys & (2**ITEM_BITS - 1), (rising ^ ((rising >> 31) & (2**31 - 1))).view(torch.float32)


def _sorted(keys: Tensor) -> Tensor:
    """Sorted along the last dimension; on the CPU by NumPy, many times faster than by torch."""
    if keys.device.type == "cpu":
        keys.numpy().sort(axis=1)
        return keys
    return keys.sort(dim=1).values


def _blocks(rows: IntArray, size: int) -> Iterator[IntArray]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _check_finite(values: Tensor, what: str) -> None:
    if not torch.isfinite(values).all():
        raise ConfigError(f"{what} is NaN or infinite, so the items can't be ranked")
