"""Whether a split lets a model see what it is tested on."""

from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.split import Split, all_targets, history_rows, ordered_items


@dataclass(frozen=True, slots=True)
class Leakage:
    """What a split gives away; pairs are of a person and an item.

    Attributes:
        n_targets: held-out pairs, validation and test together.
        in_training: held-out pairs that are also in training; must be 0.
        in_history: held-out pairs that are also in the history which they are ranked from; must be 0.
        held_out_twice: pairs that are a validation target and a test target; must be 0.
        later_training_share: mean over test targets of the share of training events that happened
            later than the target, 0 to 1; NaN without times. 0 for a split by time. Leaving one out by
            person it is not 0: other people's later events train the model. That is a known limit of the
            protocol (Ji, Sun, Zhang & Li, TOIS 2023), the same for every model that is compared under it.
    """

    n_targets: int
    in_training: int
    in_history: int
    held_out_twice: int
    later_training_share: float

    @property
    def clean(self) -> bool:
        """Whether no held-out pair is anywhere where the model could learn it by heart."""
        return self.in_training == self.in_history == self.held_out_twice == 0


def find_leakage(dataset: Dataset, split: Split) -> Leakage:
    """Held-out pairs that are in training or in histories, and how far training sees ahead."""
    valid, test = (_pairs(all_targets(dataset, split, part), dataset) for part in ("valid", "test"))
    place = np.arange(len(split.order)) - np.repeat(dataset.events.offsets[:-1], dataset.events.lengths)
    trains = np.flatnonzero(place < np.repeat(split.train_length, dataset.events.lengths))
    training = _pairs_at(trains, dataset, split)
    known_valid, known_test = (
        _pairs_at(history_rows(dataset, split, part).items, dataset, split) for part in ("valid", "test")
    )
    return Leakage(
        n_targets=len(valid) + len(test),
        in_training=int(np.isin(np.concatenate([valid, test]), training).sum()),
        in_history=int(np.isin(valid, known_valid).sum() + np.isin(test, known_test).sum()),
        held_out_twice=int(np.isin(valid, test).sum()),
        later_training_share=_later_share(
            dataset.timestamp_s[split.order[trains]], dataset.timestamp_s[split.order[split.test_rows.items]]
        ),
    )


def _pairs(items: Histories, dataset: Dataset) -> IntArray:
    return items.rows * (dataset.n_items + 1) + items.items


def _pairs_at(rows: IntArray, dataset: Dataset, split: Split) -> IntArray:
    return dataset.events.rows[rows] * (dataset.n_items + 1) + ordered_items(dataset, split)[rows]


def _later_share(training_s: FloatArray, targets_s: FloatArray) -> float:
    known, targets = np.sort(training_s[~np.isnan(training_s)]), targets_s[~np.isnan(targets_s)]
    if len(known) == 0 or len(targets) == 0:
        return float("nan")
    earlier = np.searchsorted(known, targets, side="right")
    return float(1 - earlier.mean() / len(known))
