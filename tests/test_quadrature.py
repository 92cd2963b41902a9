"""Rules for the points of a path: exact where they promise to be, and nested."""

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys_core.explain.quadrature import clenshaw_curtis, gauss_legendre, nested_rules

FloatArray = NDArray[np.float64]


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_clenshaw_curtis_is_exact_for_polynomials(n: int):
    """∫₀¹ x^m = 1 / (m + 1) for all m up to n."""
    points = (1 - np.cos(np.pi * np.arange(n + 1) / n)) / 2
    for m in range(n + 1):
        assert clenshaw_curtis(n) @ points**m == pytest.approx(1 / (m + 1), abs=1e-12)


def test_nested_rules_look_nowhere_twice_and_integrate():
    """∫₀¹ t^m = 1 / (m + 1), to what the first 11 points leave, and by more points to rounding."""
    known = np.zeros(0)
    for number, rule in enumerate(nested_rules()):
        known = np.concatenate([known, rule.positions])
        assert np.diff(np.sort(known)).min() > 1e-12
        assert known.min() >= 0
        assert known.max() <= 1
        assert len(known) == len(rule.weights)
        for m in range(5):
            slack = 2e-3 if number == 0 else 1e-5 if number == 1 else 1e-10
            assert rule.weights @ known**m == pytest.approx(1 / (m + 1), abs=slack)
    assert len(known) == 641


def test_the_first_nested_rule_is_exact_where_a_plain_one_of_as_many_points_is_not():
    """The pole that norms of layers have: ∫₀¹ dt / ((t − ¼)² + 1/16) = 4 (arctan 3 + arctan 1)."""

    def bump(t: FloatArray) -> FloatArray:
        return 1 / ((t - 0.25) ** 2 + 1 / 16)

    exact = 4 * (np.arctan(3) + np.arctan(1))
    first, plain = next(nested_rules()), gauss_legendre(11)
    assert first.weights @ bump(first.positions) == pytest.approx(exact, rel=1e-12)
    assert plain.weights @ bump(plain.positions) != pytest.approx(exact, rel=1e-6)


def test_gauss_legendre_is_exact_up_to_twice_its_points():
    rule = gauss_legendre(4)
    for m in range(8):
        assert rule.weights @ rule.positions**m == pytest.approx(1 / (m + 1), abs=1e-12)
