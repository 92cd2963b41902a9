"""Which training examples taught a model to put an item on a list.

A training example is a person's history up to some event, and the item that came. By Captum's TracIn (Pruthi
et al., NeurIPS 2020, section 3 and appendix F), as if the last layer alone were still learning: an example
helps as far as its gradient on the item vectors points where the explained score rises. Of the training run
one checkpoint is kept, the finished model, so these are influences on its last steps.

Shapes: n examples, V = n_items + 1, d size of a state.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.data.events import Askers
from recsys_core.errors import ConfigError
from recsys_core.explain.scoring import Question
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.imported import ImportedLists
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.protocol import Ranker

WINDOWS_AT_ONCE = 32
EXAMPLES_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class TrainingExamples:
    """What a ranker was asked in training, as the finished ranker sees it.

    Attributes:
        person: [n] the history that each is from.
        place: [n] where the item that came stands in that history, from 0.
        target: [n] the item that came.
        states: [n, d] after what came before it.
        window_start: [n] where the window begins in which it was asked; what is seen there is no candidate.
    """

    person: IntArray
    place: IntArray
    target: IntArray
    states: Tensor
    window_start: IntArray


@dataclass(frozen=True, slots=True)
class Influence:
    """What each training example did for the score of one item on one list.

    Attributes:
        examples: which they are.
        values: [n] in squared units of gradients, that is, comparable with each other alone. Above 0: it
            raised the score; below 0: it lowered it.
    """

    examples: TrainingExamples
    values: FloatArray

    def strongest(self, k: int, raising: bool = True) -> IntArray:
        """Up to k examples that raised (or lowered) the score most, the strongest first."""
        order = np.argsort(-self.values if raising else self.values, kind="stable")[:k]
        return order[self.values[order] > 0 if raising else self.values[order] < 0]

    def by_person(self, n_people: int) -> FloatArray:
        """[n_people] the sum over each person's examples."""
        return np.bincount(self.examples.person, weights=self.values, minlength=n_people).astype(np.float64)


def influence(
    ranker: Ranker,
    known: Histories,
    question: Question,
    progress: Callable[[float], None] = lambda share: None,
) -> Influence:
    """What every training example did for the question's score.

    Args:
        ranker: a neural one whose score is a product of a state and an item's vector.
        known: [n_people] training histories.
        question: the explained item.
        progress: told the share that is done.

    Raises:
        ConfigError: the ranker has no such last layer, or there is nothing it learned from.
    """
    from captum.influence import TracInCPFast  # brings matplotlib along, which takes seconds

    model = learned_by_gradients(ranker)
    examples = training_examples(model, known)
    batches = _Batches(known, examples, progress)
    layer = _LastLayer(model)
    traced = TracInCPFast(
        layer,
        layer.scores,
        DataLoader(batches, batch_size=None),
        checkpoints=["as it is"],
        checkpoints_load_func=lambda *_: 1.0,
        loss_fn=nn.CrossEntropyLoss(reduction="sum"),
    )
    device = model.item_bias.device
    no_candidates = np.append(np.setdiff1d(question.seen, [question.item_number]), 0)
    asked = (
        model.states(question.known).clone(),
        torch.from_numpy(no_candidates)[None].to(device),
        torch.tensor([question.item_number], device=device),
    )
    values = cast(Tensor, traced.influence(asked))[0]
    return Influence(examples, values.double().cpu().numpy())


def learned_by_gradients(ranker: Ranker) -> NeuralRanker:
    """The ranker, if its last layer is one that can be traced.

    Raises:
        ConfigError: it isn't; the sentence says what explains it instead.
    """
    if isinstance(ranker, ImportedLists):
        raise ConfigError("these lists were made elsewhere, so nobody here knows what taught them")
    if not isinstance(ranker, NeuralRanker):
        raise ConfigError(
            "this ranker counts instead of learning from one example after the other; its counts say exactly "
            "what it knows: explain it by the method counts or leave-one-out"
        )
    if not ranker.is_product:
        raise ConfigError(
            "this ranker's score is no product of a state and an item's vector, so it has no last layer "
            "whose gradients could be traced; explain it by its history"
        )
    return ranker


def training_examples(ranker: NeuralRanker, known: Histories) -> TrainingExamples:
    """Every item that came after another in training, asked as training asks it.

    Items that occur earlier in their window are no targets. Windows are cut from the end, each item once a
    target, as in `trainer.windows`.

    Raises:
        ConfigError: nobody has two different items.
    """
    ranker.eval()
    rows, starts, stops = _windows(known.lengths, ranker.max_length)
    parts = list[TrainingExamples]()
    for first in range(0, len(rows), WINDOWS_AT_ONCE):
        some = slice(first, first + WINDOWS_AT_ONCE)
        part = _asked(ranker, known, rows[some], starts[some], stops[some])
        parts += [part] if len(part.person) else []
    if not parts:
        raise ConfigError("nobody in the training data has two different items, so nothing was learned")
    return TrainingExamples(
        np.concatenate([part.person for part in parts]),
        np.concatenate([part.place for part in parts]),
        np.concatenate([part.target for part in parts]),
        torch.cat([part.states for part in parts]),
        np.concatenate([part.window_start for part in parts]),
    )


def _windows(lengths: IntArray, max_length: int) -> tuple[IntArray, IntArray, IntArray]:
    """[n_windows] person, first place and last place (not within) of windows of two events or more."""
    cuts = [
        (row, max(0, stop - max_length - 1), stop)
        for row, length in enumerate(lengths.tolist())
        for stop in range(length, 1, -max_length)
    ]
    rows, starts, stops = np.array(cuts, dtype=np.int64).reshape(-1, 3).T
    order = np.argsort(stops - starts, kind="stable")  # of similar length, so that little is padded
    return rows[order], starts[order], stops[order]


def _asked(
    ranker: NeuralRanker, known: Histories, rows: IntArray, starts: IntArray, stops: IntArray
) -> TrainingExamples:
    """The examples of some windows: of each the places from the second on."""
    lengths = stops - starts - 1
    window = np.repeat(np.arange(len(rows)), lengths)
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = starts[window] + step + 1
    target = known.items[known.offsets[rows[window]] + place]
    new = ~_occurs_before(known, rows, starts, stops)
    window, step, place, target = window[new], step[new], place[new], target[new]
    if isinstance(ranker, Bert4RecRanker):  # it reads both ways, so each prefix is a history of its own
        prefixes = _asking(known, rows[window], starts[window], place)
        states = ranker.states(prefixes).clone()
    else:
        asking = _asking(known, rows, starts, stops - 1)
        batch = HistoryBatch.of(
            asking if ranker.reads_events else asking.bare(), ranker.max_length, ranker.item_bias.device
        )
        with torch.no_grad():
            hidden = ranker.hidden(batch, ranker.item_vectors())
        states = hidden[torch.from_numpy(window), torch.from_numpy(step)].float()
    return TrainingExamples(rows[window], place, target, states, starts[window])


def _asking(known: Histories, rows: IntArray, starts: IntArray, stops: IntArray) -> Histories:
    """Pieces of histories, asked at the time of the event behind each."""
    pieces = known.pieces(rows, starts, stops)
    if known.context is None or known.askers is None:
        return pieces
    time_s = known.context.timestamps_s[known.offsets[rows] + stops]
    askers = Askers(known.askers.attributes[rows], time_s)
    return replace(pieces, askers=askers)


def _occurs_before(
    known: Histories, rows: IntArray, starts: IntArray, stops: IntArray
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """[all places from the second on] whether the item there stands earlier in its window."""
    again = list[bool]()
    for row, start, stop in zip(rows, starts, stops, strict=True):
        items = known[int(row)][start:stop]
        _, first = np.unique(items, return_index=True)
        is_first = np.isin(np.arange(len(items)), first)
        again += (~is_first[1:]).tolist()
    return np.array(again, dtype=bool)


class _Batches(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """States, padded seen items and targets, some examples at a time."""

    def __init__(
        self, known: Histories, examples: TrainingExamples, progress: Callable[[float], None]
    ) -> None:
        self.known, self.examples, self.progress = known, examples, progress

    def __len__(self) -> int:
        return math.ceil(len(self.examples.person) / EXAMPLES_AT_ONCE)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        if number >= len(self):
            raise IndexError(number)
        rows, own = slice(number * EXAMPLES_AT_ONCE, (number + 1) * EXAMPLES_AT_ONCE), self.examples
        seen = self.known.bare().pieces(own.person[rows], own.window_start[rows], own.place[rows])
        padded = seen.padded(int(seen.lengths.max()))
        self.progress((number + 1) / len(self))
        states, device = own.states[rows], own.states.device
        return states, torch.from_numpy(padded).to(device), torch.from_numpy(own.target[rows]).to(device)


class _LastLayer(nn.Module):
    """Logits of all items after states, −∞ for what is no candidate; column 0, the padding, never is."""

    def __init__(self, ranker: NeuralRanker) -> None:
        super().__init__()
        with torch.no_grad():
            vectors = ranker.item_vectors().float()
        self.scores = nn.Linear(vectors.shape[1], vectors.shape[0])
        self.scores.weight = nn.Parameter(vectors)
        self.scores.bias = nn.Parameter(ranker.item_bias.detach().float())

    def forward(self, states: Tensor, seen: Tensor) -> Tensor:
        logits = self.scores(states).index_fill(
            1, torch.zeros(1, dtype=torch.long, device=seen.device), -torch.inf
        )
        return logits.scatter(1, seen, -torch.inf)
