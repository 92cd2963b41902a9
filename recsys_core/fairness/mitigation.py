"""What closing a gap would cost: re-rankings by group or other trainings, chosen on some, shown on others.

Every group of an attribute may get a re-ranking of its own. From what people of the fitting half would get
out of each, the policies with the highest utility at each gap are made (user-group constrained re-ranking,
after Li et al., WWW 2021), none of which may cost any group more than a stated share of what it has. What
they are worth is told by the other half alone, paired: both lists of a person are compared.

A model that was trained in another way is an option for everybody or for nobody: it has points of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.errors import ConfigError, DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

NOBODY = -1  # the group number of whoever is in no group that is compared
CHUNK = 4_000_000  # numbers held at once while drawing
LEVEL = 0.95
FEWEST_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Change:
    """A figure before and after, with the 95 % interval of after − before over the same people."""

    before: float
    after: float
    difference: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One policy, as the people see it who had no part in choosing it.

    Attributes:
        options: for each group the number of its option.
        utility: mean of the metric over everybody.
        gap: largest mean of a group − smallest.
        groups: the mean of each group.
        fit_utility: what the fitting half saw.
        fit_gap: what the fitting half saw.
        chosen: whether the fitting half chose it.
    """

    options: tuple[int, ...]
    utility: Change
    gap: Change
    groups: tuple[Change, ...]
    fit_utility: float
    fit_gap: float
    chosen: bool


def policies(
    values: FloatArray, groups: IntArray, n_groups: int, max_loss: float, n_for_all: int = 0
) -> tuple[tuple[int, ...], ...]:
    """For each gap that can be had, the options by group with the highest utility; the list as it is first.

    For every level L each group gets its best option, of those worth at most L + the gap wanted; it is enough
    to try as ceilings the values that there are. No option costs a group more than `max_loss` of what it has.

    Args:
        values: [n_options, n] what each person of the fitting half would get; option 0 = the list as it is.
        groups: [n] the group of each, −1 = none.
        n_groups: how many groups there are, at least 2.
        max_loss: from 0 to 1.
        n_for_all: how many of the last options everybody gets, or nobody.

    Raises:
        ConfigError: a share out of bounds.
        DataError: a group without people.
    """
    check_settings(max_loss)
    means = group_means(values, groups, n_groups)  # [n_options, n_groups]
    allowed = means >= (1 - max_loss) * means[0]
    n_by_group = len(values) - n_for_all
    by_group, allowed_by_group = means[:n_by_group], allowed[:n_by_group]
    found = {tuple([0] * n_groups): None}
    for ceiling in np.unique(by_group[allowed_by_group])[::-1]:
        below = allowed_by_group & (by_group <= ceiling)
        if not below.any(axis=0).all():
            break
        best = np.where(below, by_group, -np.inf).argmax(axis=0)
        found[tuple(int(option) for option in best)] = None
    for option in range(n_by_group, len(values)):
        if allowed[option].all():
            found[tuple([option] * n_groups)] = None
    return tuple(found)


def option_of_others(options: Sequence[int], n_options: int, n_for_all: int) -> int:
    """The option of people in no group that is compared: the list as it is, or what everybody gets."""
    return options[0] if options[0] >= n_options - n_for_all else 0


def check_settings(max_loss: float, draws: int = FEWEST_DRAWS) -> None:
    """Refuses settings of a frontier, so that nothing is re-ranked for them.

    Raises:
        ConfigError: a share or a number of draws out of bounds.
    """
    if not 0 <= max_loss <= 1:
        raise ConfigError(f"the share that a group may lose is {max_loss}; it must lie from 0 to 1")
    if draws < FEWEST_DRAWS:
        raise ConfigError(f"draws is {draws}; an interval needs at least {FEWEST_DRAWS}")


def group_means(values: FloatArray, groups: IntArray, n_groups: int) -> FloatArray:
    """[n_options, n_groups] mean of each group's people.

    Raises:
        DataError: a group without people.
    """
    sizes = np.bincount(groups[groups >= 0], minlength=n_groups)
    if (sizes == 0).any():
        raise DataError("a group has nobody in one half of the people, so nothing can be fitted for it")
    inside = groups >= 0
    sums = [np.bincount(groups[inside], own[inside], minlength=n_groups) for own in values]
    return np.stack(sums) / sizes


def frontier(
    fitting: FloatArray,
    fitting_groups: IntArray,
    showing: FloatArray,
    showing_groups: IntArray,
    n_groups: int,
    max_loss: float = 0.05,
    draws: int = 1000,
    seed: int = 0,
    n_for_all: int = 0,
) -> tuple[FrontierPoint, ...]:
    """The policies that the fitting half finds, with what the showing half gets; the widest gap first.

    Chosen is the smallest gap of the fitting half, of equal ones the highest utility. Intervals are
    percentiles of a paired bootstrap, stratified by group.

    Args:
        fitting: [n_options, n] values of the fitting half; option 0 = the list as it is.
        fitting_groups: [n] their groups, −1 = none.
        showing: [n_options, m] values of the showing half.
        showing_groups: [m] their groups.
        n_groups: how many groups there are, at least 2.
        max_loss: the share of its utility that any group may lose in the fitting half.
        draws: bootstrap resamples, at least 200.
        seed: of the resampling.
        n_for_all: how many of the last options everybody gets, or nobody.

    Raises:
        ConfigError: a setting out of bounds.
        DataError: a group without people in one of the halves.
    """
    check_settings(max_loss, draws)
    found = policies(fitting, fitting_groups, n_groups, max_loss, n_for_all)
    others = [option_of_others(own, len(fitting), n_for_all) for own in found]
    fit_means = group_means(fitting, fitting_groups, n_groups)
    group_means(showing, showing_groups, n_groups)
    fits = [
        _fit(own, other, fit_means, fitting, fitting_groups) for own, other in zip(found, others, strict=True)
    ]
    chosen = min(range(len(found)), key=lambda number: (fits[number][1], -fits[number][0]))
    strata = _Strata.of(showing, showing_groups, n_groups, draws, np.random.default_rng(seed))
    points = [
        _point(own, others[number], strata, *fits[number], chosen=number == chosen)
        for number, own in enumerate(found)
    ]
    return tuple(sorted(points, key=lambda point: -point.fit_gap))


def paired_change(before: FloatArray, after: FloatArray, draws: int = 1000, seed: int = 0) -> Change:
    """A mean before and after over the same people [n], with the percentile interval of the difference.

    Raises:
        DataError: nobody, or not the same people.
    """
    if len(before) == 0 or len(before) != len(after):
        raise DataError(f"{len(before)} values before and {len(after)} after; the people must be the same")
    both = np.stack([before, after])
    strata = _Strata.of(both, np.zeros(len(before), dtype=np.int64), 1, draws, np.random.default_rng(seed))
    return _change(strata.means[:, 0, 0], strata.means[:, 1, 0])


@dataclass(frozen=True, slots=True)
class _Strata:
    """Means of the showing half under every option and resample.

    Attributes:
        means: [1 + draws, n_options, n_groups + 1], the observed ones first; last the people of no group.
        shares: [n_groups + 1] of all people of the half.
    """

    means: FloatArray
    shares: FloatArray

    @staticmethod
    def of(
        values: FloatArray, groups: IntArray, n_groups: int, draws: int, generator: np.random.Generator
    ) -> "_Strata":
        means = np.zeros((1 + draws, len(values), n_groups + 1))
        numbers = np.where(groups < 0, n_groups, groups)
        for group in np.unique(numbers):
            own = values[:, numbers == group]  # [n_options, n of the group]
            means[0, :, group] = own.mean(axis=1)
            at_once = max(1, CHUNK // own.shape[1])
            for start in range(0, draws, at_once):
                now = min(at_once, draws - start)
                counts = generator.multinomial(own.shape[1], np.full(own.shape[1], 1 / own.shape[1]), now)
                means[1 + start : 1 + start + now, :, group] = counts @ own.T / own.shape[1]
        return _Strata(means, np.bincount(numbers, minlength=n_groups + 1) / len(groups))


def _fit(
    options: Sequence[int], other: int, means: FloatArray, values: FloatArray, groups: IntArray
) -> tuple[float, float]:
    """Utility and gap of a policy in the fitting half."""
    own = means[list(options), np.arange(len(options))]
    sizes = np.bincount(groups[groups >= 0], minlength=len(options))
    utility = (own @ sizes + values[other, groups < 0].sum()) / len(groups)
    return float(utility), float(own.max() - own.min())


def _point(
    options: tuple[int, ...], other: int, strata: _Strata, fit_utility: float, fit_gap: float, *, chosen: bool
) -> FrontierPoint:
    before, after = (
        np.ascontiguousarray(strata.means[:, own, np.arange(len(options) + 1)])  # [1 + draws, n_groups + 1]
        for own in ([0] * (len(options) + 1), [*options, other])
    )
    return FrontierPoint(
        options=options,
        utility=_change(*(side @ strata.shares for side in (before, after))),
        gap=_change(*(np.ptp(side[:, :-1], axis=1) for side in (before, after))),
        groups=tuple(_change(before[:, group], after[:, group]) for group in range(len(options))),
        fit_utility=fit_utility,
        fit_gap=fit_gap,
        chosen=chosen,
    )


def _change(before: FloatArray, after: FloatArray) -> Change:
    """The observed values, which come first, with the interval of their resampled difference."""
    differences = after - before
    low, high = np.quantile(differences[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Change(float(before[0]), float(after[0]), float(differences[0]), float(low), float(high))
