"""Five figures of how differently two groups' ratings are predicted, for models that predict ratings.

The means are taken item by item, over the items that people of both groups rated. 0 = both groups alike.
Source of all: Yao & Huang, NeurIPS 2017, equations 4 to 8.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from recsys_core.metrics.ranks import FloatArray, IntArray

RatingMeasure = Literal["value", "absolute", "under", "over", "non_parity"]
RATING_MEASURES: tuple[RatingMeasure, ...] = get_args(RatingMeasure)


@dataclass(frozen=True, slots=True)
class ItemErrors:
    """The ratings of one side, item by item; leading axes are kept, so that one call serves many shuffles.

    Attributes:
        errors: [..., n_items] sums of predicted − given.
        counts: [..., n_items] how many ratings there are.
        predicted: [...] sum of all predictions.
    """

    errors: FloatArray
    counts: FloatArray
    predicted: FloatArray


@dataclass(frozen=True, slots=True)
class RatingGaps:
    """Unfairness by five definitions, in units of the ratings; NaN where no item has ratings of both groups.

    Attributes:
        value: the groups' signed errors differ: one is overestimated, the other not.
        absolute: the sizes of their errors differ.
        under: what is underestimated differs.
        over: what is overestimated differs.
        non_parity: the overall means of the predictions differ.
        n_items: items rated by people of both groups.
    """

    value: float
    absolute: float
    under: float
    over: float
    non_parity: float
    n_items: int


def rating_gaps(
    items: IntArray, ratings: FloatArray, predicted: FloatArray, in_group: NDArray[np.bool_]
) -> RatingGaps:
    """The five figures of a group beside everybody else.

    Args:
        items: [n] which item each rating is of.
        ratings: [n] as given.
        predicted: [n] by the model.
        in_group: [n] whether the person is of the group.
    """
    _, places = np.unique(items, return_inverse=True)
    n_items = int(places.max(initial=-1)) + 1
    sides = [_side(places, predicted - ratings, predicted, side, n_items) for side in (in_group, ~in_group)]
    n_common = int(((sides[0].counts > 0) & (sides[1].counts > 0)).sum())
    return RatingGaps(*map(float, five_figures(*sides)), n_items=n_common)


def five_figures(own: ItemErrors, other: ItemErrors) -> FloatArray:
    """[5, ...] the figures in the order of RATING_MEASURES; NaN where no item has ratings of both sides."""
    both = (own.counts > 0) & (other.counts > 0)
    n_common = both.sum(axis=-1)
    means = [np.where(both, side.errors / np.maximum(side.counts, 1), 0.0) for side in (own, other)]
    of_errors = (lambda e: e, np.abs, lambda e: np.maximum(-e, 0), lambda e: np.maximum(e, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        figures = [np.abs(of(means[0]) - of(means[1])).sum(axis=-1) / n_common for of in of_errors]
        overall = [side.predicted / side.counts.sum(axis=-1) for side in (own, other)]
    parity = np.where(n_common > 0, np.abs(overall[0] - overall[1]), np.nan)
    return np.stack([*figures, parity])


def _side(
    places: IntArray, errors: FloatArray, predicted: FloatArray, side: NDArray[np.bool_], n_items: int
) -> ItemErrors:
    counts = np.bincount(places[side], minlength=n_items).astype(np.float64)
    sums = np.bincount(places, np.where(side, errors, 0.0), minlength=n_items).astype(np.float64)
    return ItemErrors(sums, counts, np.asarray(predicted[side].sum(), dtype=np.float64))
