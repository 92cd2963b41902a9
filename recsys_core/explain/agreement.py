"""How alike two explanations of the same list item are, item by item of the history."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, t

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.explain.answers import items_of
from recsys_core.explain.attributions import Method
from recsys_core.explain.orders import importances, place_in_order
from recsys_core.explain.scoring import Question
from recsys_core.ranker.protocol import Ranker

FEWEST_ITEMS = 3  # two items are in the same order or in the other, which says nothing
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Explained:
    """Attributions of one history, its items by number, the events of each added up."""

    items: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two explanations are, over people.

    Attributes:
        spearman: mean rank correlation, −1 to 1; 0 = nothing in common; NaN where nobody has three items in
            common whose values differ.
        ci_low: of its 95 % interval, by Student's t over people.
        ci_high: likewise.
        same_first: share of people whose strongest item is the same in both.
        n_people: of whom there is a correlation.
    """

    spearman: float
    ci_low: float
    ci_high: float
    same_first: float
    n_people: int


def explained_by(ranker: Ranker, questions: Sequence[Question], method: Method) -> list[Explained]:
    """What each item of each history adds, by a method.

    Raises:
        ConfigError: the method doesn't fit the ranker.
    """
    values = importances(ranker, questions, method)
    return [
        Explained(items_of(question.history)[0], own) for question, own in zip(questions, values, strict=True)
    ]


def agreement(one: Sequence[Explained], other: Sequence[Explained]) -> Agreement:
    """How alike the explanations of the same people are, over the items that both have."""
    correlations, same_first = list[float](), list[bool]()
    for a, b in zip(one, other, strict=True):
        _, of_a, of_b = np.intersect1d(a.items, b.items, assume_unique=True, return_indices=True)
        found = spearman(a.values[of_a], b.values[of_b])
        if not np.isnan(found):
            correlations.append(found)
            first_a, first_b = (np.argmin(place_in_order(v)) for v in (a.values[of_a], b.values[of_b]))
            same_first.append(bool(first_a == first_b))
    n = len(correlations)
    if n == 0:
        return Agreement(np.nan, np.nan, np.nan, np.nan, 0)
    mean = float(np.mean(correlations))
    half = np.nan if n < 2 else float(t.ppf((1 + LEVEL) / 2, n - 1) * np.std(correlations, ddof=1) / n**0.5)
    return Agreement(mean, mean - half, mean + half, float(np.mean(same_first)), n)


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Rank correlation, −1 to 1, equals at their mean rank.

    NaN under three values, and where all of one are equal.
    """
    if len(a) < FEWEST_ITEMS or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
