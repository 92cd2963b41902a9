"""What goes with a gap between groups: its parts by history length, taste, recency and the like."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.audit_questions import audited_users, audited_values
from recsys_core.actions.audits import audit_model
from recsys_core.actions.group_answers import GroupAnswer, hidden_in, members_of, record_answers
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.errors import DataError
from recsys_core.fairness.cohorts import with_cohorts
from recsys_core.fairness.decomposition import Decomposition, Term, decompose
from recsys_core.fairness.disclosure import Conditions
from recsys_core.fairness.gap_members import GapMembers, gap_members
from recsys_core.fairness.groups import forms_groups
from recsys_core.fairness.result import AuditSettings, GapRow
from recsys_core.fairness.worst_subgroup import (
    FEWEST_IN_A_HALF,
    Search,
    WorstSubgroup,
    find_worst_subgroup,
    halves,
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
            {"factor": row.factor, **asdict(row.term), "share": _value(row.share)}
            | {"share_interval": _ends(row.share)}
            | {"group_mean": row.group_mean, "reference_mean": row.reference_mean, "outside": row.outside}
            for row in parts.factors
        ],
        "structure_share_interval": _ends(parts.structure_share),
        "structure_may_be_none": parts.structure_may_be_none,
        "share_of_length_and_what_follows": _value(parts.share),
        "share_of_length_interval": _ends(parts.share),
        "not_used": [asdict(row) for row in parts.not_used],
    }


def _value(share: Term | None) -> float | None:
    return share.value if share else None


def _ends(share: Term | None) -> list[float] | None:
    return [share.ci_low, share.ci_high] if share else None


def usable_attributes(model: LoadedModel) -> tuple[str, ...]:
    """The attributes of the people that can form groups.

    Raises:
        DataError: there is none.
    """
    users = model.data.dataset.users
    usable = tuple(name for name in map(str, users.columns.drop("user_id")) if forms_groups(users, name))
    if not usable:
        raise DataError("no attribute of the people can form groups, so there is no subgroup to search")
    return usable


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

    In a workspace a subgroup that would tell of a few people beside what was shown before is passed over, and
    the one that is shown is recorded: of both halves, and of audits, because the halves add up.

    Args:
        model: an opened model.
        attributes: by which people are told apart.
        metric: such as `ndcg@10`.
        depth: how many attributes a subgroup may name at most.
        fewest: people that a subgroup has in each half; None = 30, or the privacy threshold if it is higher.
        draws: bootstrap resamples.
        seed: of halves and draws.
        workspace: whose privacy threshold and record of what was shown count.

    Raises:
        ConfigError: no such metric, or a setting out of bounds.
        DataError: an attribute that can't form groups, no subgroup with enough people, or a few people who
            could be told apart by what was shown before.
    """
    least = minimum_group(workspace)
    asked = max(least, FEWEST_IN_A_HALF) if fewest is None else fewest
    search = Search(attributes, depth, asked, draws, seed, least)
    data = model.data.dataset
    values = per_person_table(data, model.test, metric)
    audited = data.users["user_id"].astype(str).isin(values.index).to_numpy(dtype=np.bool_)
    places = audited.nonzero()[0]
    searching = members_of(model.data, places[halves(len(places), seed)])
    about = [GroupAnswer(audited)]
    about += [GroupAnswer(half, (), "subgroups", audited) for half in (searching, audited & ~searching)]
    users = audited_users(model.data)
    for answer in about:  # whom it is about may be refused whatever the subgroup is
        hidden_in(workspace, model.data, answer, users)

    def told(conditions: Conditions) -> list[tuple[GroupAnswer, dict[str, frozenset[str]]]]:
        answers = [replace(answer, conditions=conditions) for answer in about]
        return [(answer, hidden_in(workspace, model.data, answer, users)) for answer in answers]

    def may_be_told(conditions: Conditions) -> bool:
        try:
            return not any(groups for _, hidden in told(conditions) for groups in hidden.values())
        except DataError:  # it differs by a few from the same subgroup in other halves
            return False

    found = find_worst_subgroup(values, data.users, search, may_be_told)
    record_answers(workspace, model.data, told(found.conditions), users)
    return found


def subgroup_json(found: WorstSubgroup, metric: str) -> dict[str, Any]:
    """The contract of `reclens subgroups --json`."""
    conditions = [{"attribute": name, "group": group} for name, group in found.conditions]
    return {"metric": metric, **asdict(found), "conditions": conditions}
