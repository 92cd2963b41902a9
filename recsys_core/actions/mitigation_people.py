"""Who chooses a mitigation and who shows it, and which groups of them are compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.actions.group_answers import GroupAnswer, hidden_in, members_of, record_answers
from recsys_core.actions.loaded import LoadedModel
from recsys_core.data.dataset import IntArray
from recsys_core.errors import DataError, DifferenceError
from recsys_core.fairness.groups import UNKNOWN, group_labels
from recsys_core.store.workspace import Workspace

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


def halves_of(model: LoadedModel, by: str, seed: int, hidden: frozenset[str]) -> Halves:
    """Who chooses and who shows: everybody with held-out items, cut in two by the seed.

    Args:
        model: whose people.
        by: the attribute whose groups are compared.
        seed: of the halves.
        hidden: groups that may not be shown, as `halves_shown` says.

    Raises:
        DataError: an attribute that can't form groups, or fewer than two groups with people enough.
    """
    labels, (fitting, showing) = group_labels(model.data.dataset.users, by), drawn_halves(model, seed)
    groups = [group for group in _large_groups(labels, fitting, showing) if group not in hidden]
    if len(groups) < 2:
        raise DataError(
            f"{by} has fewer than 2 groups of {FEWEST_IN_A_HALF} people in each half of those who have "
            "held-out items that may be shown, so there is no gap to close"
        )
    codes = pd.Index(groups).get_indexer(pd.Index(labels.astype(str))).astype(np.int64)
    return Halves(fitting, showing, tuple(groups), codes)


def drawn_halves(model: LoadedModel, seed: int) -> tuple[IntArray, IntArray]:
    """The numbers of the people who choose, and of those who show."""
    split = model.data.split
    people = np.flatnonzero((split.valid_row >= 0) & (split.test_row >= 0))
    drawn = np.random.default_rng(seed).permutation(people)
    return np.sort(drawn[: len(people) // 2]), np.sort(drawn[len(people) // 2 :])


@dataclass(frozen=True, slots=True)
class HalvesShown:
    """What a mitigation shows of its halves.

    Attributes:
        answers: about the half that chooses, and about the half that shows.
        hidden: the groups of each attribute that may not be shown. A group is hidden where it is small in
            either half, because an audit of all tells of one half what the other one leaves.
    """

    answers: tuple[GroupAnswer, ...]
    hidden: dict[str, frozenset[str]]


def halves_shown(
    workspace: Workspace | None, model: LoadedModel, attributes: Sequence[str], seed: int
) -> HalvesShown:
    """What a mitigation by the halves of a seed may show of the groups of some attributes.

    Raises:
        DataError: an attribute can't form groups.
        DifferenceError: a few people could be told apart by what was shown of other halves.
    """
    everybody = np.ones(model.data.dataset.n_users, dtype=np.bool_)
    halves = zip(("chooses", "shows"), drawn_halves(model, seed), strict=True)
    answers = tuple(
        GroupAnswer(members_of(model.data, half), tuple(attributes), "mitigations", everybody, topic=role)
        for role, half in halves  # a topic each: they have nobody in common, and are only held against others
    )
    try:
        found = [hidden_in(workspace, model.data, answer) for answer in answers]
    except DifferenceError as error:
        raise DifferenceError(f"{error}; or by the seed of the halves that were shown before") from error
    return HalvesShown(answers, {name: found[0][name] | found[1][name] for name in attributes})


def record_halves(workspace: Workspace | None, model: LoadedModel, shown: HalvesShown) -> None:
    """Keeps that all but the hidden groups of both halves are shown; to be called before they are.

    Raises:
        DataError: beside what was shown since, they would tell of a few people.
    """
    record_answers(workspace, model.data, [(answer, shown.hidden) for answer in shown.answers])


def _large_groups(labels: pd.Series, fitting: IntArray, showing: IntArray) -> list[str]:
    """The groups that have people enough in each half to fit something for them."""
    counts = [labels.iloc[people].astype(str).value_counts() for people in (fitting, showing)]
    return [
        str(group)
        for group in labels.cat.categories
        if group != UNKNOWN and min(int(own.get(str(group), 0)) for own in counts) >= FEWEST_IN_A_HALF
    ]
