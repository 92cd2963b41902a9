"""The figures of a model for parts of its test: newcomers and regulars, rare items and hits.

Definitions, by the training part alone. A *cold* person has fewer than five different training items, a
*cold* item fewer than five training people: what the usual filter of benchmark data (5-core) would have
removed. All others are *warm*. The *head* is the fifth of the catalogue that most people touched (ties by
item number), the *tail* the rest: a share of items, not of interactions.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from recsys_core.data.dataset import Dataset, IntArray
from recsys_core.data.split import Split, all_targets, histories
from recsys_core.metrics.popularity import item_popularity
from recsys_core.metrics.ranking import per_person
from recsys_core.ranker.evaluation import Evaluation, Part

COLD_BELOW = 5
SLICED_BY = {
    "slice of people": ("cold people", "warm people"),
    "slice of held-out items": ("cold items", "warm items"),
    "slice of the catalogue": ("head items", "tail items"),
}  # the slices of a kind, of which everybody with held-out items is in one or in both
BOTH = "both"
HEAD_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the test with its figures.

    Attributes:
        name: such as `cold items`.
        n_users: people with a held-out item in it.
        n_targets: held-out items in it.
        figures: the mean of each metric over these people; NaN where there are none.
    """

    name: str
    n_users: int
    n_targets: int
    figures: dict[str, float]


def are_cold(dataset: Dataset, split: Split, items: IntArray) -> NDArray[np.bool_]:
    """[len(items)] which of these item numbers are cold; much quicker than looking at all of them."""
    known, asked = histories(dataset, split, "valid"), np.zeros(dataset.n_items + 1, dtype=bool)
    asked[items] = True
    theirs = asked[known.items]
    pairs = np.unique(known.rows[theirs] * (dataset.n_items + 1) + known.items[theirs])
    n_people = np.bincount(pairs % (dataset.n_items + 1), minlength=dataset.n_items + 1)
    return n_people[items] < COLD_BELOW


def evaluate_slices(
    dataset: Dataset, split: Split, evaluation: Evaluation, metrics: list[str]
) -> tuple[Slice, ...]:
    """The metrics for cold and warm people, cold and warm items, head and tail items.

    Ranks are those among all candidates. In a slice of items a person's relevant items are those in it.

    Raises:
        ConfigError: no such metric, or one that isn't made of ranks.
    """
    chosen = target_slices(dataset, split, evaluation)
    return tuple(_figures(name, evaluation, targets, metrics) for name, targets in chosen.items())


def slices_of_people(dataset: Dataset, split: Split, part: Part) -> dict[str, NDArray[np.str_]]:
    """[n_users] by kind of slice: in which one a person's held-out items are, or "both"; "" without any."""
    chosen, rows = _sliced(dataset, split, part), all_targets(dataset, split, part).rows
    found = dict[str, NDArray[np.str_]]()
    for kind, (first, second) in SLICED_BY.items():
        inside = [np.bincount(rows[chosen[name]], minlength=dataset.n_users) > 0 for name in (first, second)]
        found[kind] = np.select([inside[0] & inside[1], *inside], [BOTH, first, second], default="")
    return found


def target_slices(dataset: Dataset, split: Split, evaluation: Evaluation) -> dict[str, NDArray[np.bool_]]:
    """[n_targets] by name of the slice: which of the evaluation's held-out items are in it."""
    return _sliced(dataset, split, evaluation.part)


def _sliced(dataset: Dataset, split: Split, part: Part) -> dict[str, NDArray[np.bool_]]:
    known = histories(dataset, split, "valid")
    items = all_targets(dataset, split, part)
    popularity = item_popularity(known, dataset.n_items)
    cold_people = known.without_repeats().lengths[items.rows] < COLD_BELOW
    cold_items = popularity.n_people[items.items] < COLD_BELOW
    head = popularity.places[items.items] <= ceil(HEAD_SHARE * dataset.n_items)
    return {
        "cold people": cold_people,
        "warm people": ~cold_people,
        "cold items": cold_items,
        "warm items": ~cold_items,
        "head items": head,
        "tail items": ~head,
    }


def _figures(name: str, evaluation: Evaluation, chosen: NDArray[np.bool_], metrics: list[str]) -> Slice:
    ranks = evaluation.held_out.only(chosen)
    n_users = int((ranks.n_relevant > 0).sum())
    figures: dict[str, float] = {}
    for metric in metrics:
        values = per_person(metric, ranks)
        known = values[~np.isnan(values)]
        figures[metric] = float(known.mean()) if len(known) else float("nan")
    return Slice(name, n_users, int(chosen.sum()), figures)
