"""Is one model better than another, over the same people, and for which parts of the test is a model good?"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recsys_core.actions.data import LoadedDataset, open_dataset
from recsys_core.actions.models import LoadedModel, evaluate_model, open_model
from recsys_core.data.dataset import FloatArray
from recsys_core.data.split import all_targets, histories
from recsys_core.errors import ConfigError
from recsys_core.fairness.inference import holm
from recsys_core.fairness.paired import N_DRAWS, PairedDifference, paired_bootstrap
from recsys_core.metrics.list_measures import CATALOGUE_MEASURES, PERSON_MEASURES
from recsys_core.metrics.popularity import candidate_counts, item_popularity, popular_ranks
from recsys_core.metrics.ranking import name_and_k, per_person
from recsys_core.metrics.ranks import RelevantRanks
from recsys_core.ranker.evaluation import Part, evaluate
from recsys_core.ranker.popularity import fit_popularity, item_counts
from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace

LIST_LENGTH = 10  # where a metric says nothing else


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model against another on a metric.

    Attributes:
        first: the model that is compared.
        second: what it is compared with.
        metric: such as `ndcg@10`.
        part: which held-out items.
        result: the difference first − second, over the people whom both ranked for.
    """

    first: ModelRecord
    second: ModelRecord
    metric: str
    part: Part
    result: PairedDifference


@dataclass(frozen=True, slots=True)
class Standing:
    """A model's place on the leaderboard.

    Attributes:
        model: the model.
        result: its difference to popularity on the same people.
        p_adjusted: of that difference, adjusted by Holm over all models of the leaderboard.
    """

    model: ModelRecord
    result: PairedDifference
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The models of a data set.

    Attributes:
        standings: those that have the metric, best first.
        left_out: imported lists that are too short for the metric or not for these items, with the reason.
    """

    standings: tuple[Standing, ...]
    left_out: tuple[tuple[ModelRecord, str], ...]


def compare_models(
    workspace: Workspace,
    first: str,
    second: str,
    metric: str = "ndcg@10",
    part: Part = "test",
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Comparison:
    """Two models of one data set by a paired bootstrap over the people whom both ranked for.

    Raises:
        NotFoundError: there is no such model.
        ConfigError: the models learned from different data sets, whose people and splits differ; or no such
            metric, or one that no single person has.
        DataError: fewer than two people have a value from both.
    """
    records = workspace.resolve("model", first), workspace.resolve("model", second)
    check_comparable(workspace, *records)
    own = open_model(workspace, records[0].id)
    other = open_model(workspace, records[1].id, own.data)
    values = values_of(own, metric, part), values_of(other, metric, part)
    return Comparison(*records, metric, part, paired_bootstrap(*values, n_draws, seed))


def leaderboard(
    workspace: Workspace,
    dataset: str,
    metric: str = "ndcg@10",
    part: Part = "test",
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Leaderboard:
    """Every model of a data set that has the metric, best first, with its paired difference to popularity.

    Popularity is counted afresh from the training part, so it stands there whether or not it was trained.

    Raises:
        NotFoundError: there is no such data set.
        ConfigError: no such metric, or one that no single person has.
    """
    data = open_dataset(workspace, dataset)
    popular = popularity_values(data, metric, part)
    ranked, left_out = list[tuple[ModelRecord, PairedDifference]](), list[tuple[ModelRecord, str]]()
    for model in [model for model in workspace.models() if model.dataset_id == data.record.id]:
        try:
            values = values_of(open_model(workspace, model.id, data), metric, part)
        except ConfigError as reason:  # the metric itself is known, or popularity had refused it
            left_out.append((model, str(reason)))
        else:
            ranked.append((model, paired_bootstrap(values, popular, n_draws, seed)))
    adjusted = holm([result.p_value for _, result in ranked])
    standings = [Standing(*row, p) for row, p in zip(ranked, adjusted, strict=True)]
    return Leaderboard(tuple(sorted(standings, key=lambda standing: -standing.result.first)), tuple(left_out))


def values_of(model: LoadedModel, metric: str, part: Part) -> FloatArray:
    """[n_users] a metric of a model, evaluated again only where what was kept can't answer.

    Raises:
        ConfigError: no such metric, or one that no single person has.
    """
    kept = model.valid if part == "valid" else model.test
    found = kept if kept.knows(metric) else evaluate_model(model, part, _list_length(metric))
    return found.per_person(metric)


def popularity_values(data: LoadedDataset, metric: str, part: Part) -> FloatArray:
    """[n_users] the metric of everybody's candidates ranked by popularity in training.

    One order for everybody tells all ranks at once; only what lists are like asks for the lists themselves.

    Raises:
        ConfigError: no such metric, or one that no single person has.
    """
    dataset, split = data.dataset, data.split
    training = histories(dataset, split, "valid")
    if name_and_k(metric)[0] in (*PERSON_MEASURES, *CATALOGUE_MEASURES):
        ranker = fit_popularity(training, dataset.n_items)
        return evaluate(ranker, dataset, split, part, _list_length(metric)).per_person(metric)
    known, wanted = histories(dataset, split, part), all_targets(dataset, split, part)
    by_people = item_popularity(training, dataset.n_items)
    by_events = replace(by_people, n_people=item_counts(training, dataset.n_items).astype(np.int64))
    ranks = RelevantRanks(
        popular_ranks(by_events, known, wanted),
        wanted.offsets,
        candidate_counts(known, dataset.n_items),
        popular_ranks(by_people, known, wanted),
    )
    return per_person(metric, ranks)


def check_comparable(workspace: Workspace, first: ModelRecord, second: ModelRecord) -> None:
    """Refuses models of different data sets.

    Raises:
        ConfigError: with the names of both data sets.
    """
    if first.dataset_id == second.dataset_id:
        return
    names = {record.id: record.name for record in workspace.datasets()}
    own, other = (names.get(model.dataset_id, model.dataset_id) for model in (first, second))
    raise ConfigError(
        f"'{first.name}' learned from '{own}' and '{second.name}' from '{other}': their people and their "
        "held-out items differ; only models of one data set can be compared"
    )


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The contract of `reclens compare --json`."""
    return {
        "model_a": comparison.first.id,
        "model_b": comparison.second.id,
        "metric": comparison.metric,
        "split": comparison.part,
        "n_users": comparison.result.n,
        "value_a": comparison.result.first,
        "value_b": comparison.result.second,
        "n_better": comparison.result.n_better,
        "n_worse": comparison.result.n_worse,
        **_difference_json(comparison.result),
    }


def leaderboard_json(board: Leaderboard, metric: str, part: Part) -> dict[str, Any]:
    """The contract of `reclens leaderboard --json`."""
    rows = [
        {
            "model": standing.model.id,
            "name": standing.model.name,
            "n_users": standing.result.n,
            "value": standing.result.first,
            "popularity": standing.result.second,
            **_difference_json(standing.result),
            "p_adjusted": standing.p_adjusted,
        }
        for standing in board.standings
    ]
    left_out = [{"model": model.id, "name": model.name, "reason": reason} for model, reason in board.left_out]
    return {"metric": metric, "split": part, "models": rows, "left_out": left_out}


def _difference_json(result: PairedDifference) -> dict[str, float]:
    return {
        "difference": result.difference,
        "ci_low": result.ci_low,
        "ci_high": result.ci_high,
        "p_value": result.p_value,
    }


def _list_length(metric: str) -> int:
    return max(name_and_k(metric)[1], 1) if "@" in metric else LIST_LENGTH
