"""Where the path of integrated gradients is looked at, and what each point counts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import FloatArray

FIRST_INTERVALS, MOST_INTERVALS = 10, 640
BEND, WIDTH = 0.25, 0.25  # where scores change most along a path, and over how much of it


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
    """Rules of 11, 21, 41, … 641 points; each looks only at the points that the one before hasn't seen.

    Clenshaw–Curtis; it comes close to Gauss–Legendre for as many points, whose rules share none
    (Trefethen, "Is Gauss quadrature better than Clenshaw–Curtis?", SIAM Review 2008). What is integrated
    is not the gradient over the position but over an angle, position = BEND + WIDTH · tan(angle): a
    layer's norm of start + position · direction is smooth in such an angle and has poles near the path
    in the position, which a map of the path takes away (Hale & Trefethen, "New quadrature formulas from
    conformal maps", SIAM Journal on Numerical Analysis 2008).
    """
    low, high = np.arctan(-BEND / WIDTH), np.arctan((1 - BEND) / WIDTH)
    n, known = FIRST_INTERVALS, np.zeros(0, dtype=np.int64)
    while n <= MOST_INTERVALS:
        known = known * 2  # of every earlier place, where it is among the new ones
        new = np.setdiff1d(np.arange(n + 1), known)
        known = np.concatenate([known, new])
        angles = low + (high - low) * (1 - np.cos(np.pi * known / n)) / 2
        stretched = (high - low) * WIDTH / np.cos(angles) ** 2  # d position / d share of the angles
        positions = BEND + WIDTH * np.tan(angles[-len(new) :])
        yield Rule(np.clip(positions, 0.0, 1.0), clenshaw_curtis(n)[known] * stretched)
        n *= 2


def clenshaw_curtis(n: int) -> FloatArray:
    """[n + 1] weights of the points (1 − cos kπ/n) / 2 on 0 to 1, for an even n; they sum to 1."""
    k, j = np.arange(n + 1), np.arange(1, n // 2 + 1)
    terms = np.where(j == n // 2, 1.0, 2.0) / (4.0 * j**2 - 1)
    inner = 1 - np.cos(2 * np.pi * np.outer(k, j) / n) @ terms
    return np.where((k == 0) | (k == n), 1.0, 2.0) * inner / (2 * n)
