"""What a mitigation does beside closing its gap: to each group of people, to items, to groups of items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_core.actions.causes import usable_attributes
from recsys_core.actions.loaded import LoadedModel
from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.data.split import histories
from recsys_core.fairness.exposure_groups import POPULARITY, item_groups
from recsys_core.fairness.groups import group_labels
from recsys_core.fairness.mitigation import Change, paired_change
from recsys_core.metrics.popularity import item_popularity
from recsys_core.ranker.evaluation import Evaluation
from recsys_core.ranker.policy_values import exposure_shares
from recsys_core.ranker.protocol import Ranker


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What the chosen policy does to a group, among the people who had no part in choosing it."""

    attribute: str
    group: str
    n: int
    change: Change


@dataclass(frozen=True, slots=True)
class ItemChange:
    """A figure of everybody's lists before and after: of the items, so without an interval."""

    name: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class ItemGroupChange:
    """A group of items' mean share of the exposure of a list, 0 to 1, before and after."""

    attribute: str
    group: str
    n_items: int
    change: Change


def attributes_told(model: LoadedModel, by: str) -> tuple[str, ...]:
    """The attributes whose groups side effects tell of, the one whose gap is closed first."""
    return tuple(dict.fromkeys([by, *usable_attributes(model)]))


def group_changes(
    model: LoadedModel,
    hidden: Mapping[str, frozenset[str]],
    showing: IntArray,
    before: FloatArray,
    after: FloatArray,
    draws: int,
    seed: int,
) -> tuple[GroupChange, ...]:
    """The change for every group of every attribute among the showing people, all but the hidden ones."""
    users, rows = model.data.dataset.users, list[GroupChange]()
    for name in hidden:
        own = group_labels(users, name).iloc[showing]
        for group in map(str, own.cat.categories):
            inside = np.asarray(own.astype(str) == group)
            if group not in hidden[name] and inside.any():
                change = paired_change(before[inside], after[inside], draws, seed)
                rows.append(GroupChange(name, group, int(inside.sum()), change))
    return tuple(rows)


def item_changes(before: Evaluation, after: Evaluation) -> tuple[ItemChange, ...]:
    """What everybody's lists are like, before and after."""
    names = [f"{name}@{before.k}" for name in ("coverage", "gini", "novelty", "popularity", "diversity")]
    return tuple(ItemChange(name, before.mean(name), after.mean(name)) for name in names)


def item_group_changes(
    model: LoadedModel,
    attributes: Sequence[str],
    after: Ranker,
    showing: IntArray,
    k: int,
    draws: int,
    seed: int,
) -> tuple[ItemGroupChange, ...]:
    """The exposure of head, middle, tail and each group of these attributes on the showing people's lists.

    Raises:
        DataError: there is no such attribute of items.
    """
    data, split = model.data.dataset, model.data.split
    n_people = item_popularity(histories(data, split, "valid"), data.n_items).n_people
    rows = list[ItemGroupChange]()
    for attribute in dict.fromkeys([POPULARITY, *attributes]):
        found = item_groups(data.items, attribute, n_people)
        both = [
            exposure_shares(ranker, data, split, showing, found.membership, k)
            for ranker in (model.ranker, after)
        ]
        for number, group in enumerate(found.groups):
            change = paired_change(both[0][number], both[1][number], draws, seed)
            rows.append(ItemGroupChange(attribute, group, int(found.n_items[number]), change))
    return tuple(rows)
