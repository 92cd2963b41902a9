"""The item side: how much attention each group of items gets, and how that fits what people chose.

Reads tables only, so any recommender's lists will do. All figures are over people who have a list and a
held-out item; intervals are percentiles over resamples of these people, and are given where at least
20 people are behind a figure. What under 11 people chose is not shown.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.errors import DataError
from recsys_core.fairness import exposure_measures as measures
from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO
from recsys_core.fairness.exposure_counts import Counted, Sums, count
from recsys_core.fairness.exposure_groups import ItemGroups, item_groups
from recsys_core.fairness.exposure_result import (
    ATTRIBUTE_MEASURES,
    GROUP_MEASURES,
    AttributeMeasure,
    GroupMeasure,
    ItemAudit,
    ItemAuditSettings,
    ItemFigure,
    ItemGroupRow,
)
from recsys_core.fairness.result import NotComputed

LOST_DRAWS = 0.05  # of the resamples may leave a figure undefined before its interval is left out
NO_MERIT = "insufficient data: nobody's held-out item is of this group, so it has no merit to compare with"
FEW_MERIT = "insufficient data: the held-out items of this group are of fewer than {} people"
WITH_FEW = "left out with a group of few people, whose figures it would give away"
BY_MERIT: tuple[GroupMeasure, ...] = (
    "merit_share",
    "exposure_per_merit",
    "found_rate",
    "pairwise_inter",
    "pairwise_intra",
)


def audit_items(
    lists: IntArray,
    known: Histories,
    wanted: Histories,
    items: pd.DataFrame,
    n_people: IntArray,
    settings: ItemAuditSettings,
) -> ItemAudit:
    """Exposure of groups of items; the same inputs and seed give the same result.

    Args:
        lists: [n_users, any] item numbers from 1, best first, 0 = an empty place; only candidates.
        known: [n_users] what each person had before.
        wanted: [n_users] each person's held-out items; some have none.
        items: one row an item, in the order of item numbers.
        n_people: [n_items + 1] how many people touched each item in training, for strata of popularity.
        settings: by what to group, and how.

    Raises:
        DataError: an attribute doesn't exist or can't form groups, or too few people have a list.
    """
    groupings = [item_groups(items, by, n_people) for by in settings.by]
    people = np.flatnonzero((lists[:, : settings.k] > 0).any(axis=1) & (wanted.lengths > 0))
    least = settings.minimum_group
    if len(people) < least:
        raise DataError(
            f"{len(people)} people have a list and a held-out item; an audit needs at least {least}"
        )
    chosen = lists[people, : settings.k], known.take(people), wanted.take(people)
    rows = list[ItemGroupRow]()
    figures = list[ItemFigure]()
    left_out = list[NotComputed]()
    for groups in groupings:
        counted = count(*chosen, groups, settings.draws, settings.seed)
        hidden = _hidden(counted.n_merited, least)
        rows += _rows(groups, counted, hidden, least)
        for group, reason in _without_merit(groups, counted, hidden, least):
            left_out.append(NotComputed(groups.attribute, group, reason))
        of_groups = _group_figures(groups, counted, hidden)
        figures += of_groups
        left_out += _undefined(
            groups, of_groups, {row.group for row in left_out if row.attribute == groups.attribute}
        )
        found = list(_attribute_figures(groups, counted))
        figures += found
        missing = set(ATTRIBUTE_MEASURES) - {figure.measure for figure in found}
        left_out += [
            NotComputed(groups.attribute, "", f"insufficient data for {name}") for name in sorted(missing)
        ]
    return ItemAudit(
        settings, len(people), len(lists) - len(people), tuple(rows), tuple(figures), tuple(left_out)
    )


def _hidden(n_merited: IntArray, least: int) -> frozenset[int]:
    """Groups whose merit too few people make up, and the next smallest until these can't be told."""
    order = [group for group in np.argsort(n_merited, kind="stable").tolist() if n_merited[group] > 0]
    hidden = [group for group in order if n_merited[group] < least]
    if not hidden:
        return frozenset()
    for group in order[len(hidden) :]:
        if len(hidden) > 1 and n_merited[hidden].sum() >= least:
            break
        hidden.append(group)
    return frozenset(hidden)


def _rows(groups: ItemGroups, counted: Counted, hidden: frozenset[int], least: int) -> list[ItemGroupRow]:
    catalogue = groups.membership.sum(axis=0) / groups.membership.sum()
    return [
        ItemGroupRow(
            groups.attribute,
            name,
            int(groups.n_items[group]),
            float(catalogue[group]),
            _shown(int(counted.n_reached[group]), least),
            None if group in hidden else int(counted.n_merited[group]),
        )
        for group, name in enumerate(groups.groups)
    ]


def _shown(n: int, least: int) -> int | None:
    return None if 0 < n < least else n


def _without_merit(
    groups: ItemGroups, counted: Counted, hidden: frozenset[int], least: int
) -> Iterator[tuple[str, str]]:
    """Groups whose merit isn't told, and why."""
    for group, name in enumerate(groups.groups):
        n = counted.n_merited[group]
        if n == 0:
            yield name, NO_MERIT
        elif group in hidden:
            yield name, FEW_MERIT.format(least) if n < least else WITH_FEW


def _group_figures(groups: ItemGroups, counted: Counted, hidden: frozenset[int]) -> list[ItemFigure]:
    observed, draws = (_by_group(sums) for sums in (counted.observed, counted.draws))
    found = list[ItemFigure]()
    for name, values in observed.items():
        behind = counted.n_merited if name in BY_MERIT else counted.n_reached
        for group, label in enumerate(groups.groups):
            if np.isnan(values[group]) or (name in BY_MERIT and (group in hidden or behind[group] == 0)):
                continue
            ends = _ends(draws[name][:, group], enough=bool(behind[group] >= FEWEST_ABOVE_ZERO))
            found.append(ItemFigure(groups.attribute, label, name, float(values[group]), *ends))
    return found


def _undefined(groups: ItemGroups, found: list[ItemFigure], without_merit: set[str]) -> Iterator[NotComputed]:
    """Figures of single groups that can't be computed though there is merit, or need none."""
    there = {(figure.group, figure.measure) for figure in found}
    for group in groups.groups:
        for name in GROUP_MEASURES:
            if (group, name) not in there and not (name in BY_MERIT and group in without_merit):
                yield NotComputed(groups.attribute, group, f"insufficient data for {name}")


def _by_group(sums: Sums) -> dict[GroupMeasure, FloatArray]:
    """[..., n_groups] each measure of single groups."""
    return {
        "exposure_share": measures.shares(sums.of("attention")),
        "merit_share": measures.shares(sums.of("merit")),
        "exposure_per_merit": measures.exposure_per_merit(sums.of("attention"), sums.of("merit")),
        "recommendation_rate": measures.rates(sums.of("places"), sums.of("candidates")),
        "found_rate": measures.rates(sums.of("found"), sums.of("merit")),
        "pairwise_inter": measures.rates(sums.of("inter_won"), sums.of("inter")),
        "pairwise_intra": measures.rates(sums.of("intra_won"), sums.of("intra")),
    }


def _attribute_figures(groups: ItemGroups, counted: Counted) -> Iterator[ItemFigure]:
    catalogue = groups.membership.sum(axis=0)
    observed, draws = (_over_groups(sums, catalogue) for sums in (counted.observed, counted.draws))
    enough = counted.observed.n_people >= FEWEST_ABOVE_ZERO
    for name, value in observed.items():
        if not np.isnan(value):
            yield ItemFigure(groups.attribute, "", name, float(value), *_ends(draws[name], enough))


def _over_groups(sums: Sums, catalogue: FloatArray) -> dict[AttributeMeasure, FloatArray]:
    """[...] each measure of all groups together."""
    exposure, merit = sums.of("attention"), sums.of("merit")
    mean, ideal = exposure / sums.n_people, sums.of("ideal") / sums.n_people
    ee_d, ee_r, ee_l = measures.expected_exposure(mean, ideal)
    return {
        "ee_d": ee_d,
        "ee_r": ee_r,
        "ee_l": ee_l,
        "awrf_catalogue": measures.awrf(exposure, np.broadcast_to(catalogue, exposure.shape)),
        "awrf_merit": measures.awrf(exposure, merit),
        "rsp": measures.relative_spread(measures.rates(sums.of("places"), sums.of("candidates"))),
        "reo": measures.relative_spread(measures.rates(sums.of("found"), merit)),
        "gini": measures.gini(exposure),
        "entropy": measures.entropy(exposure),
        "min_max_ratio": measures.min_max_ratio(exposure),
        "poorest_half": measures.poorest_half(exposure),
    }


def _ends(draws: FloatArray, enough: bool) -> tuple[float | None, float | None]:
    """The 2.5 % and 97.5 % quantiles of the draws; None where too few people or draws are behind them."""
    defined = draws[~np.isnan(draws)]
    if not enough or len(defined) < (1 - LOST_DRAWS) * len(draws):
        return None, None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
