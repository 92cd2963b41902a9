"""For whom ratings are predicted worse: predictions of another system, by groups of a data set's people."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.audit_questions import audit_table
from recsys_core.actions.audit_records import keep_audited
from recsys_core.actions.data import open_dataset
from recsys_core.actions.disclosures import held_against
from recsys_core.actions.preferences import with_threshold
from recsys_core.data.mapping import Mapping
from recsys_core.data.rated_predictions import read_predictions
from recsys_core.fairness.people import AuditedPeople, audited_people
from recsys_core.fairness.rating_audit import N_SHUFFLES, RatedGroups, RatingGapRow, Ratings, audit_ratings
from recsys_core.fairness.result import AuditSettings
from recsys_core.store.workspace import Workspace

METRIC = "absolute-error"


@dataclass(frozen=True, slots=True)
class RatingAudit:
    """What an audit of predicted ratings found.

    Attributes:
        n_ratings: ratings of people of the data set.
        n_people: who gave them.
        n_set_aside: rows without a rating or a prediction, or of nobody of the data set.
        mean_absolute_error: of all these ratings.
        gaps: five figures a group.
    """

    n_ratings: int
    n_people: int
    n_set_aside: int
    mean_absolute_error: float
    gaps: tuple[RatingGapRow, ...]


def audit_predictions(
    workspace: Workspace,
    dataset: str,
    path: Path,
    by: tuple[str, ...],
    mapping: Mapping | None = None,
    n_shuffles: int = N_SHUFFLES,
    seed: int = 0,
) -> RatingAudit:
    """The five figures of Yao & Huang for every group that may be shown, beside what chance alone gives.

    Raises:
        DataError: the file or an attribute can't be used, or too few people of the data set rated anything.
        ConfigError: a setting out of bounds.
    """
    opened = open_dataset(workspace, dataset)
    settings = with_threshold(AuditSettings(by, METRIC, seed=seed), workspace)
    earlier = held_against(workspace, opened.record.id)
    read, users = read_predictions(path, mapping), audit_table(opened, settings, earlier)
    rows = read.rows[read.rows["user_id"].isin(users["user_id"])]
    errors = (rows["prediction"] - rows["rating"]).abs()
    values = errors.groupby(rows["user_id"]).mean()
    people = audited_people(values, users, settings, earlier)
    gaps = audit_ratings(_ratings(rows, values.index), _groupings(people, by), n_shuffles, seed)
    keep_audited(workspace, opened, values, users, settings, earlier, people.shown)
    n_set_aside = read.n_set_aside + len(read.rows) - len(rows)
    return RatingAudit(len(rows), len(values), n_set_aside, float(errors.mean()), gaps)


def rating_audit_json(found: RatingAudit) -> dict[str, Any]:
    """The contract of `reclens rating-gaps --json`."""
    return asdict(found) | {"gaps": [asdict(row) for row in found.gaps]}


def _ratings(rows: pd.DataFrame, people: "pd.Index[str]") -> Ratings:
    items = np.unique(rows["item_id"].to_numpy(dtype=str), return_inverse=True)[1]
    return Ratings(
        people.get_indexer(pd.Index(rows["user_id"])).astype(np.int64),
        items.astype(np.int64),
        rows["rating"].to_numpy(dtype=np.float64),
        rows["prediction"].to_numpy(dtype=np.float64),
        len(people),
    )


def _groupings(people: AuditedPeople, by: tuple[str, ...]) -> list[RatedGroups]:
    return [RatedGroups(name, people.groups(name), people.codes(name), people.hidden[name]) for name in by]
