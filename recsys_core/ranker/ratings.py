"""How far the scores of a ranker that was trained for ratings are from the ratings that people gave."""

from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import Dataset, FloatArray, Histories
from recsys_core.data.split import Split, all_targets, histories
from recsys_core.errors import ConfigError
from recsys_core.ranker.evaluation import Part
from recsys_core.ranker.protocol import Ranker

PEOPLE_AT_ONCE = 512
RATING = "rating"


@dataclass(frozen=True, slots=True)
class RatingErrors:
    """Errors over the held-out items that were rated, in units of the ratings. Lower is better.

    Attributes:
        n: how many of them.
        rmse: root of the mean squared error, from 0 (every rating was foreseen); NaN where none is rated.
        rmse_of_mean: the same of the mean training rating for everything: what knowing nothing reaches.
    """

    n: int
    rmse: float
    rmse_of_mean: float


def mean_rating(dataset: Dataset, known: Histories) -> float:
    """The mean of the known ratings in histories.

    Raises:
        ConfigError: the data set has no ratings.
    """
    ratings = np.zeros(0) if known.context is None else known.context.strengths
    ratings = ratings[~np.isnan(ratings)]
    if dataset.strength != RATING or len(ratings) == 0:
        what = f"its events have a {dataset.strength}" if dataset.strength else "its events have none"
        raise ConfigError(
            f"loss squared-error learns ratings, and {what} and no rating; take softmax, or name the column "
            "of ratings at import (rating=COLUMN)"
        )
    return float(ratings.mean())


def rating_errors(ranker: Ranker, dataset: Dataset, split: Split, part: Part) -> RatingErrors:
    """The errors of raw scores, taken as ratings, over a part's held-out items.

    Raises:
        ConfigError: the data set has no ratings.
    """
    mean = mean_rating(dataset, histories(dataset, split, "valid"))
    rows = split.valid_rows if part == "valid" else split.test_rows
    items, context = all_targets(dataset, split, part), dataset.events.context
    given = np.zeros(0) if context is None else context.strengths[split.order[rows.items]]
    rated = ~np.isnan(given)
    errors = _predicted(ranker, histories(dataset, split, part), items)[rated] - given[rated]
    return RatingErrors(int(rated.sum()), _root_mean_square(errors), _root_mean_square(mean - given[rated]))


def _predicted(ranker: Ranker, known: Histories, items: Histories) -> FloatArray:
    """[n_targets] the score of each held-out item."""
    predicted = np.zeros(len(items.items))
    for start in range(0, len(known), PEOPLE_AT_ONCE):
        people = np.arange(start, min(start + PEOPLE_AT_ONCE, len(known)))
        own = items.take(people)
        if len(own.items):
            first = items.offsets[start]
            predicted[first : first + len(own.items)] = ranker.score(known.take(people))[own.rows, own.items]
    return predicted


def _root_mean_square(errors: FloatArray) -> float:
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan")
