"""Whether lists stray from what a group's people are like: popularity lift and bias disparity.

Both are ratios of a group's means, so they are figures of groups, not of people; resampled people carry
history and list together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.groups import UNKNOWN
from recsys_core.fairness.inference import Estimate, interval
from recsys_core.fairness.resampling import resampled_means

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FEWEST_PEOPLE = 20  # with something in the history and in the list, from which an interval is given


@dataclass(frozen=True, slots=True)
class ListGapRow:
    """One ratio of one group.

    Attributes:
        group: the group.
        category: of the items; None for the popularity lift.
        history: of the group's histories: mean popularity, or how over-represented the category is.
        listed: the same of its lists.
        value: (listed − history) / history; 0 = the lists are as the people.
        ci_low: low end of the 95 % interval; None where there is none.
        ci_high: high end of it.
        reason: why there is no value or no interval.
    """

    group: str
    category: str | None
    history: float | None
    listed: float | None
    value: float | None
    ci_low: float | None
    ci_high: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ShownGroups:
    """The groups of one attribute that may be shown.

    Attributes:
        names: of all groups, in the order of their numbers.
        codes: [n_people] the number of everybody's group.
        hidden: the groups that may not be shown.
    """

    names: tuple[str, ...]
    codes: IntArray
    hidden: frozenset[str]


def popularity_lift(
    groups: ShownGroups, history: FloatArray, listed: FloatArray, n_draws: int, seed: Sequence[int]
) -> list[ListGapRow]:
    """(GAP_q − GAP_p) / GAP_p of each group; above 0 its lists are more popular than its histories.

    GAP is the mean over a group's people of the mean φ of their items. Source: Abdollahpouri et al., RMSE at
    RecSys 2019.

    Args:
        groups: of the people.
        history: [n] mean φ of everybody's history; NaN for an empty one.
        listed: [n] mean φ of everybody's list; NaN likewise. Whoever lacks either is left out.
        n_draws: resamples.
        seed: of the resamples.
    """
    known = ~np.isnan(history) & ~np.isnan(listed)
    columns = np.where(known[:, None], np.stack([history, listed, np.ones(len(history))], axis=1), 0.0)
    drawn = resampled_means(columns, [groups.codes], n_draws, seed)[0]  # [n_groups, n_draws, 3]
    rows: list[ListGapRow] = []
    for number, name in _shown(groups):
        own = columns[groups.codes == number]
        rows.append(_row(name, None, own.mean(axis=0), drawn[number], int(own[:, 2].sum())))
    return rows


def bias_disparity(
    groups: ShownGroups,
    categories: Sequence[str],
    history: FloatArray,
    listed: FloatArray,
    n_draws: int,
    seed: Sequence[int],
) -> list[ListGapRow]:
    """(B_rec − B_train) / B_train of each group and category, B(g, c) = P(c | g) / P(c).

    Above 0 the lists over-represent the category for the group more than its histories do. Source: Tsintzou
    et al., RMSE at RecSys 2018.

    Args:
        groups: of the people.
        categories: their names.
        history: [n, n_categories] how many items of each category everybody's history holds.
        listed: [n, n_categories] the same of the lists.
        n_draws: resamples.
        seed: of the resamples.

    Raises:
        DataError: there are no categories, or amounts of another number of them.
    """
    n_categories = len(categories)
    if n_categories == 0 or history.shape[1] != n_categories or listed.shape[1] != n_categories:
        raise DataError(f"{n_categories} categories are named, amounts are of {history.shape[1]}")
    columns = np.concatenate([history, listed], axis=1)
    n = np.bincount(groups.codes)
    drawn = resampled_means(columns, [groups.codes], n_draws, seed)[0]  # [n_groups, n_draws, 2 n_categories]
    points = np.stack([columns[groups.codes == number].mean(axis=0) for number in range(len(groups.names))])
    parts = [(slice(0, n_categories)), (slice(n_categories, None))]
    found = [
        _over_representation(points[:, None, part], n)[:, 0] for part in parts
    ]  # [n_groups, n_categories]
    resampled = [_over_representation(drawn[:, :, part], n) for part in parts]
    touched = (history > 0) & (listed.sum(axis=1, keepdims=True) > 0)
    rows: list[ListGapRow] = []
    for number, name in _shown(groups):
        enough = touched[groups.codes == number].sum(axis=0)
        for place, category in enumerate(categories):
            pair = np.array([part[number, place] for part in found])
            draws = np.stack([part[number, :, place] for part in resampled], axis=1)
            rows.append(_row(name, category, pair, draws, int(enough[place])))
    return rows


def _over_representation(means: FloatArray, n: IntArray) -> FloatArray:
    """[n_groups, n_draws, n_categories] P(c | g) / P(c) from a group's means an item category [the same]."""
    with np.errstate(invalid="ignore", divide="ignore"):
        of_group = means / means.sum(axis=2, keepdims=True)
        together = np.tensordot(n, means, axes=1)  # [n_draws, n_categories]
        return of_group / (together / together.sum(axis=1, keepdims=True))


def _shown(groups: ShownGroups) -> list[tuple[int, str]]:
    return [
        (number, name)
        for number, name in enumerate(groups.names)
        if name not in groups.hidden and name != UNKNOWN
    ]


def _row(group: str, category: str | None, pair: FloatArray, draws: FloatArray, n_people: int) -> ListGapRow:
    """The ratio of listed to history, less 1, with its interval.

    Args:
        group: the group.
        category: of the items.
        pair: history and listed, and for popularity the share of people with both.
        draws: [n_draws, …] the same in each resample.
        n_people: with something in both.
    """
    if n_people < FEWEST_PEOPLE or not (pair[0] > 0 and np.isfinite(pair).all()):
        reason = f"insufficient data: fewer than {FEWEST_PEOPLE} people with such items in their history"
        return ListGapRow(group, category, None, None, None, None, None, reason)
    scale = pair[2] if len(pair) > 2 else 1.0
    value = float(pair[1] / pair[0] - 1)
    ratios = draws[:, 1] / draws[:, 0] - 1
    low, high = interval(Estimate(n_people, value, ratios, float(ratios.var()), 0.0))
    return ListGapRow(group, category, float(pair[0] / scale), float(pair[1] / scale), value, low, high, None)
