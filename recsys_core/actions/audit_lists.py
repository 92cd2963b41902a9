"""How far a model's lists stray from what the people of each group are like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np

from recsys_core.actions.audit_questions import audited_users, audited_values, listed_items
from recsys_core.actions.loaded import LoadedModel
from recsys_core.data.dataset import FloatArray
from recsys_core.data.split import histories
from recsys_core.fairness.list_gaps import ListGapRow, ShownGroups, bias_disparity, popularity_lift
from recsys_core.fairness.people import AuditedPeople, audited_people
from recsys_core.fairness.result import AuditResult
from recsys_core.metrics.popularity import item_popularity
from recsys_core.metrics.ranking import name_and_k
from recsys_core.metrics.taste import category_counts, history_popularity
from recsys_core.ranker.rerank import category_names, category_shares

Measure = Literal["popularity-lift", "bias-disparity"]
DEFAULT_K = 10


@dataclass(frozen=True, slots=True)
class ListGap:
    """A row of `fairness.list_gaps` with its attribute and measure."""

    attribute: str
    group: str
    measure: Measure
    category: str | None
    history: float | None
    listed: float | None
    value: float | None
    ci_low: float | None
    ci_high: float | None
    reason: str | None


def list_gaps(model: LoadedModel, result: AuditResult) -> tuple[ListGap, ...]:
    """Popularity lift and, where items have categories, bias disparity, of every group that the audit shows.

    Lists are as long as the k of the audit's metric (10 where it has none).
    """
    settings, dataset = result.settings, model.data.dataset
    people = audited_people(audited_values(model, settings.metrics), audited_users(model.data), settings)
    rows = dataset.users["user_id"].isin(_ids(people)).to_numpy()
    items, listed_by = listed_items(model, name_and_k(settings.metric)[1] or DEFAULT_K)
    known = histories(dataset, model.data.split, "test").without_repeats()
    popularity = item_popularity(histories(dataset, model.data.split, "valid"), dataset.n_items)
    n_listed = np.bincount(listed_by, minlength=dataset.n_users)
    total = np.bincount(listed_by, popularity.shares[items], minlength=dataset.n_users)
    listed = np.where(n_listed > 0, total / np.maximum(n_listed, 1), np.nan)
    shares, names = category_shares(dataset), category_names(dataset)
    amounts = [
        category_counts(numbers, owners, dataset.n_users, shares)[rows]
        for numbers, owners in ((known.items, known.rows), (items, listed_by))
    ]
    found: list[ListGap] = []
    for attribute in settings.by:
        groups = _groups(people, attribute, result)
        seed = [settings.seed, crc32(f"lists {attribute}".encode())]
        lifts = popularity_lift(
            groups, history_popularity(known, popularity)[rows], listed[rows], settings.draws, seed
        )
        found += _named(attribute, "popularity-lift", lifts)
        if names:
            disparities = bias_disparity(groups, names, *_both(amounts), settings.draws, seed)
            found += _named(attribute, "bias-disparity", disparities)
    return tuple(found)


def _ids(people: AuditedPeople) -> list[str]:
    first = next(iter(people.labels.values()))
    return [str(user) for user in first.index]


def _groups(people: AuditedPeople, attribute: str, result: AuditResult) -> ShownGroups:
    rows = [row for row in result.by_group if row.attribute == attribute]
    hidden = frozenset(row.group for row in rows if row.suppressed)
    return ShownGroups(people.groups(attribute), people.codes(attribute), hidden)


def _both(amounts: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    history, listed = amounts
    return history, listed


def _named(attribute: str, measure: Measure, rows: Sequence[ListGapRow]) -> list[ListGap]:
    return [
        ListGap(
            attribute,
            row.group,
            measure,
            row.category,
            row.history,
            row.listed,
            row.value,
            row.ci_low,
            row.ci_high,
            row.reason,
        )
        for row in rows
    ]
