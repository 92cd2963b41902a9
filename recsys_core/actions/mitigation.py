"""What it costs to close a gap by re-ranking or another training; the chosen way as a model of its own."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from recsys_core.actions.kept_models import KEPT_K, keep_model
from recsys_core.actions.loaded import LoadedModel
from recsys_core.actions.mitigation_kept import NOTHING_KEPT, KeptWork
from recsys_core.actions.mitigation_people import Halves, halves_of, halves_shown, record_halves
from recsys_core.actions.mitigation_training import TrainedVariant, trained_model
from recsys_core.actions.reranking import item_facts
from recsys_core.actions.side_effects import (
    GroupChange,
    ItemChange,
    ItemGroupChange,
    attributes_told,
    group_changes,
    item_changes,
    item_group_changes,
)
from recsys_core.config import read_settings
from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.fairness.groups import attribute_names, group_labels
from recsys_core.fairness.mitigation import (
    NOBODY,
    FrontierPoint,
    check_settings,
    frontier,
    option_of_others,
)
from recsys_core.metrics.ranking import name_and_k, per_person
from recsys_core.metrics.ranks import one_each
from recsys_core.pipeline import Progress, TrainedModel
from recsys_core.ranker.evaluation import evaluate
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.policy import AS_IT_IS, Policy, policy_of_groups
from recsys_core.ranker.policy_values import values_of, values_under
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.rerank import ItemFacts, Reranker, parse_reranking
from recsys_core.ranker.reranked import RerankedRanker
from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.memory import peak_bytes

RERANKED = "reranked"
WITH_CATEGORIES = ("calibration:0.1", "calibration:0.3")
ANYWHERE = ("mmr:0.1", "mmr:0.3", "popularity:0.1", "popularity:0.3")
NOBODYS_RANKS = one_each(np.zeros(0, dtype=np.int64))  # to ask whether there is such a metric

Chosen = RerankedRanker | TrainedVariant


@dataclass(frozen=True, slots=True)
class Mitigation:
    """Utility against gap, and what the chosen point does beside.

    Attributes:
        attribute: whose groups.
        metric: of people's lists.
        groups: those that are compared, in the order of each point's options.
        specs: what a point's options number: re-rankings, the list as it is first, then trainings.
        points: the frontier, the widest gap first.
        n_fitting: people who chose.
        n_showing: people whose figures are shown.
        side_effects: on every group of every attribute that may be shown.
        items: what the lists are like before and after.
        item_groups: who among the items gains or loses exposure on the showing people's lists.
        policy: the chosen re-ranking by group; of nobody where a training was chosen.
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
    item_groups: tuple[ItemGroupChange, ...]
    policy: Policy

    @property
    def chosen(self) -> FrontierPoint:
        """The point that the fitting people chose."""
        return next(point for point in self.points if point.chosen)

    def rules(self, point: FrontierPoint) -> dict[str, str]:
        """What each group gets at a point; "" = the list as it is."""
        return {group: self.specs[option] for group, option in zip(self.groups, point.options, strict=True)}


def check_mitigation(
    model: LoadedModel,
    by: str,
    specs: tuple[str, ...],
    metric: str,
    max_loss: float,
    draws: int,
    seed: int,
    workspace: Workspace | None = None,
) -> None:
    """Refuses what `mitigate` would refuse, before anything is trained for it.

    Raises:
        DataError, ConfigError: as `mitigate`.
    """
    check_settings(max_loss, draws)
    per_person(metric, NOBODYS_RANKS)
    _trial(model, specs, metric)
    shown = halves_shown(workspace, model, attributes_told(model, by), seed)
    halves_of(model, by, seed, shown.hidden[by])


def mitigate(
    model: LoadedModel,
    by: str,
    specs: tuple[str, ...] = (),
    metric: str = "ndcg@10",
    max_loss: float = 0.05,
    draws: int = 1000,
    seed: int = 0,
    progress: Progress = lambda share, message: None,
    variants: Sequence[TrainedVariant] = (),
    workspace: Workspace | None = None,
    kept: KeptWork = NOTHING_KEPT,
) -> tuple[Mitigation, Chosen]:
    """The frontier of re-rankings by group and of other trainings, and what was chosen.

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
        variants: the model trained in other ways, each for everybody or nobody.
        workspace: whose record of what was shown counts, and is added to.
        kept: what an earlier call that was stopped has finished.

    Raises:
        DataError: an attribute that can't form groups, fewer than two groups with people enough, or a few
            people who could be told apart by what was shown before.
        ConfigError: no such metric or re-ranking, or a setting out of bounds.
    """
    check_settings(max_loss, draws)
    per_person(metric, NOBODYS_RANKS)
    data, split = model.data.dataset, model.data.split
    trial, rerankings = _trial(model, specs, metric)
    may_show = halves_shown(workspace, model, attributes_told(model, by), seed)
    halves = halves_of(model, by, seed, may_show.hidden[by])
    options = (*rerankings, *(variant.name for variant in variants))
    fitted, shown = _both_halves(model, trial, rerankings, variants, halves, metric, progress, kept)
    own, n_groups = halves.codes[halves.showing], len(halves.groups)
    points = frontier(
        fitted, halves.codes[halves.fitting], shown, own, n_groups, max_loss, draws, seed, len(variants)
    )
    chosen = next(point for point in points if point.chosen).options
    way, ranker = _chosen(model, by, trial, halves.groups, [options[option] for option in chosen], variants)
    other = option_of_others(chosen, len(options), len(variants))
    after = shown[np.where(own == NOBODY, other, np.array(chosen)[own]), np.arange(len(own))]
    found = Mitigation(
        attribute=by,
        metric=metric,
        groups=halves.groups,
        specs=options,
        points=points,
        n_fitting=len(halves.fitting),
        n_showing=len(halves.showing),
        side_effects=group_changes(model, may_show.hidden, halves.showing, shown[0], after, draws, seed),
        items=item_changes(
            evaluate(model.ranker, data, split, "test"), evaluate(ranker, data, split, "test")
        ),
        item_groups=item_group_changes(
            model, _named_attributes(rerankings), ranker, halves.showing, trial.policy.length, draws, seed
        ),
        policy=way.policy if isinstance(way, RerankedRanker) else trial.policy,
    )
    record_halves(workspace, model, may_show)
    progress(1.0, "Done")
    return found, way


def _both_halves(
    model: LoadedModel,
    trial: RerankedRanker,
    rerankings: tuple[str, ...],
    variants: Sequence[TrainedVariant],
    halves: Halves,
    metric: str,
    progress: Progress,
    kept: KeptWork,
) -> tuple[FloatArray, FloatArray]:
    """[n_options, n] what each person of either half gets under each re-ranking, then each training."""
    data, split = model.data.dataset, model.data.split

    def values(part: Literal["valid", "test"], people: IntArray) -> FloatArray:
        reranked = kept.values(
            f"{part} reranked",
            people,
            rerankings,
            lambda: values_under(trial, data, split, part, people, rerankings, metric),
        )
        trained = [values_of(own.learned.ranker, data, split, part, people, metric) for own in variants]
        return np.stack([*reranked, *trained])

    progress(0.05, "Ranking for those who choose")
    fitted = values("valid", halves.fitting)
    progress(0.45, "Ranking for those who show")
    shown = values("test", halves.showing)
    progress(0.85, "Comparing")
    return fitted, shown


def _chosen(
    model: LoadedModel,
    by: str,
    trial: RerankedRanker,
    groups: tuple[str, ...],
    names: list[str],
    variants: Sequence[TrainedVariant],
) -> tuple[Chosen, Ranker]:
    """The way that these options of the groups are, and its ranker."""
    for variant in variants:
        if variant.name == names[0]:
            return variant, variant.learned.ranker
    ranker = _ranker_at(model, by, trial, groups, names)
    return ranker, ranker


def keep_mitigated(
    workspace: Workspace, model: LoadedModel, found: Mitigation, way: Chosen, name: str
) -> ModelRecord:
    """Keeps the chosen point as a model: to be ranked with, compared and audited like any other.

    Raises:
        DataError: the name is taken.
    """
    workspace.check_free("model", name)
    if isinstance(way, TrainedVariant):
        preset = str(model.record.details.get("preset", "balanced"))
        keep_model(workspace, name, model.data, trained_model(model, way), preset)
        return workspace.resolve("model", name)
    start, data = time.perf_counter(), model.data
    rules = "; ".join(f"{group}: {spec or 'as it is'}" for group, spec in found.rules(found.chosen).items())
    settings = read_settings(
        RERANKED, {"model": model.record.name, "by": found.attribute, "rules": rules[:4_000]}
    )
    trained = TrainedModel(
        RERANKED,
        settings,
        model.seed,
        way,
        None,
        None,
        valid=evaluate(way, data.dataset, data.split, "valid"),
        test=evaluate(way, data.dataset, data.split, "test"),
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
        "item_groups": [
            {"attribute": row.attribute, "group": row.group, "n_items": row.n_items, **asdict(row.change)}
            for row in found.item_groups
        ],
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
        DataError: there are no items such as one of them names.
    """
    facts = item_facts(model.ranker, model.data.dataset, model.data.split, specs)
    options = (AS_IT_IS, *(specs or _default_specs(facts)))
    for spec in options[1:]:
        Reranker(parse_reranking(spec), facts)
    inner = Inner(model.record.name, model.ranker_name, model.settings, model.ranker)
    return RerankedRanker(inner, Policy((), (), (), name_and_k(metric)[1] or KEPT_K), facts), options


def _named_attributes(specs: Sequence[str]) -> list[str]:
    """The attributes of items that re-rankings name."""
    groups = [parse_reranking(spec).group for spec in specs if spec != AS_IT_IS]
    return [group.partition("=")[0] for group in groups if group]


def _ranker_at(
    model: LoadedModel, by: str, trial: RerankedRanker, groups: tuple[str, ...], specs: list[str]
) -> RerankedRanker:
    """The ranker under which each group gets its re-ranking."""
    data = model.data.dataset
    rules = dict(zip(groups, specs, strict=True))
    attributes, labels = attribute_names(data.users, by), group_labels(data.users, by)
    return replace(trial, policy=policy_of_groups(data, attributes, labels, rules, trial.policy.length))
