"""Where the path of integrated gradients is looked at, and what each point counts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import FloatArray
from recsys_core.explain.attributions import MAX_POINTS

FIRST_INTERVALS = 8


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
    """Rules of 9, 17, 33, … 513 points; each looks only at the points that the one before hasn't seen.

    Clenshaw–Curtis; it comes close to Gauss–Legendre for as many points, whose rules share none
    (Trefethen, "Is Gauss quadrature better than Clenshaw–Curtis?", SIAM Review 2008).
    """
    n, known = FIRST_INTERVALS, np.zeros(0, dtype=np.int64)
    while n <= MAX_POINTS:
        known = known * 2  # of every earlier place, where it is among the new ones
        new = np.setdiff1d(np.arange(n + 1), known)
        known = np.concatenate([known, new])
        yield Rule((1 - np.cos(np.pi * new / n)) / 2, clenshaw_curtis(n)[known])
        n *= 2


def clenshaw_curtis(n: int) -> FloatArray:
    """[n + 1] weights of the points (1 − cos kπ/n) / 2 on 0 to 1, for an even n; they sum to 1."""
    k, j = np.arange(n + 1), np.arange(1, n // 2 + 1)
    terms = np.where(j == n // 2, 1.0, 2.0) / (4.0 * j**2 - 1)
    inner = 1 - np.cos(2 * np.pi * np.outer(k, j) / n) @ terms
    return np.where((k == 0) | (k == n), 1.0, 2.0) * inner / (2 * n)
