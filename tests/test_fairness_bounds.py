"""Gaps under every assignment of the people whose attribute is missing, against brute force."""

from itertools import product

import numpy as np
import pytest

from recsys_core.fairness.bounds import gap_bounds


def by_brute_force(
    group: list[float], reference: list[float], missing: list[float], *, all_assigned: bool
) -> tuple[float, float]:
    """Lowest and highest gap over all assignments: 0 to the group, 1 to the reference, 2 to neither."""
    gaps = [
        np.mean(group + [x for x, side in zip(missing, sides, strict=True) if side == 0])
        - np.mean(reference + [x for x, side in zip(missing, sides, strict=True) if side == 1])
        for sides in product(range(2 if all_assigned else 3), repeat=len(missing))
    ]
    return float(min(gaps)), float(max(gaps))


def bounds(
    group: list[float], reference: list[float], missing: list[float], *, all_assigned: bool
) -> tuple[float, float]:
    known = [(len(side), float(sum(side))) for side in (group, reference)]
    return gap_bounds(known[0], known[1], np.array(missing), all_assigned=all_assigned)


def test_bounds_by_hand():
    # 1 person with 0 in the group, 1 with 1 in the reference; missing 0 and 1.
    # highest: 1 joins the group, 0 the reference: 1/2 − 1/2; lowest: the other way round: 0 − 1
    assert bounds([0.0], [1.0], [0.0, 1.0], all_assigned=True) == pytest.approx((-1.0, 0.0))


def test_nobody_missing_leaves_the_gap_as_it_is():
    assert bounds([1.0, 0.0], [0.25], [], all_assigned=True) == pytest.approx((0.25, 0.25))


@pytest.mark.parametrize("all_assigned", [True, False])
@pytest.mark.parametrize("seed", range(60))
def test_bounds_equal_brute_force(seed: int, all_assigned: bool):
    rng = np.random.default_rng(seed)
    group, reference, missing = (
        (rng.integers(-1, 5, size) / 4).tolist() for size in (rng.integers(1, 5), rng.integers(1, 5), 7)
    )
    expected = by_brute_force(group, reference, missing, all_assigned=all_assigned)
    assert bounds(group, reference, missing, all_assigned=all_assigned) == pytest.approx(expected, abs=1e-12)


def test_people_wanted_by_both_sides_are_shared_out():
    # the group is far below the reference: everybody raises the one and lowers the other
    case = ([0.0], [1.0], [0.4, 0.5, 0.6])
    expected = by_brute_force(*case, all_assigned=False)
    assert bounds(*case, all_assigned=False) == pytest.approx(expected, abs=1e-12)
