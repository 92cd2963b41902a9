"""Which tests answer one question together, and how their p-values are adjusted for that.

The gaps of the attributes named primary are the family that was declared before anything was computed: Holm
bounds the chance of a single false alarm in it. All other gaps are exploratory: Benjamini–Hochberg bounds the
expected share of false alarms among those reported.
"""

from collections.abc import Callable, Sequence

import numpy as np

from recsys_core.fairness.findings import Family
from recsys_core.fairness.inference import holm


def benjamini_hochberg(p_values: Sequence[float], family_size: int | None = None) -> list[float]:
    """Adjusted p-values in the order given.

    Source: Benjamini & Hochberg, Journal of the Royal Statistical Society B 57 (1995).

    Args:
        p_values: of the tests that are shown.
        family_size: number of tests that they were picked from, where that is more than are shown.
    """
    n_tests = max(family_size or 0, len(p_values))
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values, dtype=np.float64)[order] * n_tests / np.arange(1, len(p_values) + 1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return [float(p) for p in adjusted]


def family_of(attribute: str, primary: Sequence[str] | None) -> Family:
    """Which family the gaps of an attribute belong to; all are primary where none was named."""
    return "primary" if primary is None or attribute in primary else "exploratory"


def adjust(p_values: Sequence[float], families: Sequence[Family], sizes: dict[Family, int]) -> list[float]:
    """The p-values, each adjusted within its family: Holm in the primary one, Benjamini–Hochberg elsewhere.

    Args:
        p_values: of the tests that are shown.
        families: of each of them.
        sizes: how many tests each family had, those not shown included.
    """
    adjusted = np.ones(len(p_values))
    rules: dict[Family, Callable[[Sequence[float], int | None], list[float]]] = {
        "primary": holm,
        "exploratory": benjamini_hochberg,
    }
    for family, correction in rules.items():
        own = [place for place, name in enumerate(families) if name == family]
        adjusted[own] = correction([p_values[place] for place in own], sizes.get(family))
    return [float(p) for p in adjusted]
