"""Does an explanation stay where little changes: another seed of training, one item more or less?"""

from collections.abc import Callable, Sequence

import numpy as np

from recsys_core.data.dataset import Histories
from recsys_core.explain.agreement import Agreement, agreement, explained_by
from recsys_core.explain.history import Method
from recsys_core.explain.scoring import Question, removed
from recsys_core.ranker.protocol import Ranker

Progress = Callable[[float], None]


def agreement_of_models(
    ranker: Ranker, other: Ranker, questions: Sequence[Question], method: Method
) -> Agreement:
    """How alike two models explain the same items of the same people, the same model of another seed say.

    Raises:
        ConfigError: the method doesn't fit one of them.
    """
    return agreement(explained_by(ranker, questions, method), explained_by(other, questions, method))


def agreement_under_edits(
    ranker: Ranker,
    questions: Sequence[Question],
    method: Method,
    seed: int = 0,
    progress: Progress = lambda share: None,
) -> dict[str, Agreement]:
    """How alike explanations stay, over the items that stay, when an item is dropped or another is added.

    Args:
        ranker: the model.
        questions: one a person.
        method: whose attributions.
        seed: draws which item goes, and which comes where.
        progress: told the share that is done.

    Returns:
        An agreement each for "one item dropped" and "one item added".

    Raises:
        ConfigError: the method doesn't fit the ranker.
    """
    generator, found = np.random.default_rng(seed), dict[str, Agreement]()
    before = explained_by(ranker, questions, method)
    for name, edit in (("one item dropped", without_one), ("one item added", with_one_more)):
        progress((1 + len(found)) / 3)
        edited = [edit(question, ranker.n_items, generator) for question in questions]
        found[name] = agreement(before, explained_by(ranker, edited, method))
    progress(1.0)
    return found


def without_one(question: Question, n_items: int, generator: np.random.Generator) -> Question:
    """The question without one drawn item of its history, all its events; a history of one stays."""
    items = np.unique(question.history)
    if len(items) < 2:
        return question
    gone = question.history == generator.choice(items)
    return _about(question, removed(question.known, gone[None], in_place=False))


def with_one_more(question: Question, n_items: int, generator: np.random.Generator) -> Question:
    """The question with one drawn item more, which the person hasn't touched, at a drawn place.

    All that is known of the event is as at the event that it comes before (the last one, at the end).
    """
    strangers = np.setdiff1d(np.arange(1, n_items + 1), [*question.history, question.item_number])
    if len(strangers) == 0:
        return question
    length = len(question.history)
    place = int(generator.integers(length + 1))
    history = np.insert(question.history, place, generator.choice(strangers))
    like = np.insert(np.arange(length), place, min(place, length - 1))
    context = None if question.context is None else question.context.at(like)
    return _about(question, Histories(history, np.array([0, length + 1]), context, question.askers))


def _about(question: Question, known: Histories) -> Question:
    """The same question of another history; the candidates stay."""
    return Question(known.items, question.item_number, question.seen, known.context, known.askers)
