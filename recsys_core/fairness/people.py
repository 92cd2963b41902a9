"""Who is audited, checked: the values of every metric, the group of everybody, and what may be shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.errors import DataError
from recsys_core.fairness.cohorts import with_cohorts
from recsys_core.fairness.comparisons import GroupTable, check_reference
from recsys_core.fairness.disclosure import Shown, hidden_given, packed, refuse_differences
from recsys_core.fairness.groups import group_labels
from recsys_core.fairness.inference import gathered_places
from recsys_core.fairness.result import AuditSettings

MOST_VALUES = 4096  # distinct values of a metric that tests and effect sizes tell apart


@dataclass(frozen=True, slots=True)
class AuditedPeople:
    """The people of an audit, who have a value by every metric.

    Attributes:
        values: [n_people, n_metrics] finite.
        labels: the group of everybody in each attribute, as ordered categories.
        hidden: the groups of each attribute that may not be shown.
        n_without_value: people of the table who aren't audited.
        shown: what an answer about them shows, to be kept.
    """

    values: NDArray[np.float64]
    labels: dict[str, pd.Series]
    hidden: dict[str, frozenset[str]]
    n_without_value: int
    shown: tuple[Shown, ...]

    def codes(self, by: str) -> NDArray[np.int64]:
        """[n_people] the number of everybody's group in an attribute."""
        return self.labels[by].cat.codes.to_numpy().astype(np.int64)

    def groups(self, by: str) -> tuple[str, ...]:
        """The groups of an attribute, in the order of display."""
        return tuple(str(group) for group in self.labels[by].cat.categories)


def audited_people(
    values: pd.Series | pd.DataFrame,
    users: pd.DataFrame,
    settings: AuditSettings,
    earlier: Sequence[Shown] = (),
) -> AuditedPeople:
    """The people whom an audit is about, or the reason why it can't be made; nothing is computed yet.

    Args:
        values: one metric value a person, indexed by `user_id`; of several metrics, a column each with NaN
            for people without a value, who are left out of all of them.
        users: one row a person.
        settings: what is going to be asked.
        earlier: what was shown of this table of people before.

    Raises:
        DataError: as `audit`.
    """
    measured = _checked(values, settings)
    people = _people_of(measured, users)
    grouped = with_cohorts(people, settings.cohorts)
    labels = {by: group_labels(grouped, by) for by in settings.by}
    places = pd.Index(users["user_id"].astype(str)).get_indexer(measured.index)
    in_table = places >= 0
    members = np.zeros(len(users), dtype=np.bool_)
    members[places[in_table]] = True
    known = [label[in_table] for label in labels.values()]
    table = with_cohorts(users, settings.cohorts) if earlier else users
    everybody = {by: group_labels(table, by) for by in settings.by} if earlier else {}
    refuse_differences(earlier, members, places[in_table], known, settings.minimum_group, everybody)
    hidden = hidden_given(earlier, labels, people, users, members, settings.minimum_group)
    return AuditedPeople(
        measured.to_numpy(dtype=np.float64),
        labels,
        hidden,
        int((~members).sum()),
        tuple(
            Shown(by, settings.cohorts, tuple(sorted(hidden[by])), packed(members), len(users))
            for by in settings.by
        ),
    )


def group_tables(people: AuditedPeople, metric: int, settings: AuditSettings) -> list[GroupTable]:
    """How often each value of a metric comes in each group, attribute by attribute.

    More than 4,096 distinct values are gathered into bins of about equally many people.

    Raises:
        DataError: the reference is no group.
    """
    distinct, places, counts = np.unique(people.values[:, metric], return_inverse=True, return_counts=True)
    if len(distinct) > MOST_VALUES:
        bins = gathered_places(distinct, counts, MOST_VALUES)
        distinct = np.bincount(bins, counts * distinct) / np.bincount(bins, counts)
        places = bins[places]
    tables = [_table(people, by, distinct, places) for by in settings.by]
    check_reference(tables, settings.reference)
    return tables


def _table(
    people: AuditedPeople, by: str, distinct: NDArray[np.float64], places: NDArray[np.int64]
) -> GroupTable:
    groups, n_values = people.groups(by), len(distinct)
    counts = np.bincount(people.codes(by) * n_values + places, minlength=len(groups) * n_values)
    return GroupTable(
        by, groups, distinct, counts.reshape(len(groups), n_values).astype(np.int64), people.hidden[by]
    )


def _checked(values: pd.Series | pd.DataFrame, settings: AuditSettings) -> pd.DataFrame:
    """The values as float64, a column a metric, indexed by text ids.

    Raises:
        DataError: too few people, an id that comes twice, or a value that isn't a finite number.
    """
    table = _complete(values, settings.metrics) if isinstance(values, pd.DataFrame) else values.to_frame()
    if table.shape[1] != len(settings.metrics):
        raise DataError(
            f"there are values of one metric, and the audit names {len(settings.metrics)}: "
            f"{', '.join(settings.metrics)}"
        )
    if len(table) < settings.minimum_group:
        raise DataError(
            f"{len(table)} people have a value of {' and '.join(settings.metrics)}; "
            f"an audit needs at least {settings.minimum_group}"
        )
    numbers = table.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    measured = numbers.set_axis(settings.metrics, axis=1).set_axis(table.index.astype(str))
    if measured.index.has_duplicates:
        repeated = measured.index[measured.index.duplicated()][0]
        raise DataError(f"user_id {repeated!r} has more than one value of {settings.metric}")
    for metric in settings.metrics:
        _refuse_infinite(measured[metric], metric)
    return measured


def _complete(values: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The people with a value of every metric."""
    missing = [metric for metric in metrics if metric not in values.columns]
    if missing:
        raise DataError(
            f"there are no values of {', '.join(missing)}; there are: {', '.join(map(str, values.columns))}"
        )
    return values[list(metrics)].dropna()


def _refuse_infinite(values: "pd.Series[float]", metric: str) -> None:
    wrong = ~np.isfinite(values.to_numpy())
    if wrong.any():
        raise DataError(
            f"{metric} of user_id {values.index[int(np.argmax(wrong))]!r} is not a finite number "
            f"({int(wrong.sum())} such values); leave people without a value out"
        )


def _people_of(measured: pd.DataFrame, users: pd.DataFrame) -> pd.DataFrame:
    """The attributes of exactly the people measured, in their order; "" where nothing is known."""
    if "user_id" not in users.columns:
        raise DataError("the table of people has no column user_id")
    ids = users["user_id"].astype(str)
    if ids.duplicated().any():
        raise DataError(f"the table of people names user_id {ids[ids.duplicated()].iloc[0]!r} more than once")
    if not measured.index.isin(ids).any():
        raise DataError(
            f"none of the {len(measured)} people with a value is in the table of people "
            f"(values have {measured.index[0]!r}, the table has {ids.iloc[0] if len(ids) else 'nobody'!r})"
        )
    attributes = users.set_index(pd.Index(ids)).drop(columns="user_id")
    return attributes.reindex(measured.index).rename_axis("user_id").reset_index()
