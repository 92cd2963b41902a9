"""What people wrote joins the items' text, and nothing of it comes from held-out events."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from data_reading import read_here
from hand_made import tables

from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.mapping import guess_mapping
from recsys_core.data.reviews import (
    MAX_CHARACTERS,
    item_texts,
    training_reviews,
    written_in_training,
)
from recsys_core.data.schema import Tables
from recsys_core.data.split import leave_one_out
from recsys_core.pipeline import encode_items

# ann's last two new items, c and d, are held out; bob has two items, which all train.
PAIRS = [("ann", "a"), ("bob", "a"), ("ann", "b"), ("bob", "b"), ("ann", "c"), ("ann", "d"), ("ann", "a")]
WRITTEN = ["fine", "dull", "odd", "", "secret of c", "secret of d", "seen again"]


def reviewed(written: Sequence[str], titles: dict[str, str] | None = None, times: bool = True) -> Dataset:
    """The data set of PAIRS with these reviews, one an event."""
    made = tables(PAIRS, list(range(len(PAIRS))) if times else None)
    items = made.items.assign(title=[(titles or {}).get(item, "") for item in made.items["item_id"]])
    interactions = made.interactions.assign(review_text=pd.Series(written, dtype="str"))
    return build_dataset(Tables(interactions, items, made.users))


def test_reviews_of_training_join_the_items_text_the_newest_first():
    dataset = reviewed(WRITTEN, {"a": "Alien", "c": "Cube"})
    assert item_texts(dataset, leave_one_out(dataset)) == ["Alien. dull fine", "odd", "Cube", ""]


def test_texts_of_training_are_told_from_those_of_held_out_events():
    dataset = reviewed(WRITTEN)
    assert dataset.written == ("fine", "dull", "odd", "secret of c", "secret of d", "seen again")
    assert written_in_training(dataset, leave_one_out(dataset)).tolist() == [True] * 3 + [False] * 3


@pytest.mark.parametrize("event", [4, 5, 6], ids=["validation", "test", "after both"])
def test_what_was_written_at_a_held_out_event_changes_nothing(event: int):
    others = [*WRITTEN]
    others[event] = "something else entirely"
    before, after = reviewed(WRITTEN), reviewed(others)
    split = leave_one_out(before)
    assert item_texts(before, split) == item_texts(after, split)
    assert not any("secret" in text or "again" in text for text in item_texts(before, split))


def test_what_was_written_at_a_training_event_changes_the_items_vectors(tmp_path: Path):
    def vectors(written: Sequence[str]) -> np.ndarray:
        dataset = reviewed(written, {"a": "Alien", "b": "Brazil", "c": "Cube", "d": "Dune"})
        split = leave_one_out(dataset)
        text = encode_items(
            dataset, split, "character-ngrams", torch.device("cpu"), tmp_path, lambda share, message: None
        )
        assert text is not None
        return text.vectors

    plain = vectors([""] * len(PAIRS))
    assert np.array_equal(plain, vectors([*[""] * 4, "held out", "held out", "held out"]))
    assert not np.array_equal(plain, vectors(["trains", *[""] * 6]))


def test_without_times_reviews_come_in_the_order_that_the_seed_drew():
    dataset = reviewed(WRITTEN, times=False)
    for seed in range(5):
        split = leave_one_out(dataset, seed)
        trained = split.order[: split.train_length[0]]  # ann comes first
        texts = np.array(["", *dataset.written])[dataset.events.context.texts]
        told = training_reviews(dataset, split)
        expected = [text for text in texts[trained[::-1]] if text]
        assert told.loc[told["person"] == 0, "text"].tolist() == expected


def test_a_data_set_without_reviews_keeps_the_items_own_texts():
    made = tables(PAIRS, list(range(len(PAIRS))))
    dataset = build_dataset(made)
    split = leave_one_out(dataset)
    assert dataset.written == ()
    assert item_texts(dataset, split) == dataset.item_texts()
    assert reviewed([""] * len(PAIRS)).written == ()


def test_a_text_at_several_events_of_one_person_and_item_counts_once():
    made = tables([("ann", "a"), ("ann", "a"), ("bob", "a")], [0, 1, 2])
    interactions = made.interactions.assign(review_text=pd.Series(["good", " good ", "good"], dtype="str"))
    dataset = build_dataset(Tables(interactions, made.items, made.users))
    assert item_texts(dataset, leave_one_out(dataset)) == ["good good"]


def test_a_review_without_a_letter_says_nothing():
    dataset = reviewed(["4.5", "!!", "很好", "👍", "", "", ""])
    assert item_texts(dataset, leave_one_out(dataset)) == ["", "很好", "", ""]


def test_long_reviews_are_cut_and_many_are_left_out():
    n = 20
    made = tables([(f"p{row}", "a") for row in range(n)], list(range(n)))
    written = pd.Series([f"{row:02d}" + "x" * 5_000 for row in range(n)], dtype="str")
    dataset = build_dataset(Tables(made.interactions.assign(review_text=written), made.items, made.users))
    (text,) = item_texts(dataset, leave_one_out(dataset))
    assert [part[:2] for part in text.split()] == ["19", "18", "17", "16"]
    assert {len(part) for part in text.split()} == {300}
    assert len(text) < 2 * MAX_CHARACTERS


@pytest.mark.parametrize(
    "name",
    ["reviewText", "review", "comment", "Review Content", "comment_text", "评论", "评论内容", "评价", "点评"],
)
def test_a_column_of_reviews_is_known_by_its_name(name: str):
    columns = ["user_id", "item_id", name]
    mapping = guess_mapping(columns, pd.DataFrame([["u", "i", "fine"]], columns=columns), "interactions")
    assert dict(mapping.pairs).get("review_text") == name


def test_reviews_come_through_an_import(tmp_path: Path):
    rows = ["u1,i1,1,Loved it", 'u2,i1,2,"Too long, and loud"', "u1,i2,3,", "u2,i2,4,很好看"]
    content = "\n".join(["user_id,item_id,timestamp,comment", *rows])
    dataset = build_dataset(read_here(tmp_path, content.encode()).tables)
    split = leave_one_out(dataset)
    assert item_texts(dataset, split) == ["Too long, and loud Loved it", "很好看"]
