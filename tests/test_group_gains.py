"""Two models by group: who gains is found, who doesn't isn't, and small groups stay hidden."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.errors import DataError
from recsys_core.fairness.paired import paired_bootstrap
from recsys_core.fairness.paired_groups import GroupGain, paired_by_group

GROUPS = "a" * 200 + "b" * 150 + "c" * 50 + "d" * 5 + "e" * 30


def gains(lift_of_b: float) -> dict[str, GroupGain]:
    """Two models that agree but for noise, group b being lifted, group e having nothing at all."""
    rng = np.random.default_rng(1)
    users = pd.DataFrame({"user_id": [f"u{n}" for n in range(len(GROUPS))], "g": list(GROUPS)})
    is_b, is_e = (users["g"] == name for name in "be")
    second = pd.Series(np.where(is_e, 0, rng.random(len(GROUPS))), index=users["user_id"])
    noise = np.where(is_e, 0, rng.normal(0, 0.1, len(GROUPS)))
    found = paired_by_group(second + noise + lift_of_b * is_b.to_numpy(), second, users, ("g",), 1000)
    return {gain.group: gain for gain in found}


def test_a_planted_gain_is_found_in_its_group_alone() -> None:
    found = gains(0.1)
    b, a = found["b"].result, found["a"].result
    assert b is not None and b.n == 150 and b.ci_low > 0.05
    assert a is not None and a.ci_low < 0 < a.ci_high
    assert (found["b"].p_adjusted or 1) < 0.05 < (found["a"].p_adjusted or 0)


def test_a_group_has_the_paired_bootstrap_of_its_own_people() -> None:
    users = pd.DataFrame({"user_id": [f"u{n}" for n in range(100)], "g": list("x" * 60 + "y" * 40)})
    rng = np.random.default_rng(0)
    first, second = (pd.Series(rng.random(100), index=users["user_id"]) for _ in range(2))
    found = {gain.group: gain.result for gain in paired_by_group(first, second, users, ("g",), 500, 4)}
    own, other = (np.array(values, dtype=np.float64)[:60] for values in (first, second))
    assert found["x"] == paired_bootstrap(own, other, 500, 4)


def test_small_groups_are_hidden_with_what_would_give_them_away() -> None:
    found = gains(0.0)
    assert found["d"].suppressed and found["d"].result is None
    assert sum(gain.suppressed for gain in found.values()) >= 2  # or the rest of the total tells


def test_a_group_that_neither_model_serves_has_no_interval() -> None:
    assert gains(0.0)["e"].result is None


def test_too_few_people_are_refused() -> None:
    users = pd.DataFrame({"user_id": list("abc"), "g": list("xyx")})
    values = pd.Series([0.1, 0.2, np.nan], index=users["user_id"])
    with pytest.raises(DataError, match="2 people have a value from both models"):
        paired_by_group(values, values, users, ("g",))
