"""The worst-served subgroup: a planted one is found and confirmed, chance isn't, small ones stay hidden."""

from zlib import crc32

import numpy as np
import pandas as pd
import pytest

from benchmarks.gap_causes import ATTRIBUTES, false_alarms, people
from benchmarks.gap_worlds import hits
from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.worst_subgroup import Search, find_worst_subgroup


def values_of(users: pd.DataFrame, rate: object, seed: int) -> pd.Series:
    rates = np.broadcast_to(np.asarray(rate, dtype=np.float64), len(users))
    return pd.Series(hits(rates, np.random.default_rng(seed)), index=users["user_id"])


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return people(4_000, 1)


def test_a_planted_conjunction_is_found_and_confirmed(users: pd.DataFrame):
    planted = (users["gender"] == "F") & (users["age"] == "old")
    found = find_worst_subgroup(values_of(users, np.where(planted, 0.1, 0.4), 2), users, Search(ATTRIBUTES))
    assert set(found.conditions) == {("gender", "F"), ("age", "old")}
    assert found.confirmed
    assert found.ci_low is not None and found.ci_high is not None
    assert found.ci_low < found.difference < found.ci_high < 0
    assert found.n + found.n_others == 2_000


def test_what_is_told_is_what_the_testing_half_says(users: pd.DataFrame):
    """The halves are the first and the second 2,000 of the permutation of the seed's stream "halves"."""
    values = values_of(users, np.where(users["region"] == "west", 0.1, 0.4), 3)
    found = find_worst_subgroup(values, users, Search(("region",), depth=1, seed=7))
    testing = np.random.default_rng([7, crc32(b"halves")]).permutation(4_000)[2_000:]
    west = (users["region"] == "west").to_numpy()[testing]
    assert found.conditions == (("region", "west"),)
    assert found.n == west.sum()
    assert found.value == pytest.approx(values.to_numpy()[testing][west].mean())
    assert found.others == pytest.approx(values.to_numpy()[testing][~west].mean())


def test_depth_one_looks_at_single_groups_alone(users: pd.DataFrame):
    values = values_of(users, 0.3, 4)
    assert find_worst_subgroup(values, users, Search(ATTRIBUTES, depth=1)).n_searched == 2 + 3 + 4
    deeper = find_worst_subgroup(values, users, Search(ATTRIBUTES, depth=2))
    assert deeper.n_searched == 9 + 2 * 3 + 2 * 4 + 3 * 4


@pytest.mark.slow
def test_where_no_subgroup_is_worse_p_is_small_as_often_as_it_says():
    """300 worlds: 24 of them are once in 100 times that many or more at a true 5 %."""
    significant, confirmed, _ = false_alarms(300)
    assert significant <= 24 / 300
    assert confirmed <= significant


def test_halves_are_not_drawn_from_the_stream_of_the_seed_alone(users: pd.DataFrame):
    """Values drawn by the same seed are independent of who searches: [3, 0] is the stream of 3 in NumPy."""
    drawn = np.random.default_rng(3).permutation(4_000)[:2_000]
    values = pd.Series(np.isin(np.arange(4_000), drawn) * 1.0, index=users["user_id"])
    found = find_worst_subgroup(values, users, Search(("region",), depth=1, seed=3))
    assert found.others == pytest.approx(0.5, abs=0.05)


def test_the_searching_half_sees_a_chance_gap_as_worse_than_it_is(users: pd.DataFrame):
    found = [
        find_worst_subgroup(values_of(users, 0.3, seed), users, Search(ATTRIBUTES, draws=200, seed=seed))
        for seed in range(10)
    ]
    assert all(one.found_difference < 0 for one in found)
    assert np.mean([one.difference for one in found]) > np.mean([one.found_difference for one in found])


def test_small_subgroups_are_never_chosen(users: pd.DataFrame):
    tiny = users.assign(rare=np.where(np.arange(4_000) < 25, "yes", "no"))
    values = values_of(tiny, np.where(tiny["rare"] == "yes", 0.0, 0.5), 6)
    found = find_worst_subgroup(values, tiny, Search((*ATTRIBUTES, "rare")))
    assert ("rare", "yes") not in found.conditions
    assert found.n >= 30


def test_people_without_the_attribute_are_no_subgroup(users: pd.DataFrame):
    missing = users.assign(gender=users["gender"].where(users["age"] != "old", ""))
    values = values_of(missing, np.where(missing["gender"] == "", 0.0, 0.5), 7)
    found = find_worst_subgroup(values, missing, Search(("gender",), depth=1))
    assert found.conditions[0][1] in ("F", "M")


def test_a_subgroup_in_which_nobody_is_served_has_a_p_value_but_no_interval(users: pd.DataFrame):
    values = values_of(users, np.where(users["region"] == "west", 0.0, 0.4), 10)
    found = find_worst_subgroup(values, users, Search(("region",), depth=1))
    assert (found.conditions, found.value, found.confirmed) == ((("region", "west"),), 0.0, True)
    assert (found.ci_low, found.ci_high) == (None, None)


def test_the_same_seed_finds_the_same(users: pd.DataFrame):
    values = values_of(users, 0.3, 8)
    first, again = (find_worst_subgroup(values, users, Search(ATTRIBUTES, seed=3)) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"attributes": ()}, "no attribute is named"),
        ({"attributes": ("age", "age")}, "named twice"),
        ({"attributes": ("age",), "depth": 4}, "depth is 4; allowed are 1 to 3"),
        ({"attributes": ("age",), "fewest": 5}, "must be 11 or more"),
        ({"attributes": ("age",), "draws": 5}, "draws is 5"),
    ],
)
def test_settings_out_of_bounds_are_refused(settings: dict[str, object], sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        Search(**settings)  # type: ignore[arg-type]


def test_too_few_people_and_unknown_attributes_are_one_sentence(users: pd.DataFrame):
    few = users.head(40)
    with pytest.raises(DataError, match="no subgroup of gender, age has 30 people in each half"):
        find_worst_subgroup(values_of(few, 0.5, 9), few, Search(("gender", "age")))
    with pytest.raises(DataError, match="'tea' is not an attribute"):
        find_worst_subgroup(values_of(users, 0.5, 9), users, Search(("tea",)))
