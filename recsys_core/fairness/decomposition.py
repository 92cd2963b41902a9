"""Where a gap comes from: what goes away among people who are alike, and what stays.

Gap = composition + structure (Kitagawa, JASA 1955; Oaxaca 1973; Blinder 1973). Structure is the gap that is
left between people who are alike in all factors: the group's coefficient in a regression of the metric on
the factors over both groups (the pooled form with a group indicator, Jann, Stata Journal 2008). Composition
is the rest, and it is split over the factors by Shapley's value of v(S) = the gap − what is left of it
among people alike in S (Shorrocks, Journal of Economic Inequality 2013), so that no order decides it.

All of it is association: people who differ in one thing may differ in others that nobody wrote down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO
from recsys_core.fairness.factor_columns import FactorColumns, NotUsed, factor_columns

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MOST_FACTORS = 8  # 256 subsets; twice as many for each further factor
RIDGE = 1e-6  # keeps factors that say the same (length, and coverage without repeats) apart from singular
CHUNK = 8_000_000  # numbers held at once while drawing
LEVEL = 0.95
RANGE = 0.98  # of the reference, within which somebody of the group has a counterpart


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a gap, in units of the metric, with its 95 % interval."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class FactorTerm:
    """What of a gap goes with the two groups' difference in one factor.

    Attributes:
        factor: its name.
        term: its part of the gap.
        group_mean: mean of the factor in the group, over those of whom it is known.
        reference_mean: mean of it in the reference.
        outside: share of the group's people who lie below the reference's 1st percentile or above its 99th.
            What is said of them is extrapolated: nobody of the reference is like them.
        share: its part as a share of the gap; None where the gap's interval holds 0, because a part of what
            may be nothing says nothing.
    """

    factor: str
    term: Term
    group_mean: float
    reference_mean: float
    outside: float
    share: Term | None


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A gap as a sum: gap = Σ factors + structure, to rounding.

    Attributes:
        gap: mean of the group − mean of the reference.
        factors: one term a factor.
        composition: the sum of the factors' terms.
        structure: what is left between people who are alike in all factors.
        structure_share: structure as a share of the gap; None where the gap's interval holds 0.
        share: what part of the gap the factors have that were named to be taken together; None likewise.
        not_used: factors that say nothing here, with the reason.
        n: people of the group.
        n_reference: people of the reference.
    """

    gap: Term
    factors: tuple[FactorTerm, ...]
    composition: Term
    structure: Term
    structure_share: Term | None
    share: Term | None
    not_used: tuple[NotUsed, ...]
    n: int
    n_reference: int

    @property
    def structure_may_be_none(self) -> bool:
        """Whether the interval of what is left holds 0."""
        return self.structure.ci_low <= 0 <= self.structure.ci_high

    def share_of(self, names: Sequence[str]) -> float | None:
        """Share of the gap that these factors have together; None where there is no gap."""
        total = sum(row.term.value for row in self.factors if row.factor in names)
        return total / self.gap.value if self.gap.value != 0 else None


def decompose(
    values: FloatArray,
    in_group: BoolArray,
    in_reference: BoolArray,
    factors: pd.DataFrame,
    draws: int = 1000,
    seed: int = 0,
    together: Sequence[str] = (),
) -> Decomposition:
    """The gap between two groups, split over factors, each term with a stratified bootstrap interval.

    A factor enters as the person's percentile among both groups, each of which counts one half, bent at its
    quartiles where there are people enough. Intervals are the 2.5th and 97.5th percentile over resamples
    within each group.

    Args:
        values: [n] one value of the metric a person.
        in_group: [n] who is in the group.
        in_reference: [n] whom they are compared with.
        factors: [n, up to 8] one column a factor, NaN where it isn't known.
        draws: bootstrap resamples, at least 200.
        seed: of the resampling.
        together: factors whose share of the gap is wanted with its interval; all of them if none is named.

    Raises:
        ConfigError: too few draws, or too many factors.
        DataError: the groups share people, one has too few above zero, or sizes don't agree.
    """
    _check(values, in_group, in_reference, factors, draws)
    _check_enough(values[in_group], values[in_reference])
    order = np.concatenate([np.flatnonzero(in_group), np.flatnonzero(in_reference)])
    sizes = int(in_group.sum()), int(in_reference.sum())
    columns = factor_columns(factors.iloc[order], sizes[0])
    design = _design(values[order], sizes, columns)
    generator = np.random.default_rng([seed, crc32(b"decomposition")])  # nobody else draws these numbers
    gaps, parts = _split(design, columns, np.ones((1, len(order))))
    resampled = [_split(design, columns, counts) for counts in _resamples(sizes, draws, generator)]
    gaps = np.concatenate([gaps, *(own for own, _ in resampled)])  # [1 + draws], the observed first
    parts = np.concatenate([parts, *(own for _, own in resampled)])  # [1 + draws, n_factors]
    composition = parts.sum(axis=1)
    chosen = [number for number, name in enumerate(columns.names) if name in (together or columns.names)]
    return Decomposition(
        gap=_term(gaps),
        factors=tuple(
            FactorTerm(
                name,
                _term(parts[:, number]),
                *_sides(factors[name], in_group, in_reference),
                _share(parts[:, number], gaps),
            )
            for number, name in enumerate(columns.names)
        ),
        composition=_term(composition),
        structure=_term(gaps - composition),
        structure_share=_share(gaps - composition, gaps),
        share=_share(parts[:, chosen].sum(axis=1), gaps),
        not_used=columns.not_used,
        n=sizes[0],
        n_reference=sizes[1],
    )


def _check(
    values: FloatArray, in_group: BoolArray, in_reference: BoolArray, factors: pd.DataFrame, draws: int
) -> None:
    if draws < 200:
        raise ConfigError(f"draws is {draws}; an interval needs at least 200")
    if not 1 <= factors.shape[1] <= MOST_FACTORS:
        raise ConfigError(f"{factors.shape[1]} factors were named; allowed are 1 to {MOST_FACTORS}")
    if not len(values) == len(in_group) == len(in_reference) == len(factors):
        raise DataError(
            f"{len(values)} values, {len(in_group)} and {len(in_reference)} memberships and {len(factors)} "
            "rows of factors; there must be one of each a person"
        )
    if (in_group & in_reference).any():
        raise DataError(f"{int((in_group & in_reference).sum())} people are in the group and its reference")


def _check_enough(*sides: FloatArray) -> None:
    if min(int(np.count_nonzero(side)) for side in sides) < FEWEST_ABOVE_ZERO:
        raise DataError(
            f"insufficient data: a decomposition needs {FEWEST_ABOVE_ZERO} people with a value other than 0 "
            "in the group, and as many in its reference"
        )


@dataclass(frozen=True, slots=True)
class _Design:
    """Products of every two columns of the regression for each person, so that a resample is one product.

    Attributes:
        products: [n, m (m + 1) / 2] of the m columns: 1, in the group, the factors' columns, the value.
        m: how many columns.
    """

    products: FloatArray
    m: int

    def moments(self, counts: FloatArray) -> FloatArray:
        """[draws, m, m] sums of products over people, each counted as often as `counts` [draws, n] says."""
        moments = np.empty((len(counts), self.m, self.m))
        rows, columns = np.triu_indices(self.m)
        moments[:, rows, columns] = moments[:, columns, rows] = counts @ self.products
        return moments


def _design(values: FloatArray, sizes: tuple[int, int], columns: FactorColumns) -> _Design:
    member = np.repeat([1.0, 0.0], sizes)
    table = np.column_stack([np.ones(len(values)), member, columns.table, values])
    rows, places = np.triu_indices(table.shape[1])
    return _Design(table[:, rows] * table[:, places], table.shape[1])


def _resamples(sizes: tuple[int, int], draws: int, generator: np.random.Generator) -> Iterator[FloatArray]:
    """[some draws, n] each: how often people are drawn, the group and the reference each within itself."""
    at_once = max(1, CHUNK // sum(sizes))
    for start in range(0, draws, at_once):
        now = min(at_once, draws - start)
        yield np.concatenate([_counts(size, now, generator) for size in sizes], axis=1)


def _counts(n: int, draws: int, generator: np.random.Generator) -> FloatArray:
    drawn = generator.integers(0, n, size=(draws, n)) + n * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * n).reshape(draws, n).astype(np.float64)


def _split(design: _Design, columns: FactorColumns, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The gap [draws] and each factor's part of it [draws, n_factors] under how often people count."""
    moments = design.moments(counts)
    inside, everybody = moments[:, 1, 1], moments[:, 0, 0]
    of_group, of_all = moments[:, 1, -1], moments[:, 0, -1]
    gaps = of_group / inside - (of_all - of_group) / (everybody - inside)
    n_factors = len(columns.names)
    subsets = [subset for size in range(n_factors + 1) for subset in combinations(range(n_factors), size)]
    gone = {subset: gaps - _left(moments, columns, subset) if subset else 0 * gaps for subset in subsets}
    parts = np.zeros((len(gaps), n_factors))
    for subset in subsets:
        for factor in set(range(n_factors)) - set(subset):
            weight = factorial(len(subset)) * factorial(n_factors - len(subset) - 1) / factorial(n_factors)
            parts[:, factor] += weight * (gone[tuple(sorted((*subset, factor)))] - gone[subset])
    return gaps, parts


def _left(moments: FloatArray, columns: FactorColumns, subset: tuple[int, ...]) -> FloatArray:
    """[draws] the group's coefficient beside these factors: the gap between people alike in them."""
    chosen = np.concatenate([[0, 1], *(2 + columns.places[factor] for factor in subset)]).astype(np.int64)
    squares = moments[:, chosen[:, None], chosen]
    penalty = np.zeros(len(chosen))
    penalty[2:] = RIDGE
    squares = squares + moments[:, :1, :1] * np.diag(penalty)
    solved = np.linalg.solve(squares, moments[:, chosen, -1:])
    return np.asarray(solved[:, 1, 0], dtype=np.float64)


def _term(draws: FloatArray) -> Term:
    """The observed value, which comes first, with the percentiles of the resamples behind it."""
    low, high = np.quantile(draws[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Term(float(draws[0]), float(low), float(high))


def _share(parts: FloatArray, gaps: FloatArray) -> Term | None:
    """The part [1 + draws] of the gap [1 + draws], where that is surely on one side of 0."""
    gap = _term(gaps)
    return None if gap.ci_low <= 0 <= gap.ci_high else _term(parts / gaps)


def _sides(factor: pd.Series, in_group: BoolArray, in_reference: BoolArray) -> tuple[float, float, float]:
    """Both means, and the share of the group's people outside of the reference's range, where known."""
    group, reference = factor[in_group].dropna(), factor[in_reference].dropna()
    if group.empty or reference.empty:
        return float(group.mean()), float(reference.mean()), float("nan")
    low, high = np.quantile(reference, [(1 - RANGE) / 2, (1 + RANGE) / 2])
    return float(group.mean()), float(reference.mean()), float(((group < low) | (group > high)).mean())
