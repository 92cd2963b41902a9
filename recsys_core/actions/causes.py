"""What goes with a gap between groups: its parts by history length, taste, recency and the like."""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from recsys_core.actions.audit_questions import audited_users, audited_values
from recsys_core.actions.audits import audit_model
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.errors import DataError
from recsys_core.fairness.cohorts import with_cohorts
from recsys_core.fairness.decomposition import Decomposition, decompose
from recsys_core.fairness.gap_members import GapMembers, gap_members
from recsys_core.fairness.groups import group_labels
from recsys_core.fairness.result import AuditSettings, GapRow
from recsys_core.fairness.worst_subgroup import (
    FEWEST_IN_A_HALF,
    Search,
    WorstSubgroup,
    find_worst_subgroup,
)
from recsys_core.metrics.person_factors import FOLLOW_FROM_LENGTH, person_factors
from recsys_core.ranker.evaluation import per_person_table
from recsys_core.ranker.rerank import category_shares
from recsys_core.store.workspace import Workspace

ASSOCIATIONAL = (
    "These terms say what goes with the gap, not what causes it: people who differ in one factor may also "
    "differ in others that the data don't hold."
)


@dataclass(frozen=True, slots=True)
class GapParts:
    """A gap of an audit and its parts."""

    gap: GapRow
    parts: Decomposition


def decompose_gaps(
    model: LoadedModel,
    settings: AuditSettings,
    group: str | None = None,
    workspace: Workspace | None = None,
) -> tuple[GapParts, ...]:
    """Every gap that an audit by these settings finds room for, split over the factors of people's histories.

    Args:
        model: an opened model.
        settings: of the audit whose gaps they are.
        group: whose gap alone is wanted.
        workspace: whose record of what was shown counts, as for `audit_model`.

    Raises:
        DataError: an attribute that can't make groups, or a group that may not be shown or is too small.
        ConfigError: no such metric.
    """
    values = audited_values(model, [settings.metric])[settings.metric].dropna()
    users = with_cohorts(audited_users(model.data), settings.cohorts)
    members = gap_members(audit_model(model, settings, workspace), values, users, group)
    factors = factors_of(model).loc[values.index.astype(str)]
    numbers = values.to_numpy()
    return tuple(_parts(own, numbers, factors, settings) for own in members)


def factors_of(model: LoadedModel) -> pd.DataFrame:
    """One row a person of the model's data: the factors of the history that test lists are made from."""
    data = model.data
    return person_factors(data.dataset, data.split, "test", category_shares(data.dataset))


def decomposition_json(settings: AuditSettings, found: tuple[GapParts, ...]) -> dict[str, Any]:
    """The contract of `reclens decompose --json`."""
    return {"metric": settings.metric, "note": ASSOCIATIONAL, "gaps": [_gap_json(own) for own in found]}


def _parts(members: GapMembers, numbers: Any, factors: pd.DataFrame, settings: AuditSettings) -> GapParts:
    sides = members.in_group, members.in_reference
    found = decompose(numbers, *sides, factors, settings.draws, settings.seed, FOLLOW_FROM_LENGTH)
    return GapParts(members.gap, found)


def _gap_json(own: GapParts) -> dict[str, Any]:
    gap, parts = own.gap, own.parts
    return {
        "attribute": gap.attribute,
        "group": gap.group,
        "reference": gap.reference,
        "verdict": gap.verdict,
        "n": parts.n,
        "n_reference": parts.n_reference,
        "gap": asdict(parts.gap),
        "composition": asdict(parts.composition),
        "structure": asdict(parts.structure),
        "factors": [
            {"factor": row.factor, **asdict(row.term), "share": parts.share_of([row.factor])}
            | {"group_mean": row.group_mean, "reference_mean": row.reference_mean, "outside": row.outside}
            for row in parts.factors
        ],
        "structure_may_be_none": parts.structure_may_be_none,
        "share_of_length_and_what_follows": parts.share_of(FOLLOW_FROM_LENGTH),
        "share_of_length_interval": [parts.share.ci_low, parts.share.ci_high] if parts.share else None,
        "not_used": [asdict(row) for row in parts.not_used],
    }


def usable_attributes(model: LoadedModel) -> tuple[str, ...]:
    """The attributes of the people that can form groups.

    Raises:
        DataError: there is none.
    """
    users = model.data.dataset.users
    usable = list[str]()
    for name in map(str, users.columns.drop("user_id")):
        try:
            group_labels(users, name)
        except DataError:
            continue
        usable.append(name)
    if not usable:
        raise DataError("no attribute of the people can form groups, so there is no subgroup to search")
    return tuple(usable)


def worst_subgroup_of(
    model: LoadedModel,
    attributes: tuple[str, ...],
    metric: str = "ndcg@10",
    depth: int = 2,
    fewest: int | None = None,
    draws: int = 1000,
    seed: int = 0,
    workspace: Workspace | None = None,
) -> WorstSubgroup:
    """The worst-served conjunction of groups by half of the people, as the other half sees it.

    Args:
        model: an opened model.
        attributes: by which people are told apart.
        metric: such as `ndcg@10`.
        depth: how many attributes a subgroup may name at most.
        fewest: people that a subgroup has in each half; None = 30, or the privacy threshold if it is higher.
        draws: bootstrap resamples.
        seed: of halves and draws.
        workspace: whose privacy threshold counts.

    Raises:
        ConfigError: no such metric, or a setting out of bounds.
        DataError: an attribute that can't form groups, or no subgroup with enough people.
    """
    least = minimum_group(workspace)
    asked = max(least, FEWEST_IN_A_HALF) if fewest is None else fewest
    search = Search(attributes, depth, asked, draws, seed, least)
    data = model.data.dataset
    return find_worst_subgroup(per_person_table(data, model.test, metric), data.users, search)


def subgroup_json(found: WorstSubgroup, metric: str) -> dict[str, Any]:
    """The contract of `reclens subgroups --json`."""
    conditions = [{"attribute": name, "group": group} for name, group in found.conditions]
    return {"metric": metric, **asdict(found), "conditions": conditions}
