"""What people wrote about items, as part of the items' text: training events alone.

A review of a held-out event would tell a model what it is to predict, so none is read from the
validation or the test part, nor from what a person repeated after it. (What a person wrote is read with the
events of their history, too: there it is known as soon as the event is. See `EventContext.texts`.)
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.dataset import Dataset
from recsys_core.data.split import Split, histories, ordered_items

MAX_REVIEW_CHARACTERS = 300  # of one review: its beginning says most
MAX_CHARACTERS = 1_000  # of all reviews of an item: text encoders read about as much


def item_texts(dataset: Dataset, split: Split) -> list[str]:
    """[n_items] what a text encoder reads of each item: its own text, and what was written of it in training.

    The newest reviews come first, as an encoder may cut the end.
    """
    own, written = dataset.item_texts(), _joined(dataset, split)
    return [". ".join(part for part in parts if part) for parts in zip(own, written, strict=True)]


def training_reviews(dataset: Dataset, split: Split) -> pd.DataFrame:
    """What was written in training, the newest first: `person` and `item` (row numbers from 0), `text`.

    A text that stands at several events of one person on one item counts once; one without a letter (a
    number of stars, say) not at all.
    """
    context = dataset.events.context
    if context is None or not dataset.written:
        return pd.DataFrame({"person": np.zeros(0, int), "item": np.zeros(0, int), "text": np.zeros(0, str)})
    people = dataset.events.rows
    place = np.arange(len(people)) - dataset.events.offsets[people]
    rows = np.flatnonzero(place < split.train_length[people])
    events = split.order[rows]
    said = context.texts[events] > 0
    rows, events = rows[said], events[said]
    written = pd.DataFrame(
        {
            "person": people[rows],
            "item": ordered_items(dataset, split)[rows] - 1,
            "text": np.array(dataset.written, dtype=object)[context.texts[events] - 1],
            "time": dataset.timestamp_s[events],
        }
    )
    newest_first = written.iloc[::-1].sort_values("time", ascending=False, kind="stable")
    return newest_first.drop_duplicates(["person", "item", "text"])[["person", "item", "text"]]


def written_in_training(dataset: Dataset, split: Split) -> NDArray[np.bool_]:
    """[len(dataset.written)] which texts stand at an event of the training part."""
    found = np.zeros(len(dataset.written) + 1, dtype=bool)
    known = histories(dataset, split, "valid").context
    if known is not None:
        found[known.texts] = True
    return found[1:]


def _joined(dataset: Dataset, split: Split) -> list[str]:
    """[n_items] the reviews of each item end to end, as many as fit."""
    written = training_reviews(dataset, split)
    cut = written["text"].str.slice(0, MAX_REVIEW_CHARACTERS)
    before = cut.str.len().groupby(written["item"]).cumsum() - cut.str.len()
    fitting = cut[before < MAX_CHARACTERS]
    texts = [""] * dataset.n_items
    for number, group in fitting.groupby(written["item"]):
        texts[int(str(number))] = " ".join(group)
    return texts
