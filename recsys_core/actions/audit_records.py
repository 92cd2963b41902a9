"""Keeping what an audit shows, once it is known that it still may."""

from collections.abc import Sequence

import pandas as pd

from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.disclosures import About, Decided, held_against, keep_decided, refuse_more
from recsys_core.actions.slice_columns import beside_slices
from recsys_core.fairness.disclosure import Shown
from recsys_core.fairness.people import audited_people
from recsys_core.fairness.result import AuditSettings
from recsys_core.store.workspace import Workspace


def keep_audited(
    workspace: Workspace | None,
    data: LoadedDataset,
    values: pd.Series | pd.DataFrame,
    users: pd.DataFrame,
    settings: AuditSettings,
    earlier: Sequence[Shown],
    shown: Sequence[Shown],
    about: About = "lists",
) -> None:
    """Keeps what an audit shows, unless something was shown meanwhile that forbids it; called before it is.

    Args:
        workspace: whose record it is; None = there is none.
        data: whose people.
        values: as the audit had them.
        users: as the audit had them.
        settings: of the audit.
        earlier: what had been shown when the audit began.
        shown: what it shows.
        about: the kind of figure.

    Raises:
        DataError: by now the audit would have to be refused, or to hide more.
        StoreError: the record can't be written.
    """
    if workspace is None:
        return

    def decide() -> Decided:
        now = held_against(workspace, data.record.id, about)
        if now != tuple(earlier):
            again = audited_people(values, beside_slices(users, data, now), settings, now).shown
            refuse_more(_hidden(shown), _hidden(again), settings.minimum_group)
        return [(about, shown)]

    keep_decided(workspace, data.record.id, decide)


def _hidden(shown: Sequence[Shown]) -> dict[str, frozenset[str]]:
    return {one.by: frozenset(one.hidden) for one in shown}
