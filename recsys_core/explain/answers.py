"""What a ranker says to many questions at once, each asked with parts of its history taken away.

Versions of all questions are scored together, each different version once: the orders that are held
against each other mostly agree on what goes first. The candidates stay those of the full histories.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.explain.scoring import BoolArray, ItemByItem, Question, item_scores, removed
from recsys_core.ranker.protocol import Ranker, ScoreArray
from recsys_core.ranker.top_k import mask_seen

EVENTS_AT_ONCE = 400_000  # of the versions that exist at the same time
SCORES_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Answers:
    """Where the explained item stands in each version of one history.

    Attributes:
        scores: [n] as the question asks: log-probabilities, or plain scores of a ranker that has none.
        ranks: [n] from 1, ties by item number; 0 where ranks weren't asked for.
    """

    scores: FloatArray
    ranks: IntArray


def items_of(history: IntArray) -> tuple[IntArray, IntArray]:
    """The different items of a history, by number, and [length] which of them each event is of."""
    items, place = np.unique(history, return_inverse=True)
    return items, place


def answers(
    ranker: Ranker,
    questions: Sequence[Question],
    gone: Sequence[BoolArray],
    in_place: bool,
    with_ranks: bool = False,
) -> list[Answers]:
    """What becomes of each question's item when items go, with all their events.

    Args:
        ranker: the model that is asked.
        questions: [Q] each about one item of one list.
        gone: [Q] arrays [n_versions, n_items]: which items of `items_of` go in each version.
        in_place: leave "no item in particular" where an item was, instead of closing the gap.
        with_ranks: also say how the item ranks, which takes a little longer.
    """
    found = list[Answers]()
    for group in _groups(questions, gone):
        different = [np.unique(gone[row], axis=0, return_inverse=True) for row in group]
        asked = [questions[row] for row in group]
        versions = [
            removed(question.known, rows[:, items_of(question.history)[1]], in_place)
            for question, (rows, _) in zip(asked, different, strict=True)
        ]
        scores, ranks = _scored(ranker, asked, versions, with_ranks)
        stops = np.cumsum([len(own) for own in versions])[:-1]
        parts = zip(np.split(scores, stops), np.split(ranks, stops), different, strict=True)
        found += [Answers(s[inverse.reshape(-1)], r[inverse.reshape(-1)]) for s, r, (_, inverse) in parts]
    return found


def _groups(questions: Sequence[Question], gone: Sequence[BoolArray]) -> Iterator[list[int]]:
    """Questions in turn, as many at a time as have about `EVENTS_AT_ONCE` events in all their versions."""
    group, size = list[int](), 0
    for row, (question, own) in enumerate(zip(questions, gone, strict=True)):
        group.append(row)
        size += len(own) * len(question.history)
        if size >= EVENTS_AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group


def _scored(
    ranker: Ranker, questions: list[Question], versions: list[Histories], with_ranks: bool
) -> tuple[FloatArray, IntArray]:
    if isinstance(ranker, ItemByItem) and not with_ranks:
        pairs = zip(questions, versions, strict=True)
        scores = np.concatenate([item_scores(ranker, question, own) for question, own in pairs])
        return scores, np.zeros(len(scores), dtype=np.int64)
    together = Histories.joined(versions)
    seen = Histories.of([np.setdiff1d(question.seen, [question.item_number]) for question in questions])
    owner = np.repeat(np.arange(len(questions)), [len(own) for own in versions])
    items = np.array([question.item_number for question in questions])[owner]
    scores, ranks = np.empty(len(together)), np.zeros(len(together), dtype=np.int64)
    at_once = max(1, SCORES_AT_ONCE // (ranker.n_items + 1))
    for start in range(0, len(together), at_once):
        rows = np.arange(start, min(start + at_once, len(together)))
        found = ranker.score(together.take(rows))
        scores[rows] = _own_scores(found, [questions[row] for row in owner[rows]])
        masked = mask_seen(found, seen.take(owner[rows]))
        if with_ranks:
            ranks[rows] = _ranks(masked, items[rows])
        is_share = np.array(
            [questions[row].explained == "log-probability" for row in owner[rows]], dtype=bool
        )
        if is_share.any() and ranker.score_kind == "log-probability":
            scores[rows] -= np.where(is_share, _log_totals(masked), 0.0)
    return scores, ranks


def _ranks(masked: ScoreArray, items: IntArray) -> IntArray:
    own = masked[np.arange(len(items)), items][:, None]
    ties_before = (masked == own) & (np.arange(masked.shape[1]) < items[:, None])
    return 1 + (masked > own).sum(axis=1) + ties_before.sum(axis=1)


def _own_scores(scores: ScoreArray, questions: Sequence[Question]) -> FloatArray:
    """[n] the plain score of the item that each row is asked about, or what it is ahead of its rival."""
    rows = np.arange(len(questions))
    own = scores[rows, [question.item_number for question in questions]].astype(np.float64)
    rivals = np.array([question.rival or 0 for question in questions])
    return own - np.where(rivals > 0, scores[rows, rivals], 0.0)


def _log_totals(masked: ScoreArray) -> FloatArray:
    """[n] log Σ exp over the candidates of each row; `masked` is used up."""
    highest = masked.max(axis=1, keepdims=True)
    np.exp(np.subtract(masked, highest, out=masked), out=masked)
    return highest[:, 0] + np.log(masked.sum(axis=1, dtype=np.float64))
