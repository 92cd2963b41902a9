"""Is an explanation true? Take away what it calls important and see whether the score falls.

An explanation is an order of the history's items, most important first. It is held against four
orders that anybody could make up without the model (random, recency, popularity, similarity), and
against leave-one-out, which looks at the model item by item. An item goes with all its events: a
view that stays behind would go on speaking for the purchase that went. Removal is done two ways, because each
has its own fault: closing the gap moves every other item, leaving a hole shows the model something
that it rarely met. Definitions: DeYoung et al., ACL 2020 (comprehensiveness, sufficiency); Baklanov et
al., SIGIR 2025 (fixed sizes).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.explain.history import Method, attribute
from recsys_core.explain.scoring import Question, item_scores, removed
from recsys_core.ranker.protocol import Ranker

Removal = Literal["delete-and-shift", "mask-in-place"]
REMOVALS: tuple[Removal, ...] = ("delete-and-shift", "mask-in-place")
SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)
FIXED_SIZES = (1, 2, 3, 4, 5)
RIVALS = ("random", "recency", "popularity", "similarity")
CEILING: Method = "leave-one-out"

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


@dataclass(frozen=True, slots=True)
class ItemKnowledge:
    """What the made-up orders are made of; none of it comes from the model that is explained.

    Attributes:
        popularity: [n_items + 1] training interactions of each item.
        vectors: [n_items + 1, size] unit vectors, of the items' texts or of who touched them.
    """

    popularity: FloatArray
    vectors: FloatArray


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
    """

    method: Method
    n_people: int
    verified: bool
    reason: str
    gains: tuple[Gain, ...]
    means: dict[Removal, dict[str, Faithfulness]]


def rival_orders(
    question: Question, knowledge: ItemKnowledge, generator: np.random.Generator
) -> dict[str, FloatArray]:
    """Importance of each item of the history, as `items_of` has them, by the orders that need no model."""
    history = question.history
    items, _ = items_of(history)
    last_place = np.zeros(int(history.max(initial=0)) + 1)
    last_place[history] = np.arange(len(history))  # of several events of an item, the last one stays
    return {
        "random": generator.random(len(items)),
        "recency": last_place[items],
        "popularity": knowledge.popularity[items],
        "similarity": knowledge.vectors[items] @ knowledge.vectors[question.item_number],
    }


def items_of(history: IntArray) -> tuple[IntArray, IntArray]:
    """The different items of a history, by number, and [length] which of them each event is of."""
    items, place = np.unique(history, return_inverse=True)
    return items, place


def by_item(history: IntArray, values: FloatArray) -> FloatArray:
    """Attributions of events [length], summed over all events of each item of `items_of`."""
    items, place = items_of(history)
    return np.bincount(place, weights=values, minlength=len(items)).astype(np.float64)


def measure(
    ranker: Ranker, question: Question, importance: dict[str, FloatArray], removal: Removal
) -> dict[str, Faithfulness]:
    """The faithfulness of several orders of one history, all scored in one batch.

    Args:
        ranker: the model that is asked.
        question: the explained item.
        importance: by name, one value for each item of `items_of`; higher = more important.
        removal: how items go.
    """
    items, place = items_of(question.history)
    sizes = [max(1, round(share * len(items))) for share in SHARES]
    fixed = [min(size, len(items)) for size in FIXED_SIZES]
    gone = [np.zeros((1, len(items)), dtype=bool)]
    for values in importance.values():
        order = _place_in_order(values)
        gone.append(np.stack([order < size for size in sizes]))
        gone.append(np.stack([order >= size for size in sizes]))
        gone.append(np.stack([order < size for size in fixed]))
    events_gone = np.concatenate(gone)[:, place]  # [versions, length]
    versions = removed(question.known, events_gone, in_place=removal == "mask-in-place")
    scores = item_scores(ranker, question, versions)
    falls = (scores[0] - scores[1:]).reshape(len(importance), -1)
    parts = np.split(falls, [len(SHARES), 2 * len(SHARES)], axis=1)
    return {
        name: Faithfulness(*(float(part[row].mean()) for part in parts))
        for row, name in enumerate(importance)
    }


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
    generator = np.random.default_rng(seed)
    figures: dict[Removal, list[dict[str, Faithfulness]]] = {removal: [] for removal in REMOVALS}
    for question in questions:
        orders = rival_orders(question, knowledge, generator)
        asked: tuple[tuple[Method, Ranker], ...] = ((CEILING, ranker), (method, explained or ranker))
        for name, model in dict(asked).items():
            orders[name] = by_item(question.history, attribute(model, question, name).values)
        for removal in REMOVALS:
            figures[removal].append(measure(ranker, question, orders, removal))
    draws = generator.multinomial(len(questions), np.full(len(questions), 1 / len(questions)), N_DRAWS)
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
    means: dict[Removal, dict[str, Faithfulness]] = {
        removal: _means(people) for removal, people in figures.items()
    }
    verified, reason = _verdict(method, gains, len(questions))
    return Verification(method, len(questions), verified, reason, gains, means)


def _verdict(method: str, gains: tuple[Gain, ...], n_people: int) -> tuple[bool, str]:
    if n_people < MIN_COHORT:
        return False, f"tested on {n_people} people; the badge needs {MIN_COHORT}"
    lost = sorted({gain.rival for gain in gains if gain.ci_low <= 0})
    if lost:
        return False, f"over {n_people} people, {method} was not surely better than {', '.join(lost)}"
    return (
        True,
        f"over {n_people} people, {method} beat {', '.join(RIVALS)} beyond chance, by both kinds of removal",
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


def _place_in_order(importance: FloatArray) -> IntArray:
    """[n] 0 for the most important item; of equals the one with the lower number first."""
    order = np.argsort(-importance, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place
