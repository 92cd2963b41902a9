"""The exact terms of rankers whose score is a sum over the history."""

import time

import numpy as np

from recsys_core.explain.attributions import Attributions, Cost, Options
from recsys_core.explain.scoring import Question, scores_of_items
from recsys_core.ranker.als import AlsRanker
from recsys_core.ranker.neighbours import NeighbourRanker
from recsys_core.ranker.popularity import PopularityRanker

SumRanker = AlsRanker | NeighbourRanker | PopularityRanker


def counts(
    ranker: SumRanker, question: Question, items: tuple[int, ...], _: Options
) -> tuple[Attributions, ...]:
    """What each event of the history adds to the score of each item, as the ranker itself adds it up."""
    start = time.perf_counter()
    over = 0.0 if question.rival is None else ranker.contributions(question.history, question.rival)
    values = [ranker.contributions(question.history, item) - over for item in items]
    scores = scores_of_items(ranker, question, items, question.known)[0]
    bases = scores if isinstance(ranker, PopularityRanker) else np.zeros(len(items))
    cost = Cost(forward=1, seconds=time.perf_counter() - start)
    return tuple(
        Attributions(
            own,
            "counts",
            "an empty history",
            score=float(score),
            baseline_score=float(base),
            delta=float(own.sum() - (score - base)),
            n_steps=0,
            cost=cost,
        )
        for own, score, base in zip(values, scores, bases, strict=True)
    )
