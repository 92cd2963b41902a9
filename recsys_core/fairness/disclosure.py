"""What was shown of people before, so that no later answer gives a small group away beside it.

Two audits that are harmless one by one can tell about a few people by their difference: the same groups of
all people but five, or the parts of a group whose whole was hidden. What was shown can't be taken back, so
it is kept.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.cohorts import with_cohorts
from recsys_core.fairness.groups import group_labels
from recsys_core.fairness.suppression import EarlierTable, hidden_groups

Members = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shown:
    """One attribute's groups as they were shown.

    Attributes:
        by: the attribute or intersection.
        cohorts: that were attributes then.
        hidden: the groups that weren't shown.
        people: who was measured, a bit for each row of the table of people, as text.
        n_rows: rows of that table.
    """

    by: str
    cohorts: tuple[str, ...]
    hidden: tuple[str, ...]
    people: str
    n_rows: int

    @property
    def members(self) -> Members:
        """[n_rows] who was measured."""
        bits = np.frombuffer(b64decode(self.people), dtype=np.uint8)
        return np.unpackbits(bits, count=self.n_rows).astype(np.bool_)


def packed(members: Members) -> str:
    """Who was measured [n_rows], as text."""
    return b64encode(np.packbits(members).tobytes()).decode()


def same_people(shown: Sequence[Shown], members: Members) -> list[Shown]:
    """What was shown of exactly these people."""
    text = packed(members)
    return [one for one in shown if one.people == text and one.n_rows == len(members)]


def hidden_beside(
    shown: Sequence[Shown], users: pd.DataFrame, members: Members, by: Sequence[str], minimum: int
) -> dict[str, frozenset[str]]:
    """The groups of some people that may not be shown, beside what was shown of the table before.

    Args:
        shown: what was shown before, of the same table of people.
        users: the table: one row a person, `user_id` and attributes.
        members: [n_rows] whose groups would be shown.
        by: the attributes, or intersections.
        minimum: fewest people that may be shown or told apart.

    Raises:
        DataError: an attribute can't form groups of these people, or the answer would tell a few of them
            apart from those of an earlier one.
    """
    people = users[members].reset_index(drop=True)
    labels = {name: group_labels(people, name) for name in by}
    everybody = {name: group_labels(users, name) for name in by}
    refuse_differences(shown, members, np.flatnonzero(members), list(labels.values()), minimum, everybody)
    before = [
        EarlierTable(group_labels(with_cohorts(people, one.cohorts), one.by), frozenset(one.hidden))
        for one in same_people(shown, members)
    ]
    return hidden_groups(labels, minimum, before)


def refuse_differences(
    shown: Sequence[Shown],
    members: Members,
    places: NDArray[np.int64],
    labels: Sequence[pd.Series],
    minimum: int,
    table: Mapping[str, pd.Series] | None = None,
) -> None:
    """Refuses people who differ by only a few, in all or within a group, from those of an earlier answer.

    Args:
        shown: what was shown before, of the same table of people.
        members: [n_rows] who would be measured now.
        places: [n] the rows of some of them, in the order of the labels.
        labels: [n] their groups, for every attribute that would be shown.
        minimum: fewest people that may be told apart.
        table: the group of everybody in the table [n_rows] by each attribute that would be shown, so that
            groups which lose a few people are found too.

    Raises:
        DataError: how many people could be told apart, without naming the group.
    """
    for text in dict.fromkeys(one.people for one in shown if one.n_rows == len(members)):
        earlier = next(one.members for one in shown if one.people == text)
        added, gone = members & ~earlier, earlier & ~members
        new = ~earlier[places]
        few = [int(side.sum()) for side in (added, gone)]
        few += [int(n) for one in labels for n in one[new].value_counts()]
        told = {one.by for one in shown if one.people == text and not one.cohorts}
        few += [int(n) for by, one in (table or {}).items() if by in told for n in one[gone].value_counts()]
        if any(0 < n < minimum for n in few):
            raise DataError(
                f"this would show {int(members.sum())} people after an earlier answer showed "
                f"{int(earlier.sum())}; fewer than {minimum} people could be told apart by the difference. "
                "Ask by metrics that the same people have, or about far fewer people"
            )
