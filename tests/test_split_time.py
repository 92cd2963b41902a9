"""The global-time split: what came before a moment trains, for everybody; and what any split gives away."""

from dataclasses import replace

import numpy as np
import pytest
from hand_made import dataset_of, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.leakage import find_leakage
from recsys_core.data.reviews import written_in_training
from recsys_core.data.split import AsOf, Split, all_targets, histories, leave_one_out, split_tables, targets
from recsys_core.data.split_time import Which, global_time, time_boundaries
from recsys_core.errors import DataError

# ann acts at every second; bob early and late; eve comes late; dan leaves early.
EVENTS = [
    *(("ann", item, second) for second, item in enumerate("abcadefg")),
    ("bob", "a", 0), ("bob", "h", 5), ("bob", "b", 6), ("bob", "a", 7),
    ("eve", "a", 5), ("eve", "b", 7),
    ("dan", "c", 1), ("dan", "d", 2),
]  # fmt: skip


@pytest.fixture
def shop() -> Dataset:
    return build_dataset(tables([(user, item) for user, item, _ in EVENTS], [time for *_, time in EVENTS]))


def known(dataset: Dataset, split: Split, as_of: AsOf, user_id: str) -> str:
    return "".join(dataset.item_ids[histories(dataset, split, as_of)[dataset.user_number(user_id)]])


def held_out(dataset: Dataset, split: Split, user_id: str) -> tuple[str, str]:
    """The ids of a person's validation and test targets."""
    row = dataset.user_number(user_id)
    valid, test = (
        "".join(dataset.item_ids[all_targets(dataset, split, part)[row]]) for part in ("valid", "test")
    )
    return valid, test


PEOPLE = ("ann", "bob", "eve", "dan")


def test_what_came_before_a_moment_is_known_at_it(shop: Dataset):
    split = global_time(shop, 4, 6)
    assert [known(shop, split, "valid", user) for user in PEOPLE] == ["abca", "a", "", "cd"]
    assert [known(shop, split, "test", user) for user in PEOPLE] == ["abcade", "ah", "a", "cd"]


def test_the_first_new_item_after_a_moment_is_held_out(shop: Dataset):
    """eve did nothing before validation begins, so she has no validation target; dan does nothing later."""
    split = global_time(shop, 4, 6)
    found = {user: held_out(shop, split, user) for user in PEOPLE}
    assert found == {"ann": ("d", "f"), "bob": ("h", "b"), "eve": ("", "b"), "dan": ("", "")}
    assert targets(shop, split, "test")[shop.user_number("dan")] == 0


def test_all_new_items_after_a_moment_are_held_out_where_asked_for(shop: Dataset):
    split = global_time(shop, 4, 6, "all")
    found = {user: held_out(shop, split, user) for user in PEOPLE}
    assert found == {"ann": ("de", "fg"), "bob": ("h", "b"), "eve": ("", "b"), "dan": ("", "")}


def test_a_repeat_is_no_target(shop: Dataset):
    """ann's a at second 3 is a repeat, and so is bob's at 7."""
    split = global_time(shop, 3, 7, "all")
    assert held_out(shop, split, "ann") == ("def", "g")
    assert held_out(shop, split, "bob") == ("hb", "")


def test_an_event_at_the_moment_itself_is_held_out(shop: Dataset):
    split = global_time(shop, 4.0, 5.0)
    assert held_out(shop, split, "ann")[0] == "d"
    assert known(shop, split, "test", "ann") == "abcad"


def test_events_without_a_time_neither_train_nor_are_held_out():
    dataset = build_dataset(tables([("u", item) for item in "abcdx"], [0, 1, 2, 3, np.nan]))
    split = global_time(dataset, 1, 2, "all")
    assert held_out(dataset, split, "u") == ("b", "cd")
    assert known(dataset, split, "test", "u") == "ab"
    assert any("1 events without a time" in warning for warning in split.warnings)


@pytest.fixture
def cut_runs() -> Dataset:
    """ann is on a before and after 4, and on b before and after 8; d and e are new to her after these."""
    made = tables([("ann", item) for item in "aadbbbe"], [1, 4, 5, 6, 7, 8, 9])
    interactions = made.interactions.assign(
        event=["view", "purchase", "view", "view", "cart", "purchase", "view"],
        dwell_s=[5.0, 90.0, 1.0, 2.0, 3.0, 80.0, 1.0],
        review_text=["", "bought a", "", "saw b", "took b", "bought b", ""],
    )
    return build_dataset(replace(made, interactions=interactions))


@pytest.mark.parametrize(
    ("as_of", "items", "kinds", "dwell_s", "texts"),
    [
        ("valid", "a", ["view"], [5], [""]),
        ("test", "adb", ["purchase", "view", "cart"], [90, 1, 3], ["bought a", "", "took b"]),
        (
            "now",
            "adbe",
            ["purchase", "view", "purchase", "view"],
            [90, 1, 80, 1],
            ["bought a", "", "bought b", ""],
        ),
    ],
)
def test_of_a_run_that_a_moment_cuts_no_more_is_known_than_had_happened(
    cut_runs: Dataset, as_of: AsOf, items: str, kinds: list[str], dwell_s: list[float], texts: list[str]
):
    split = global_time(cut_runs, 4, 8)
    context = histories(cut_runs, split, as_of).context
    assert context is not None
    assert known(cut_runs, split, as_of, "ann") == items
    assert [cut_runs.event_types.values[code - 1] for code in context.types] == kinds
    assert context.dwell_s.tolist() == dwell_s
    assert [("", *cut_runs.written)[number] for number in context.texts] == texts


def test_what_is_written_after_the_moment_was_not_written_in_training(cut_runs: Dataset):
    assert not written_in_training(cut_runs, global_time(cut_runs, 4, 8)).any()


def test_people_without_a_test_target_are_counted_in_a_warning(shop: Dataset):
    assert global_time(shop, 4, 6).warnings[0].startswith("1 of 4 people have no test target")


def test_tables_name_what_is_known_but_neither_trains_nor_is_held_out(shop: Dataset):
    parts = split_tables(shop, global_time(shop, 4, 6))
    rows = {
        part: sorted(zip(table["user_id"], table["item_id"], strict=True)) for part, table in parts.items()
    }
    assert rows["valid"] == [("ann", "d"), ("bob", "h")]
    assert rows["test"] == [("ann", "f"), ("bob", "b"), ("eve", "b")]
    assert rows["known"] == [("ann", "e"), ("eve", "a")]
    assert len(rows["train"]) == 7


def test_boundaries_hold_out_the_shares_that_were_asked_for():
    dataset = build_dataset(tables([("u", f"i{n}") for n in range(100)], range(1_000, 1_100)))
    assert time_boundaries(dataset, valid_share=0.2, test_share=0.1) == (1_070, 1_090)


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        (None, "no event has a time"),
        ([5] * 6, "1 different times are too few"),
        ([1] * 5 + [2], "2 different"),
    ],
)
def test_data_that_time_does_not_divide_are_refused(times: list[float] | None, sentence: str):
    dataset = build_dataset(tables([("u", item) for item in "abcdef"], times))
    with pytest.raises(DataError, match=sentence):
        time_boundaries(dataset)


@pytest.mark.parametrize(
    ("moments", "sentence"),
    [
        ((6, 4), "validation would begin at 6 and test at 4"),
        ((0, 4), "0 training events"),
        ((4, 900), "0 test targets"),
        ((6.5, 6.6), "0 validation"),
    ],
)
def test_an_empty_part_is_refused(shop: Dataset, moments: tuple[float, float], sentence: str):
    with pytest.raises(DataError, match=sentence):
        global_time(shop, *moments)


events = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdef"), st.integers(0, 9)), min_size=1, max_size=40
)


@settings(max_examples=100, deadline=None)
@given(events, st.sampled_from(["first", "all"]))
def test_split_equals_the_rules_in_plain_python(rows: list[tuple[str, str, int]], which: Which):
    dataset = build_dataset(tables([row[:2] for row in rows], [row[2] for row in rows]))
    try:
        split = global_time(dataset, 4, 7, which)
    except DataError:
        return
    for user_id in dataset.users["user_id"]:
        own = sorted([row for row in rows if row[0] == user_id], key=lambda row: row[2])
        before = {moment: [item for _, item, time in own if time < moment] for moment in (4, 7, 99)}
        new = [
            [item for item in dict.fromkeys(before[until]) if item not in before[since] and before[since]]
            for since, until in ((4, 7), (7, 99))
        ]
        valid, test = ("".join(items[:1] if which == "first" else items) for items in new)
        assert held_out(dataset, split, user_id) == (valid, test)
        assert set(known(dataset, split, "test", user_id)) == set(before[7])
    leakage = find_leakage(dataset, split)
    assert leakage.clean
    assert leakage.later_training_share == 0


def test_leaving_one_out_leaks_no_pair_but_trains_on_the_future_of_others():
    """Test targets are c at 2 and f at 12; training is a at 0 and d at 10: half of it is later than c."""
    pairs = [("u", "a"), ("u", "b"), ("u", "c"), ("v", "d"), ("v", "e"), ("v", "f")]
    dataset = build_dataset(tables(pairs, [0, 1, 2, 10, 11, 12]))
    leakage = find_leakage(dataset, leave_one_out(dataset))
    assert leakage.clean
    assert leakage.n_targets == 4
    assert leakage.later_training_share == (1 / 2 + 0) / 2


def test_training_at_the_second_of_a_target_is_not_later():
    pairs = [("u", "a"), ("u", "b"), ("u", "c"), ("v", "d"), ("v", "e"), ("v", "f")]
    dataset = build_dataset(tables(pairs, [0, 1, 2, 2, 3, 4]))
    assert find_leakage(dataset, leave_one_out(dataset)).later_training_share == 0


def test_leakage_over_time_is_not_known_without_times():
    dataset = dataset_of({"u": "abcd", "v": "bcda"}, times=False)
    leakage = find_leakage(dataset, leave_one_out(dataset))
    assert leakage.clean
    assert np.isnan(leakage.later_training_share)


def test_a_split_that_trains_on_its_targets_is_found_out():
    dataset = dataset_of({"u": "abcd", "v": "bcda"})
    split = leave_one_out(dataset)
    leaky = replace(split, train_length=split.train_length + np.array([1, 0]))
    found = find_leakage(dataset, leaky)
    assert (found.clean, found.in_training, found.in_history) == (False, 1, 1)


def test_a_repeat_of_a_target_in_training_is_found_out():
    """The pair leaks, though the held-out event itself doesn't train."""
    dataset = dataset_of({"u": "abca"})
    split = leave_one_out(dataset)
    moved = replace(split, test_rows=Histories(np.array([3]), split.test_rows.offsets))
    found = find_leakage(dataset, moved)
    assert (found.clean, found.in_training, found.in_history) == (False, 1, 1)


def test_what_is_held_out_twice_is_found_out():
    dataset = dataset_of({"u": "abcd"})
    split = leave_one_out(dataset)
    found = find_leakage(dataset, replace(split, valid_rows=split.test_rows))
    assert (found.clean, found.held_out_twice) == (False, 1)
