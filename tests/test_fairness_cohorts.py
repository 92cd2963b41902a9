"""Named cohorts as attributes: who is in, who is out, and of whom it can't be told."""

import pandas as pd
import pytest

from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.cohorts import with_cohorts

USERS = pd.DataFrame(
    {
        "user_id": ["1", "2", "3", "4", "5"],
        "gender": ["F", "F", "M", "", "F"],
        "age": ["18", "25", "18", "18", ""],
    }
)


def members(written: str) -> list[str]:
    users = with_cohorts(USERS, [written])
    return users[written.partition("=")[0]].tolist()


def test_conditions_on_two_attributes_must_both_be_met():
    assert members("young women=gender:F,age:18") == ["in", "out", "out", "", ""]


def test_two_groups_of_one_attribute_mean_either():
    assert members("adults=age:18,age:25") == ["in", "in", "in", "in", ""]


def test_missing_value_does_not_matter_where_another_condition_fails():
    assert members("older women=gender:F,age:25") == ["out", "in", "out", "out", ""]


def test_unknown_people_can_be_a_cohort():
    assert members("silent=gender:unknown") == ["out", "out", "out", "in", "out"]


@pytest.mark.parametrize("written", ["women", "=gender:F", "women=gender", "women=gender:F,"])
def test_cohort_that_cannot_be_read_is_refused(written: str):
    with pytest.raises(ConfigError, match="is not written as NAME=ATTRIBUTE:GROUP,ATTRIBUTE:GROUP"):
        with_cohorts(USERS, [written])


def test_name_of_an_attribute_is_refused():
    with pytest.raises(ConfigError, match="the cohort 'age' has the name of an attribute"):
        with_cohorts(USERS, ["age=gender:F"])


def test_group_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(DataError, match="asks for gender 'X'; there are: F, M, unknown"):
        with_cohorts(USERS, ["x=gender:X"])
