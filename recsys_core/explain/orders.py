"""Orders of a history's items, most important first, as numbers: one for each item, higher comes first.

Four are such as anybody could make up without the model: random, recency, popularity and similarity.
Leave-one-out looks at the model item by item. The others are what the methods say. Each is about the
different items of a history, in the order of `items_of`, because an item goes with all its events.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.explain.answers import answers, items_of
from recsys_core.explain.attributions import Attributions, Method
from recsys_core.explain.history import attribute_people
from recsys_core.explain.scoring import BoolArray, Question
from recsys_core.ranker.protocol import Ranker

RIVALS = ("random", "recency", "popularity", "similarity")
CEILING: Method = "leave-one-out"
PEOPLE_AT_ONCE = 16

Progress = Callable[[float], None]  # told the share that is done


@dataclass(frozen=True, slots=True)
class ItemKnowledge:
    """What the made-up orders are made of; none of it comes from the model that is explained.

    Attributes:
        popularity: [n_items + 1] training interactions of each item.
        vectors: [n_items + 1, size] unit vectors, of the items' texts or of who touched them.
    """

    popularity: FloatArray
    vectors: FloatArray


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


def by_item(history: IntArray, values: FloatArray) -> FloatArray:
    """Attributions of events [length], summed over all events of each item of `items_of`."""
    items, place = items_of(history)
    return np.bincount(place, weights=values, minlength=len(items)).astype(np.float64)


def leave_one_out_falls(ranker: Ranker, questions: Sequence[Question]) -> list[FloatArray]:
    """For each question the fall of its score when each item goes; 0 for what the model doesn't reach.

    As the method "leave-one-out", the events of an item together, for many people in one go.
    """
    reached = [_reached(ranker, question.history) for question in questions]
    gone = [
        np.concatenate([np.zeros((1, len(own)), dtype=bool), np.eye(len(own), dtype=bool)[own]])
        for own in reached
    ]
    found = answers(ranker, questions, gone, in_place=False)
    falls = [np.zeros(len(own)) for own in reached]
    for fall, own, answer in zip(falls, reached, found, strict=True):
        fall[own] = answer.scores[0] - answer.scores[1:]
    return falls


def _reached(ranker: Ranker, history: IntArray) -> BoolArray:
    """[n_items] whether the model looks at any event of each item of `items_of`."""
    events = np.arange(len(history)) >= len(history) - ranker.max_length
    return by_item(history, events.astype(np.float64)) > 0


def orders_without_method(
    ranker: Ranker, questions: Sequence[Question], knowledge: ItemKnowledge, generator: np.random.Generator
) -> list[dict[str, FloatArray]]:
    """For each question the orders that anybody could make up, and leave-one-out."""
    orders = [rival_orders(question, knowledge, generator) for question in questions]
    for importance, falls in zip(orders, leave_one_out_falls(ranker, questions), strict=True):
        importance[CEILING] = falls
    return orders


def importances(
    ranker: Ranker, questions: Sequence[Question], method: Method, progress: Progress = lambda share: None
) -> list[FloatArray]:
    """For each question what each item of `items_of` adds, by a method.

    Raises:
        ConfigError: the method doesn't fit the ranker, or one of the histories.
    """
    if method == CEILING:
        return leave_one_out_falls(ranker, questions)
    found = attributions_of(ranker, questions, method, progress)
    return [by_item(question.history, own.values) for question, own in zip(questions, found, strict=True)]


def attributions_of(
    ranker: Ranker, questions: Sequence[Question], method: Method, progress: Progress = lambda share: None
) -> list[Attributions]:
    """The attributions of many people's questions, those of similar lengths worked out together.

    Raises:
        ConfigError: the method doesn't fit the ranker, or one of the histories.
    """
    order = np.argsort([len(question.history) for question in questions], kind="stable")
    found = dict[int, Attributions]()
    for start in range(0, len(order), PEOPLE_AT_ONCE):
        rows = order[start : start + PEOPLE_AT_ONCE].tolist()
        group = [questions[row] for row in rows]
        items = np.array([[question.item_number] for question in group])
        of_group = attribute_people(ranker, group, items, method)
        found.update((row, own) for row, (own,) in zip(rows, of_group, strict=True))
        progress(len(found) / len(questions))
    return [found[row] for row in range(len(questions))]


def place_in_order(importance: FloatArray) -> IntArray:
    """[n] 0 for the most important item; of equals the one with the lower number first."""
    order = np.argsort(-importance, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place
