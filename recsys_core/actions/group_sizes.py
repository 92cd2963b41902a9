"""Which groups of a data set's people may show their size."""

import numpy as np

from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.group_answers import GroupAnswer, hidden_in, record_answers
from recsys_core.errors import DataError
from recsys_core.fairness.groups import forms_groups
from recsys_core.store.workspace import Workspace


def hidden_sizes(workspace: Workspace | None, data: LoadedDataset) -> dict[str, frozenset[str]]:
    """For each attribute that can form groups, those of hidden size; that the others are shown is recorded.

    The sizes are of everybody. Audits are about nearly the same people, so that sizes are held against what
    audits show, and audits from then on against the sizes.
    """
    everybody = np.ones(data.dataset.n_users, dtype=np.bool_)
    attributes = tuple(name for name in data.attributes if forms_groups(data.dataset.users, name))
    if not attributes:
        return {}
    answers = [GroupAnswer(everybody, attributes, "sizes")]
    audited = data.split.test_row >= 0
    if audited.any():
        answers.append(GroupAnswer(audited, attributes, formed=everybody))
    hidden = dict.fromkeys(attributes, frozenset[str]())
    held = list[tuple[GroupAnswer, dict[str, frozenset[str]]]]()
    for answer in answers:
        try:
            held.append((answer, hidden_in(workspace, data, answer)))
        except DataError:  # audits were of other people by a few, and are no measure of these
            continue
    for _, found in held:
        hidden = {name: hidden[name] | found[name] for name in attributes}
    record_answers(workspace, data, [(answer, hidden) for answer, _ in held])
    return hidden
