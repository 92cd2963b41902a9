"""Tables as an audit would show them, attacked: python -m benchmarks.audit_attack [--tables 1000].

Each table is attacked by an integer solver, once with its margins and its intersection shown together, and
once shown one after the other, as by successive audits. Counts the tables of which a group under 11 people
was recovered.
"""

import argparse
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from recsys_core.fairness.suppression import EarlierTable, hidden_groups

SMALLEST = 11
Tables = dict[str, pd.Series]
Hidden = dict[str, frozenset[str]]


def random_tables(seed: int) -> Tables:
    """Two attributes of two to four values, crossed; group sizes from 1 person to dozens.

    What an audit refuses isn't attacked: fewer than 11 people in all, or an attribute of one value.
    """
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(2, 5, 2)
    sizes = np.zeros((rows, columns), dtype=np.int64)
    while sizes.sum() < SMALLEST or min((sizes.sum(axis=axis) > 0).sum() for axis in (0, 1)) < 2:
        sizes = rng.integers(0, rng.choice([8, 15, 30, 60]), (rows, columns))
    first = np.repeat(np.repeat(np.arange(rows), columns), sizes.ravel())
    second = np.repeat(np.tile(np.arange(columns), rows), sizes.ravel())
    one, two = pd.Series(first).map("a{}".format), pd.Series(second).map("b{}".format)
    return {"one": one, "two": two, "both": one + " × " + two}


def recovered(seen: list[tuple[pd.Series, frozenset[str]]]) -> list[str]:
    """Groups of fewer than 11 people whose number an integer solver pins down from all that was shown.

    It knows the total, every shown group, and that a group whose name stands in a table has somebody in it.
    """
    people = pd.DataFrame({number: labels.to_numpy() for number, (labels, _) in enumerate(seen)})
    atoms = people.value_counts().rename("n").reset_index()
    n = atoms["n"].to_numpy()
    lines, low, high, secret = [np.ones(len(atoms))], [n.sum()], [n.sum()], []
    for number, (_, hidden) in enumerate(seen):
        for group in atoms[number].unique():
            line = (atoms[number] == group).to_numpy(dtype=float)
            size = int(line @ n)
            lines.append(line)
            low.append(1 if group in hidden else size)
            high.append(n.sum() if group in hidden else size)
            if group in hidden and size < SMALLEST:
                secret.append((group, line))
    known = LinearConstraint(np.array(lines), cast("Any", low), cast("Any", high))
    found = []
    for group, line in secret:
        ends = [
            milp(sign * line, constraints=known, integrality=np.ones(len(n)), bounds=Bounds(0, np.inf)).fun
            for sign in (1, -1)
        ]
        if round(ends[0]) == round(-ends[1]):
            found.append(group)
    return found


def small_groups_shown(tables: Tables, hidden: Hidden) -> list[str]:
    """Groups of fewer than 11 people that aren't hidden."""
    sizes = {name: labels.value_counts() for name, labels in tables.items()}
    return [
        str(group)
        for name, n in sizes.items()
        for group in n.index[n < SMALLEST]
        if group not in hidden[name]
    ]


def attack(seed: int) -> list[str]:
    """Small groups that are shown or recovered where all three tables are shown together."""
    tables = random_tables(seed)
    hidden = hidden_groups(tables)
    found = recovered([(tables[name], hidden[name]) for name in tables])
    return small_groups_shown(tables, hidden) + found


def attack_in_turn(seed: int) -> list[str]:
    """The three tables asked for one after the other, in random order, each knowing what was shown."""
    tables = random_tables(seed)
    seen, shown = list[EarlierTable](), list[str]()
    for name in np.random.default_rng(seed).permutation(list(tables)):
        hidden = hidden_groups({name: tables[name]}, SMALLEST, seen)
        shown += small_groups_shown({name: tables[name]}, hidden)
        seen.append(EarlierTable(tables[name], hidden[name]))
    return shown + recovered([(table.labels, table.hidden) for table in seen])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1_000)
    n = parser.parse_args().tables
    together = sum(bool(attack(seed)) for seed in range(n))
    in_turn = sum(bool(attack_in_turn(seed)) for seed in range(n, 2 * n))
    print("| shown | random tables | with a group under 11 recovered |\n|---|---|---|")
    print(f"| two attributes and their intersection together | {n:,} | {together} |")
    print(f"| the same, one after the other in random order | {n:,} | {in_turn} |")


if __name__ == "__main__":
    main()
