"""Where the path of integrated gradients is looked at, and what each point counts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import FloatArray
from recsys_core.explain.attributions import MAX_POINTS

FIRST_INTERVALS = 4
CROWDING = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """∫₀¹ f ≈ Σ weights · f(positions), over all positions of the rules so far and then its own.

    Attributes:
        positions: [new] those that no earlier rule has looked at.
        weights: [earlier + new].
    """

    positions: FloatArray
    weights: FloatArray


def gauss_legendre(n_points: int) -> Rule:
    """The rule of the highest order for so many points; Captum's default."""
    positions, weights = np.polynomial.legendre.leggauss(n_points)
    return Rule((positions + 1) / 2, weights / 2)


def nested_rules() -> Iterator[Rule]:
    """Rules of 4, 8, 16, … 512 points; each looks only at the points that the one before hasn't seen.

    Clenshaw–Curtis (Trefethen, SIAM Review 2008) after the substitution position = u², which crowds
    points near the baseline: there the vectors are short, and layer normalisation is steepest. The
    baseline itself then weighs nothing and isn't looked at.
    """
    n, known = FIRST_INTERVALS, np.zeros(0, dtype=np.int64)
    while n <= MAX_POINTS:
        known = known * 2  # of every earlier place, where it is among the new ones
        new = np.setdiff1d(np.arange(1, n + 1), known)
        known = np.concatenate([known, new])
        places = (1 - np.cos(np.pi * np.arange(n + 1) / n)) / 2
        weights = clenshaw_curtis(n) * CROWDING * places ** (CROWDING - 1)
        yield Rule(places[new] ** CROWDING, weights[known])
        n *= 2


def clenshaw_curtis(n: int) -> FloatArray:
    """[n + 1] weights of the points (1 − cos kπ/n) / 2 on 0 to 1, for an even n; they sum to 1."""
    k, j = np.arange(n + 1), np.arange(1, n // 2 + 1)
    terms = np.where(j == n // 2, 1.0, 2.0) / (4.0 * j**2 - 1)
    inner = 1 - np.cos(2 * np.pi * np.outer(k, j) / n) @ terms
    return np.where((k == 0) | (k == n), 1.0, 2.0) * inner / (2 * n)
