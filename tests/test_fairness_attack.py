"""What was shown, attacked: by an integer solver, and by the difference of one audit and the next."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.audit_attack import SMALLEST, attack, attack_in_turn, recovered
from recsys_core.errors import DataError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditSettings
from recsys_core.fairness.suppression import EarlierTable, hidden_groups


@pytest.mark.parametrize("seed", range(5))
def test_solver_recovers_no_small_group(seed: int):
    assert attack(seed) == []
    assert attack_in_turn(seed) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 125))  # `benchmarks.audit_attack` has the thousand
def test_solver_recovers_no_small_group_of_many_tables(seed: int):
    assert attack(seed) == []
    assert attack_in_turn(seed) == []


def test_the_solver_finds_what_is_badly_hidden():
    labels = pd.Series(["a"] * 5 + ["b"] * 50 + ["c"] * 60)
    assert recovered([(labels, frozenset({"a"}))]) == ["a"]


def test_parts_after_the_whole_hide_what_their_sum_would_tell():
    gender = pd.Series(["F"] * 60 + ["M"] * 60)
    young = pd.Series(["F × young"] * 5 + ["F × old"] * 55 + ["M × young"] * 30 + ["M × old"] * 30)
    alone = hidden_groups({"both": young})["both"]
    after = hidden_groups({"both": young}, SMALLEST, [EarlierTable(gender, frozenset())])["both"]
    assert alone == {"F × young", "M × young"} or "F × old" not in alone  # alone, any other group shields it
    assert {"F × young", "F × old"} <= after  # beside the number of women, only the other women do


def people(n: int) -> pd.DataFrame:
    return pd.DataFrame({"user_id": [str(number) for number in range(n)], "gender": ["F", "M"] * (n // 2)})


def values(users: pd.DataFrame) -> pd.Series:
    rng = np.random.default_rng(1)
    return pd.Series((rng.random(len(users)) < 0.5) * 1.0, index=users["user_id"])


def test_audit_of_all_but_five_of_earlier_people_is_refused():
    users = people(400)
    settings = AuditSettings(("gender",), draws=200)
    first = audit(values(users), users, settings)
    with pytest.raises(DataError, match="fewer than 11 people could be told apart by the difference"):
        audit(values(users).iloc[5:], users, settings, first.shown)


def test_audit_of_more_people_is_refused_where_a_group_gains_a_few():
    users = people(400).assign(gender=["F"] * 200 + ["M"] * 200)
    settings = AuditSettings(("gender",), draws=200)
    first = audit(values(users).iloc[5:370], users, settings)
    with pytest.raises(DataError, match="could be told apart"):
        audit(values(users), users, settings, first.shown)


def test_same_audit_again_and_one_of_far_fewer_people_are_answered():
    users = people(400)
    settings = AuditSettings(("gender",), draws=200)
    first = audit(values(users), users, settings)
    assert audit(values(users), users, settings, first.shown) == first
    assert audit(values(users).iloc[100:], users, settings, first.shown).overall.n == 300


def test_cohort_that_differs_from_a_group_by_a_few_is_hidden_after_it():
    users = people(400).assign(
        gender=["F"] * 200 + ["M"] * 200, town=["x"] * 5 + ["y"] * 195 + ["x"] * 100 + ["y"] * 100
    )
    first = audit(values(users), users, AuditSettings(("gender",), draws=200))
    cohort = AuditSettings(("her",), draws=200, cohorts=("her=gender:F,town:y",))
    alone = audit(values(users), users, cohort)
    assert [row.n for row in alone.by_group] == [195, 205]
    after = audit(values(users), users, cohort, first.shown)
    assert [row.n for row in after.by_group] == [None, None]  # 200 women less 195 would be five people
