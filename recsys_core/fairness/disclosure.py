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

from recsys_core.errors import DifferenceError
from recsys_core.fairness.cohorts import with_cohorts
from recsys_core.fairness.groups import UNKNOWN, forms_groups, group_labels
from recsys_core.fairness.suppression import NOT_MEASURED, EarlierTable, hidden_groups

Members = NDArray[np.bool_]
Conditions = tuple[tuple[str, str], ...]
EVERYBODY = (
    ""  # in the place of an attribute: those who meet the conditions, all of them where there are none
)
INSIDE, OUTSIDE = "in", "out"


@dataclass(frozen=True, slots=True)
class Shown:
    """One attribute's groups as they were shown, or one subgroup and everybody else.

    Attributes:
        by: the attribute or intersection; "" = a subgroup, or everybody together.
        cohorts: that were attributes then.
        hidden: the groups that weren't shown.
        people: who was measured, a bit for each row of the table of people, as text.
        n_rows: rows of that table.
        formed: among whom numbers were cut into bins, written like `people`; "" = among those measured.
        conditions: attribute and group, all of which hold in a subgroup.
        topic: figures of different topics can't be subtracted from each other, such as scores of two items.
        only_sizes: numbers of people alone were shown. They can't be subtracted from the figures of other
            people, so these are not refused, but from their numbers.
    """

    by: str
    cohorts: tuple[str, ...]
    hidden: tuple[str, ...]
    people: str
    n_rows: int
    formed: str = ""
    conditions: Conditions = ()
    topic: str = ""
    only_sizes: bool = False

    @property
    def members(self) -> Members:
        """[n_rows] who was measured."""
        return _unpacked(self.people, self.n_rows)

    @property
    def among(self) -> Members:
        """[n_rows] among whom its groups were formed."""
        return _unpacked(self.formed or self.people, self.n_rows)

    def table(self, people: pd.DataFrame, users: pd.DataFrame) -> EarlierTable:
        """What somebody saw of these people.

        Args:
            people: one row for each of those measured, in the order of the labels wanted.
            users: the table of people.
        """
        among = users[self.among] if self.formed else people
        labels = labels_among(with_cohorts(among, self.cohorts), people, self.by, self.conditions)
        return EarlierTable(labels, frozenset(self.hidden))


def packed(members: Members) -> str:
    """Who was measured [n_rows], as text."""
    return b64encode(np.packbits(members).tobytes()).decode()


def same_people(shown: Sequence[Shown], members: Members) -> list[Shown]:
    """The figures that were shown of exactly these people."""
    text = packed(members)
    return [one for one in shown if one.people == text and one.n_rows == len(members) and not one.only_sizes]


def labels_among(
    among: pd.DataFrame, people: pd.DataFrame, by: str, conditions: Conditions = ()
) -> pd.Series:
    """[n_people] everybody's group where groups are formed among other people, such as all of a half.

    Args:
        among: one row for each of those among whom groups are formed.
        people: one row for each of those who are asked for; who isn't among them is "unknown".
        by: the attribute or intersection; "" = "in" for those who meet all conditions, else "out".
        conditions: attribute and group.

    Raises:
        DataError: an attribute can't form groups.
    """
    if by != EVERYBODY:
        labels = group_labels(among, by).astype(str)
    else:
        inside = np.ones(len(among), dtype=np.bool_)
        for attribute, group in conditions:
            inside &= (group_labels(among, attribute).astype(str) == group).to_numpy(dtype=np.bool_)
        labels = pd.Series(np.where(inside, INSIDE, OUTSIDE), index=pd.Index(among["user_id"].astype(str)))
    return labels.reindex(pd.Index(people["user_id"].astype(str)), fill_value=UNKNOWN)


def hidden_beside(
    shown: Sequence[Shown],
    users: pd.DataFrame,
    members: Members,
    by: Sequence[str],
    minimum: int,
    formed: Members | None = None,
    conditions: Conditions = (),
) -> dict[str, frozenset[str]]:
    """The groups of some people that may not be shown, beside what was shown of the table before.

    Args:
        shown: what was shown before, of the same table of people.
        users: the table: one row a person, `user_id` and attributes.
        members: [n_rows] whose groups would be shown.
        by: the attributes, or intersections; "" = those who meet the conditions, and the others.
        minimum: fewest people that may be shown or told apart.
        formed: [n_rows] among whom numbers are cut into bins; None = among those whose groups are shown.
        conditions: attribute and group, of a subgroup.

    Raises:
        DataError: an attribute can't form groups of these people.
        DifferenceError: the answer would tell a few of them apart from those of an earlier one.
    """
    people = users[members].reset_index(drop=True)
    among, table = (people, users) if formed is None else (users[formed], users[formed])
    labels = {name: labels_among(among, people, name, conditions) for name in by}
    everybody = {name: labels_among(table, users, name, conditions) for name in by}
    rows = np.flatnonzero(members)
    refuse_differences(shown, members, rows, list(labels.values()), minimum, everybody, conditions)
    return hidden_given(shown, labels, people, users, members, minimum)


def hidden_given(
    shown: Sequence[Shown],
    labels: Mapping[str, pd.Series],
    people: pd.DataFrame,
    users: pd.DataFrame,
    members: Members,
    minimum: int,
) -> dict[str, frozenset[str]]:
    """The groups that may not be shown beside figures of the same people and sizes of the groups of all.

    Args:
        shown: what was shown before, of the same table of people.
        labels: [n_people] everybody's group by each attribute that would be shown.
        people: one row for each of those measured.
        users: the table of people.
        members: [n_rows] which of the table are measured.
        minimum: fewest people that may be shown or told apart.
    """
    before = [one.table(people, users) for one in same_people(shown, members)]
    sizes = [one for one in shown if one.only_sizes and one.n_rows == len(users)]
    if not sizes:
        return hidden_groups(labels, minimum, before)
    measured = pd.Index(people["user_id"].astype(str))
    ids = measured.union(pd.Index(users["user_id"].astype(str)), sort=False)
    tables = {name: _among_all(own.set_axis(measured), ids) for name, own in labels.items()}
    earlier = [EarlierTable(_among_all(own.labels.set_axis(measured), ids), own.hidden) for own in before]
    earlier += [_table_among_all(one, users, ids) for one in sizes]
    return hidden_groups(tables, minimum, earlier)


def hidden_sizes_beside(
    shown: Sequence[Shown],
    users: pd.DataFrame,
    by: Sequence[str],
    minimum: int,
    expected: Members,
) -> dict[str, frozenset[str]]:
    """The groups of all people whose sizes may not be shown, beside the figures that were shown of some.

    Sizes that would forbid most audits to show the same groups are hidden already: audits tell more.

    Args:
        shown: figures and sizes that were shown before, of the same table of people.
        users: the table of people.
        by: the attributes whose groups would be shown.
        minimum: fewest people that may be shown or told apart.
        expected: [n_rows] whom audits are going to be about; nobody = that isn't known.

    Raises:
        DataError: an attribute can't form groups.
    """
    ids = pd.Index(users["user_id"].astype(str))
    labels = {name: group_labels(users, name).astype(str).set_axis(ids) for name in by}
    figures = [one for one in shown if one.n_rows == len(users) and not one.only_sizes]
    sizes = [_table_among_all(one, users, ids) for one in shown if one.only_sizes]
    told = [
        [_table_among_all(one, users, ids) for one in figures if one.people == text]
        for text in dict.fromkeys(one.people for one in figures)
    ]
    if expected.any() and not _is_refused(figures, labels, expected, minimum):
        told.append(_expected_tables(shown, users, by, minimum, expected))
    hidden = hidden_groups(labels, minimum, sizes)
    while True:
        before = hidden
        for tables in told:
            hidden = hidden_groups(labels, minimum, [*sizes, *tables], hidden)
        if hidden == before:
            return hidden


def _is_refused(
    shown: Sequence[Shown], labels: Mapping[str, pd.Series], members: Members, minimum: int
) -> bool:
    """Whether these people differ by a few from those whose figures were shown; the labels are of all."""
    try:
        own = [one[members] for one in labels.values()]
        refuse_differences(shown, members, np.flatnonzero(members), own, minimum, labels)
    except DifferenceError:
        return True
    return False


def _expected_tables(
    shown: Sequence[Shown], users: pd.DataFrame, by: Sequence[str], minimum: int, expected: Members
) -> list[EarlierTable]:
    """What an audit of these people will show of the same attributes, if no sizes are in its way."""
    people, ids = users[expected].reset_index(drop=True), pd.Index(users["user_id"].astype(str))
    possible = {name: group_labels(people, name) for name in by if forms_groups(people, name)}
    labels = {
        name: _among_all(own.set_axis(people["user_id"].astype(str)), ids) for name, own in possible.items()
    }
    before = [_table_among_all(one, users, ids) for one in same_people(shown, expected)]
    hidden = hidden_groups(labels, minimum, before)
    return [*before, *(EarlierTable(own, hidden[name]) for name, own in labels.items())]


def _table_among_all(one: Shown, users: pd.DataFrame, ids: "pd.Index[str]") -> EarlierTable:
    """What somebody saw, with everybody else of these ids as not measured."""
    table = one.table(users[one.members].reset_index(drop=True), users)
    measured = pd.Index(users["user_id"].astype(str))[one.members]
    return EarlierTable(_among_all(table.labels.set_axis(measured), ids), table.hidden)


def _among_all(labels: pd.Series, ids: "pd.Index[str]") -> pd.Series:
    return labels.astype(str).reindex(ids, fill_value=NOT_MEASURED)


def refuse_differences(
    shown: Sequence[Shown],
    members: Members,
    places: NDArray[np.int64],
    labels: Sequence[pd.Series],
    minimum: int,
    table: Mapping[str, pd.Series] | None = None,
    conditions: Conditions = (),
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
        conditions: of the subgroup, where one would be shown.

    Raises:
        DifferenceError: how many people could be told apart, without naming the group.
    """
    figures = [one for one in shown if one.n_rows == len(members) and not one.only_sizes]
    for text in dict.fromkeys(one.people for one in figures):
        earlier = next(one.members for one in figures if one.people == text)
        added, gone = members & ~earlier, earlier & ~members
        new = ~earlier[places]
        few = [int(side.sum()) for side in (added, gone)]
        few += [int(n) for one in labels for n in one[new].value_counts()]
        told = {
            one.by
            for one in figures
            if one.people == text
            and not one.cohorts
            and (one.by != EVERYBODY or one.conditions == conditions)
        }
        few += [int(n) for by, one in (table or {}).items() if by in told for n in one[gone].value_counts()]
        if any(0 < n < minimum for n in few):
            raise DifferenceError(
                f"this would show {int(members.sum())} people after an earlier answer showed "
                f"{int(earlier.sum())}; fewer than {minimum} people could be told apart by the difference. "
                "Ask by metrics that the same people have, or about far fewer people"
            )


def _unpacked(people: str, n_rows: int) -> Members:
    bits = np.frombuffer(b64decode(people), dtype=np.uint8)
    return np.unpackbits(bits, count=n_rows).astype(np.bool_)
