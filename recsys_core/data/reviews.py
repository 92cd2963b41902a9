"""What people wrote about items, as part of the items' text and of their own: training events alone.

A review of a held-out event would tell a model what it is to predict, so none is read from the
validation or the test part, nor from what a person repeated after it.
"""

import numpy as np
import pandas as pd

from recsys_core.data.dataset import Dataset
from recsys_core.data.split import Split, ordered_items

MAX_REVIEW_CHARACTERS = 300  # of one review: its beginning says most
MAX_CHARACTERS = 1_000  # of all reviews of an item or by a person: text encoders read about as much


def item_texts(dataset: Dataset, split: Split) -> list[str]:
    """[n_items] what a text encoder reads of each item: its own text, and what was written of it in training.

    The newest reviews come first, as an encoder may cut the end.
    """
    own, written = dataset.item_texts(), _joined(dataset, split, "item", dataset.n_items)
    return [". ".join(part for part in parts if part) for parts in zip(own, written, strict=True)]


def person_texts(dataset: Dataset, split: Split) -> list[str]:
    """[n_users] what each person wrote in training, the newest first; "" for people who wrote nothing."""
    return _joined(dataset, split, "person", dataset.n_users)


def training_reviews(dataset: Dataset, split: Split) -> pd.DataFrame:
    """What was written in training, the newest first: `person` and `item` (row numbers from 0), `text`.

    A text that stands at several events of one person on one item counts once; one without a letter (a
    number of stars, say) not at all.
    """
    if dataset.reviews is None:
        return pd.DataFrame({"person": np.zeros(0, int), "item": np.zeros(0, int), "text": np.zeros(0, str)})
    people = dataset.events.rows
    place = np.arange(len(people)) - dataset.events.offsets[people]
    rows = np.flatnonzero(place < split.train_length[people])
    events = split.order[rows]
    written = pd.DataFrame(
        {
            "person": people[rows],
            "item": ordered_items(dataset, split)[rows] - 1,
            "text": dataset.reviews.iloc[events].str.strip().to_numpy(),
            "time": dataset.timestamp_s[events],
        }
    )
    told = written[[any(map(str.isalpha, text)) for text in written["text"]]]
    newest_first = told.iloc[::-1].sort_values("time", ascending=False, kind="stable")
    return newest_first.drop_duplicates(["person", "item", "text"])[["person", "item", "text"]]


def _joined(dataset: Dataset, split: Split, by: str, n: int) -> list[str]:
    """[n] the reviews of each item or person end to end, as many as fit."""
    written = training_reviews(dataset, split)
    cut = written["text"].str.slice(0, MAX_REVIEW_CHARACTERS)
    before = cut.str.len().groupby(written[by]).cumsum() - cut.str.len()
    fitting = cut[before < MAX_CHARACTERS]
    texts = [""] * n
    for number, group in fitting.groupby(written[by]):
        texts[int(str(number))] = " ".join(group)
    return texts
