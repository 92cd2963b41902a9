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
NOT_MEASURED = "\0not measured"  # the label of people whom a table is not about


NO_CELL = -1  # in the place of a cell: all whom a table is about, or all whom it hides


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
        measured: whom the tables are about, a row for each different set of people, bool [n_sets, n_atoms].
        sets: the row of every attribute among these, int64 [n_attributes].
        lacking: the few of a cell whom another table is not about, bool [n_lacking, n_atoms].
    """

    attributes: NDArray[np.int64]
    groups: list[str]
    atoms: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    n: NDArray[np.int64]
    fixed: NDArray[np.bool_]
    measured: NDArray[np.bool_]
    sets: NDArray[np.int64]
    lacking: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EarlierTable:
    """What was shown of the same people before.

    Attributes:
        labels: of every person, in the same order; `NOT_MEASURED` for those whom it was not about.
        hidden: the groups that weren't shown then.
    """

    labels: pd.Series
    hidden: frozenset[str]


def hidden_groups(
    tables: Mapping[str, pd.Series],
    minimum: int = SMALLEST_GROUP,
    earlier: Sequence[EarlierTable] = (),
    already: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, frozenset[str]]:
    """The groups of each attribute that must not be shown, given that all the tables and the totals are.

    Hidden are groups under `minimum`, and then, until nothing more is found, the next smallest group
    wherever (1) a known sum less the groups shown inside it leaves fewer than `minimum` people, or hidden
    groups of one person each; or (2) a hidden group is a linear combination of what is shown, or so are the
    fewer than `minimum` people of a group whom another table is not about.

    Args:
        tables: for each attribute (or intersection) the label of every person, all in the same order;
            `NOT_MEASURED` for those whom the table is not about, whose number anybody may know.
        minimum: smallest n that may be shown.
        earlier: tables of the same people that somebody has seen. They can't be taken back: what they would
            help to work out is hidden now, everything in `tables` if need be.
        already: groups of the tables that are hidden whatever else is.
    """
    cells = _cells([*tables.values(), *(table.labels for table in earlier)], len(tables), minimum)
    hidden = np.asarray(cells.n < minimum, dtype=np.bool_)
    for number, table in enumerate(earlier, start=len(tables)):
        own = cells.attributes == number
        hidden[own] = [cells.groups[cell] in table.hidden for cell in np.flatnonzero(own)]
    for number, attribute in enumerate(tables):
        own, gone = cells.attributes == number, (already or {}).get(attribute, frozenset[str]())
        hidden[own] |= [cells.groups[cell] in gone for cell in np.flatnonzero(own)]
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


def _cells(tables: Sequence[pd.Series], n_new: int, minimum: int) -> _Cells:
    people = pd.DataFrame({number: labels.astype(str).to_numpy() for number, labels in enumerate(tables)})
    atoms, sizes = _atoms(people)
    named = [
        (number, str(group))
        for number in range(len(tables))
        for group in sorted(set(atoms[number]) - {NOT_MEASURED})
    ]
    columns = [atoms.iloc[:, number].to_numpy() for number in range(len(tables))]
    members = np.array([columns[number] == group for number, group in named], dtype=np.bool_)
    measured, sets = np.unique(
        np.array([column != NOT_MEASURED for column in columns], dtype=np.bool_), axis=0, return_inverse=True
    )
    sets = np.asarray(sets, dtype=np.int64).ravel()
    attributes = np.array([number for number, _ in named], dtype=np.int64)
    lacking = [members & ~own for own in measured]
    few = [(own @ sizes > 0) & (own @ sizes < minimum) for own in lacking]
    return _Cells(
        attributes=attributes,
        groups=[group for _, group in named],
        atoms=members,
        sizes=sizes,
        n=np.asarray(members @ sizes, dtype=np.int64),
        fixed=np.array([number >= n_new for number, _ in named], dtype=np.bool_),
        measured=measured,
        sets=sets,
        lacking=np.unique(np.vstack([own[rows] for own, rows in zip(lacking, few, strict=True)]), axis=0),
    )


def _atoms(people: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The different rows of labels, and how many people have each.

    Where a table isn't about everybody, nobody knows of which groups the others are. So there is an atom of
    them in every group of the tables about everybody, though it may have no people.
    """
    counts = people.value_counts(sort=False)
    atoms, sizes = counts.index.to_frame(index=False), np.asarray(counts.to_numpy(), dtype=np.int64)
    partly = (atoms == NOT_MEASURED).any(axis=0).to_numpy()
    if not partly.any():
        return atoms, sizes
    others = atoms.mask(np.broadcast_to(partly, atoms.shape), NOT_MEASURED)
    both = pd.concat([atoms, others], ignore_index=True).drop_duplicates(ignore_index=True)
    return both, np.concatenate([sizes, np.zeros(len(both) - len(sizes), dtype=np.int64)])


def _given_away(cells: _Cells, hidden: NDArray[np.bool_], minimum: int) -> int | None:
    """The next cell to hide, or None; what is read off directly comes first, or too much would go."""
    shown = np.flatnonzero(~hidden)
    totals = np.full(len(cells.measured), NO_CELL)
    lines, owners = np.vstack([cells.measured, cells.atoms[shown]]), np.concatenate([totals, shown])
    extra = _given_away_by_a_line(cells, hidden, lines, owners, minimum)
    if extra is None:
        extra = _given_away_by_algebra(cells, hidden)
    if extra is None and hidden.any():  # what a table hides in all is the total less what it shows
        numbers = np.unique(cells.attributes[hidden])
        in_all = [cells.atoms[hidden & (cells.attributes == number)].any(axis=0) for number in numbers]
        extra = _given_away_by_a_line(
            cells, hidden, np.array(in_all), np.full(len(numbers), NO_CELL), minimum
        )
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
        owners: the cell that each line is, or `NO_CELL`, [n_lines].
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
        # How many a table is not about is no secret; how many of a group they are is one.
        n_others = (lines & ~cells.measured[cells.sets[attribute]]) @ cells.sizes
        too_much &= ~((owners == NO_CELL) & (n_rest == n_others))
        short_first = np.argsort(n_lines, kind="stable")
        for line in short_first[too_much[short_first]]:
            inside = np.flatnonzero(visible[line] & table & ~cells.fixed)
            if len(inside) > 0:
                return int(inside[np.argmin(cells.n[inside])])
            if owners[line] >= 0 and not cells.fixed[owners[line]]:
                return int(owners[line])
    return None


def _given_away_by_algebra(cells: _Cells, hidden: NDArray[np.bool_]) -> int | None:
    """The next cell to hide because a secret is a combination of the sums shown, or None."""
    secrets = np.vstack([cells.atoms[hidden], cells.lacking])
    attributes = np.concatenate([cells.attributes[hidden], np.full(len(cells.lacking), NO_CELL)])
    found = _in_span(cells, hidden, secrets)
    if found.any() and cells.fixed.any():  # what was told before can't be helped by hiding any more
        found &= ~_in_span(cells, hidden | ~cells.fixed, secrets)
    if not found.any():
        return None
    target = int(np.argmax(found))
    shown = np.flatnonzero(~hidden)
    elsewhere = cells.attributes[shown] != attributes[target]
    shown = shown[np.lexsort((cells.n[shown], elsewhere))]
    shown = shown[~cells.fixed[shown]]
    for cell in shown:
        without = hidden.copy()
        without[cell] = True
        if not _in_span(cells, without, secrets[[target]]).any():
            return int(cell)
    return int(shown[0]) if len(shown) > 0 else None


def _in_span(cells: _Cells, hidden: NDArray[np.bool_], secrets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each secret is a linear combination of the totals and the shown cells, bool [n_secrets].

    Args:
        cells: all cells.
        hidden: which of them are hidden, [n_cells].
        secrets: the atoms that each is made of, [n_secrets, n_atoms].
    """
    published = np.vstack([cells.measured, cells.atoms[~hidden]]).astype(np.float64)  # [n_known, n_atoms]
    _, singular, directions = np.linalg.svd(published, full_matrices=False)
    basis = directions[singular > 1e-9 * singular[0]]  # [rank, n_atoms]
    wanted = secrets.astype(np.float64)  # [n_secrets, n_atoms]
    left_over = wanted - (wanted @ basis.T) @ basis
    return np.asarray(np.linalg.norm(left_over, axis=1) < 1e-6, dtype=np.bool_)
