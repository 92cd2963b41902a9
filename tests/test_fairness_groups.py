"""Who belongs to which group, and which attributes are refused."""

import pandas as pd
import pytest

from recsys_core.errors import DataError
from recsys_core.fairness.groups import group_labels, in_reading_order


def people(**attributes: list[str]) -> pd.DataFrame:
    n = len(next(iter(attributes.values())))
    return pd.DataFrame({"user_id": [f"u{row}" for row in range(n)], **attributes})


def labels(users: pd.DataFrame, by: str) -> list[str]:
    return group_labels(users, by).astype(str).tolist()


def test_text_attribute_keeps_its_values():
    users = people(gender=["F", "M", "F"])
    found = group_labels(users, "gender")
    assert found.astype(str).to_dict() == {"u0": "F", "u1": "M", "u2": "F"}
    assert found.name == "gender"


def test_empty_and_unknown_and_blank_are_unknown_and_last():
    found = group_labels(people(gender=["M", "", "F", "unknown", "  "]), "gender")
    assert found.astype(str).tolist() == ["M", "unknown", "F", "unknown", "unknown"]
    assert found.cat.categories.tolist() == ["F", "M", "unknown"]


def test_few_numbers_keep_their_codes_in_numeric_order():
    found = group_labels(people(age=["18", "1", "56", "25", "1"]), "age")
    assert found.astype(str).tolist() == ["18", "1", "56", "25", "1"]
    assert found.cat.categories.tolist() == ["1", "18", "25", "56"]


def test_many_ages_fall_into_the_named_bins():
    ages = ["3", "17", "18", "24", "25", "34", "35", "44", "45", "54", "55", "64", "65", "99"]
    assert labels(people(age=ages), "age") == [
        "under 18", "under 18", "18–24", "18–24", "25–34", "25–34", "35–44", "35–44",
        "45–54", "45–54", "55–64", "55–64", "65+", "65+",
    ]  # fmt: skip


def test_age_bins_are_in_order_of_age():
    found = group_labels(people(age=[str(age) for age in range(70, 10, -1)]), "age")
    expected = ["under 18", "18–24", "25–34", "35–44", "45–54", "55–64", "65+"]
    assert found.cat.categories.tolist() == expected


def test_whole_numbers_fall_into_fifths_with_closed_labels():
    visits = [str(number) for number in range(101) for _ in range(2)]
    found = group_labels(people(visits=visits), "visits")
    assert found.cat.categories.tolist() == ["under 20", "20–39", "40–59", "60–79", "80 or more"]
    assert found.value_counts().tolist() == [42, 40, 40, 40, 40]


def test_fractions_fall_into_half_open_bins():
    found = group_labels(people(weight=[str(number / 10) for number in range(100)]), "weight")
    assert found.cat.categories.tolist() == [
        "under 2", "2 to under 4", "4 to under 5.9", "5.9 to under 7.9", "7.9 or more",
    ]  # fmt: skip


def test_mostly_zero_numbers_are_zero_against_more():
    spend = ["0"] * 100 + [str(number) for number in range(5, 19)]
    assert group_labels(people(spend=spend), "spend").value_counts().to_dict() == {
        "under 5": 100,
        "5 or more": 14,
    }


def test_intersection_joins_labels_and_one_missing_part_makes_it_unknown():
    users = people(gender=["F", "M", "", "F"], age=["25", "25", "18", ""])
    assert labels(users, "gender*age") == ["F × 25", "M × 25", "unknown", "unknown"]


def test_intersection_follows_the_order_of_its_parts():
    users = people(gender=["M", "F", "F", "M"], age=["9", "10", "9", "10"])
    expected = ["F × 9", "F × 10", "M × 9", "M × 10"]
    assert group_labels(users, "gender * age").cat.categories.tolist() == expected


def test_column_with_an_asterisk_in_its_name_is_an_attribute():
    assert labels(people(**{"a*b": ["x", "y"]}), "a*b") == ["x", "y"]


def test_absent_attribute_lists_the_existing_ones():
    with pytest.raises(DataError, match=r"'sex' is not an attribute of the people; there are: gender, age"):
        group_labels(people(gender=["F", "M"], age=["1", "2"]), "sex")


@pytest.mark.parametrize("by", ["gender*", "*", "user_id", ""])
def test_half_an_intersection_and_the_id_are_no_attributes(by: str):
    with pytest.raises(DataError, match="is not an attribute"):
        group_labels(people(gender=["F", "M"]), by)


def test_attribute_crossed_with_itself_is_refused():
    with pytest.raises(DataError, match=r"'gender\*gender' crosses an attribute with itself"):
        group_labels(people(gender=["F", "M"]), "gender*gender")


def test_constant_attribute_is_refused_with_its_value():
    with pytest.raises(DataError, match="country can't form groups: every known value is 'NO'"):
        group_labels(people(country=["NO", "", "NO"]), "country")


def test_empty_attribute_is_refused():
    with pytest.raises(DataError, match="country can't form groups: nobody has a value"):
        group_labels(people(country=["", ""]), "country")


def test_free_text_is_refused_with_its_count():
    texts = [f"I like {number}" for number in range(51)] * 4
    with pytest.raises(DataError, match="about looks like free text or an id: 51 distinct values for 204"):
        group_labels(people(about=texts), "about")


def test_fifty_texts_are_still_groups():
    assert len(group_labels(people(job=[f"job {number}" for number in range(50)] * 4), "job").unique()) == 50


def test_one_text_a_person_is_refused():
    with pytest.raises(DataError, match="looks like free text or an id: 20 distinct values for 20 people"):
        group_labels(people(name=[f"name {number}" for number in range(20)]), "name")


def test_postcodes_with_leading_zeros_are_not_numbers():
    with pytest.raises(DataError, match="zip looks like free text or an id"):
        group_labels(people(zip=[f"0{number}" for number in range(1000, 1060)] * 3), "zip")


def test_whole_number_for_each_person_is_an_id():
    with pytest.raises(DataError, match="account looks like free text or an id"):
        group_labels(people(account=[str(number) for number in range(900, 1000)]), "account")


def test_impossible_age_is_refused_with_its_value():
    with pytest.raises(DataError, match="age has the value '999'"):
        group_labels(people(age=[*(str(age) for age in range(20, 40)), "999"]), "age")


def test_two_groups_that_would_share_a_label_are_refused():
    users = people(a=["x × y", "x", "q"], b=["z", "y × z", "q"])
    with pytest.raises(DataError, match="two groups would share a label"):
        group_labels(users, "a*b")


def test_person_named_twice_is_refused():
    users = pd.DataFrame({"user_id": ["a", "a"], "gender": ["F", "M"]})
    with pytest.raises(DataError, match="names user_id 'a' more than once"):
        group_labels(users, "gender")


def test_table_without_user_id_is_refused():
    with pytest.raises(DataError, match="no column user_id"):
        group_labels(pd.DataFrame({"gender": ["F", "M"]}), "gender")


@pytest.mark.parametrize(
    "order",
    [
        ["Under 15K", "15-24K", "50-74K", "100-124K", "250K+"],
        ["Under 18", "18-24", "25-34", "56+"],
        ["< $900", "$900-1,999", "$2,000-9K", "10K-900K", "1M+"],
        ["1", "2", "5+"],
        ["10 Main Street", "9 Main Street", "Anywhere"],  # not all are ranges, so by their letters
        ["North", "South"],
    ],
)
def test_ranges_are_in_the_order_of_where_they_begin(order: list[str]):
    assert in_reading_order(order[::-1]) == order
