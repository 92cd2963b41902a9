"""Which explanation method is the truest for a model: every measure, beside the orders that need no model."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys_core.data.dataset import FloatArray
from recsys_core.explain.attributions import Method
from recsys_core.explain.faithfulness import EVERYONE, REMOVALS, Figures, Removal, Verification, verdicts
from recsys_core.explain.measures import (
    DEFAULT_K,
    MeasuredOrder,
    Measures,
    infidelities,
    mean_measures,
    measure_orders,
)
from recsys_core.explain.orders import (
    CEILING,
    RIVALS,
    ItemKnowledge,
    attributions_of,
    by_item,
    leave_one_out_falls,
    orders_without_method,
)
from recsys_core.explain.scoring import Question
from recsys_core.ranker.protocol import Ranker


@dataclass(frozen=True, slots=True)
class Standing:
    """One order's place among the others, over the same people.

    Attributes:
        name: a method, a rival or the ceiling.
        role: which of them.
        measures: the means over people, by kind of removal.
        infidelity: the mean over people, by kind of removal; NaN for rivals, whose values have no unit.
        relative_delta: the largest over people of what an explanation leaves unexplained; NaN where no sum
            is promised.
        seconds: for one explanation, on this machine; NaN for rivals.
        verification: the badge of a method; None for rivals.
    """

    name: str
    role: Literal["method", "rival", "ceiling"]
    measures: dict[Removal, Measures]
    infidelity: dict[Removal, float]
    relative_delta: float
    seconds: float
    verification: Verification | None

    @property
    def strength(self) -> float:
        """What standings are in order of: comprehensiveness plus fixed-size deletion, over both removals."""
        return sum(own.comprehensiveness + own.deletion for own in self.measures.values())


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Methods and rivals, the truest first.

    Attributes:
        n_people: over how many.
        cohort: whom, as `attribute=value`; "" for a sample of everybody.
        k: length of the lists that POS@k, NEG@k, PN and PS are about.
    """

    n_people: int
    cohort: str
    k: int
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class _Explained:
    """One method's values for everybody: [Q] arrays as `items_of` has items, largest δ, seconds each."""

    values: list[FloatArray]
    relative_delta: float
    seconds: float


def leaderboard(
    ranker: Ranker,
    questions: Sequence[Question],
    methods: Sequence[Method],
    knowledge: ItemKnowledge,
    seed: int = 0,
    *,
    k: int = DEFAULT_K,
    cohort: str = EVERYONE,
    progress: Callable[[float], None] = lambda share: None,
) -> Leaderboard:
    """Every measure of several methods over the same people, beside four made-up orders and leave-one-out.

    Args:
        ranker: the model.
        questions: one a person; at least 1, and 200 for badges.
        methods: that fit the ranker.
        knowledge: of the items, for the rivals.
        seed: decides the random order, the sets of the infidelity and the bootstrap.
        k: length of the lists that an item is on or not.
        cohort: who these people are.
        progress: told the share that is done.
    """
    generator = np.random.default_rng(seed)
    orders = orders_without_method(ranker, questions, knowledge, generator)
    explained = dict[str, _Explained]()
    for number, method in enumerate(methods):
        explained[method] = _explained(
            ranker,
            questions,
            method,
            lambda share, done=number: progress(0.8 * (done + share) / len(methods)),
        )
        for own, values in zip(orders, explained[method].values, strict=True):
            own[method] = values
    measured: dict[Removal, list[dict[str, MeasuredOrder]]] = {
        removal: measure_orders(ranker, questions, orders, removal, k) for removal in REMOVALS
    }
    badges: dict[str, Verification] = {
        found.method: found for found in verdicts(_figures(measured), methods, cohort, generator)
    }
    standings = [
        _standing(
            name,
            measured,
            _infidelity(ranker, questions, explained.get(name), seed),
            explained.get(name),
            badges,
        )
        for name in orders[0]
    ]
    progress(1.0)
    ordered = sorted(standings, key=lambda standing: -standing.strength)
    return Leaderboard(len(questions), cohort, k, tuple(ordered))


def _standing(
    name: str,
    measured: dict[Removal, list[dict[str, MeasuredOrder]]],
    infidelity: dict[Removal, float],
    explained: _Explained | None,
    badges: dict[str, Verification],
) -> Standing:
    means: dict[Removal, Measures] = {
        removal: mean_measures([own[name].measures for own in people]) for removal, people in measured.items()
    }
    return Standing(
        name,
        "rival" if name in RIVALS else "ceiling" if name == CEILING else "method",
        means,
        infidelity,
        np.nan if explained is None else explained.relative_delta,
        np.nan if explained is None else explained.seconds,
        badges.get(name),
    )


def _explained(
    ranker: Ranker, questions: Sequence[Question], method: Method, progress: Callable[[float], None]
) -> _Explained:
    start = time.perf_counter()
    if method == CEILING:
        falls = leave_one_out_falls(ranker, questions)
        return _Explained(falls, np.nan, (time.perf_counter() - start) / len(questions))
    found = attributions_of(ranker, questions, method, progress)
    values = [by_item(question.history, own.values) for question, own in zip(questions, found, strict=True)]
    deltas = [own.relative_delta for own in found]
    known = [delta for delta in deltas if not np.isnan(delta)]
    return _Explained(values, max(known, default=np.nan), (time.perf_counter() - start) / len(questions))


def _infidelity(
    ranker: Ranker, questions: Sequence[Question], explained: _Explained | None, seed: int
) -> dict[Removal, float]:
    """The same random sets for every method."""
    if explained is None:
        return dict.fromkeys(REMOVALS, np.nan)
    return {
        removal: float(
            infidelities(ranker, questions, explained.values, removal, np.random.default_rng(seed)).mean()
        )
        for removal in REMOVALS
    }


def _figures(measured: dict[Removal, list[dict[str, MeasuredOrder]]]) -> Figures:
    return {
        removal: [{name: found.faithfulness for name, found in own.items()} for own in people]
        for removal, people in measured.items()
    }
