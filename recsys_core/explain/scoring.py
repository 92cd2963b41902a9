"""The score that explanations explain, and what it becomes when parts of the history go.

For a ranker of probabilities it is the log-probability of the item among the candidates (raw logits
may drift freely under a softmax), and by choice the raw logit or the margin over another item; for a
counting ranker it is its plain score. The candidates stay those of the full history in every
counterfactual, or a removed item would come back as a competitor and spoil every comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.data.events import Askers, EventContext
from recsys_core.errors import ConfigError
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.neighbours import NeighbourRanker
from recsys_core.ranker.protocol import Ranker, ScoreArray

BoolArray = NDArray[np.bool_]
Explained = Literal["log-probability", "logit", "margin"]

BATCH_ROWS = 512

ItemByItem = CrossEncoderRanker | NeighbourRanker  # score one item for much less than the whole catalogue


@dataclass(frozen=True, slots=True)
class Question:
    """Why is this item where it is on the list of someone with this history?

    Attributes:
        history: [length] item numbers, oldest first.
        item_number: the item to be explained.
        seen: [any] item numbers that are no candidates.
        context: [length] what is known of each event beside its item; None = nothing.
        askers: the one who asks; None = nobody in particular.
        explained: which score; counting rankers have their plain score alone, and its margins.
        rival: the item that a margin is over; None for other scores.
    """

    history: IntArray
    item_number: int
    seen: IntArray
    context: EventContext | None = None
    askers: Askers | None = None
    explained: Explained = "log-probability"
    rival: int | None = None

    @property
    def known(self) -> Histories:
        """The history with all that is known of it, as a sequence of its own."""
        return Histories(self.history, np.array([0, len(self.history)]), self.context, self.askers)

    def check(self, n_items: int, item_numbers: Sequence[int]) -> None:
        """Refuses what can't be asked.

        Raises:
            ConfigError: an item isn't in the catalogue, or a margin has no rival, or the item itself as one.
        """
        named = [*item_numbers, *([] if self.rival is None else [self.rival])]
        for number in named:
            if not 1 <= number <= n_items:
                raise ConfigError(f"item number {number} isn't in the catalogue, which has 1 to {n_items:,}")
        if (self.explained == "margin") != (self.rival is not None):
            raise ConfigError("a margin is over another item, and only a margin is: give both or none")
        if self.rival in item_numbers:
            raise ConfigError("an item has no margin over itself; name another item")


def item_scores(ranker: Ranker, question: Question, histories: Histories) -> FloatArray:
    """[n] the question's score if the history had been each of these; candidates as in the question."""
    return scores_of_items(ranker, question, [question.item_number], histories)[:, 0]


def scores_of_items(
    ranker: Ranker, question: Question, item_numbers: Sequence[int], histories: Histories
) -> FloatArray:
    """[n, k] as `item_scores`, of several items in the place of the question's own."""
    if isinstance(ranker, ItemByItem):
        over = 0.0 if question.rival is None else ranker.score_of(histories, question.rival)[:, None]
        own = [ranker.score_of(histories, number) for number in item_numbers]
        return np.stack(own, axis=1).astype(np.float64) - over
    scores = np.empty((len(histories), len(item_numbers)))
    for start in range(0, len(histories), BATCH_ROWS):
        rows = np.arange(start, min(start + BATCH_ROWS, len(histories)))
        scores[rows] = _explained(ranker, question, item_numbers, ranker.score(histories.take(rows)))
    return scores


def _explained(
    ranker: Ranker, question: Question, item_numbers: Sequence[int], scores: ScoreArray
) -> FloatArray:
    """[n, k] in double precision, from all scores [n, n_items + 1]."""
    own = scores[:, list(item_numbers)].astype(np.float64)
    if question.rival is not None:
        return own - scores[:, [question.rival]]
    if question.explained == "logit" or ranker.score_kind != "log-probability":
        return own
    candidate = np.ones(scores.shape[1], dtype=bool)
    candidate[0] = candidate[question.seen] = False
    rivals = scores[:, candidate].astype(np.float64)  # the explained items among them, unless they were seen
    total = _log_total(rivals)[:, None]
    # an item that was seen is a candidate where it is explained itself, and nowhere else
    return own - np.where(candidate[list(item_numbers)], total, np.logaddexp(total, own))


def _log_total(logits: FloatArray) -> FloatArray:
    """[n] log Σ exp of each row; −∞ where there is nothing to add."""
    if logits.shape[1] == 0:
        return np.full(len(logits), -np.inf)
    highest = logits.max(axis=1, keepdims=True)
    return (highest + np.log(np.exp(logits - highest).sum(axis=1, keepdims=True)))[:, 0]


def removed(known: Histories, gone: BoolArray, in_place: bool) -> Histories:
    """Histories with parts of one history taken away; what is known of an event goes with its item.

    Args:
        known: the one history.
        gone: [n, length] which positions go in each of n versions.
        in_place: leave "no item in particular" (number 0) where an item was, instead of closing the gap.
    """
    versions = known.take(np.zeros(len(gone), dtype=np.int64))
    flat = gone.ravel()
    if in_place:
        context = None if versions.context is None else versions.context.hidden(flat)
        return Histories(np.where(flat, 0, versions.items), versions.offsets, context, versions.askers)
    offsets = np.concatenate([[0], np.cumsum((~gone).sum(axis=1))])
    context = None if versions.context is None else versions.context.at(~flat)
    return Histories(versions.items[~flat], offsets, context, versions.askers)
