"""How far a gap could be moved by people whose attribute isn't known: over every way to assign them."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def gap_bounds(
    group: tuple[int, float], reference: tuple[int, float], missing: FloatArray, *, all_assigned: bool
) -> tuple[float, float]:
    """Lowest and highest mean of the group − mean of the reference, however the missing are assigned.

    For a given number of people in the group, the gap is largest where these are the highest, and those in
    the reference the lowest. How many go where is searched: each mean rises with the people added until they
    no longer lie above it, and falls from there on, so that the two may be chosen apart unless they want the
    same people; then nobody is left over, and one search over the number of people in the group is enough.

    Args:
        group: number and sum of the people known to be in the group; at least one.
        reference: the same of the reference.
        missing: [n_missing] values of the people who may belong to either.
        all_assigned: everybody belongs to one of the two (the reference is everybody else, or there are only
            two groups); otherwise they may also belong to neither.
    """
    ascending = np.sort(missing)
    high = _highest(group, reference, ascending, all_assigned)
    low = -_highest((group[0], -group[1]), (reference[0], -reference[1]), -ascending[::-1], all_assigned)
    return low, high


def _highest(
    group: tuple[int, float], reference: tuple[int, float], ascending: FloatArray, all_assigned: bool
) -> float:
    n = len(ascending)
    added = np.arange(n + 1)
    from_top = np.concatenate([[0.0], np.cumsum(ascending[::-1])])
    from_bottom = np.concatenate([[0.0], np.cumsum(ascending)])
    own = (group[1] + from_top) / (group[0] + added)  # mean of the group with the highest 0, 1, … n
    other = (reference[1] + from_bottom) / (reference[0] + added)
    apart = int(np.argmax(own)), int(np.argmin(other))
    if not all_assigned and sum(apart) <= n:
        return float(own[apart[0]] - other[apart[1]])
    return float((own - other[::-1]).max())
