"""What each item of a history adds to the score of an item on the list: every method, by name.

`attribute` asks for one item, `attribute_many` for several items of one person's list at once, which
shares what they have in common. Each family of methods has its own module.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import IntArray
from recsys_core.errors import ConfigError
from recsys_core.explain.attributions import (
    DEFAULT,
    MAX_RELATIVE_DELTA,
    Attributions,
    Baseline,
    Method,
    Options,
)
from recsys_core.explain.baselines import baselines_of
from recsys_core.explain.counts import SumRanker, counts
from recsys_core.explain.gradients import gradient_shap, gradient_x_input, integrated_gradients
from recsys_core.explain.removal import leave_one_out, shapley_exact, shapley_sampling
from recsys_core.explain.rollout import attends, attention_rollout
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.protocol import Ranker

__all__ = [
    "MAX_RELATIVE_DELTA",
    "METHODS",
    "Attributions",
    "Method",
    "Options",
    "attribute",
    "attribute_many",
    "attribute_people",
    "baselines_for",
    "default_method",
    "methods_of",
    "quick_methods_of",
]

NO_HISTORY = "this person has no history yet, so no item of it can be the reason; the list is by popularity"

Run = Callable[[Ranker, Sequence[Question], IntArray, Options], list[tuple[Attributions, ...]]]


@dataclass(frozen=True, slots=True)
class MethodKind:
    """What there is to know of a method.

    Attributes:
        run: from a ranker that carries it, questions of several people and their items [P, k] to one
            answer for each item.
        carried_by: which rankers it fits.
        baselines: what it can compare with, its default first; a ranker may lack some.
        adds_up: whether its values promise to sum to the difference of the scores.
        is_quick: whether hundreds of people can be explained in a minute or so, whatever their histories.
    """

    run: Run
    carried_by: Callable[[Ranker], bool]
    baselines: tuple[Baseline, ...]
    adds_up: bool
    is_quick: bool = True


def _of_neural(
    method: Callable[[NeuralRanker, Sequence[Question], IntArray, Options], list[tuple[Attributions, ...]]],
) -> Run:
    def run(
        ranker: Ranker, questions: Sequence[Question], items: IntArray, options: Options
    ) -> list[tuple[Attributions, ...]]:
        assert isinstance(ranker, NeuralRanker)
        return method(ranker, questions, items, options)

    return run


def _one_by_one(
    method: Callable[[Ranker, Question, tuple[int, ...], Options], tuple[Attributions, ...]],
) -> Run:
    def run(
        ranker: Ranker, questions: Sequence[Question], items: IntArray, options: Options
    ) -> list[tuple[Attributions, ...]]:
        return [
            method(ranker, question, tuple(own), options)
            for question, own in zip(questions, items.tolist(), strict=True)
        ]

    return run


def _counts(
    ranker: Ranker, question: Question, items: tuple[int, ...], options: Options
) -> tuple[Attributions, ...]:
    assert isinstance(ranker, SumRanker)
    return counts(ranker, question, items, options)


def _is_neural(ranker: Ranker) -> bool:
    return isinstance(ranker, NeuralRanker)


def _is_sum(ranker: Ranker) -> bool:
    return isinstance(ranker, SumRanker)


def _is_any(_: Ranker) -> bool:
    return True


_GRADIENT_BASELINES: tuple[Baseline, ...] = ("padding", "mask", "mean-item", "other-people")
_REMOVALS: tuple[Baseline, ...] = ("removed", "padding")

METHODS: dict[Method, MethodKind] = {
    "integrated-gradients": MethodKind(
        _of_neural(integrated_gradients), _is_neural, _GRADIENT_BASELINES, adds_up=True
    ),
    "counts": MethodKind(_one_by_one(_counts), _is_sum, ("removed",), adds_up=True),
    "leave-one-out": MethodKind(_one_by_one(leave_one_out), _is_any, _REMOVALS, adds_up=False),
    "shapley-sampling": MethodKind(
        _one_by_one(shapley_sampling), _is_any, _REMOVALS, adds_up=True, is_quick=False
    ),
    "shapley-exact": MethodKind(_one_by_one(shapley_exact), _is_any, _REMOVALS, adds_up=True, is_quick=False),
    "gradient-shap": MethodKind(_of_neural(gradient_shap), _is_neural, _GRADIENT_BASELINES, adds_up=False),
    "gradient-x-input": MethodKind(_of_neural(gradient_x_input), _is_neural, ("zero",), adds_up=False),
    "attention-rollout": MethodKind(_of_neural(attention_rollout), attends, ("removed",), adds_up=False),
}


def default_method(ranker: Ranker) -> Method:
    """The method that fits a ranker: gradients, its own terms where it is a sum, or leaving items out."""
    return methods_of(ranker)[0]


def methods_of(ranker: Ranker) -> tuple[Method, ...]:
    """The methods that a ranker can carry, its default first."""
    return tuple(name for name, kind in METHODS.items() if kind.carried_by(ranker))


def quick_methods_of(ranker: Ranker) -> tuple[Method, ...]:
    """Of these, those that many people can be asked about without a word from the analyst."""
    return tuple(name for name in methods_of(ranker) if METHODS[name].is_quick)


def baselines_for(ranker: Ranker, method: Method) -> tuple[Baseline, ...]:
    """What a method can compare this ranker's scores with, its default first.

    To a ranker that isn't neural, an item left empty is an item removed, so that it has one baseline less.
    """
    has = METHODS[method].baselines
    if not isinstance(ranker, NeuralRanker):
        return has[:1]
    lacking = set(_GRADIENT_BASELINES) - set(baselines_of(ranker))
    return tuple(baseline for baseline in has if baseline not in lacking)


def attribute(ranker: Ranker, question: Question, method: Method, options: Options = DEFAULT) -> Attributions:
    """What each history item adds to the score, by a method that this ranker can carry.

    Raises:
        ConfigError: as `attribute_many`.
    """
    return attribute_many(ranker, question, [question.item_number], method, options)[0]


def attribute_many(
    ranker: Ranker,
    question: Question,
    item_numbers: Sequence[int],
    method: Method,
    options: Options = DEFAULT,
) -> tuple[Attributions, ...]:
    """The same for several items in the place of the question's own, worked out together.

    Raises:
        ConfigError: as `attribute_people`.
    """
    if not item_numbers:
        return ()
    return attribute_people(ranker, [question], np.array([item_numbers]), method, options)[0]


def attribute_people(
    ranker: Ranker,
    questions: Sequence[Question],
    item_numbers: IntArray,
    method: Method,
    options: Options = DEFAULT,
) -> list[tuple[Attributions, ...]]:
    """The same for items [P, k] of several people, best of histories of similar lengths.

    Raises:
        ConfigError: the method or its baseline doesn't fit the ranker, there is no history to explain by,
            an item isn't in the catalogue, the questions are about different kinds of scores, or it would
            take more than the budget.
    """
    for question, own in zip(questions, item_numbers.tolist(), strict=True):
        question.check(ranker.n_items, own)
        if len(question.history) == 0:
            raise ConfigError(NO_HISTORY)
    if len({(question.explained, question.rival) for question in questions}) > 1:
        raise ConfigError("people who are explained together are asked about the same kind of score")
    kind = METHODS[method]
    if not kind.carried_by(ranker):
        fitting = ", ".join(methods_of(ranker))
        raise ConfigError(f"the method '{method}' doesn't fit this ranker; methods that do: {fitting}")
    if options.baseline is not None and options.baseline not in kind.baselines:
        allowed = ", ".join(kind.baselines)
        raise ConfigError(f"{method} has no baseline '{options.baseline}'; it has {allowed}")
    return kind.run(ranker, questions, item_numbers, options) if len(questions) else []
