"""Histories as the looked-up vectors that a neural ranker reads, the scores after them, and the way back.

Every gradient method asks the same: what does the score do along a direction in these vectors? Here
one pass forward serves all explained items of a person, and each item's gradient goes back alone.

Shapes: P people, L history items, D size of a looked-up vector, k explained items of each person,
R rows (each a point on somebody's line), V = n_items + 1.
"""

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.explain.scoring import BoolArray, Question
from recsys_core.explain.twin import twin
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.threads import map_in_threads

TOKENS_AT_ONCE = 2048  # history items that go forward and back together; fewer cost more than the cache gives
LOGITS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """People and the items that are explained to them, as tensors.

    Attributes:
        ranker: the twin of the one that is explained.
        batch: [P, L] the histories' windows, padded behind.
        vectors: [V, d] the item vectors.
        looked_up: [P, L, D] what the ranker reads.
        items: [P, k] the explained items.
        no_candidate: [P, V] what is seen, and the padding.
        explained: which score, as in `Question`.
        rival: the item that a margin is over; None for other scores.
    """

    ranker: NeuralRanker
    batch: HistoryBatch
    vectors: Tensor
    looked_up: Tensor
    items: Tensor
    no_candidate: Tensor
    explained: str
    rival: int | None

    @staticmethod
    def of(ranker: NeuralRanker, questions: Sequence[Question], items: IntArray) -> "Asked":
        """Questions of several people, all about the same kind of score, with their items [P, k]."""
        ranker = twin(ranker.eval())
        device = ranker.item_bias.device
        known = Histories.joined([question.known for question in questions])
        batch = HistoryBatch.of(known if ranker.reads_events else known.bare(), ranker.max_length, device)
        no_candidate = torch.zeros(len(questions), ranker.n_items + 1, dtype=torch.bool, device=device)
        no_candidate[:, 0] = True
        for row, question in enumerate(questions):
            no_candidate[row, torch.from_numpy(question.seen).to(device)] = True
        with torch.no_grad():
            vectors = ranker.item_vectors().float()
        wanted = torch.from_numpy(items).to(device)
        first = questions[0]
        asked = Asked(ranker, batch, vectors, vectors, wanted, no_candidate, first.explained, first.rival)
        return replace(asked, looked_up=asked.look_up(batch.items))

    def repeated(self, n: int) -> "Asked":
        """[P · n] every person n times in a row."""
        rows = torch.arange(len(self.items), device=self.items.device).repeat_interleave(n)
        return replace(
            self,
            batch=of_people(self.batch, rows),
            looked_up=self.looked_up[rows],
            items=self.items[rows],
            no_candidate=self.no_candidate[rows],
        )

    def look_up(self, items: Tensor) -> Tensor:
        """[P, L, D] what the ranker would read of these items [P, L]."""
        handle = self.ranker.history_embedding.register_forward_hook(_stop)
        try:
            with torch.no_grad():
                self.ranker.last_state(replaced(self.batch, items), self.vectors)
        except _LookedUp as stopped:
            return stopped.vectors
        finally:
            handle.remove()
        raise AssertionError("a neural ranker looks the items of a history up before all else")

    def states(self, people: Tensor, vectors: Tensor) -> Tensor:
        """[R, size of a state] after histories of which the ranker reads the vectors [R, L, D] instead."""
        with read_instead(self.ranker.history_embedding, vectors):
            return self.ranker.last_state(of_people(self.batch, people), self.vectors)

    def scores(self, people: Tensor, states: Tensor) -> Tensor:
        """[R, k] the explained score of each item of a row's person, in double precision."""
        own = self._own(people, states).double()
        if self.rival is not None:
            return own - self._rivals(states).double()[:, None]
        if self.explained == "logit":
            return own
        total = self._log_total(people, states).double()[:, None]
        return own - torch.where(self._seen(people), torch.logaddexp(total, own), total)

    def cotangents(self, people: Tensor, states: Tensor) -> list[Tensor]:
        """[R, size of a state] for each of the k items, the gradient of its score by the state."""
        leaf = states.detach().requires_grad_()
        own = self._own(people, leaf)
        if self.ranker.is_product:
            grads = list(self.vectors[self.items[people]].unbind(1))
        else:
            grads = [_gradient(own[:, item], leaf) for item in range(own.shape[1])]
        if self.rival is not None:
            over = _gradient(self._rivals(leaf), leaf)
            return [grad - over for grad in grads]
        if self.explained == "logit":
            return grads
        total = self._log_total(people, leaf)
        of_total = _gradient(total, leaf)
        share = torch.where(self._seen(people), torch.sigmoid(total[:, None] - own), 1.0).detach()
        return [(grad - of_total) * share[:, item, None] for item, grad in enumerate(grads)]

    def _own(self, people: Tensor, states: Tensor) -> Tensor:
        items = self.items[people]  # [R, k]
        vectors, bias = self.vectors[items], self.ranker.item_bias.detach()[items]
        return self.ranker.own_logits(states[:, None], vectors, bias)

    def _rivals(self, states: Tensor) -> Tensor:
        rival = torch.full((len(states),), cast(int, self.rival), device=states.device)
        return self.ranker.own_logits(states, self.vectors[rival], self.ranker.item_bias.detach()[rival])

    def _log_total(self, people: Tensor, states: Tensor) -> Tensor:
        """[R] log Σ exp over the candidates."""
        logits = self.ranker.logits(states, self.vectors, self.ranker.item_bias.detach())
        return logits.masked_fill(self.no_candidate[people], -torch.inf).logsumexp(1)

    def _seen(self, people: Tensor) -> Tensor:
        """[R, k] whether the item was no candidate; it is one where it is explained itself."""
        return self.no_candidate[people].gather(1, self.items[people])


def slopes(
    asked: Asked,
    people: IntArray,
    starts: Tensor,
    directions: Tensor,
    positions: FloatArray,
    needed: BoolArray,
) -> FloatArray:
    """[R, k, L] each item's gradient times the direction of the line, place by place, at points of lines.

    Args:
        asked: whose lines.
        people: [R] the person of each point.
        starts: [P, L, D] where each person's line starts.
        directions: [P, L, D] where it goes.
        positions: [R] of the points: start + position · direction.
        needed: [R, k] of which items; what else is found on the way may be there or be zeros.
    """

    def of_rows(rows: IntArray) -> FloatArray:
        person = torch.from_numpy(people[rows]).to(asked.looked_up.device)
        place = torch.from_numpy(positions[rows]).to(starts)
        direction = directions[person]
        x = (starts[person] + place[:, None, None] * direction).requires_grad_()
        with torch.enable_grad():
            states = asked.states(person, x)
            cotangents = torch.stack(asked.cotangents(person, states), 1)  # [r, k, size of a state]
        found = np.zeros((len(rows), asked.items.shape[1], x.shape[1]))
        for turn in _turns(needed[rows]):
            cotangent = cotangents[torch.arange(len(rows)), torch.from_numpy(turn)]
            (back,) = torch.autograd.grad(states, x, cotangent, retain_graph=True)
            along = torch.einsum("rld,rld->rl", back, direction)
            found[np.arange(len(rows)), turn] = along.double().cpu().numpy()
        return found

    return np.concatenate(map_in_threads(of_rows, pieces(asked, len(people))))


def _turns(needed: BoolArray) -> IntArray:
    """[most that a row needs, R] an item of each row for each way back, the needed ones of a row first."""
    first_needed = np.argsort(~needed, axis=1, kind="stable")
    return first_needed[:, : needed.sum(axis=1).max(initial=0)].T


def mean_gradients(
    asked: Asked, starts: Tensor, directions: Tensor, positions: FloatArray, weights: FloatArray
) -> Tensor:
    """[L, D] Σ weight · gradient over points of the first person's line, of their first item's score."""
    found = torch.zeros_like(starts[0])
    for rows in pieces(asked, len(positions)):
        place = torch.from_numpy(positions[rows]).to(starts)[:, None, None]
        person = torch.zeros(len(rows), dtype=torch.long, device=starts.device)
        x = (starts[0] + place * directions[0]).requires_grad_()
        with torch.enable_grad():
            states = asked.states(person, x)
            cotangent = asked.cotangents(person, states)[0]
        weighed = cotangent * torch.from_numpy(weights[rows]).to(starts)[:, None]
        found += torch.autograd.grad(states, x, weighed)[0].sum(0)
    return found


def scores_at(asked: Asked, people: IntArray, vectors: Tensor) -> FloatArray:
    """[R, k] the scores of people after other looked-up vectors [R, L, D]."""

    def of_rows(rows: IntArray) -> FloatArray:
        person = torch.from_numpy(people[rows]).to(asked.looked_up.device)
        with torch.no_grad():
            states = asked.states(person, vectors[torch.from_numpy(rows).to(vectors.device)])
            return asked.scores(person, states).cpu().numpy()

    return np.concatenate(map_in_threads(of_rows, pieces(asked, len(people))))


def pieces(asked: Asked, n_rows: int) -> list[IntArray]:
    """Rows in pieces that are worked out together: few enough for the cache, and one a thread at least."""
    n_vectors, length = asked.vectors.shape[0], asked.looked_up.shape[1]
    size = max(
        1, min(TOKENS_AT_ONCE // length, LOGITS_AT_ONCE // n_vectors, -(-n_rows // torch.get_num_threads()))
    )
    edges = [*range(0, n_rows, size), n_rows]
    return [np.arange(start, stop) for start, stop in pairwise(edges)]


@contextmanager
def read_instead(embedding: nn.Module, vectors: Tensor) -> Generator[None]:
    """Within the block and in this thread alone, the module gives these vectors whatever it is asked."""
    thread = threading.get_ident()

    def give(*_: object) -> Tensor | None:
        return vectors if threading.get_ident() == thread else None

    handle = embedding.register_forward_hook(give)
    try:
        yield
    finally:
        handle.remove()


def of_people(batch: HistoryBatch, people: Tensor) -> HistoryBatch:
    """[R] rows of a batch, as often as they are named."""
    return HistoryBatch(*(None if part is None else part[people] for part in _parts(batch)))  # pyright: ignore[reportArgumentType]


def replaced(batch: HistoryBatch, items: Tensor) -> HistoryBatch:
    """The batch with other items, and all that is known beside them."""
    return HistoryBatch(items, *_parts(batch)[1:])  # pyright: ignore[reportArgumentType]


class _LookedUp(Exception):
    """Ends a way forward of which no more than the looked-up vectors is wanted."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.vectors = vectors


def _stop(_module: nn.Module, _arguments: object, vectors: Tensor) -> None:
    raise _LookedUp(vectors)


def _parts(batch: HistoryBatch) -> list[Tensor | None]:
    return [getattr(batch, name) for name in HistoryBatch.__dataclass_fields__]


def _gradient(values: Tensor, leaf: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(values.sum(), leaf, retain_graph=True)
    return gradient
