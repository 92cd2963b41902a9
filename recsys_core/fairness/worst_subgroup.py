"""Which people, told by several attributes at once, does a model serve worst?

Looking at hundreds of subgroups always finds a bad one. So half of the people, drawn by the seed, choose one
subgroup, and the other half, who had no part in the choice, test that one alone: its p-value needs no
adjustment (sample splitting; Cox, Biometrika 1975). Subgroups are conjunctions of groups of attributes, as
in subgroup discovery (Atzmueller, WIREs 2015), judged by Welch's t against everybody else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO
from recsys_core.fairness.disclosure import Conditions
from recsys_core.fairness.groups import UNKNOWN, group_labels
from recsys_core.fairness.inference import (
    bootstrap_mean,
    difference,
    interval,
    permutation_p_value,
    sample_of,
)
from recsys_core.fairness.suppression import SMALLEST_GROUP, hidden_groups

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

DEEPEST = 3
FEWEST_IN_A_HALF = 30
MOST_SUBGROUPS = 20_000
MOST_ASKED = 100  # of the worst, whether they may be shown
N_PERMUTATIONS = 4_999
SIGNIFICANCE = 0.05
INSIDE, OUTSIDE = "inside", "outside"


@dataclass(frozen=True, slots=True)
class Search:
    """How a worst subgroup is searched.

    Attributes:
        attributes: by which people are told apart.
        depth: how many of them a subgroup may name at most, 1 to 3.
        fewest: people that a subgroup, and everybody else, must have in each half; 11 or more.
        draws: bootstrap resamples behind the interval.
        seed: of the halves and of every draw.
        minimum_group: smallest group that may be shown.

    Raises:
        ConfigError: a value is out of bounds.
    """

    attributes: tuple[str, ...]
    depth: int = 2
    fewest: int = FEWEST_IN_A_HALF
    draws: int = 1000
    seed: int = 0
    minimum_group: int = SMALLEST_GROUP

    def __post_init__(self) -> None:
        problems = [
            sentence
            for sentence, found in (
                ("no attribute is named; name at least one", not self.attributes),
                (
                    f"an attribute is named twice: {', '.join(self.attributes)}",
                    len(set(self.attributes)) < len(self.attributes),
                ),
                (f"depth is {self.depth}; allowed are 1 to {DEEPEST}", not 1 <= self.depth <= DEEPEST),
                (
                    f"a subgroup of {self.fewest} people in a half is allowed; it must be "
                    f"{self.minimum_group} or more",
                    self.fewest < self.minimum_group,
                ),
                (f"draws is {self.draws}; an interval needs at least 200", self.draws < 200),
            )
            if found
        ]
        if problems:
            raise ConfigError("; ".join(problems))


@dataclass(frozen=True, slots=True)
class WorstSubgroup:
    """The subgroup that one half found worst served, as the other half sees it.

    Attributes:
        conditions: attribute and group of each, all of which hold.
        n_searched: subgroups that were looked at.
        found_difference: what the searching half saw: as a rule too bad to be true.
        n: people of the subgroup in the testing half.
        n_others: everybody else in it.
        value: mean of the subgroup, testing half.
        others: mean of everybody else, testing half.
        difference: value − others.
        ci_low: low end of its 95 % interval; None where fewer than 20 people of either side are above 0.
        ci_high: high end of it, or None.
        p_value: two-sided, of the studentised permutation test in the testing half.
        confirmed: whether the testing half too sees it worse served, at p ≤ .05.
    """

    conditions: Conditions
    n_searched: int
    found_difference: float
    n: int
    n_others: int
    value: float
    others: float
    difference: float
    ci_low: float | None
    ci_high: float | None
    p_value: float
    confirmed: bool


def halves(n: int, seed: int) -> BoolArray:
    """[n] who of so many people searches; the others test. The same for every question by a seed."""
    searching = np.zeros(n, dtype=bool)
    searching[_stream(seed, b"halves").permutation(n)[: n // 2]] = True
    return searching


def find_worst_subgroup(
    values: "pd.Series[float]",
    users: pd.DataFrame,
    search: Search,
    may_be_told: Callable[[Conditions], bool] = lambda conditions: True,
) -> WorstSubgroup:
    """The worst-served subgroup by half of the people, with what the other half says of it.

    Args:
        values: one metric value a person, finite, indexed by `user_id`.
        users: one row a person: `user_id` and text attributes.
        search: what to search, and how.
        may_be_told: whether a subgroup may be shown beside what was shown elsewhere; asked of the worst one
            first, and of 100 at most.

    Raises:
        DataError: an attribute can't form groups, no subgroup has enough people that may be shown, or too few
            people of a half are served at all.
    """
    people = users.set_index(users["user_id"].astype(str)).drop(columns="user_id")
    people = people.reindex(values.index.astype(str)).rename_axis("user_id").reset_index()
    labels = {name: group_labels(people, name) for name in search.attributes}
    numbers = np.asarray(values.to_numpy(), dtype=np.float64)
    searching, draws = halves(len(numbers), search.seed), _stream(search.seed, b"draws")
    cells = _cells(labels)
    tried = _subgroups(cells, searching, search)
    _check_enough(numbers[searching], numbers[~searching])
    t = _welch_t(cells, tried, numbers, searching)
    n_asked = 0
    for chosen in np.argsort(t, kind="stable"):
        inside = tried.members[:, chosen][cells.of_person]
        if n_asked < MOST_ASKED and _may_be_shown(labels, inside, search.minimum_group):
            conditions = tuple(cells.names[atom] for atom in tried.conditions[chosen])
            n_asked += 1
            if may_be_told(conditions):
                return _tested(conditions, len(t), numbers, inside, searching, search, draws)
    raise DataError(_too_few(search))


def _stream(seed: int, purpose: bytes) -> np.random.Generator:
    """A named stream: [seed, 0] would be that of the seed alone, from which others may have drawn values."""
    return np.random.default_rng([seed, crc32(purpose)])


@dataclass(frozen=True, slots=True)
class _Cells:
    """People alike in every attribute are one cell.

    Attributes:
        of_person: [n] the cell of each person.
        names: (attribute, group) of each atom, a single condition.
        members: [n_cells, n_atoms] where each atom holds.
    """

    of_person: IntArray
    names: list[tuple[str, str]]
    members: BoolArray


@dataclass(frozen=True, slots=True)
class _Subgroups:
    """Conjunctions: the atoms of each, and the cells where they hold [n_cells, n_subgroups]."""

    conditions: list[tuple[int, ...]]
    members: BoolArray


def _cells(labels: dict[str, pd.Series]) -> _Cells:
    table = pd.DataFrame({name: own.astype(str).to_numpy() for name, own in labels.items()})
    of_person = table.groupby(list(table.columns), sort=True).ngroup().to_numpy()
    cells = table.iloc[np.unique(of_person, return_index=True)[1]]
    names = [
        (name, str(group)) for name, own in labels.items() for group in own.cat.categories if group != UNKNOWN
    ]
    members = np.column_stack([np.asarray(cells[name] == group) for name, group in names])
    return _Cells(of_person.astype(np.int64), names, members)


def _subgroups(cells: _Cells, searching: BoolArray, search: Search) -> _Subgroups:
    """Every conjunction that has people enough, and leaves enough, in both halves."""
    sizes = np.stack([_sums(cells, np.ones(len(searching)), half) for half in (searching, ~searching)])
    conditions, columns = list[tuple[int, ...]](), list[BoolArray]()
    for depth in range(1, search.depth + 1):
        for atoms in combinations(range(len(cells.names)), depth):
            if len({cells.names[atom][0] for atom in atoms}) < depth:
                continue
            column = np.asarray(cells.members[:, list(atoms)].all(axis=1))
            inside = sizes @ column  # [2] people in each half
            if min(inside.min(), (sizes.sum(axis=1) - inside).min()) >= search.fewest:
                conditions.append(atoms)
                columns.append(column)
            if len(conditions) > MOST_SUBGROUPS:
                raise ConfigError(
                    f"more than {MOST_SUBGROUPS:,} subgroups; name fewer attributes, or a smaller depth"
                )
    if not conditions:
        raise DataError(_too_few(search))
    return _Subgroups(conditions, np.column_stack(columns))


def _sums(cells: _Cells, values: FloatArray, some: BoolArray) -> FloatArray:
    """[n_cells] sums over some of the people."""
    return np.bincount(cells.of_person[some], values[some], minlength=len(cells.members)).astype(np.float64)


def _welch_t(cells: _Cells, tried: _Subgroups, numbers: FloatArray, searching: BoolArray) -> FloatArray:
    """[n_subgroups] Welch's t of each against everybody else, in the searching half; below 0 = worse."""
    centred = numbers - numbers[searching].mean()
    moments = np.stack([_sums(cells, centred**power, searching) for power in range(3)])  # n, sum, squares
    inside = moments @ tried.members
    outside = moments.sum(axis=1, keepdims=True) - inside
    means, errors = zip(*(_mean_and_error(side) for side in (inside, outside)), strict=True)
    standard_error = np.sqrt(errors[0] + errors[1])
    return np.where(
        standard_error > 0, (means[0] - means[1]) / np.where(standard_error > 0, standard_error, 1), 0.0
    )


def _mean_and_error(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    n, total, squares = sums
    mean = total / n
    return mean, np.maximum(squares - n * mean**2, 0) / np.maximum(n - 1, 1) / n


def _may_be_shown(labels: dict[str, pd.Series], inside: BoolArray, minimum: int) -> bool:
    """Whether the subgroup beside the groups of all attributes gives no small group away."""
    own = pd.Series(np.where(inside, INSIDE, OUTSIDE), index=next(iter(labels.values())).index)
    return not hidden_groups({**labels, "\0subgroup": own}, minimum)["\0subgroup"]


def _tested(
    conditions: Conditions,
    n_searched: int,
    numbers: FloatArray,
    inside: BoolArray,
    searching: BoolArray,
    search: Search,
    generator: np.random.Generator,
) -> WorstSubgroup:
    found = float(numbers[searching & inside].mean() - numbers[searching & ~inside].mean())
    group, others = (sample_of(numbers[~searching & side]) for side in (inside, ~inside))
    gap = difference(*(bootstrap_mean(sample, search.draws, generator) for sample in (group, others)))
    enough = min(group.n_above_zero, others.n_above_zero) >= FEWEST_ABOVE_ZERO
    low, high = interval(gap) if enough else (None, None)
    p_value = permutation_p_value(group, others, N_PERMUTATIONS, generator)
    return WorstSubgroup(
        conditions=conditions,
        n_searched=n_searched,
        found_difference=found,
        n=group.n,
        n_others=others.n,
        value=group.mean,
        others=others.mean,
        difference=gap.value,
        ci_low=low,
        ci_high=high,
        p_value=p_value,
        confirmed=gap.value < 0 and p_value <= SIGNIFICANCE,
    )


def _check_enough(*halves: FloatArray) -> None:
    if min(int(np.count_nonzero(half)) for half in halves) < FEWEST_ABOVE_ZERO:
        raise DataError(
            f"insufficient data: fewer than {FEWEST_ABOVE_ZERO} people of a half have a value other than 0"
        )


def _too_few(search: Search) -> str:
    return (
        f"no subgroup of {', '.join(search.attributes)} has {search.fewest} people in each half, leaves as "
        "many others, and may be shown"
    )
