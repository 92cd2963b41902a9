"""What it costs to close a gap by re-ranking, and the chosen way as a model of its own."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.causes import usable_attributes
from recsys_core.actions.kept_models import KEPT_K, keep_model
from recsys_core.actions.loaded import LoadedModel
from recsys_core.config import read_settings
from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.errors import DataError
from recsys_core.explain.knowledge import item_knowledge
from recsys_core.fairness.groups import UNKNOWN, attribute_names, group_labels
from recsys_core.fairness.mitigation import (
    NOBODY,
    Change,
    FrontierPoint,
    check_settings,
    frontier,
    paired_change,
)
from recsys_core.fairness.suppression import SMALLEST_GROUP, hidden_groups
from recsys_core.metrics.ranking import name_and_k, per_person
from recsys_core.metrics.ranks import one_each
from recsys_core.pipeline import Progress, TrainedModel
from recsys_core.ranker.evaluation import Evaluation, evaluate
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.policy import AS_IT_IS, Policy, policy_of_groups
from recsys_core.ranker.policy_values import values_under
from recsys_core.ranker.rerank import ItemFacts, Reranker, category_shares, parse_reranking
from recsys_core.ranker.reranked import RerankedRanker
from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.memory import peak_bytes

RERANKED = "reranked"
WITH_CATEGORIES = ("calibration:0.1", "calibration:0.3")
ANYWHERE = ("mmr:0.1", "mmr:0.3", "popularity:0.1", "popularity:0.3")
NOBODYS_RANKS = one_each(np.zeros(0, dtype=np.int64))  # to ask whether there is such a metric
FEWEST_IN_A_HALF = 20  # people of a group from which something is fitted for it


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What the chosen policy does to a group, among the people who had no part in choosing it."""

    attribute: str
    group: str
    n: int
    change: Change


@dataclass(frozen=True, slots=True)
class ItemChange:
    """A figure of everybody's lists before and after: of the items, so without an interval."""

    name: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Mitigation:
    """Utility against gap, and what the chosen point does beside.

    Attributes:
        attribute: whose groups.
        metric: of people's lists.
        groups: those that are compared, in the order of each point's options.
        specs: the re-rankings that a point's options number; the first is the list as it is.
        points: the frontier, the widest gap first.
        n_fitting: people who chose.
        n_showing: people whose figures are shown.
        side_effects: on every group of every attribute that may be shown.
        items: what the lists are like before and after.
        policy: the chosen one.
    """

    attribute: str
    metric: str
    groups: tuple[str, ...]
    specs: tuple[str, ...]
    points: tuple[FrontierPoint, ...]
    n_fitting: int
    n_showing: int
    side_effects: tuple[GroupChange, ...]
    items: tuple[ItemChange, ...]
    policy: Policy

    @property
    def chosen(self) -> FrontierPoint:
        """The point that the fitting people chose."""
        return next(point for point in self.points if point.chosen)

    def rules(self, point: FrontierPoint) -> dict[str, str]:
        """The re-ranking of each group at a point; "" = the list as it is."""
        return {group: self.specs[option] for group, option in zip(self.groups, point.options, strict=True)}


def mitigate(
    model: LoadedModel,
    by: str,
    specs: tuple[str, ...] = (),
    metric: str = "ndcg@10",
    max_loss: float = 0.05,
    draws: int = 1000,
    seed: int = 0,
    progress: Progress = lambda share, message: None,
) -> tuple[Mitigation, RerankedRanker]:
    """The frontier of re-rankings by group, and the ranker at the point that was chosen.

    Half of the people, drawn by the seed, choose by their validation items; the other half show what comes
    of it on their test items.

    Args:
        model: an opened model.
        by: an attribute, or several crossed.
        specs: re-rankings that a group may get; default: a few of each kind that the data allow.
        metric: such as `ndcg@10`.
        max_loss: the share of its utility that any group may lose among the choosing people.
        draws: bootstrap resamples.
        seed: of halves and draws.
        progress: told how far it is.

    Raises:
        DataError: an attribute that can't form groups, or fewer than two groups with people enough.
        ConfigError: no such metric or re-ranking, or a setting out of bounds.
    """
    check_settings(max_loss, draws)
    per_person(metric, NOBODYS_RANKS)
    data, split = model.data.dataset, model.data.split
    trial, options = _trial(model, specs, metric)
    halves = _halves(model, by, seed)
    progress(0.05, "Re-ranking for those who choose")
    fitted = values_under(trial, data, split, "valid", halves.fitting, options, metric)
    progress(0.45, "Re-ranking for those who show")
    shown = values_under(trial, data, split, "test", halves.showing, options, metric)
    progress(0.85, "Comparing")
    codes, n_groups = halves.codes, len(halves.groups)
    points = frontier(
        fitted, codes[halves.fitting], shown, codes[halves.showing], n_groups, max_loss, draws, seed
    )
    chosen = next(point for point in points if point.chosen).options
    ranker = _ranker_at(model, by, trial, halves.groups, [options[option] for option in chosen])
    own = codes[halves.showing]
    after = shown[np.where(own == NOBODY, 0, np.array(chosen)[own]), np.arange(len(own))]
    found = Mitigation(
        attribute=by,
        metric=metric,
        groups=halves.groups,
        specs=options,
        points=points,
        n_fitting=len(halves.fitting),
        n_showing=len(halves.showing),
        side_effects=_side_effects(model, by, halves.showing, shown[0], after, draws, seed),
        items=_items(evaluate(model.ranker, data, split, "test"), evaluate(ranker, data, split, "test")),
        policy=ranker.policy,
    )
    progress(1.0, "Done")
    return found, ranker


def keep_mitigated(
    workspace: Workspace, model: LoadedModel, found: Mitigation, ranker: RerankedRanker, name: str
) -> ModelRecord:
    """Keeps the chosen point as a model: to be ranked with, compared and audited like any other.

    Raises:
        DataError: the name is taken.
    """
    workspace.check_free("model", name)
    start = time.perf_counter()
    data = model.data
    rules = "; ".join(f"{group}: {spec or 'as it is'}" for group, spec in found.rules(found.chosen).items())
    settings = read_settings(
        RERANKED, {"model": model.record.name, "by": found.attribute, "rules": rules[:4_000]}
    )
    trained = TrainedModel(
        RERANKED,
        settings,
        model.seed,
        ranker,
        None,
        None,
        valid=evaluate(ranker, data.dataset, data.split, "valid"),
        test=evaluate(ranker, data.dataset, data.split, "test"),
        verification=None,
        seconds=time.perf_counter() - start,
        peak_memory_bytes=peak_bytes(),
    )
    keep_model(workspace, name, data, trained, "balanced")
    return workspace.resolve("model", name)


def mitigation_json(found: Mitigation) -> dict[str, Any]:
    """The contract of `reclens mitigate --json`."""
    return {
        "attribute": found.attribute,
        "metric": found.metric,
        "n_fitting": found.n_fitting,
        "n_showing": found.n_showing,
        "points": [_point_json(found, point) for point in found.points],
        "side_effects": [
            {"attribute": row.attribute, "group": row.group, "n": row.n, **asdict(row.change)}
            for row in found.side_effects
        ],
        "items": [asdict(row) for row in found.items],
    }


def _point_json(found: Mitigation, point: FrontierPoint) -> dict[str, Any]:
    return {
        "chosen": point.chosen,
        "rules": found.rules(point),
        "utility": asdict(point.utility),
        "gap": asdict(point.gap),
        "groups": {group: asdict(change) for group, change in zip(found.groups, point.groups, strict=True)},
        "fit_utility": point.fit_utility,
        "fit_gap": point.fit_gap,
    }


def _default_specs(facts: ItemFacts) -> tuple[str, ...]:
    return (*(WITH_CATEGORIES if facts.shares.nnz else ()), *ANYWHERE)


def _trial(model: LoadedModel, specs: tuple[str, ...], metric: str) -> tuple[RerankedRanker, tuple[str, ...]]:
    """A re-ranked ranker that re-ranks for nobody yet, and the re-rankings that may be tried.

    Raises:
        ConfigError: there is no such re-ranking, or the data have nothing for it to go by.
    """
    data = model.data.dataset
    known = item_knowledge(model.ranker, data, model.data.split)
    facts = ItemFacts(known.vectors, category_shares(data), known.popularity)
    options = (AS_IT_IS, *(specs or _default_specs(facts)))
    for spec in options[1:]:
        Reranker(parse_reranking(spec), facts)
    inner = Inner(model.record.name, model.ranker_name, model.settings, model.ranker)
    return RerankedRanker(inner, Policy((), (), (), name_and_k(metric)[1] or KEPT_K), facts), options


def _ranker_at(
    model: LoadedModel, by: str, trial: RerankedRanker, groups: tuple[str, ...], specs: list[str]
) -> RerankedRanker:
    """The ranker under which each group gets its re-ranking."""
    data = model.data.dataset
    rules = dict(zip(groups, specs, strict=True))
    attributes, labels = attribute_names(data.users, by), group_labels(data.users, by)
    return replace(trial, policy=policy_of_groups(data, attributes, labels, rules, trial.policy.length))


@dataclass(frozen=True, slots=True)
class _Halves:
    """Who chooses, who shows, and who is in which group.

    Attributes:
        fitting: numbers of the people who choose.
        showing: numbers of the people who show.
        groups: those that are compared.
        codes: [n_users] the place of each person's group among them; −1 = none.
    """

    fitting: IntArray
    showing: IntArray
    groups: tuple[str, ...]
    codes: IntArray


def _halves(model: LoadedModel, by: str, seed: int) -> _Halves:
    split, labels = model.data.split, group_labels(model.data.dataset.users, by)
    people = np.flatnonzero((split.valid_row >= 0) & (split.test_row >= 0))
    drawn = np.random.default_rng(seed).permutation(people)
    fitting, showing = np.sort(drawn[: len(people) // 2]), np.sort(drawn[len(people) // 2 :])
    groups = _groups(labels, fitting, showing, by)
    codes = pd.Index(groups).get_indexer(pd.Index(labels.astype(str))).astype(np.int64)
    return _Halves(fitting, showing, tuple(groups), codes)


def _groups(labels: pd.Series, fitting: IntArray, showing: IntArray, by: str) -> list[str]:
    """The groups that may be shown in each half and have people enough there.

    Raises:
        DataError: there are fewer than two.
    """
    halves = [labels.iloc[people].reset_index(drop=True) for people in (fitting, showing)]
    groups = [str(group) for group in labels.cat.categories if group != UNKNOWN]
    for half in halves:
        hidden = hidden_groups({by: half}, SMALLEST_GROUP)[by]
        counts = half.astype(str).value_counts()
        groups = [
            group for group in groups if group not in hidden and int(counts.get(group, 0)) >= FEWEST_IN_A_HALF
        ]
    if len(groups) < 2:
        raise DataError(
            f"{by} has fewer than 2 groups of {FEWEST_IN_A_HALF} people in each half of those who have "
            "held-out items, so there is no gap to close"
        )
    return groups


def _side_effects(
    model: LoadedModel,
    by: str,
    showing: IntArray,
    before: FloatArray,
    after: FloatArray,
    draws: int,
    seed: int,
) -> tuple[GroupChange, ...]:
    """The change for every group of every attribute among the showing people."""
    users = model.data.dataset.users
    names = dict.fromkeys([by, *usable_attributes(model)])
    labels = {name: group_labels(users, name).iloc[showing].reset_index(drop=True) for name in names}
    hidden = hidden_groups(labels, SMALLEST_GROUP)
    rows = list[GroupChange]()
    for name, own in labels.items():
        for group in map(str, own.cat.categories):
            inside = np.asarray(own.astype(str) == group)
            if group not in hidden[name] and inside.any():
                change = paired_change(before[inside], after[inside], draws, seed)
                rows.append(GroupChange(name, group, int(inside.sum()), change))
    return tuple(rows)


def _items(before: Evaluation, after: Evaluation) -> tuple[ItemChange, ...]:
    names = [f"{name}@{before.k}" for name in ("coverage", "gini", "novelty", "popularity", "diversity")]
    return tuple(ItemChange(name, before.mean(name), after.mean(name)) for name in names)
