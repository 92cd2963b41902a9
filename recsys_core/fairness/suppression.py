"""Which groups an audit may not show: small ones, and those that would give a small one away.

What is shown beside the groups is the total, and every attribute's groups cut the same people. Each shown
number is a sum over atoms (people alike in every attribute of the audit), so what anyone can work out is
the span of the shown sums: the same algebra for numbers of people and for sums of a metric.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SMALLEST_GROUP = 11  # a group of fewer people shows nothing


@dataclass(frozen=True, slots=True)
class _Cells:
    """Every group of every attribute, over the atoms.

    Attributes:
        attributes: number of the attribute each cell belongs to, int64 [n_cells].
        groups: label of each cell [n_cells].
        atoms: which atoms make up each cell, bool [n_cells, n_atoms].
        sizes: people in each atom, int64 [n_atoms].
        n: people in each cell, int64 [n_cells].
        fixed: which cells were shown or hidden before, and stay so, bool [n_cells].
    """

    attributes: NDArray[np.int64]
    groups: list[str]
    atoms: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    n: NDArray[np.int64]
    fixed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EarlierTable:
    """What was shown of the same people before.

    Attributes:
        labels: of every person, in the same order.
        hidden: the groups that weren't shown then.
    """

    labels: pd.Series
    hidden: frozenset[str]


def hidden_groups(
    tables: Mapping[str, pd.Series],
    minimum: int = SMALLEST_GROUP,
    earlier: Sequence[EarlierTable] = (),
) -> dict[str, frozenset[str]]:
    """The groups of each attribute that must not be shown, given that all the tables and the total are.

    Hidden are groups under `minimum`, and then, until nothing more is found, the next smallest group
    wherever (1) a known sum less the groups shown inside it leaves fewer than `minimum` people, or hidden
    groups of one person each; or (2) a hidden group is a linear combination of what is shown.

    Args:
        tables: for each attribute (or intersection) the label of every person, all in the same order.
        minimum: smallest n that may be shown.
        earlier: tables of the same people that somebody has seen. They can't be taken back: what they would
            help to work out is hidden now, everything in `tables` if need be.
    """
    cells = _cells([*tables.values(), *(table.labels for table in earlier)], len(tables))
    hidden = np.asarray(cells.n < minimum, dtype=np.bool_)
    for number, table in enumerate(earlier, start=len(tables)):
        own = cells.attributes == number
        hidden[own] = [cells.groups[cell] in table.hidden for cell in np.flatnonzero(own)]
    hidden |= _hidden_before(cells, hidden) & ~cells.fixed
    while (extra := _given_away(cells, hidden, minimum)) is not None:
        hidden[extra] = True
    return {
        attribute: frozenset(
            cells.groups[cell] for cell in np.flatnonzero(hidden & (cells.attributes == number))
        )
        for number, attribute in enumerate(tables)
    }


def _hidden_before(cells: _Cells, hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which groups were hidden when the same ones were shown: asked again, an answer is the same."""
    before = {
        (cells.groups[cell], cells.atoms[cell].tobytes()) for cell in np.flatnonzero(hidden & cells.fixed)
    }
    again = [
        (group, atoms.tobytes()) in before for group, atoms in zip(cells.groups, cells.atoms, strict=True)
    ]
    return np.array(again, dtype=np.bool_)


def _cells(tables: Sequence[pd.Series], n_new: int) -> _Cells:
    people = pd.DataFrame({number: labels.astype(str).to_numpy() for number, labels in enumerate(tables)})
    counts = people.value_counts(sort=False)
    atoms = counts.index.to_frame(index=False)
    sizes = np.asarray(counts.to_numpy(), dtype=np.int64)
    named = [(number, str(group)) for number in range(len(tables)) for group in sorted(set(atoms[number]))]
    columns = [atoms.iloc[:, number].to_numpy() for number in range(len(tables))]
    members = np.array([columns[number] == group for number, group in named], dtype=np.bool_)
    return _Cells(
        attributes=np.array([number for number, _ in named], dtype=np.int64),
        groups=[group for _, group in named],
        atoms=members,
        sizes=sizes,
        n=np.asarray(members @ sizes, dtype=np.int64),
        fixed=np.array([number >= n_new for number, _ in named], dtype=np.bool_),
    )


def _given_away(cells: _Cells, hidden: NDArray[np.bool_], minimum: int) -> int | None:
    """The next cell to hide, or None; what is read off directly comes first, or too much would go."""
    shown = np.flatnonzero(~hidden)
    everyone = np.ones((1, len(cells.sizes)), dtype=np.bool_)
    lines, owners = np.vstack([everyone, cells.atoms[shown]]), np.concatenate([[-1], shown])
    extra = _given_away_by_a_line(cells, hidden, lines, owners, minimum)
    if extra is None:
        extra = _given_away_by_algebra(cells, hidden)
    if extra is None and hidden.any():  # what a table hides in all is the total less what it shows
        numbers = np.unique(cells.attributes[hidden])
        in_all = [cells.atoms[hidden & (cells.attributes == number)].any(axis=0) for number in numbers]
        extra = _given_away_by_a_line(cells, hidden, np.array(in_all), np.full(len(numbers), -1), minimum)
    return extra


def _given_away_by_a_line(
    cells: _Cells,
    hidden: NDArray[np.bool_],
    lines: NDArray[np.bool_],
    owners: NDArray[np.int64],
    minimum: int,
) -> int | None:
    """The next cell to hide because a known sum less the cells shown inside it says too much, or None.

    Args:
        cells: all cells.
        hidden: which of them are hidden, [n_cells].
        lines: the atoms that each known sum is over, [n_lines, n_atoms].
        owners: the cell that each line is, or −1, [n_lines].
        minimum: smallest n that may be shown.
    """
    n_lines = lines @ cells.sizes  # [n_lines]
    overlap = (lines * cells.sizes) @ cells.atoms.T.astype(np.int64)  # [n_lines, n_cells]
    visible = (overlap == cells.n) & ~hidden  # shown, and wholly inside the line
    for attribute in np.unique(cells.attributes):
        table = cells.attributes == attribute
        n_rest = n_lines - (visible[:, table] * cells.n[table]).sum(axis=1)
        n_parts = ((overlap[:, table] > 0) & ~visible[:, table]).sum(axis=1)
        too_much = (n_rest > 0) & ((n_rest < minimum) | ((n_parts > 1) & (n_rest <= n_parts)))
        short_first = np.argsort(n_lines, kind="stable")
        for line in short_first[too_much[short_first]]:
            inside = np.flatnonzero(visible[line] & table & ~cells.fixed)
            if len(inside) > 0:
                return int(inside[np.argmin(cells.n[inside])])
            if owners[line] >= 0 and not cells.fixed[owners[line]]:
                return int(owners[line])
    return None


def _given_away_by_algebra(cells: _Cells, hidden: NDArray[np.bool_]) -> int | None:
    """The next cell to hide because a hidden one is a combination of the sums shown, or None."""
    secret = np.flatnonzero(hidden)
    found = _in_span(cells, hidden, secret)
    if not found.any():
        return None
    target = secret[int(np.argmax(found))]
    shown = np.flatnonzero(~hidden)
    elsewhere = cells.attributes[shown] != cells.attributes[target]
    shown = shown[np.lexsort((cells.n[shown], elsewhere))]
    shown = shown[~cells.fixed[shown]]
    for cell in shown:
        without = hidden.copy()
        without[cell] = True
        if not _in_span(cells, without, np.array([target])).any():
            return int(cell)
    return int(shown[0]) if len(shown) > 0 else None


def _in_span(cells: _Cells, hidden: NDArray[np.bool_], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each target is a linear combination of the total and the shown cells, bool [n_targets]."""
    published = np.vstack([np.ones(len(cells.sizes)), cells.atoms[~hidden]])  # [n_shown + 1, n_atoms]
    _, singular, directions = np.linalg.svd(published, full_matrices=False)
    basis = directions[singular > 1e-9 * singular[0]]  # [rank, n_atoms]
    wanted = cells.atoms[targets].astype(np.float64)  # [n_targets, n_atoms]
    left_over = wanted - (wanted @ basis.T) @ basis
    return np.asarray(np.linalg.norm(left_over, axis=1) < 1e-6, dtype=np.bool_)
