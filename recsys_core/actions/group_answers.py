"""Group figures outside of audits: held against what was shown of the same data set before, and recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.disclosures import About, Decided, held_against, keep_decided, refuse_more
from recsys_core.actions.preferences import minimum_group
from recsys_core.actions.slice_columns import beside_slices
from recsys_core.data.split import histories
from recsys_core.errors import DataError
from recsys_core.fairness.disclosure import EVERYBODY, Conditions, Members, Shown, hidden_beside, packed
from recsys_core.fairness.groups import UNKNOWN, attribute_names, group_labels
from recsys_core.store.workspace import Workspace

HiddenGroups = Mapping[str, frozenset[str]]  # of each attribute


@dataclass(frozen=True, slots=True)
class GroupAnswer:
    """An answer about groups of people that somebody is going to see.

    Attributes:
        members: [n_users] about whom it is.
        by: attributes whose groups are going to be shown, in the words of an audit; none = it is about all
            of them together, or about those who meet the conditions, and the others.
        about: the kind of figure, each of which has a record of its own.
        formed: [n_users] among whom numbers are cut into bins; None = among the members.
        conditions: attribute and group of a subgroup.
        topic: what its figures are of, within a record: those of two topics can't be subtracted.
    """

    members: Members
    by: tuple[str, ...] = ()
    about: About = "lists"
    formed: Members | None = None
    conditions: Conditions = ()
    topic: str = ""


def disclose(
    workspace: Workspace | None,
    data: LoadedDataset,
    members: Members,
    by: Sequence[str],
    about: About = "lists",
    formed: Members | None = None,
) -> dict[str, frozenset[str]]:
    """The groups that an answer about some people may not show; that it shows the others is recorded.

    Args:
        workspace: whose record counts; None = there is none, and only this answer's own groups do.
        data: whose people.
        members: [n_users] about whom figures are going to be shown.
        by: attributes whose groups are going to be shown, in the words of an audit.
        about: the kind of figure, each of which has a record of its own.
        formed: [n_users] among whom numbers are cut into bins; None = among the members.

    Raises:
        DataError: an attribute can't form groups, or fewer people than may be shown could be told apart by
            the difference from an earlier answer; nothing is recorded then.
    """
    answer = GroupAnswer(members, tuple(by), about, formed)
    return disclose_answer(workspace, data, answer, audited_users(data))


def disclose_answer(
    workspace: Workspace | None, data: LoadedDataset, answer: GroupAnswer, users: pd.DataFrame
) -> dict[str, frozenset[str]]:
    """The groups that an answer may not show; that it shows the others is recorded.

    Raises:
        DataError: as `disclose`.
    """
    hidden = dict[str, frozenset[str]]()

    def decide() -> Decided:
        hidden.update(hidden_in(workspace, data, answer, users))
        return [_shown(answer, hidden)]

    keep_decided(workspace, data.record.id, decide)
    return hidden


def hidden_in(
    workspace: Workspace | None, data: LoadedDataset, answer: GroupAnswer, users: pd.DataFrame | None = None
) -> dict[str, frozenset[str]]:
    """The groups that an answer may not show, and that are to be recorded once it is shown.

    Args:
        workspace: whose record counts; None = there is none.
        data: whose people.
        answer: what would be shown.
        users: the table of people with their attributes; None = that of audits.

    Raises:
        DataError: as `disclose`.
    """
    table = audited_users(data) if users is None else users
    before = held_against(workspace, data.record.id, answer.about)
    earlier = [one for one in before if one.topic == answer.topic]
    for name in answer.by:
        attribute_names(table, name)  # says which there are, slices not among them
    table = beside_slices(table, data, earlier, "valid" if answer.about == "validation" else "test")
    by, least = answer.by or (EVERYBODY,), minimum_group(workspace)
    return hidden_beside(earlier, table, answer.members, by, least, answer.formed, answer.conditions)


def record_answer(
    workspace: Workspace | None,
    data: LoadedDataset,
    answer: GroupAnswer,
    hidden: HiddenGroups,
    users: pd.DataFrame | None = None,
) -> None:
    """Keeps that an answer is shown, all but its hidden groups; to be called before it is.

    Raises:
        DataError, StoreError: as `record_answers`.
    """
    record_answers(workspace, data, [(answer, hidden)], users)


def record_answers(
    workspace: Workspace | None,
    data: LoadedDataset,
    answers: Sequence[tuple[GroupAnswer, HiddenGroups]],
    users: pd.DataFrame | None = None,
) -> None:
    """Keeps that some answers are shown, all but the hidden groups of each: all of them, or none.

    Whatever was shown since somebody asked `hidden_in` counts: jobs run beside each other.

    Args:
        workspace: whose record it is; None = there is none.
        data: whose people.
        answers: what is going to be shown, and the groups that it hides.
        users: as for `hidden_in`.

    Raises:
        DataError: by now an answer would have to be refused, or to hide more.
        StoreError: the record can't be written.
    """
    if workspace is None:
        return
    table = audited_users(data) if users is None else users

    def decide() -> Decided:
        for answer, hidden in answers:
            refuse_more(hidden, hidden_in(workspace, data, answer, table), minimum_group(workspace))
        return [_shown(answer, hidden) for answer, hidden in answers]

    keep_decided(workspace, data.record.id, decide)


def _shown(answer: GroupAnswer, hidden: HiddenGroups) -> tuple[About, list[Shown]]:
    """The record of an answer that hides these groups."""
    people = packed(answer.members)
    formed = "" if answer.formed is None else packed(answer.formed)
    shown = [
        Shown(
            name,
            (),
            tuple(sorted(hidden[name])),
            people,
            len(answer.members),
            formed,
            answer.conditions,
            answer.topic,
        )
        for name in answer.by or (EVERYBODY,)
    ]
    return answer.about, shown


def refuse_few(workspace: Workspace | None, n: int) -> None:
    """Refuses figures over fewer people than may be shown.

    Raises:
        DataError: how many it takes.
    """
    least = minimum_group(workspace)
    if n < least:
        raise DataError(
            f"insufficient data: this is about fewer than {least} people, of whom nothing is shown"
        )


def audited_groups(
    workspace: Workspace | None, data: LoadedDataset, by: str
) -> tuple[Members, NDArray[np.object_], list[str]]:
    """[n_users] whom audits are about, the group of each of them, and the groups that may be shown.

    That these are shown is recorded.

    Raises:
        DataError: as `disclose`, or fewer than two groups may be shown.
    """
    known = histories(data.dataset, data.split, "test")
    members = (known.lengths > 0) & (data.split.test_row >= 0)
    labels = group_labels(audited_users(data)[members].reset_index(drop=True), by)
    hidden = disclose(workspace, data, members, [by])[by]
    shown = [str(name) for name in labels.cat.categories if name not in {UNKNOWN, *hidden}]
    if len(shown) < 2:
        raise DataError(
            f"{by} has fewer than 2 groups of {minimum_group(workspace)} people that may be shown"
        )
    return members, labels.astype(str).to_numpy(), shown


def members_of(data: LoadedDataset, numbers: Sequence[int] | NDArray[np.int64]) -> Members:
    """[n_users] which of the people have these numbers."""
    members = np.zeros(data.dataset.n_users, dtype=np.bool_)
    members[np.asarray(numbers, dtype=np.int64)] = True
    return members
