"""Is an explanation true? Take away what it calls important and see whether the score falls.

An explanation is an order of the history's items, held against others (`orders.py`). An item goes with all
its events: a view that stays behind would go on speaking for the purchase that went. Removal is done two
ways, because each has its own fault: closing the gap moves every other item, leaving a hole shows the model
something that it rarely met. Definitions: DeYoung et al., ACL 2020 (comprehensiveness, sufficiency); Baklanov
et al., SIGIR 2025 (fixed sizes).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.explain.answers import answers
from recsys_core.explain.attributions import Method
from recsys_core.explain.orders import (
    CEILING,
    RIVALS,
    ItemKnowledge,
    Progress,
    importances,
    orders_without_method,
    place_in_order,
)
from recsys_core.explain.scoring import BoolArray, Question
from recsys_core.ranker.protocol import Ranker

Removal = Literal["delete-and-shift", "mask-in-place"]
REMOVALS: tuple[Removal, ...] = ("delete-and-shift", "mask-in-place")
SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)
FIXED_SIZES = (1, 2, 3, 4, 5)
EVERYONE = ""

MIN_COHORT = 200
N_DRAWS = 2_000


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How the score of one item answers to taking history items away in one order.

    Attributes:
        comprehensiveness: mean fall of the score when the first 1, 5, 10, 20, 50 % go. Higher is better.
        sufficiency: mean fall when only those stay. Lower is better.
        deletion: mean fall after exactly 1 … 5 items. Higher is better.
    """

    comprehensiveness: float
    sufficiency: float
    deletion: float


Figures = dict[Removal, list[dict[str, Faithfulness]]]  # by removal, for each person by order


@dataclass(frozen=True, slots=True)
class Gain:
    """How much higher a method's figure is than a rival's, over the same people, with a 95 % interval."""

    rival: str
    figure: Literal["comprehensiveness", "deletion"]
    removal: Removal
    mean: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on a method for a model, over a cohort of people.

    Attributes:
        n_people: people whose first list item was explained and tested.
        verified: every gain over every rival has its interval above 0.
        reason: the verdict in a sentence.
        means: mean figures of the method, its rivals and leave-one-out, by removal.
        cohort: whom it was tested on, as `attribute=value`; "" for a sample of everybody.
    """

    method: Method
    n_people: int
    verified: bool
    reason: str
    gains: tuple[Gain, ...]
    means: dict[Removal, dict[str, Faithfulness]]
    cohort: str = EVERYONE


def measure(
    ranker: Ranker, question: Question, importance: dict[str, FloatArray], removal: Removal
) -> dict[str, Faithfulness]:
    """The faithfulness of several orders of one history; see `measure_many`."""
    return measure_many(ranker, [question], [importance], removal)[0]


def measure_many(
    ranker: Ranker, questions: Sequence[Question], orders: Sequence[dict[str, FloatArray]], removal: Removal
) -> list[dict[str, Faithfulness]]:
    """The faithfulness of several orders of many histories, all scored together.

    Args:
        ranker: the model that is asked.
        questions: [Q] the explained items.
        orders: [Q] by name, one value for each item of `items_of`; higher = more important.
        removal: how items go.
    """
    gone = [_versions(importance) for importance in orders]
    found = answers(ranker, questions, gone, in_place=removal == "mask-in-place")
    return [
        {
            name: Faithfulness(
                *(float(part.mean()) for part in np.split(falls, [len(SHARES), 2 * len(SHARES)]))
            )
            for name, falls in zip(
                importance, (own.scores[0] - own.scores[1:]).reshape(len(importance), -1), strict=True
            )
        }
        for importance, own in zip(orders, found, strict=True)
    ]


def _versions(importance: dict[str, FloatArray]) -> BoolArray:
    """[1 + n_orders · 15, n_items] what goes: nothing, then by order the first shares, the rest, 1 to 5."""
    n_items = len(next(iter(importance.values())))
    sizes = share_sizes(n_items)
    gone = [np.zeros((1, n_items), dtype=bool)]
    for values in importance.values():
        order = place_in_order(values)
        gone += [order < sizes[:, None], order >= sizes[:, None], order < fixed_sizes(n_items)[:, None]]
    return np.concatenate(gone)


def share_sizes(n_items: int) -> IntArray:
    """[5] how many items 1, 5, 10, 20, 50 % are, at least 1."""
    return np.array([max(1, round(share * n_items)) for share in SHARES])


def fixed_sizes(n_items: int) -> IntArray:
    """[5] 1 to 5 items, or as many as there are."""
    return np.minimum(FIXED_SIZES, n_items)


def verify(
    ranker: Ranker,
    questions: list[Question],
    method: Method,
    knowledge: ItemKnowledge,
    seed: int = 0,
    explained: Ranker | None = None,
) -> Verification:
    """Whether a method earns the badge on this model: it must beat every made-up order, beyond chance.

    Args:
        ranker: the model that items are taken from.
        questions: one a person; at least 1, and 200 for a badge.
        method: the method to be tested.
        knowledge: of the items, for the rivals.
        seed: decides the random order and the bootstrap.
        explained: the model that the attributions come from, if another one: a copy with random weights
            must lose the badge (Adebayo et al., NeurIPS 2018).
    """
    return verify_methods(ranker, questions, (method,), knowledge, seed, explained=explained)[0]


def verify_methods(
    ranker: Ranker,
    questions: Sequence[Question],
    methods: Sequence[Method],
    knowledge: ItemKnowledge,
    seed: int = 0,
    *,
    cohort: str = EVERYONE,
    explained: Ranker | None = None,
    progress: Progress = lambda share: None,
) -> list[Verification]:
    """The verdicts on several methods over the same people; see `verify`.

    Args:
        ranker: the model that items are taken from.
        questions: one a person.
        methods: to be tested.
        knowledge: of the items, for the rivals.
        seed: decides the random order and the bootstrap.
        cohort: who these people are, as `attribute=value`; "" for a sample of everybody.
        explained: the model that the attributions come from, if another one.
        progress: told the share that is done.
    """
    generator = np.random.default_rng(seed)
    orders = orders_without_method(ranker, questions, knowledge, generator)
    for number, method in enumerate(methods):
        if method == CEILING and explained is None:
            continue
        values = importances(
            explained or ranker,
            questions,
            method,
            lambda share, done=number: progress(0.9 * (done + share) / len(methods)),
        )
        for own, of_method in zip(orders, values, strict=True):
            own[method] = of_method
    figures: Figures = {removal: measure_many(ranker, questions, orders, removal) for removal in REMOVALS}
    progress(1.0)
    return verdicts(figures, methods, cohort, generator)


def verdicts(
    figures: Figures, methods: Sequence[Method], cohort: str, generator: np.random.Generator
) -> list[Verification]:
    """The verdict on each method, from the figures of the same people; the generator draws the bootstrap."""
    n_people = len(figures[REMOVALS[0]])
    draws = generator.multinomial(n_people, np.full(n_people, 1 / n_people), N_DRAWS)
    return [_verification(figures, method, cohort, draws) for method in methods]


def _verification(figures: Figures, method: Method, cohort: str, draws: IntArray) -> Verification:
    gains = tuple(
        _gain(
            [by_order[method] for by_order in people],
            [by_order[rival] for by_order in people],
            rival,
            removal,
            figure,
            draws,
        )
        for removal, people in figures.items()
        for figure in ("comprehensiveness", "deletion")
        for rival in RIVALS
    )
    names = (*RIVALS, CEILING, method)
    means: dict[Removal, dict[str, Faithfulness]] = {
        removal: _means([{name: person[name] for name in names} for person in people])
        for removal, people in figures.items()
    }
    n_people = draws.shape[1]
    verified, reason = _verdict(method, gains, n_people, cohort)
    return Verification(method, n_people, verified, reason, gains, means, cohort)


def _verdict(method: str, gains: tuple[Gain, ...], n_people: int, cohort: str) -> tuple[bool, str]:
    people = f"{n_people} people" + (f" with {cohort}" if cohort else "")
    if n_people < MIN_COHORT:
        return False, f"tested on {people}; the badge needs {MIN_COHORT}"
    lost = sorted({gain.rival for gain in gains if gain.ci_low <= 0})
    if lost:
        return False, f"over {people}, {method} was not surely better than {', '.join(lost)}"
    return (
        True,
        f"over {people}, {method} beat {', '.join(RIVALS)} beyond chance, by both kinds of removal",
    )


def _gain(
    own: list[Faithfulness],
    other: list[Faithfulness],
    rival: str,
    removal: Removal,
    figure: Literal["comprehensiveness", "deletion"],
    draws: IntArray,
) -> Gain:
    differences = np.array([getattr(a, figure) - getattr(b, figure) for a, b in zip(own, other, strict=True)])
    low, high = np.quantile(draws @ differences / len(differences), [0.025, 0.975])
    return Gain(rival, figure, removal, float(differences.mean()), float(low), float(high))


def _means(people: list[dict[str, Faithfulness]]) -> dict[str, Faithfulness]:
    return {
        name: Faithfulness(
            float(np.mean([person[name].comprehensiveness for person in people])),
            float(np.mean([person[name].sufficiency for person in people])),
            float(np.mean([person[name].deletion for person in people])),
        )
        for name in people[0]
    }
