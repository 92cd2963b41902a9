"""Two opened models over the same people: by several metrics, and group by group."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.comparisons import Comparison, values_of
from recsys_core.actions.group_answers import disclose
from recsys_core.actions.loaded import LoadedModel
from recsys_core.fairness.paired import N_DRAWS, paired_bootstrap
from recsys_core.fairness.paired_groups import GroupGain, paired_by_group
from recsys_core.fairness.suppression import SMALLEST_GROUP
from recsys_core.ranker.evaluation import Part
from recsys_core.store.workspace import Workspace


def compare_opened(
    own: LoadedModel,
    other: LoadedModel,
    metric: str,
    part: Part = "test",
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Comparison:
    """As `compare_models`, of models of one data set that are open already."""
    values = values_of(own, metric, part), values_of(other, metric, part)
    return Comparison(own.record, other.record, metric, part, paired_bootstrap(*values, n_draws, seed))


def group_gains(
    own: LoadedModel,
    other: LoadedModel,
    metric: str,
    by: Sequence[str],
    part: Part = "test",
    n_draws: int = N_DRAWS,
    seed: int = 0,
    workspace: Workspace | None = None,
) -> tuple[GroupGain, ...]:
    """Which groups of people the first model serves better than the second, and which worse.

    In a workspace, what was shown before is taken into account, and what this shows is added to it.

    Raises:
        DataError: an attribute can't form groups, too few people have a value from both, or a few could be
            told apart by what was shown before.
        ConfigError: no such metric.
    """
    users = audited_users(own.data)
    ids = pd.Index(users["user_id"])
    first, second = (pd.Series(values_of(model, metric, part), index=ids) for model in (own, other))
    members = (first.notna() & second.notna()).to_numpy(dtype=np.bool_)
    hidden = disclose(workspace, own.data, members, by) if members.sum() >= SMALLEST_GROUP else None
    return paired_by_group(first, second, users, by, n_draws, seed, hidden=hidden)


def gains_json(gains: Sequence[GroupGain]) -> list[dict[str, Any]]:
    """The rows `by_group` of `reclens compare --by … --json`."""
    return [
        {"attribute": gain.attribute, "group": gain.group, "suppressed": gain.suppressed}
        | (
            dict.fromkeys(("n", "value_a", "value_b", "difference", "ci_low", "ci_high", "p_value"))
            if gain.result is None
            else {
                "n": gain.result.n,
                "value_a": gain.result.first,
                "value_b": gain.result.second,
                **{
                    name: value
                    for name, value in asdict(gain.result).items()
                    if name in ("difference", "ci_low", "ci_high", "p_value")
                },
            }
        )
        | {"p_adjusted": gain.p_adjusted, "reason": gain.reason}
        for gain in gains
    ]
