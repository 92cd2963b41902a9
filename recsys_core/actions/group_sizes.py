"""Which groups of a data set's people may show their size."""

import numpy as np

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.disclosures import Decided, held_against, keep_decided
from recsys_core.actions.preferences import minimum_group
from recsys_core.actions.slice_columns import beside_slices
from recsys_core.fairness.disclosure import Shown, hidden_sizes_beside, packed
from recsys_core.fairness.groups import forms_groups
from recsys_core.store.workspace import Workspace


def hidden_sizes(workspace: Workspace | None, data: LoadedDataset) -> dict[str, frozenset[str]]:
    """For each attribute that can form groups, those of hidden size; that the others are shown is recorded.

    The sizes are of everybody, and audits of those with held-out items, nearly the same people. So sizes are
    held against what audits show, and audits from then on against the sizes.
    """
    users, n = audited_users(data), data.dataset.n_users
    attributes = tuple(name for name in data.attributes if forms_groups(users, name))
    people, audited = packed(np.ones(n, dtype=np.bool_)), data.split.test_row >= 0
    hidden = dict[str, frozenset[str]]()

    def decide() -> Decided:
        earlier, least = held_against(workspace, data.record.id), minimum_group(workspace)
        table = beside_slices(users, data, earlier)
        hidden.update(hidden_sizes_beside(earlier, table, attributes, least, audited))
        shown = [Shown(name, (), tuple(sorted(own)), people, n) for name, own in hidden.items()]
        return [("sizes", shown)]

    if attributes:
        keep_decided(workspace, data.record.id, decide)
    return hidden
