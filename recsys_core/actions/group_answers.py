"""Group figures outside of audits: held against what was shown of the same data set before, and recorded."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.disclosures import About, keep_shown, shown_before
from recsys_core.actions.preferences import minimum_group
from recsys_core.fairness.disclosure import Members, Shown, hidden_beside, packed
from recsys_core.store.workspace import Workspace


def disclose(
    workspace: Workspace | None,
    data: LoadedDataset,
    members: Members,
    by: Sequence[str],
    about: About = "lists",
) -> dict[str, frozenset[str]]:
    """The groups that an answer about some people may not show; that it shows the others is recorded.

    Args:
        workspace: whose record counts; None = there is none, and only this answer's own groups do.
        data: whose people.
        members: [n_users] about whom figures are going to be shown.
        by: attributes whose groups are going to be shown, in the words of an audit.
        about: the kind of figure, each of which has a record of its own.

    Raises:
        DataError: an attribute can't form groups, or fewer people than may be shown could be told apart by
            the difference from an earlier answer; nothing is recorded then.
    """
    dataset_id, users = data.record.id, audited_users(data)
    earlier = shown_before(workspace, dataset_id, about) if workspace else ()
    hidden = hidden_beside(earlier, users, members, by, minimum_group(workspace))
    if workspace:
        people = packed(members)
        shown = [Shown(name, (), tuple(sorted(hidden[name])), people, len(users)) for name in by]
        keep_shown(workspace, dataset_id, shown, about)
    return hidden


def members_of(data: LoadedDataset, numbers: Sequence[int] | NDArray[np.int64]) -> Members:
    """[n_users] which of the people have these numbers."""
    members = np.zeros(data.dataset.n_users, dtype=np.bool_)
    members[np.asarray(numbers, dtype=np.int64)] = True
    return members
