"""The figures of a model for parts of its test, where they tell of people enough."""

from math import isfinite
from typing import Any

import numpy as np

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.group_answers import GroupAnswer, disclose_answer
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.slice_columns import with_slices
from recsys_core.data.split import all_targets
from recsys_core.ranker.evaluation import Evaluation
from recsys_core.ranker.slices import SLICED_BY, Slice, evaluate_slices
from recsys_core.store.workspace import Workspace

SLICE_METRICS = ("ndcg", "hr", "mrr")
NOT_SHOWN = "fewer people than may be shown, or it would tell of so few"


def shown_slices(
    model: LoadedModel, evaluation: Evaluation, workspace: Workspace | None = None
) -> tuple[tuple[Slice, ...], frozenset[str]]:
    """All slices, and the names of those whose figures may not be shown; that the others are is recorded.

    Two slices of a kind cut the same people in two, so that both are hidden where one is small.

    Raises:
        DataError: a few people could be told apart by what was shown before.
    """
    data, part = model.data, evaluation.part
    names = [f"{name}@{evaluation.k}" for name in SLICE_METRICS]
    found = evaluate_slices(data.dataset, data.split, evaluation, names)
    users = with_slices(audited_users(data), data, part)
    members = np.zeros(len(users), dtype=np.bool_)
    members[all_targets(data.dataset, data.split, part).rows] = True
    kinds = tuple(kind for kind in SLICED_BY if users[kind][members].nunique() > 1)
    answer = GroupAnswer(members, kinds, "lists" if part == "test" else "validation")
    hidden = disclose_answer(workspace, data, answer, users)
    return found, frozenset(name for kind in kinds if hidden[kind] for name in SLICED_BY[kind])


def slices_json(
    model: LoadedModel, evaluation: Evaluation, workspace: Workspace | None = None
) -> list[dict[str, Any]]:
    """The contract of `reclens evaluate --slices --json`: figures for cold and warm, head and tail."""
    found, hidden = shown_slices(model, evaluation, workspace)
    return [_hidden_json(own) if own.name in hidden else _slice_json(own) for own in found]


def _slice_json(own: Slice) -> dict[str, Any]:
    figures = {name: value if isfinite(value) else None for name, value in own.figures.items()}
    return {"slice": own.name, "n_users": own.n_users, "n_targets": own.n_targets, **figures, "reason": ""}


def _hidden_json(own: Slice) -> dict[str, Any]:
    nothing = dict.fromkeys(("n_users", "n_targets", *own.figures))
    return {"slice": own.name, **nothing, "reason": NOT_SHOWN}
