"""Does an audit hold without accounts that may be nobody, and once people take what they are shown?"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.audits import audit_model
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.data.dataset import FloatArray, Histories
from recsys_core.data.split import histories, targets
from recsys_core.data.suspicious import SuspiciousUsers, find_suspicious
from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.groups import UNKNOWN, group_labels
from recsys_core.fairness.result import AuditResult, AuditSettings
from recsys_core.metrics.ranking import name_and_k, per_person
from recsys_core.metrics.ranks import one_each
from recsys_core.ranker.evaluation import per_person_table
from recsys_core.ranker.feedback import Round, simulate_feedback
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.registry import fit_counting_ranker
from recsys_core.store.workspace import Workspace

MOST_PEOPLE = 2_000  # of the feedback loop; more are drawn from
NOT_TESTED = "not tested"
COUNTING = ("popularity", "item-knn", "ease", "transitions", "als")


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """What an audit says of a gap with all accounts, and without the flagged ones."""

    attribute: str
    group: str
    reference: str
    with_all: str
    without_flagged: str

    @property
    def flips(self) -> bool:
        """Whether the verdict is another one."""
        return self.with_all != self.without_flagged


@dataclass(frozen=True, slots=True)
class WithoutFlagged:
    """An audit held against itself without flagged accounts.

    Only verdicts are told: figures with and without a few accounts would give these accounts' values away.

    Attributes:
        flagged: who was flagged, and why.
        n_flagged: how many accounts.
        gaps: the verdicts of every gap that either audit has.
    """

    flagged: SuspiciousUsers
    n_flagged: int
    gaps: tuple[VerdictChange, ...]


def audit_without_flagged(
    model: LoadedModel, settings: AuditSettings, workspace: Workspace | None = None
) -> WithoutFlagged:
    """The verdicts of an audit with all accounts, and again without those that are flagged.

    In a workspace, groups that may not be shown beside what was shown before have no verdict either.

    Raises:
        DataError: as an audit.
        ConfigError: no such metric.
    """
    data = model.data.dataset
    flagged = find_suspicious(data)
    values = per_person_table(data, model.test, settings.metric)
    kept = values[~values.index.astype(str).isin(list(flagged.user_ids))]
    before, after = audit_model(model, settings, workspace), audit(kept, audited_users(model.data), settings)
    hidden = {(row.attribute, row.group) for row in before.by_group if row.suppressed}
    told = tuple(row for row in _changes(before, after) if (row.attribute, row.group) not in hidden)
    return WithoutFlagged(flagged, len(flagged.user_ids), told)


def without_flagged_json(found: WithoutFlagged) -> dict[str, Any]:
    """The contract of `reclens suspicious --json`: no account's id, and no figure of an audit."""
    reasons = found.flagged.table["reason"].value_counts()
    return {
        "n_users": found.flagged.n_users,
        "n_flagged": found.n_flagged,
        "reasons": {str(reason): int(n) for reason, n in reasons.items()},
        "common": found.flagged.common,
        "gaps": [asdict(row) | {"flips": row.flips} for row in found.gaps],
        "n_flips": sum(row.flips for row in found.gaps),
    }


def _changes(before: AuditResult, after: AuditResult) -> tuple[VerdictChange, ...]:
    verdicts = [
        {(gap.attribute, gap.group, gap.reference): str(gap.verdict) for gap in result.gaps}
        for result in (before, after)
    ]
    keys = list(dict.fromkeys([*verdicts[0], *verdicts[1]]))
    return tuple(VerdictChange(*key, *(own.get(key, NOT_TESTED) for own in verdicts)) for key in keys)


@dataclass(frozen=True, slots=True)
class Band:
    """A figure over seeds: mean, smallest and largest."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FeedbackRound:
    """After so many rounds: the overall value, the largest mean of a group − the smallest, and the lists."""

    number: int
    value: Band
    gap: Band
    gini: Band
    coverage: Band


@dataclass(frozen=True, slots=True)
class FeedbackLoop:
    """What rounds of acceptance do.

    Attributes:
        attribute: whose groups the gap is between.
        metric: of people's lists.
        groups: those that are compared.
        learns: whether the model is fitted anew in each round; else only histories grow.
        n: people.
        n_seeds: how often it was simulated.
        rounds: from before the first.
    """

    attribute: str
    metric: str
    groups: tuple[str, ...]
    learns: bool
    n: int
    n_seeds: int
    rounds: tuple[FeedbackRound, ...]


def run_feedback(
    model: LoadedModel,
    by: str,
    metric: str = "ndcg@10",
    n_rounds: int = 5,
    n_seeds: int = 5,
    seed: int = 0,
    workspace: Workspace | None = None,
) -> FeedbackLoop:
    """Rounds in which everybody takes one item of their list, as gap and exposure go on.

    Rankers that count are fitted anew in each round; others only see longer histories. In a workspace, what
    was shown before is taken into account, and what this shows is added to it.

    Raises:
        ConfigError: no such metric, or rounds or seeds out of bounds.
        DataError: an attribute that can't form groups, or fewer than two groups that may be shown.
    """
    for name, number, most in (("rounds", n_rounds, 50), ("seeds", n_seeds, 50)):
        if not 1 <= number <= most:
            raise ConfigError(f"{name} is {number}; allowed are 1 to {most}")
    data, split = model.data.dataset, model.data.split
    audited = audit_model(model, AuditSettings((by,), metric, draws=200, seed=seed), workspace)
    held_out = targets(data, split, "test")
    people = np.flatnonzero(held_out > 0)
    if len(people) > MOST_PEOPLE:
        people = np.sort(np.random.default_rng(seed).permutation(people)[:MOST_PEOPLE])
    known = histories(data, split, "test").take(people)
    labels = group_labels(data.users, by).astype(str).to_numpy()[people]
    shown = [row.group for row in audited.by_group if not row.suppressed and row.group != UNKNOWN]
    groups = [group for group in shown if (labels == group).sum() >= minimum_group(workspace)]
    if len(groups) < 2:
        raise DataError(f"{by} has fewer than 2 groups that may be shown, so there is no gap to follow")
    learns = model.ranker_name in COUNTING

    def learn(now: Histories) -> Ranker:
        return fit_counting_ranker(model.settings, now, data.n_items, model.seed) if learns else model.ranker

    k = name_and_k(metric)[1] or 10
    runs = [
        list(simulate_feedback(learn, known, held_out[people], data.n_items, k, n_rounds, seed + number))
        for number in range(n_seeds)
    ]
    rounds = tuple(
        _round([run[number] for run in runs], metric, labels, groups) for number in range(n_rounds + 1)
    )
    return FeedbackLoop(by, metric, tuple(groups), learns, len(people), n_seeds, rounds)


def feedback_json(found: FeedbackLoop) -> dict[str, Any]:
    """The contract of `reclens feedback --json`."""
    return asdict(found)


def _round(runs: list[Round], metric: str, labels: NDArray[np.object_], groups: list[str]) -> FeedbackRound:
    values = [per_person(metric, one_each(own.ranks)) for own in runs]
    gaps = [_gap(own, labels, groups) for own in values]
    return FeedbackRound(
        runs[0].number,
        _band([float(own.mean()) for own in values]),
        _band(gaps),
        _band([own.gini for own in runs]),
        _band([own.coverage for own in runs]),
    )


def _gap(values: FloatArray, labels: NDArray[np.object_], groups: list[str]) -> float:
    means = [float(values[labels == group].mean()) for group in groups if (labels == group).any()]
    return max(means) - min(means)


def _band(values: list[float]) -> Band:
    return Band(float(np.mean(values)), min(values), max(values))
