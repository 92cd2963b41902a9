"""Small groups stay hidden, also from someone who can add and subtract."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from recsys_core.fairness.suppression import hidden_groups


def table(**sizes: int) -> pd.Series:
    return pd.Series([group for group, n in sizes.items() for _ in range(n)])


def crossed(cells: dict[tuple[str, str], int]) -> dict[str, pd.Series]:
    """Labels of gender, age and gender*age for people in the numbers given."""
    rows = [pair for pair, n in cells.items() for _ in range(n)]
    gender, age = (pd.Series([row[part] for row in rows]) for part in (0, 1))
    both = gender + " × " + age
    return {
        "gender": gender,
        "age": age,
        "both": both.mask((gender == "unknown") | (age == "unknown"), "unknown"),
    }


def test_large_groups_are_all_shown():
    assert hidden_groups({"job": table(a=11, b=200)}) == {"job": frozenset()}


def test_one_small_group_takes_the_next_smallest_with_it():
    assert hidden_groups({"job": table(a=10, b=50, c=40)}) == {"job": {"a", "c"}}


def test_two_small_groups_that_add_up_to_ten_take_a_third():
    assert hidden_groups({"job": table(a=4, b=6, c=40, d=300)}) == {"job": {"a", "b", "c"}}


def test_two_small_groups_that_add_up_to_eleven_stand_alone():
    assert hidden_groups({"job": table(a=5, b=6, c=40)}) == {"job": {"a", "b"}}


def test_eleven_groups_of_one_person_take_another_group():
    ones = {f"g{number}": 1 for number in range(11)}
    assert hidden_groups({"job": table(**ones, x=30, y=40)}) == {"job": {*ones, "x"}}


def test_small_unknown_group_is_protected_too():
    assert hidden_groups({"gender": table(F=30, M=60, unknown=5)}) == {"gender": {"F", "unknown"}}


def test_higher_minimum_is_kept():
    assert hidden_groups({"job": table(a=15, b=50, c=60)}, minimum=20) == {"job": {"a", "b"}}


def test_small_cell_of_an_intersection_hides_a_rectangle():
    cells = {("F", "young"): 5, ("F", "old"): 50, ("M", "young"): 60, ("M", "old"): 70}
    hidden = hidden_groups(crossed(cells))
    assert hidden == {
        "gender": frozenset(),
        "age": frozenset(),
        "both": {"F × young", "F × old", "M × young", "M × old"},
    }


def test_small_cell_in_a_wider_table_leaves_other_columns_alone():
    cells = {(g, a): 50 for g in "FM" for a in ("18", "25", "35", "45")}
    cells["F", "18"], cells["M", "25"] = 5, 30
    hidden = hidden_groups(crossed(cells))
    assert hidden["both"] == {"F × 18", "F × 25", "M × 18", "M × 25"}
    assert hidden["gender"] == hidden["age"] == frozenset()


def test_rectangle_is_sought_along_the_row_of_the_small_cell():
    cells = {(g, a): 50 for g in "FM" for a in ("18", "25", "35", "45")}
    cells["F", "18"], cells["M", "45"] = 5, 20  # the smallest cell elsewhere would need six cells hidden
    assert hidden_groups(crossed(cells))["both"] == {"F × 18", "F × 25", "M × 18", "M × 25"}


def test_total_of_hidden_groups_less_the_cells_shown_inside_it_is_protected():
    # all − north = east and west, 25 people; less the 17 cooks, all of them in east, 8 would be left
    sizes = {
        ("north", "baker"): 50,
        ("north", "carer"): 50,
        ("east", "cook"): 17,
        ("east", "baker"): 3,
        ("west", "carer"): 5,
    }
    tables = crossed(sizes)
    hidden = hidden_groups({"region": tables["gender"], "job": tables["age"]})
    assert hidden == {"region": {"east", "west"}, "job": {"cook", "baker"}}


def test_margin_of_eleven_people_in_eleven_cells_is_hidden():
    ages = [str(age) for age in range(20, 31)]
    cells = {("F", age): 1 for age in ages} | {("M", age): 30 for age in ages} | {("X", "20"): 40}
    assert "F" in hidden_groups(crossed(cells))["gender"]


def test_people_with_one_part_missing_are_not_given_away_by_the_margin():
    cells = {(g, a): 50 for g in "FM" for a in ("18", "25")}
    cells["F", "unknown"], cells["M", "unknown"], cells["M", "25"] = 3, 30, 45
    hidden = hidden_groups(crossed(cells))
    shown = [age for age in ("18", "25") if f"F × {age}" not in hidden["both"]]
    assert "F" in hidden["gender"] or len(shown) < 2  # else F − its cells = the 3


def recoverable(tables: dict[str, pd.Series], hidden: dict[str, frozenset[str]]) -> list[tuple[str, str]]:
    """Hidden groups that least squares on the published sums finds exactly, for random values."""
    rng = np.random.default_rng(5)
    people = pd.DataFrame(tables)
    people["value"] = rng.random(len(people))
    atoms = people.groupby(list(tables), observed=True)["value"].sum()
    index = atoms.index.to_frame(index=False)
    published, targets = [np.ones(len(index))], []
    for name in tables:
        for group in index[name].unique():
            row = (index[name] == group).to_numpy(dtype=float)
            if group in hidden[name]:
                targets.append((name, group, row))
            else:
                published.append(row)
    known = np.array(published)
    solution = np.linalg.lstsq(known, known @ atoms.to_numpy(), rcond=None)[0]
    return [
        (name, group) for name, group, row in targets if abs(row @ solution - row @ atoms.to_numpy()) < 1e-9
    ]


@pytest.mark.parametrize("seed", range(40))
def test_no_hidden_group_is_found_by_linear_algebra(seed: int):
    rng = np.random.default_rng(seed)
    ages = ["18", "25", "35", "45", "unknown"][: rng.integers(2, 6)]
    cells = {
        (g, a): int(rng.integers(1, 13 + 8 * (seed % 5))) for g in ("F", "M", "X", "unknown") for a in ages
    }
    tables = crossed(cells)
    hidden = hidden_groups(tables)
    assert recoverable(tables, hidden) == []


@pytest.mark.parametrize("seed", range(40))
def test_every_hidden_part_of_a_shown_sum_is_eleven_people_or_more(seed: int):
    rng = np.random.default_rng(1000 + seed)
    cells = {(g, a): int(rng.integers(1, 40)) for g in "FMX" for a in ("18", "25", "35", "45")}
    tables = crossed(cells)
    hidden = hidden_groups(tables)
    for part, name in enumerate(("gender", "age")):
        sizes = tables[name].value_counts()
        for group in set(sizes.index) - hidden[name]:
            inside = [
                n for pair, n in cells.items() if pair[part] == group and " × ".join(pair) in hidden["both"]
            ]
            assert sum(inside) == 0 or (len(inside) >= 2 and sum(inside) >= 11)


def test_the_check_above_finds_a_group_hidden_alone():
    tables = {"job": table(a=5, b=50, c=60)}
    assert recoverable(tables, {"job": frozenset({"a"})}) == [("job", "a")]
    assert all(recoverable(tables, {"job": frozenset(pair)}) == [] for pair in combinations("abc", 2))
