"""Factors of people as columns of a regression: percentiles, bent at the quartiles, of mean 0 and width 1."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

KNOTS = (0.25, 0.5, 0.75)
PEOPLE_A_COLUMN = 20  # fewer than that, and factors enter as straight lines


@dataclass(frozen=True, slots=True)
class NotUsed:
    """A factor that was left out, and why."""

    factor: str
    reason: str


@dataclass(frozen=True, slots=True)
class FactorColumns:
    """The columns of all factors that say something.

    Attributes:
        names: of these factors.
        table: [n, n_columns] each column of mean 0 and standard deviation 1.
        places: for each factor the numbers of its columns.
        not_used: the factors that say nothing, with the reason.
    """

    names: tuple[str, ...]
    table: FloatArray
    places: tuple[NDArray[np.int64], ...]
    not_used: tuple[NotUsed, ...]


def factor_columns(factors: pd.DataFrame, n_group: int) -> FactorColumns:
    """The columns of factors [n, n_factors], NaN where one isn't known of a person.

    In a percentile the group counts as much as its reference, however many people they have: else all bends
    would lie where the larger one lives.

    Where a factor is known of some people only, these have its percentile, the others the middle, and one
    more column says who they are.

    Args:
        factors: of the group's people first, then of the reference's.
        n_group: how many of them are of the group.
    """
    weights = np.repeat([0.5 / n_group, 0.5 / (len(factors) - n_group)], [n_group, len(factors) - n_group])
    bent = len(factors) >= PEOPLE_A_COLUMN * (1 + len(KNOTS)) * max(1, factors.shape[1])
    names, tables, not_used = list[str](), list[FloatArray](), list[NotUsed]()
    for name in factors.columns:
        values = factors[name].to_numpy(dtype=np.float64)
        known = np.isfinite(values)
        if not known.any():
            not_used.append(NotUsed(str(name), "the data don't tell it of anybody here"))
        elif known.all() and np.ptp(values) == 0:
            not_used.append(NotUsed(str(name), "it is the same for everybody here"))
        else:
            names.append(str(name))
            tables.append(_columns(values, known, weights, bent))
    ends = np.cumsum([0, *(table.shape[1] for table in tables)])
    places = tuple(np.arange(ends[number], ends[number + 1]) for number in range(len(tables)))
    table = np.concatenate([np.zeros((len(factors), 0)), *tables], axis=1)
    return FactorColumns(tuple(names), table, places, tuple(not_used))


def _columns(values: FloatArray, known: NDArray[np.bool_], weights: FloatArray, bent: bool) -> FloatArray:
    percentile = np.full(len(values), 0.5)
    percentile[known] = _percentiles(values[known], weights[known])
    columns = [percentile, *(np.maximum(percentile - knot, 0) for knot in (KNOTS if bent else ()))]
    if not known.all():
        columns.append((~known).astype(np.float64))
    table = np.column_stack(columns)
    table = table[:, np.ptp(table, axis=0) > 0]
    return (table - table.mean(axis=0)) / table.std(axis=0)


def _percentiles(values: FloatArray, weights: FloatArray) -> FloatArray:
    """[n] the share of the weight below each value, and half of what is at it, 0 to 1."""
    _, places = np.unique(values, return_inverse=True)
    at = np.bincount(places, weights)
    return ((np.cumsum(at) - at / 2) / at.sum())[places]
