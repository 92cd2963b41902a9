"""Five figures of how differently two groups' ratings are predicted, for models that predict ratings.

The means are taken item by item, over the items that people of both groups rated. 0 = both groups alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.metrics.ranks import FloatArray, IntArray


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
    """The five figures of a group beside everybody else. Source: Yao & Huang, NeurIPS 2017, equations 4 to 8.

    Args:
        items: [n] which item each rating is of.
        ratings: [n] as given.
        predicted: [n] by the model.
        in_group: [n] whether the person is of the group.
    """
    _, places = np.unique(items, return_inverse=True)
    n_items = int(places.max(initial=-1)) + 1
    n = [np.bincount(places, side, minlength=n_items) for side in (in_group, ~in_group)]
    both = (n[0] > 0) & (n[1] > 0)
    if not both.any():
        return RatingGaps(*[float("nan")] * 5, n_items=0)
    errors = [
        np.bincount(places, np.where(side, predicted - ratings, 0.0))[both] / count[both]
        for side, count in zip((in_group, ~in_group), n, strict=True)
    ]

    def mean_gap(one: FloatArray, other: FloatArray) -> float:
        return float(np.abs(one - other).mean())

    own, other = errors
    return RatingGaps(
        value=mean_gap(own, other),
        absolute=mean_gap(np.abs(own), np.abs(other)),
        under=mean_gap(np.maximum(-own, 0), np.maximum(-other, 0)),
        over=mean_gap(np.maximum(own, 0), np.maximum(other, 0)),
        non_parity=abs(float(predicted[in_group].mean() - predicted[~in_group].mean())),
        n_items=int(both.sum()),
    )
