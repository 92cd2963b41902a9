"""What the item side of an audit says of each group in a word: shown as much as its due, or not, or open.

A group's due is its share of what people chose, or its share of the catalogue; the question is whether the
ratio of its exposure to its due is 1. The audit keeps intervals and no draws, so p-values are read off the
interval: the logarithm of the ratio is taken to be normal, with the standard error that makes the interval
95 %. Holm's adjustment holds the groups of one attribute together.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm

from recsys_core.fairness.exposure_result import ItemAudit, ItemGroupRow
from recsys_core.fairness.inference import holm
from recsys_core.fairness.result import Verdict

Due = Literal["merit", "catalogue"]
LEAST_ALIKE, MOST_ALIKE = 0.8, 1.25  # the four-fifths rule and its inverse: ratios in between count as alike
SIGNIFICANCE = 0.05
NORMAL_95, NORMAL_90 = 1.959963984540054, 1.6448536269514722


@dataclass(frozen=True, slots=True)
class ExposureVerdict:
    """One group of items beside its due.

    Attributes:
        group: the group.
        value: share of the exposure / share of what is due; 1 = as much, 0 = on no list.
        ci_low: low end of its 95 % interval.
        ci_high: high end of it.
        p_value: two-sided, of a ratio of 1.
        p_adjusted: the same after Holm over the attribute's groups.
        verdict: "equivalent" where the 90 % interval is within 0.8 to 1.25 (two one-sided tests), else
            "disparity" where p_adjusted is at most .05, else "inconclusive".
    """

    group: str
    value: float
    ci_low: float
    ci_high: float
    p_value: float
    p_adjusted: float
    verdict: Verdict


def exposure_verdicts(audit: ItemAudit, attribute: str, due: Due) -> tuple[ExposureVerdict, ...]:
    """A verdict for each group whose ratio has an interval, the least exposed first.

    Args:
        audit: the item side of an audit.
        attribute: one of those that it grouped items by.
        due: "merit" for the shares of the held-out items, "catalogue" for those of the items.
    """
    rows = [row for row in audit.groups if row.attribute == attribute]
    found = [(row.group, ratio) for row in rows if (ratio := _ratio(audit, row, due)) is not None]
    found.sort(key=lambda pair: pair[1])
    p_values = [_p_value(*ratio) for _, ratio in found]
    return tuple(
        ExposureVerdict(group, *ratio, p_value, adjusted, _verdict(adjusted, *ratio))
        for (group, ratio), p_value, adjusted in zip(found, p_values, holm(p_values), strict=True)
    )


def _ratio(audit: ItemAudit, row: ItemGroupRow, due: Due) -> tuple[float, float, float] | None:
    """The ratio and the ends of its interval; the catalogue is no sample, so its share divides them all."""
    measure = "exposure_per_merit" if due == "merit" else "exposure_share"
    share = 1.0 if due == "merit" else row.catalogue_share
    figure = audit.figure(row.attribute, row.group, measure)
    if figure is None or figure.ci_low is None or figure.ci_high is None:
        return None
    return figure.value / share, figure.ci_low / share, figure.ci_high / share


def _log_error(value: float, low: float, high: float) -> float:
    """Standard error of the logarithm of a ratio above 0, from its interval."""
    if low <= 0:  # some resamples lose the group: its logarithm has no lower end, so the upper one speaks
        return float(np.log(high / value)) / NORMAL_95
    return float(np.log(high / low)) / (2 * NORMAL_95)


def _p_value(value: float, low: float, high: float) -> float:
    """Of a ratio of 1; a group that no list has is there in no resample either, so that is no chance."""
    if value <= 0:
        return 0.0
    error, distance = _log_error(value, low, high), abs(float(np.log(value)))
    if error <= 0:
        return float(distance == 0)
    return float(2 * norm.sf(distance / error))


def _verdict(p_adjusted: float, value: float, low: float, high: float) -> Verdict:
    if value > 0:
        reach = NORMAL_90 * _log_error(value, low, high)
        if np.log(value) - reach > np.log(LEAST_ALIKE) and np.log(value) + reach < np.log(MOST_ALIKE):
            return "equivalent"
    return "disparity" if p_adjusted <= SIGNIFICANCE else "inconclusive"
