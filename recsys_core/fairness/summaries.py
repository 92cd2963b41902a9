"""How unequal the groups of an attribute are, in one figure each, with intervals that hold at equality.

Figures such as max − min can't be below 0, so that the spread of their bootstrap draws says nothing of where
the truth lies when the groups are equal. But they are norms of the differences between groups, and a norm is
never further off than the norm of the error: q, the 95 % point of ‖means drawn − means‖, bounds it. These
intervals hold the truth at least as often as promised; between two groups they are the interval of the gap.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from recsys_core.fairness.findings import Measure, SummaryRow
from recsys_core.fairness.inference import Estimate, interval
from recsys_core.fairness.resampling import ENTROPY, MEAN, SERVED, SQUARE, GroupDraws

FloatArray = NDArray[np.float64]
Norm = Callable[[FloatArray], FloatArray]

LEVEL = 0.95
FEWEST_GROUPS = 2
NEGATIVE = "not defined: the metric has values below 0"
ONE_OUTCOME = "not defined: everybody's metric is above 0, so there are no two outcomes to compare"


def summaries(attribute: str, groups: list[str], places: list[int], draws: GroupDraws) -> list[SummaryRow]:
    """Every summary of one attribute by one metric, over the groups with enough people.

    Args:
        attribute: that the groups are of.
        groups: their names; at least two.
        places: their rows in `draws`.
        draws: of all groups of the attribute.
    """
    n = draws.n[places].astype(np.float64)
    points, drawn = draws.moments[places], draws.draws[places]
    means, errors = points[:, MEAN], drawn[:, :, MEAN] - points[:, MEAN, None]
    rows = [
        _row(attribute, "max-min", _range(means), *_around(_range, means, errors)),
        _row(attribute, "user-mad", user_mad(means), *_around(user_mad, means, errors)),
        _worst(attribute, groups, means, errors),
        _differential_fairness(attribute, n, points[:, SERVED], drawn[:, :, SERVED]),
    ]
    if not np.isfinite(points).all() or (means <= 0).any() or (drawn[:, :, MEAN] <= 0).any():
        return [*rows, *(unknown(attribute, measure, NEGATIVE) for measure in _OF_AMOUNTS)]
    return [
        *rows,
        *_impact_ratios(attribute, groups, means, drawn[:, :, MEAN]),
        *_inequality(attribute, n / n.sum(), points, drawn),
    ]


_OF_AMOUNTS: tuple[Measure, ...] = (
    "impact-ratio",
    *("theil", "theil-within", "theil-between"),
    *("ge2", "ge2-within", "ge2-between"),
)
MEASURES: tuple[Measure, ...] = (
    "max-min",
    "user-mad",
    "worst-group",
    "differential-fairness",
    *_OF_AMOUNTS,
)


def unknown(attribute: str, measure: Measure, reason: str) -> SummaryRow:
    """The row of a summary that can't be computed."""
    return SummaryRow(attribute, measure, None, None, None, None, reason)


def user_mad(means: FloatArray) -> FloatArray:
    """Mean absolute difference over pairs of groups; 0 = all alike. Source: Deldjoo et al., UMUAI 31 (2021).

    Args:
        means: [n_groups, …].
    """
    n = len(means)
    weights = 2 * np.arange(1, n + 1) - n - 1  # how often each rank is the larger one − the smaller one
    return np.asarray(np.tensordot(weights, np.sort(means, axis=0), axes=1) / (n * (n - 1) / 2))


def theil_terms(shares: FloatArray, points: FloatArray) -> FloatArray:
    """[3, …]: Theil's T over all people, within and between groups; total = within + between.

    T = Σ_g (n_g μ_g / nμ) T_g + Σ_g (n_g μ_g / nμ) ln(μ_g / μ). Range 0 to ln n; 0 = everybody alike.
    Source: Theil, Economics and Information Theory, 1967.

    Args:
        shares: [n_groups] of the people.
        points: [n_groups, …, 3] moments of each group.
    """
    means, entropy = points[..., MEAN], points[..., ENTROPY]
    overall = np.tensordot(shares, means, axes=1)
    amounts = _wide(shares, means) * means / overall  # each group's share of the utility
    within = (amounts * (entropy / means - np.log(means))).sum(axis=0)
    between = (amounts * np.log(means / overall)).sum(axis=0)
    return np.stack([within + between, within, between])


def ge2_terms(shares: FloatArray, points: FloatArray) -> FloatArray:
    """[3, …]: the generalised entropy GE(2) over all people, within and between groups.

    GE(2) = ½ (mean of (x / μ)² − 1). Range 0 to (n − 1) / 2; 0 = everybody alike. Source: Speicher et al.,
    KDD 2018, equation 2 with α = 2, and its decomposition.

    Args:
        shares: [n_groups] of the people.
        points: [n_groups, …, 3] moments of each group.
    """
    means, squares = points[..., MEAN], points[..., SQUARE]
    overall = np.tensordot(shares, means, axes=1)
    weights = _wide(shares, means)
    within = (weights * (squares - means**2)).sum(axis=0) / overall**2 / 2
    between = ((weights * (means / overall) ** 2).sum(axis=0) - 1) / 2
    return np.stack([within + between, within, between])


def differential_fairness(n: FloatArray, served: FloatArray) -> FloatArray:
    """Least ε by which no outcome is more than e^ε times as likely in one group as in another.

    The outcome is whether the metric is above zero; shares are smoothed to (n p + 1) / (n + 2), one imagined
    person for each outcome. Range from 0 = all groups alike. Source: Foulds et al., ICDE 2020, equation 7
    (the smoothed estimator); for intersections, ask for them: "gender*age".

    Args:
        n: [n_groups] people.
        served: [n_groups, …] share of them for whom the metric isn't 0.
    """
    return _largest_range(_log_shares(n, served))


def _differential_fairness(
    attribute: str, n: FloatArray, served: FloatArray, drawn: FloatArray
) -> SummaryRow:
    """ε, which is a norm of the log shares, and so off by at most the norm of their errors.

    Where everybody has the one outcome, the imagined person of the other would tell the sizes of the groups.
    """
    if (served == 1).all():
        return unknown(attribute, "differential-fairness", ONE_OUTCOME)
    logs = _log_shares(n, served)
    value = float(_largest_range(logs))
    reach = float(np.quantile(_largest_range(_log_shares(n, drawn) - logs[:, :, None]), LEVEL))
    return _row(attribute, "differential-fairness", value, max(0.0, value - reach), value + reach)


def _log_shares(n: FloatArray, served: FloatArray) -> FloatArray:
    """[2, n_groups, …] log of the smoothed shares of people served, and not served."""
    smoothed = (_wide(n, served) * served + 1) / (_wide(n, served) + 2)
    return np.log(np.stack([smoothed, 1 - smoothed]))


def _largest_range(logs: FloatArray) -> FloatArray:
    return np.asarray((logs.max(axis=1) - logs.min(axis=1)).max(axis=0))


def _inequality(
    attribute: str, shares: FloatArray, points: FloatArray, drawn: FloatArray
) -> list[SummaryRow]:
    low, high = _between_intervals(shares, points[:, MEAN], drawn[:, :, MEAN])
    rows: list[SummaryRow] = []
    for name, terms, power in (("theil", theil_terms, 1), ("ge2", ge2_terms, 2)):
        point, resampled = terms(shares, points), terms(shares, drawn)  # [3], [3, n_draws]
        for place, suffix in enumerate(("", "-within")):
            measure = cast("Measure", name + suffix)
            rows.append(_row(attribute, measure, point[place], *_smooth(point[place], resampled[place])))
        ends = low[power - 1], high[power - 1]
        rows.append(_row(attribute, cast("Measure", f"{name}-between"), max(point[2], 0.0), *ends))
    return rows


def _between_intervals(
    shares: FloatArray, means: FloatArray, drawn: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Low and high ends [2] of what lies between groups, by Theil and by GE(2).

    √GE(2) between is a norm of μ_g / μ − 1. Theil's T is followed along the line from equality through the
    estimate, as far as that norm may be off.
    """
    relative = means / (shares @ means)
    off = drawn / np.tensordot(shares, drawn, axes=1) - relative[:, None]
    norm = np.sqrt(shares @ (relative - 1) ** 2 / 2)
    reach = np.quantile(np.sqrt(np.tensordot(shares, off**2, axes=1) / 2), LEVEL)
    ends = np.array([max(0.0, norm - reach), norm + reach])
    if norm == 0:
        theil = 2 * ends**2  # T ≤ 2 GE(2) between
    else:
        along = np.maximum(1 + ends[:, None] / norm * (relative - 1), 0.0)  # [2, n_groups]
        theil = np.where(along > 0, along * np.log(np.where(along > 0, along, 1.0)), 0.0) @ shares
    low, high = np.stack([np.maximum(theil, 0.0), ends**2], axis=1)
    return low, high


def _impact_ratios(
    attribute: str, groups: list[str], means: FloatArray, drawn: FloatArray
) -> list[SummaryRow]:
    """M_g / max M of each group; 1 = as the best. Source: New York City, Local Law 144 of 2021, § 5-300.

    On the log scale the distance to the best group is off by the largest error of a difference to any group.
    """
    logs = np.log(means)
    errors = np.log(drawn) - logs[:, None]
    reach = np.quantile(np.maximum(errors.max(axis=0) - errors, errors - errors.min(axis=0)), LEVEL, axis=1)
    distance = logs - logs.max()
    low, high = np.exp(distance - reach), np.minimum(np.exp(distance + reach), 1.0)
    return [
        SummaryRow(attribute, "impact-ratio", group, float(ratio), float(start), float(end), None)
        for group, ratio, start, end in zip(groups, np.exp(distance), low, high, strict=True)
    ]


def _worst(attribute: str, groups: list[str], means: FloatArray, errors: FloatArray) -> SummaryRow:
    """The lowest mean, from intervals that hold for all groups at once (a largest studentised error)."""
    spread = errors.std(axis=1)
    known = spread > 0
    largest = np.abs(errors[known] / spread[known, None]).max(axis=0) if known.any() else np.zeros(1)
    reach = np.quantile(largest, LEVEL) * spread
    worst = int(np.argmin(means))
    low, high = float((means - reach).min()), float((means + reach).min())
    return SummaryRow(attribute, "worst-group", groups[worst], float(means[worst]), low, high, None)


def _around(norm: Norm, means: FloatArray, errors: FloatArray) -> tuple[float, float]:
    value, reach = float(norm(means)), float(np.quantile(norm(errors), LEVEL))
    return max(0.0, value - reach), value + reach


def _smooth(value: float, draws: FloatArray) -> tuple[float, float]:
    """The bias-corrected interval of a figure that no bound is near."""
    return interval(Estimate(0, float(value), draws, float(draws.var()), 0.0), LEVEL)


def _range(means: FloatArray) -> FloatArray:
    return means.max(axis=0) - means.min(axis=0)


def _wide(shares: FloatArray, means: FloatArray) -> FloatArray:
    return shares.reshape(-1, *[1] * (means.ndim - 1))


def _row(attribute: str, measure: Measure, value: FloatArray | float, low: float, high: float) -> SummaryRow:
    return SummaryRow(attribute, measure, None, float(value), float(low), float(high), None)
