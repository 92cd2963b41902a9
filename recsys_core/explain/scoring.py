"""The score that explanations explain, and what it becomes when parts of the history go.

For a ranker of probabilities it is the log-probability of the item among the candidates (raw logits
may drift freely under a softmax); for a counting ranker it is its plain score. The candidates stay
those of the full history in every counterfactual, or a removed item would come back as a competitor
and spoil every comparison.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.data.events import Askers, EventContext
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import candidate_scores

BoolArray = NDArray[np.bool_]
BATCH_ROWS = 512


@dataclass(frozen=True, slots=True)
class Question:
    """Why is this item where it is on the list of someone with this history?

    Attributes:
        history: [length] item numbers, oldest first.
        item_number: the item to be explained.
        seen: [any] item numbers that are no candidates.
        context: [length] what is known of each event beside its item; None = nothing.
        askers: the one who asks; None = nobody in particular.
    """

    history: IntArray
    item_number: int
    seen: IntArray
    context: EventContext | None = None
    askers: Askers | None = None

    @property
    def known(self) -> Histories:
        """The history with all that is known of it, as a sequence of its own."""
        return Histories(self.history, np.array([0, len(self.history)]), self.context, self.askers)


def item_scores(ranker: Ranker, question: Question, histories: Histories) -> FloatArray:
    """[n] the question's score if the history had been each of these; candidates as in the question."""
    if isinstance(ranker, CrossEncoderRanker):  # it reads one item a history, not a shortlist of them
        return ranker.score_of(histories, question.item_number).astype(np.float64)
    scores = np.empty(len(histories))
    seen = np.setdiff1d(question.seen, [question.item_number])
    for start in range(0, len(histories), BATCH_ROWS):
        rows = np.arange(start, min(start + BATCH_ROWS, len(histories)))
        batch_seen = Histories.of([seen] * len(rows))
        batch = candidate_scores(ranker.score(histories.take(rows)), batch_seen, ranker.score_kind)
        scores[rows] = batch[:, question.item_number]
    return scores


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
