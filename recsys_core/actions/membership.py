"""Whose training data show through a model: a membership attack, audited by group."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.audit_records import keep_audited
from recsys_core.actions.disclosures import held_against
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import with_threshold
from recsys_core.data.dataset import FloatArray
from recsys_core.data.split import histories
from recsys_core.errors import DataError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditResult, AuditSettings
from recsys_core.ranker.membership import membership_wins
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.store.workspace import Workspace

METRIC: Literal["membership"] = "membership"


@dataclass(frozen=True, slots=True)
class Membership:
    """How well an attack tells what a model was trained on.

    Attributes:
        result: an audit of each person's win of the attack; overall ½ = it guesses.
        popularity: the same attack's overall win on popularity, which remembers nobody: what is above ½ there
            comes of training items being earlier, and so easier, than held-out ones.
    """

    result: AuditResult
    popularity: float


def attack_membership(
    model: LoadedModel, settings: AuditSettings, workspace: Workspace | None = None
) -> Membership:
    """The attack on a model, by group of people.

    Args:
        model: an opened model.
        settings: groups, reference, margin, draws and seed; the metric is the attack's own.
        workspace: whose record of what was shown counts, as for `audit_model`.

    Raises:
        DataError: an attribute that can't form groups, too few people with two training items, or a few who
            could be told apart by what was shown before.
    """
    data, split = model.data.dataset, model.data.split
    values = _values(model, membership_wins(model.ranker, data, split))
    plain = fit_popularity(histories(data, split, "valid"), data.n_items)
    dataset_id = model.data.record.id
    earlier = held_against(workspace, dataset_id, METRIC)
    asked = replace(with_threshold(settings, workspace), metric=METRIC)
    users = audited_users(model.data)
    result = audit(values, users, asked, earlier)
    popularity = float(np.nanmean(membership_wins(plain, data, split)))
    keep_audited(workspace, model.data, values, users, asked, earlier, result.shown, METRIC)
    return Membership(result, popularity)


def membership_json(found: Membership) -> dict[str, Any]:
    """The contract of `reclens membership --json`."""
    return {"popularity": found.popularity, **found.result.to_json()}


def _values(model: LoadedModel, wins: FloatArray) -> "pd.Series[float]":
    values = pd.Series(wins, index=pd.Index(model.data.dataset.users["user_id"]), name=METRIC).dropna()
    if values.empty:
        raise DataError("nobody has two training items and a held-out one, so there is nothing to attack")
    return values
