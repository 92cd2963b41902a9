"""Who chooses a mitigation and who shows it, and which groups of them are compared."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.actions.loaded import LoadedModel
from recsys_core.data.dataset import IntArray
from recsys_core.errors import DataError
from recsys_core.fairness.groups import UNKNOWN, group_labels
from recsys_core.fairness.suppression import SMALLEST_GROUP, hidden_groups

FEWEST_IN_A_HALF = 20  # people of a group from which something is fitted for it


@dataclass(frozen=True, slots=True)
class Halves:
    """Who chooses, who shows, and who is in which group.

    Attributes:
        fitting: numbers of the people who choose.
        showing: numbers of the people who show.
        groups: those that are compared.
        codes: [n_users] the place of each person's group among them; −1 = none.
    """

    fitting: IntArray
    showing: IntArray
    groups: tuple[str, ...]
    codes: IntArray


def halves_of(model: LoadedModel, by: str, seed: int, minimum: int = SMALLEST_GROUP) -> Halves:
    """Who chooses and who shows: everybody with held-out items, cut in two by the seed.

    Args:
        model: whose people.
        by: an attribute, or several crossed.
        seed: of the halves.
        minimum: fewest people of a group that may be shown.

    Raises:
        DataError: an attribute that can't form groups, or fewer than two groups with people enough.
    """
    split, labels = model.data.split, group_labels(model.data.dataset.users, by)
    people = np.flatnonzero((split.valid_row >= 0) & (split.test_row >= 0))
    drawn = np.random.default_rng(seed).permutation(people)
    fitting, showing = np.sort(drawn[: len(people) // 2]), np.sort(drawn[len(people) // 2 :])
    groups = _groups(labels, fitting, showing, by, minimum)
    codes = pd.Index(groups).get_indexer(pd.Index(labels.astype(str))).astype(np.int64)
    return Halves(fitting, showing, tuple(groups), codes)


def _groups(labels: pd.Series, fitting: IntArray, showing: IntArray, by: str, minimum: int) -> list[str]:
    """The groups that may be shown in each half and have people enough there.

    Raises:
        DataError: there are fewer than two.
    """
    halves = [labels.iloc[people].reset_index(drop=True) for people in (fitting, showing)]
    groups = [str(group) for group in labels.cat.categories if group != UNKNOWN]
    for half in halves:
        hidden = hidden_groups({by: half}, minimum)[by]
        counts = half.astype(str).value_counts()
        groups = [
            group for group in groups if group not in hidden and int(counts.get(group, 0)) >= FEWEST_IN_A_HALF
        ]
    if len(groups) < 2:
        raise DataError(
            f"{by} has fewer than 2 groups of {max(minimum, FEWEST_IN_A_HALF)} people in each half of those "
            "who have held-out items, so there is no gap to close"
        )
    return groups
