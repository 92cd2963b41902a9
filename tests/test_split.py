"""The split: last new item out, the one before it for validation, no look into the future."""

from itertools import groupby

import numpy as np
import pytest
from hand_made import dataset_of, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.split import AsOf, Split, histories, leave_one_out, split_tables, targets


def known(dataset: Dataset, split: Split, as_of: AsOf, user_id: str = "u") -> str:
    """The ids of what is known of a person, one letter each."""
    numbers = histories(dataset, split, as_of)[dataset.user_number(user_id)]
    return "".join(dataset.item_ids[numbers])


def held_out(dataset: Dataset, split: Split, user_id: str = "u") -> tuple[str, str]:
    """The ids of a person's validation and test target; "" = none."""
    row = dataset.user_number(user_id)
    valid, test = (str(dataset.item_ids[targets(dataset, split, part)[row]]) for part in ("valid", "test"))
    return valid, test


# (events in order, validation and test target, then the history as of valid, test and now)
CASES = {
    "three new items: one trains": ("abc", ("b", "c"), "a", "ab", "abc"),
    "five new items": ("abcde", ("d", "e"), "abc", "abcd", "abcde"),
    "repeats before the validation target train": ("aabac", ("b", "c"), "a", "ab", "abac"),
    "a repeat between the targets is kept out": ("abcad", ("c", "d"), "ab", "abc", "abcad"),
    "repeats after the test target are kept out": ("abcab", ("b", "c"), "a", "ab", "abcab"),
    "the validation target again before the test target": ("abbbc", ("b", "c"), "a", "ab", "abc"),
    "the last event is a repeat of the first": ("abcda", ("c", "d"), "ab", "abc", "abcda"),
    "two different items: all train": ("ab", ("", ""), "ab", "ab", "ab"),
    "two different items many times: all train": ("abbaab", ("", ""), "abab", "abab", "abab"),
    "one item": ("a", ("", ""), "a", "a", "a"),
}


@pytest.mark.parametrize("case", CASES)
def test_split_by_the_rules(case: str):
    events, expected_targets, as_of_valid, as_of_test, as_of_now = CASES[case]
    dataset = dataset_of({"someone": "xyz", "u": events, "else": "zyx"})
    split = leave_one_out(dataset)
    assert held_out(dataset, split) == expected_targets
    assert known(dataset, split, "valid") == as_of_valid
    assert known(dataset, split, "test") == as_of_test
    assert known(dataset, split, "now") == as_of_now


def test_the_order_is_that_of_time_not_of_the_file():
    dataset = build_dataset(tables([("u", "a"), ("u", "b"), ("u", "c"), ("u", "d")], [4, 3, 2, 1]))
    assert held_out(dataset, leave_one_out(dataset)) == ("b", "a")


def test_events_of_one_second_are_held_out_in_the_order_of_the_file():
    dataset = build_dataset(tables([("u", item) for item in "dcab"], [7] * 4))
    assert held_out(dataset, leave_one_out(dataset)) == ("a", "b")


def test_people_without_targets_are_counted_in_a_warning():
    split = leave_one_out(dataset_of({"u": "abc", "v": "ab", "w": "aaaa"}))
    assert len(split.warnings) == 1
    assert split.warnings[0].startswith("2 people with fewer than 3 different items")


def test_no_warning_where_everybody_has_targets():
    assert leave_one_out(dataset_of({"u": "abc", "v": "bca"})).warnings == ()


def test_a_person_without_events_has_neither_history_nor_targets():
    dataset = build_dataset(tables([("v", item) for item in "abc"], [1, 2, 3], users=["u", "v", "w"]))
    split = leave_one_out(dataset)
    for nobody in ("u", "w"):
        assert held_out(dataset, split, nobody) == ("", "")
        assert known(dataset, split, "now", nobody) == ""
    assert held_out(dataset, split, "v") == ("b", "c")


def test_without_an_order_the_targets_are_drawn_by_the_seed_and_said_so():
    dataset = dataset_of({"u": "abcdefghij"}, times=False)
    split = leave_one_out(dataset, seed=1)
    assert "drawn by the seed" in split.warnings[0]
    drawn = {held_out(dataset, leave_one_out(dataset, seed)) for seed in range(20)}
    assert len(drawn) > 5
    assert held_out(dataset, leave_one_out(dataset, 1)) == held_out(dataset, split)


def test_what_the_seed_draws_stays_with_the_person():
    dataset = dataset_of({"u": "abcde", "v": "vwxyz"}, times=False)
    split = leave_one_out(dataset, seed=3)
    assert sorted(known(dataset, split, "now", "u")) == list("abcde")
    assert sorted(known(dataset, split, "now", "v")) == list("vwxyz")


def test_the_seed_decides_nothing_where_events_have_an_order():
    dataset = dataset_of({"u": "abcde"})
    first, second = leave_one_out(dataset, 0), leave_one_out(dataset, 1)
    assert np.array_equal(first.order, second.order)
    assert np.array_equal(first.test_row, second.test_row)


def test_tables_of_the_split_name_ids_and_times():
    dataset = build_dataset(
        tables([("u", "a"), ("v", "b"), ("u", "b"), ("u", "b"), ("u", "c"), ("u", "a")], range(10, 16))
    )
    parts = split_tables(dataset, leave_one_out(dataset))
    rows = {part: list(table.itertuples(index=False, name=None)) for part, table in parts.items()}
    assert rows == {
        "train": [("u", "a", 10.0), ("v", "b", 11.0)],
        "valid": [("u", "b", 12.0)],
        "test": [("u", "c", 14.0)],
    }


def test_tables_of_a_drawn_split_hold_what_was_drawn():
    dataset = dataset_of({"u": "abcdef", "v": "uvwxyz"}, times=False)
    split = leave_one_out(dataset, seed=2)
    parts = split_tables(dataset, split)
    for user_id in ("u", "v"):
        own = {
            part: "".join(table.loc[table["user_id"] == user_id, "item_id"]) for part, table in parts.items()
        }
        assert (own["valid"], own["test"]) == held_out(dataset, split, user_id)
        assert own["train"] == known(dataset, split, "valid", user_id)


event_lists = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdef"), st.integers(0, 3)), min_size=1, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(event_lists, st.sampled_from(["time", "none"]))
def test_split_equals_the_rules_in_plain_python(events: list[tuple[str, str, int]], key: str):
    """The rules again, one person at a time, in the plainest words."""
    pairs = [(user, item) for user, item, _ in events]
    dataset = build_dataset(tables(pairs, [time for *_, time in events] if key == "time" else None))
    split = leave_one_out(dataset, seed=5)
    for user_id in dataset.users["user_id"]:
        now = known(dataset, split, "now", user_id)
        if key == "time":
            own = [event for event in events if event[0] == user_id]
            in_time = [item for _, item, _ in sorted(own, key=lambda event: event[2])]
            assert now == "".join(item for item, _ in groupby(in_time))  # a run of events is one touch
        new = list(dict.fromkeys(now))
        if len(new) < 3:
            expected = ("", ""), now, now
        else:
            trains = now[: now.index(new[-2])]
            expected = (new[-2], new[-1]), trains, trains + new[-2]
        found = (
            held_out(dataset, split, user_id),
            *(known(dataset, split, a, user_id) for a in ("valid", "test")),
        )
        assert found == expected
