"""People and items under numbers, and everybody's events in order."""

import numpy as np
import pandas as pd
import pytest
from hand_made import dataset_of, histories_in, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.schema import Tables
from recsys_core.errors import DataError, NotFoundError

sequences = st.lists(st.lists(st.integers(1, 9), max_size=7), max_size=6)


def ids_of(dataset: Dataset, user_id: str) -> str:
    """The ids of a person's items, one letter each, in order."""
    return "".join(dataset.item_ids[dataset.events[dataset.user_number(user_id)]])


def test_histories_give_back_the_sequences_they_were_made_of():
    histories = Histories.of([[3, 1], [], [2]])
    assert [sequence.tolist() for sequence in histories_in(histories)] == [[3, 1], [], [2]]
    assert len(histories) == 3
    assert histories.lengths.tolist() == [2, 0, 1]
    assert histories.rows.tolist() == [0, 0, 2]


def test_histories_of_nobody_are_empty():
    histories = Histories.of([])
    assert len(histories) == 0
    assert histories.padded(5).shape == (0, 0)


def test_take_gives_rows_in_the_order_asked_for_and_twice_if_asked_twice():
    histories = Histories.of([[1], [2, 3], []])
    taken = histories.take(np.array([1, 2, 1, 0]))
    assert [sequence.tolist() for sequence in histories_in(taken)] == [[2, 3], [], [2, 3], [1]]


def test_take_of_no_rows_is_empty():
    assert len(Histories.of([[1], [2]]).take(np.zeros(0, dtype=np.int64))) == 0


def test_padded_keeps_the_last_items_and_puts_zeros_behind():
    histories = Histories.of([[1, 2, 3, 4], [], [5]])
    assert histories.padded(3).tolist() == [[2, 3, 4], [0, 0, 0], [5, 0, 0]]


def test_padded_to_nothing_has_no_column():
    assert Histories.of([[1, 2]]).padded(0).shape == (1, 0)


def test_padded_is_no_wider_than_the_longest_sequence():
    assert Histories.of([[1, 2], [3]]).padded(50).shape == (2, 2)


@settings(max_examples=50, deadline=None)
@given(sequences, st.integers(0, 8))
def test_padded_rows_hold_the_end_of_each_sequence(made_of: list[list[int]], max_length: int):
    padded = Histories.of(made_of).padded(max_length)
    for row, sequence in zip(padded.tolist(), made_of, strict=True):
        kept = sequence[len(sequence) - min(max_length, len(sequence)) :]
        assert row == kept + [0] * (padded.shape[1] - len(kept))


@settings(max_examples=50, deadline=None)
@given(sequences.filter(len), st.data())
def test_take_equals_plain_indexing(made_of: list[list[int]], data: st.DataObject):
    rows = data.draw(st.lists(st.integers(0, len(made_of) - 1), max_size=8))
    taken = Histories.of(made_of).take(np.array(rows, dtype=np.int64))
    assert [sequence.tolist() for sequence in histories_in(taken)] == [made_of[row] for row in rows]


def test_people_count_from_zero_and_items_from_one_in_the_order_of_their_tables():
    dataset = dataset_of({"ann": "ba", "bob": "c"})
    assert [dataset.user_number(user) for user in ("ann", "bob")] == [0, 1]
    assert [dataset.item_number(item) for item in "bac"] == [1, 2, 3]
    assert dataset.item_ids.tolist() == ["", "b", "a", "c"]


def test_ids_stay_text_as_they_came():
    dataset = build_dataset(tables([("007", " x "), ("7", "1.0")], [1, 2]))
    assert dataset.user_number("007") == 0
    assert dataset.user_number("7") == 1
    assert dataset.item_ids.tolist() == ["", " x ", "1.0"]


def test_events_are_in_order_of_time_within_each_person():
    dataset = build_dataset(tables([("u", "a"), ("v", "x"), ("u", "b"), ("u", "c")], [30, 5, 10, 20]))
    assert ids_of(dataset, "u") == "bca"
    assert ids_of(dataset, "v") == "x"
    assert dataset.timestamp_s.tolist() == [10, 20, 30, 5]
    assert dataset.time_key == "timestamp_s"


def test_events_of_one_second_stay_in_the_order_of_the_file():
    items = "hgfedcba"
    dataset = build_dataset(tables([("u", item) for item in items], [7] * 8))
    assert ids_of(dataset, "u") == items


def test_events_of_one_second_go_by_the_order_column_where_there_is_one():
    dataset = build_dataset(tables([("u", "a"), ("u", "b"), ("u", "c")], [7, 7, 6], orders=[2, 1, 3]))
    assert ids_of(dataset, "u") == "cba"


def test_events_without_times_go_by_the_order_column():
    dataset = build_dataset(tables([("u", "a"), ("u", "b"), ("u", "c")], orders=[2, 3, 1]))
    assert ids_of(dataset, "u") == "cab"
    assert dataset.time_key == "order"


def test_events_with_neither_time_nor_order_stay_as_they_came():
    dataset = build_dataset(tables([("u", "b"), ("u", "a")]))
    assert ids_of(dataset, "u") == "ba"
    assert dataset.time_key == "none"
    assert np.isnan(dataset.timestamp_s).all()


def test_an_event_without_a_time_comes_after_those_that_have_one():
    dataset = build_dataset(tables([("u", "a"), ("u", "b"), ("u", "c")], [np.nan, 9, 3]))
    assert ids_of(dataset, "u") == "cba"


def test_repeats_are_kept():
    assert ids_of(dataset_of({"u": "aaba"}), "u") == "aaba"


def test_people_without_an_event_have_an_empty_history():
    dataset = build_dataset(tables([("v", "a")], [1], users=["u", "v", "w"]))
    assert [ids_of(dataset, user) for user in ("u", "v", "w")] == ["", "a", ""]


def test_no_interaction_is_an_error():
    nothing = pd.DataFrame({"user_id": [], "item_id": []}, dtype=str)
    with pytest.raises(DataError, match="no interaction"):
        build_dataset(Tables(nothing, nothing[["item_id"]], nothing[["user_id"]]))


def test_unknown_person_is_named_beside_ids_that_exist():
    with pytest.raises(NotFoundError, match=r"no person 'eve' among the 2 of this data set .*ann, bob"):
        dataset_of({"ann": "a", "bob": "a"}).user_number("eve")


def test_unknown_item_is_named():
    with pytest.raises(NotFoundError, match="no item 'z'"):
        dataset_of({"ann": "a"}).item_number("z")


def test_an_item_without_a_title_is_called_by_its_id():
    made = tables([("u", "a"), ("u", "b")])
    made.items["title"] = ["", "Emma"]
    assert build_dataset(made).titles.tolist() == ["", "a", "Emma"]


def test_the_text_of_an_item_leaves_out_what_is_not_known():
    made = tables([("u", "a"), ("u", "b")])
    made.items["title"] = ["Emma", ""]
    made.items["category"] = ["Novel|Classic", ""]
    made.items["text"] = ["A matchmaker errs", ""]
    assert build_dataset(made).item_texts() == ["Emma. Novel, Classic. A matchmaker errs", ""]
