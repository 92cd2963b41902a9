"""What a cross-encoder learns from: clicks, each with items that its first ranker would have listed too.

A click trains only if the first ranker would have listed it: at work the encoder never sees another
kind of candidate, and could learn to tell listed from unlisted items instead of clicked from passed over.
"""

from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import Histories, IntArray
from recsys_core.errors import DataError
from recsys_core.ranker.cross_encoder import CrossEncoderRanker


@dataclass(frozen=True, slots=True)
class Clicks:
    """Clicks to learn from.

    Attributes:
        histories: [n] what came before each.
        candidates: [n, 1 + n_negatives] the clicked item, then items that the person never touched.
    """

    histories: Histories
    candidates: IntArray

    def __len__(self) -> int:
        return len(self.candidates)


def draw_clicks(
    ranker: CrossEncoderRanker, known: Histories, n: int, n_negatives: int, generator: np.random.Generator
) -> Clicks:
    """Up to n clicks that the first ranker would have listed, each with items listed beside it.

    Raises:
        DataError: there is none.
    """
    place = np.arange(len(known.items)) - known.offsets[known.rows]
    drawn = generator.permutation(np.flatnonzero(place > 0))
    histories, candidates = list[IntArray](), list[IntArray]()
    for start in range(0, len(drawn), 512):
        _add_clicks(ranker, known, drawn[start : start + 512], n_negatives, generator, histories, candidates)
        if len(candidates) >= n:
            break
    if not candidates:
        raise DataError(
            "no click could be learned from: nobody touched a second item that the first ranker would list; "
            "name another first_stage"
        )
    return Clicks(Histories.of(histories[:n]), np.stack(candidates[:n]))


def _add_clicks(
    ranker: CrossEncoderRanker,
    known: Histories,
    events: IntArray,
    n_negatives: int,
    generator: np.random.Generator,
    histories: list[IntArray],
    candidates: list[IntArray],
) -> None:
    people = known.rows[events]
    before = [
        known.items[known.offsets[person] : event] for person, event in zip(people, events, strict=True)
    ]
    prefixes = Histories.of(before)
    shortlists = ranker.shortlists(ranker.first_scores(prefixes), prefixes)
    for row, (person, event) in enumerate(zip(people, events, strict=True)):
        clicked, listed = known.items[event], shortlists[row]
        passed_over = listed[(listed > 0) & ~np.isin(listed, known[person])]
        if clicked in listed and len(passed_over):
            negatives = generator.choice(passed_over, n_negatives, replace=len(passed_over) < n_negatives)
            histories.append(before[row])
            candidates.append(np.append(clicked, negatives))
