"""Sizes of the groups of all people, and audits of nearly all of them: neither tells who is missing."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.errors import DataError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.disclosure import Shown, hidden_beside, hidden_sizes_beside, packed
from recsys_core.fairness.result import AuditSettings

NOTHING = frozenset[str]()
NOBODY = np.zeros(240, dtype=bool)


@pytest.fixture
def users() -> pd.DataFrame:
    """120 women, then 120 men; everybody's town is one of five, 48 people in each."""
    numbers = np.arange(240)
    return pd.DataFrame(
        {
            "user_id": numbers.astype(str),
            "gender": np.where(numbers < 120, "F", "M"),
            "town": np.array(list("abcde"))[numbers % 5],
        }
    )


def without(*numbers: int) -> np.ndarray:
    return ~np.isin(np.arange(240), numbers)


def sizes_of(users: pd.DataFrame, hidden: dict[str, frozenset[str]]) -> list[Shown]:
    """The sizes of everybody's groups as they were shown."""
    people, n = packed(np.ones(len(users), dtype=bool)), len(users)
    return [Shown(by, (), tuple(own), people, n, only_sizes=True) for by, own in hidden.items()]


def audit_of(members: np.ndarray, hidden: dict[str, frozenset[str]]) -> list[Shown]:
    """The figures of some people's groups as they were shown."""
    return [Shown(by, (), tuple(own), packed(members), len(members)) for by, own in hidden.items()]


def test_an_audit_without_three_women_hides_what_the_sizes_would_tell_of_them(users: pd.DataFrame):
    sizes = sizes_of(users, {"gender": NOTHING, "town": NOTHING})
    members = without(0, 5, 10)  # all of the town a
    assert hidden_beside(sizes, users, members, ["gender"], 11) == {"gender": {"F", "M"}}
    (hidden,) = hidden_beside(sizes, users, members, ["town"], 11).values()
    assert "a" in hidden and len(hidden) == 2


def test_figures_of_people_less_three_are_refused_as_ever(users: pd.DataFrame):
    everybody = audit_of(without(), {"gender": NOTHING})
    with pytest.raises(DataError, match="could be told apart"):
        hidden_beside(everybody, users, without(0, 5, 10), ["gender"], 11)


def test_an_audit_without_three_women_and_twelve_men_hides_by_gender_and_not_by_town(users: pd.DataFrame):
    sizes = sizes_of(users, {"gender": NOTHING})
    members = without(0, 5, 10, *range(120, 132))
    found = hidden_beside(sizes, users, members, ["gender", "town"], 11)
    assert found == {"gender": {"F", "M"}, "town": NOTHING}


def test_an_audit_without_twelve_of_either_gender_hides_nothing(users: pd.DataFrame):
    sizes = sizes_of(users, {"gender": NOTHING})
    members = without(*range(12), *range(120, 132))
    assert hidden_beside(sizes, users, members, ["gender", "town"], 11) == {
        "gender": NOTHING,
        "town": NOTHING,
    }


def test_an_audit_of_everybody_hides_nothing_after_the_sizes(users: pd.DataFrame):
    sizes = sizes_of(users, {"gender": NOTHING, "town": NOTHING})
    values = pd.Series(np.tile([0.0, 1.0], 120), index=users["user_id"])
    result = audit(values, users, AuditSettings(("gender", "town"), draws=200), sizes)
    assert not any(row.suppressed for row in result.by_group)
    assert [one.only_sizes for one in result.shown] == [False, False]


def test_an_audit_of_most_people_shows_towns_of_which_nobody_is_missing(users: pd.DataFrame):
    values = pd.Series(np.tile([0.0, 1.0], 120), index=users["user_id"])[without(0, 5, 10)]
    sizes = sizes_of(users, {"town": NOTHING})
    result = audit(values, users, AuditSettings(("town",), draws=200), sizes)
    shown = {row.group for row in result.by_group if not row.suppressed}
    assert "a" not in shown and len(shown) == 3


def test_sizes_after_an_audit_without_three_women_hide_what_it_would_tell(users: pd.DataFrame):
    members = without(0, 5, 10)
    before = audit_of(members, {"gender": NOTHING})
    found = hidden_sizes_beside(before, users, ["gender", "town"], 11, NOBODY)
    assert found == {"gender": {"F", "M"}, "town": NOTHING}
    assert hidden_sizes_beside([], users, ["gender", "town"], 11, NOBODY)["gender"] == NOTHING


def test_sizes_after_an_audit_without_twelve_of_either_gender_are_shown(users: pd.DataFrame):
    members = without(*range(12), *range(120, 132))
    before = audit_of(members, {"gender": NOTHING})
    assert hidden_sizes_beside(before, users, ["gender"], 11, NOBODY) == {"gender": NOTHING}


def test_sizes_that_would_forbid_what_audits_will_show_are_hidden_before(users: pd.DataFrame):
    expected = without(0, 5, 10)
    found = hidden_sizes_beside([], users, ["gender"], 11, expected)
    assert found == {"gender": {"F", "M"}}
    after = hidden_beside(sizes_of(users, found), users, expected, ["gender"], 11)
    assert after == {"gender": NOTHING}


def test_sizes_that_are_asked_for_again_are_the_same_after_an_audit(users: pd.DataFrame):
    members, by = without(0, 1, 122, *range(60, 80)), ["gender", "town"]
    first = hidden_sizes_beside([], users, by, 11, NOBODY)
    sizes = sizes_of(users, first)
    audited = audit_of(members, hidden_beside(sizes, users, members, by, 11))
    assert hidden_sizes_beside([*audited, *sizes], users, by, 11, NOBODY) == first


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("sizes_first", [True, False])
def test_no_size_less_the_groups_of_an_audit_leaves_a_few_people(seed: int, sizes_first: bool):
    rng = np.random.default_rng(seed)
    users = pd.DataFrame(
        {
            "user_id": np.arange(300).astype(str),
            "gender": rng.choice(["F", "M", "X"], 300, p=[0.5, 0.42, 0.08]),
            "town": rng.choice(list("abcd"), 300),
        }
    )
    members = rng.random(300) > rng.choice([0.02, 0.1, 0.3])
    by, crossed = ["gender", "town"], ["gender", "gender*town"]
    if sizes_first:
        sizes = hidden_sizes_beside([], users, by, 11, members)
        shown = hidden_beside(sizes_of(users, sizes), users, members, crossed, 11)
    else:
        shown = hidden_beside([], users, members, crossed, 11)
        sizes = hidden_sizes_beside(audit_of(members, shown), users, by, 11, members)
    labels = {"gender": users["gender"], "town": users["town"]}
    labels["gender*town"] = users["gender"] + " × " + users["town"]
    assert any(len(set(labels[name]) - shown[name]) > 1 for name in crossed)
    for name, own in labels.items():
        for group in set(own) - sizes.get(name, frozenset(own)):
            inside = (own == group).to_numpy()
            for table in crossed:
                cells = [
                    (labels[table] == cell).to_numpy() & members for cell in set(labels[table]) - shown[table]
                ]
                told = sum(int(cell.sum()) for cell in cells if not (cell & ~inside).any())
                assert not 0 < int(inside.sum()) - told < 11
