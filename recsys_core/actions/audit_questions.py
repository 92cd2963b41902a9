"""What an audit of a model can be asked: metrics and attributes beyond those that are kept, and its plan."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys_core.actions.audit_records import keep_audited
from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.disclosures import held_against
from recsys_core.actions.loaded import LoadedModel
from recsys_core.actions.models import lists_for_all
from recsys_core.actions.preferences import with_threshold
from recsys_core.actions.slice_columns import beside_slices
from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.data.split import histories
from recsys_core.errors import ConfigError
from recsys_core.fairness.cohorts import with_cohorts
from recsys_core.fairness.disclosure import Shown
from recsys_core.fairness.findings import AuditPlan
from recsys_core.fairness.groups import attribute_names
from recsys_core.fairness.planning import plan
from recsys_core.fairness.result import AuditSettings
from recsys_core.fairness.suppression import SMALLEST_GROUP
from recsys_core.metrics.popularity import item_popularity
from recsys_core.metrics.ranking import name_and_k
from recsys_core.metrics.taste import (
    band_counts,
    category_counts,
    history_popularity,
    miscalibration,
    popularity_bands,
    popularity_deviation,
)
from recsys_core.ranker.evaluation import per_person_table
from recsys_core.ranker.rerank import category_shares
from recsys_core.ranker.slices import COLD_BELOW
from recsys_core.store.workspace import Workspace

ACTIVITY, MAINSTREAMNESS, COLD = "activity", "mainstreamness", "cold"
DERIVED = (ACTIVITY, MAINSTREAMNESS, COLD)
TASTE_METRICS = ("miscalibration", "popularity-deviation")


def audit_settings(
    by: Sequence[str],
    metrics: Sequence[str],
    reference: str,
    margin: float | None,
    draws: int,
    seed: int,
    primary: Sequence[str] | None,
    cohorts: Sequence[str],
    minimum_group: int = SMALLEST_GROUP,
) -> AuditSettings:
    """The settings as a command line names them; `primary` "none" declares no family beforehand.

    Raises:
        ConfigError: a value is out of bounds, or a cohort that nothing is asked of.
    """
    asked = {part.strip() for name in by for part in name.split("*")}
    unasked = [name for name in (cohort.partition("=")[0].strip() for cohort in cohorts) if name not in asked]
    if unasked:
        raise ConfigError(f"the cohort '{unasked[0]}' isn't asked about; add --by {unasked[0]}")
    declared = None if primary is None else tuple(name for name in primary if name != "none")
    first, *more = metrics
    return AuditSettings(
        tuple(by),
        first,
        reference,
        margin,
        draws,
        seed,
        minimum_group=minimum_group,
        more_metrics=tuple(more),
        primary=declared,
        cohorts=tuple(cohorts),
    )


def audit_arguments(settings: AuditSettings) -> list[str]:
    """The arguments of `reclens audit` that ask for exactly these settings."""
    parts: list[str] = []
    named = {"--by": settings.by, "--metric": settings.metrics, "--cohort": settings.cohorts}
    for option, values in named.items():
        for value in values:
            parts += [option, value]
    if settings.primary is not None:
        for attribute in settings.primary or ("none",):
            parts += ["--primary", attribute]
    parts += ["--reference", settings.reference]
    if settings.margin is not None:
        parts += ["--margin", str(settings.margin)]
    if settings.minimum_group != SMALLEST_GROUP:
        parts += ["--minimum-group", str(settings.minimum_group)]
    return [*parts, "--draws", str(settings.draws), "--seed", str(settings.seed)]


def plan_model(
    model: LoadedModel, settings: AuditSettings, workspace: Workspace | None = None
) -> tuple[AuditPlan, ...]:
    """What an audit of the model could find, for each metric, from the sizes of the groups alone.

    In a workspace, what was shown before is taken into account, and what this shows is added to it.

    Raises:
        DataError: as `audit_model`.
        ConfigError: no such metric.
    """
    dataset_id, settings = model.data.record.id, with_threshold(settings, workspace)
    earlier = held_against(workspace, dataset_id)
    values, users = audited_values(model, settings.metrics), audit_table(model.data, settings, earlier)
    plans, shown = plan(values, users, settings, earlier)
    keep_audited(workspace, model.data, values, users, settings, earlier, shown)
    return plans


def audited_values(model: LoadedModel, metrics: Sequence[str]) -> pd.DataFrame:
    """A row a person with a held-out item, indexed by user_id, and a column a metric; NaN = no value.

    Raises:
        ConfigError: no such metric.
    """
    dataset = model.data.dataset
    kept = [metric for metric in metrics if name_and_k(metric)[0] not in TASTE_METRICS]
    columns = {metric: per_person_table(dataset, model.test, metric) for metric in kept}
    columns |= _taste(model, [metric for metric in metrics if metric not in columns])
    # whoever has no held-out item isn't audited, whatever their list is like
    held_out = per_person_table(dataset, model.test, "hr@1").index
    return pd.DataFrame({metric: columns[metric].reindex(held_out) for metric in metrics})


def audited_users(data: LoadedDataset) -> pd.DataFrame:
    """The table of people with what follows from their histories; a column that is there already stays.

    `activity`: different items before the test target; `mainstreamness`: their mean share of people, in
    percent; `cold`: "cold" under five different training items, else "warm".
    """
    dataset, split = data.dataset, data.split
    known = histories(dataset, split, "test").without_repeats()
    trained = histories(dataset, split, "valid").without_repeats()
    mainstream = history_popularity(known, item_popularity(trained, dataset.n_items))
    derived = {
        ACTIVITY: known.lengths.astype(str),
        MAINSTREAMNESS: np.where(np.isnan(mainstream), "", np.round(100 * mainstream, 3).astype(str)),
        COLD: np.where(trained.lengths < COLD_BELOW, "cold", "warm"),
    }
    new = {name: values for name, values in derived.items() if name not in dataset.users.columns}
    return dataset.users.assign(**new)


def audit_table(data: LoadedDataset, settings: AuditSettings, earlier: Sequence[Shown]) -> pd.DataFrame:
    """The table of people that an audit needs, also to be held against earlier answers by slices.

    Raises:
        DataError: an attribute or a group of a cohort doesn't exist.
        ConfigError: a cohort can't be read.
    """
    users = audited_users(data)
    askable = with_cohorts(users, settings.cohorts)
    for by in settings.by:
        attribute_names(askable, by)
    return beside_slices(users, data, earlier)


def _taste(model: LoadedModel, metrics: Sequence[str]) -> dict[str, "pd.Series[float]"]:
    """How far each person's list is from what they are like."""
    dataset, found = model.data.dataset, dict[str, "pd.Series[float]"]()
    index = pd.Index(dataset.users["user_id"])
    for metric in metrics:
        name, k = name_and_k(metric)
        if k < 1:
            raise ConfigError(f"there is no metric '{metric}'; write {name}@K")
        measure = _miscalibration if name == "miscalibration" else _popularity_deviation
        found[metric] = pd.Series(measure(model, *listed_items(model, k)), index=index, name=metric)
    return found


def listed_items(model: LoadedModel, k: int) -> tuple[IntArray, IntArray]:
    """Item numbers of everybody's list, and the user number of each."""
    dataset, lists = model.data.dataset, lists_for_all(model, k)
    items = pd.Series(np.arange(1, dataset.n_items + 1), index=pd.Index(dataset.items["item_id"]))
    users = pd.Series(np.arange(dataset.n_users), index=pd.Index(dataset.users["user_id"]))
    return items[lists["item_id"]].to_numpy(dtype=np.int64), users[lists["user_id"]].to_numpy(dtype=np.int64)


def _miscalibration(model: LoadedModel, items: IntArray, rows: IntArray) -> FloatArray:
    dataset = model.data.dataset
    known, shares = histories(dataset, model.data.split, "test"), category_shares(dataset)
    history = category_counts(known.items, known.rows, dataset.n_users, shares)
    return miscalibration(history, category_counts(items, rows, dataset.n_users, shares))


def _popularity_deviation(model: LoadedModel, items: IntArray, rows: IntArray) -> FloatArray:
    dataset, split = model.data.dataset, model.data.split
    known = histories(dataset, split, "test").without_repeats()
    bands = popularity_bands(item_popularity(histories(dataset, split, "valid"), dataset.n_items))
    history = band_counts(known.items, known.rows, dataset.n_users, bands)
    return popularity_deviation(history, band_counts(items, rows, dataset.n_users, bands))
