"""All groups resampled at once: their means in every draw, without a loop over people or draws.

A metric of few outcomes (NDCG of one target has eleven) is resampled by drawing how often each outcome
comes. Any other is a sum weighted by how often each person comes: weights of a block of people times their
values is one matrix product, and one set of weights serves all metrics and all attributes.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import exp, factorial

import numpy as np
from numpy.typing import NDArray

from recsys_core.fairness.inference import FEW_VALUES, Estimate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BLOCK = 4096  # people whose weights are held at once, for all draws
N_THREADS = min(4, os.cpu_count() or 1)
MEAN, ENTROPY, SQUARE, SERVED = 0, 1, 2, 3  # what is averaged: x, x ln x, x², whether x isn't 0
N_MOMENTS = 4
N_SORTED = 8  # columns at most by which people are put in order


@dataclass(frozen=True, slots=True)
class GroupDraws:
    """The groups of one attribute by one metric, as they are and in every resample.

    Attributes:
        n: people of each group, [n_groups].
        moments: mean of x, x ln x, x² and [x ≠ 0] in each group, [n_groups, 4]; x ln x is NaN where x < 0
            occurs.
        draws: the same in each resample, [n_groups, n_draws, 4].
        second: sum over a group's people of influence² on its mean, [n_groups].
        third: sum of influence³, [n_groups].
    """

    n: IntArray
    moments: FloatArray
    draws: FloatArray
    second: FloatArray
    third: FloatArray

    def pooled(self, groups: Sequence[int]) -> Estimate:
        """The mean over the people of several groups, each resampled within itself."""
        rows = np.asarray(groups, dtype=np.int64)
        shares = self.n[rows] / self.n[rows].sum()
        return Estimate(
            int(self.n[rows].sum()),
            float(shares @ self.moments[rows, MEAN]),
            shares @ self.draws[rows, :, MEAN],
            float(shares**2 @ self.second[rows]),
            float(shares**3 @ self.third[rows]),
        )


def resample(
    values: FloatArray, tables: Sequence[IntArray], n_draws: int, seeds: Sequence[Sequence[int]]
) -> list[list[GroupDraws]]:
    """The draws of every metric by every attribute: [n_metrics][n_tables].

    Args:
        values: [n_people, n_metrics] finite.
        tables: for each attribute the number of everybody's group, [n_people]; no group is empty.
        n_draws: resamples.
        seeds: of each attribute. Metrics of one attribute meet the same draws.
    """
    few = [bool(len(np.unique(column)) <= FEW_VALUES) for column in values.T]
    made: list[list[GroupDraws]] = [[] for _ in few]
    for metrics, outcomes in _drawn_together(values, few):
        with ThreadPoolExecutor(N_THREADS) as pool:
            for drawn in pool.map(partial(_draw_counts, outcomes, n_draws), tables, seeds):
                for metric, draws in zip(metrics, drawn, strict=True):
                    made[metric].append(draws)
    many = [metric for metric, is_few in enumerate(few) if not is_few]
    if many:
        seed = [part for own in seeds for part in own]
        weighted = resampled_means(moments_of(values[:, many]), tables, n_draws, seed)
        for place, metric in enumerate(many):
            made[metric] = [
                _group_draws(values[:, metric], codes, _own_columns(means, place))
                for codes, means in zip(tables, weighted, strict=True)
            ]
    return made


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """What people's values of several metrics can be.

    Attributes:
        distinct: [n_outcomes, n_metrics].
        places: [n_people] which of them everybody has.
    """

    distinct: FloatArray
    places: IntArray


def _drawn_together(values: FloatArray, few: Sequence[bool]) -> list[tuple[list[int], _Outcomes]]:
    """The metrics of few outcomes that are drawn together: all of them where their combinations are few.

    NDCG, HR and MRR of one target follow from the same rank, and are as many outcomes together as alone.
    """
    metrics = [metric for metric, is_few in enumerate(few) if is_few]
    if not metrics:
        return []
    outcomes = _outcomes(values[:, metrics])
    if len(metrics) == 1 or len(outcomes.distinct) <= FEW_VALUES:
        return [(metrics, outcomes)]
    return [([metric], _outcomes(values[:, [metric]])) for metric in metrics]


def _outcomes(values: FloatArray) -> _Outcomes:
    """The outcomes of metrics [n_people, n_metrics] that each have few."""
    numbers = np.zeros(len(values), dtype=np.int64)
    for column in values.T:
        distinct = np.unique(column)  # searching in it is far faster than asking for the inverse
        numbers = numbers * len(distinct) + np.searchsorted(distinct, column)
        numbers = np.searchsorted(np.unique(numbers), numbers)
    somebody = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    somebody[numbers] = np.arange(len(numbers))
    return _Outcomes(values[somebody], numbers.astype(np.int64))


def moments_of(values: FloatArray) -> FloatArray:
    """[n, 4 n_metrics]: x, x ln x, x² and [x ≠ 0] of each metric; 0 ln 0 = 0, NaN for numbers below 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(values == 0, 0.0, values * np.log(values))
    return np.stack([values, entropy, values**2, values != 0], axis=2).reshape(len(values), -1)


def weighted_sums(weights: FloatArray, columns: FloatArray) -> FloatArray:
    """[n_draws, n_columns + 1] sums over a block of people, and behind them the sum of the weights.

    Args:
        weights: [n_draws, n] how often each person comes in each draw.
        columns: [n, n_columns].
    """
    return weights @ np.column_stack([columns, np.ones(len(columns))])


def means_of_draws(drawn: IntArray, columns: FloatArray, codes: IntArray) -> FloatArray:
    """[n_groups, n_draws, n_columns] means of the groups among the people drawn; NaN for nobody.

    Args:
        drawn: [n_draws, n_rows] which people each draw holds.
        columns: [n_people, n_columns].
        codes: number of everybody's group, [n_people].
    """
    n_draws, n_people = len(drawn), len(codes)
    cells = (drawn + n_people * np.arange(n_draws)[:, None]).ravel()
    weights = np.bincount(cells, minlength=n_draws * n_people).reshape(n_draws, n_people).astype(np.float64)
    groups = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
    sums = np.stack([weighted_sums(weights[:, own], columns[own]) for own in groups])
    return _means(sums)


def _means(sums: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[..., :-1] / sums[..., -1:]


def _draw_counts(outcomes: _Outcomes, n_draws: int, codes: IntArray, seed: Sequence[int]) -> list[GroupDraws]:
    """The draws of each metric from multinomial counts over the outcomes."""
    rng = np.random.default_rng(seed)
    moments, n_groups = moments_of(outcomes.distinct), int(codes.max()) + 1
    n_outcomes = len(outcomes.distinct)
    counts = np.bincount(codes * n_outcomes + outcomes.places, minlength=n_groups * n_outcomes)
    counts = counts.reshape(n_groups, n_outcomes)
    n = counts.sum(axis=1)
    drawn = np.empty((n_groups, n_draws, moments.shape[1]))
    for group, own in enumerate(counts):
        drawn[group] = rng.multinomial(n[group], own / n[group], size=n_draws) @ moments / n[group]
    made: list[GroupDraws] = []
    for metric, values in enumerate(outcomes.distinct.T):
        points = counts @ _own_columns(moments, metric) / n[:, None]
        influence = (values - points[:, MEAN, None]) / n[:, None]  # [n_groups, n_outcomes]
        second, third = ((counts * influence**power).sum(axis=1) for power in (2, 3))
        made.append(GroupDraws(n, points, _own_columns(drawn, metric), second, third))
    return made


def resampled_means(
    columns: FloatArray, tables: Sequence[IntArray], n_draws: int, seed: Sequence[int]
) -> list[FloatArray]:
    """[n_groups, n_draws, n_columns] means in each resample, for each attribute.

    Every person comes Poisson(1) times; all columns meet the same draws. A group's mean is divided by the
    sum of its own weights, so that every group is a stratum in every attribute. Source: Hanley & MacGibbon,
    Computer Methods and Programs in Biomedicine 83 (2006).
    """
    atoms, atom_codes = _atoms(tables)
    stride = -(-columns.shape[1] // N_SORTED)
    # put in order by what they are, or the order in which people come would matter
    order = np.lexsort((*columns.T[::stride], atom_codes))
    pieces = np.split(order, np.cumsum(np.bincount(atom_codes))[:-1])

    def atom_sums(number: int) -> FloatArray:
        rng = np.random.default_rng([*seed, number])
        sums = np.zeros((n_draws, columns.shape[1] + 1))
        for start in range(0, len(pieces[number]), BLOCK):
            people = pieces[number][start : start + BLOCK]
            drawn = rng.integers(0, len(POISSON), size=(n_draws, len(people)), dtype=np.uint16)
            sums += weighted_sums(np.take(POISSON, drawn, mode="wrap"), columns[people])
        return sums

    totals = [np.zeros((int(codes.max()) + 1, n_draws, columns.shape[1] + 1)) for codes in tables]
    with ThreadPoolExecutor(N_THREADS) as pool:
        for groups, sums in zip(atoms, pool.map(atom_sums, range(len(atoms))), strict=True):
            for total, group in zip(totals, groups, strict=True):
                total[group] += sums
    return [
        _nobody_drawn_is_everybody(_means(total), columns, codes)
        for total, codes in zip(totals, tables, strict=True)
    ]


def _nobody_drawn_is_everybody(means: FloatArray, columns: FloatArray, codes: IntArray) -> FloatArray:
    """The means with those of a draw that holds nobody of a group replaced by the group's own.

    It happens in one of 60,000 draws of eleven people.
    """
    empty = np.argwhere(np.isnan(means).all(axis=2))
    for group, draw in empty:
        means[group, draw] = columns[codes == group].mean(axis=0)
    return means


def _atoms(tables: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """People alike in every attribute: the groups of each atom [n_atoms, n_tables], and everybody's atom."""
    numbers = np.zeros(len(tables[0]), dtype=np.int64)
    for codes in tables:  # numbered anew after each attribute, or many attributes would overflow
        _, numbers = np.unique(numbers * (int(codes.max()) + 1) + codes, return_inverse=True)
    _, first = np.unique(numbers, return_index=True)
    return np.stack([codes[first] for codes in tables], axis=1), numbers


def _own_columns(drawn: FloatArray, place: int) -> FloatArray:
    return drawn[..., N_MOMENTS * place : N_MOMENTS * (place + 1)]


def _group_draws(column: FloatArray, codes: IntArray, drawn: FloatArray) -> GroupDraws:
    n = np.bincount(codes)
    moments = np.stack([np.bincount(codes, part) / n for part in moments_of(column[:, None]).T], axis=1)
    influence = (column - moments[codes, MEAN]) / n[codes]
    second, third = (np.bincount(codes, influence**power).astype(np.float64) for power in (2, 3))
    return GroupDraws(n.astype(np.int64), moments, drawn, second, third)


def _poisson_table(size: int = 1 << 16) -> FloatArray:
    """[size] the Poisson(1) quantiles at equal steps: a uniform place in it is a draw, true to 1 / size."""
    cumulative = np.cumsum([exp(-1) / factorial(count) for count in range(12)])
    return np.searchsorted(cumulative, (np.arange(size) + 0.5) / size).astype(np.float64)


POISSON = _poisson_table()
