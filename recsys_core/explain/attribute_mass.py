"""How much of what moves a score lies on an attribute of the person, on its proxies, and on all else.

Three players, each there or not: the attribute, the proxies (history items and other attributes that tell
it), and the rest of the history and of the attributes. The exact Shapley values over the eight coalitions
lead from the score of somebody of whom nothing is known to the score on the list; the mass of a player is
its share of their absolute values. It works for every ranker that scores, because inputs are taken away and
nothing else.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.explain.answers import answers, items_of
from recsys_core.explain.components import shapley
from recsys_core.explain.scoring import Question
from recsys_core.ranker.protocol import Ranker

PLAYERS = ("attribute", "proxies", "rest")
COALITIONS = 2 ** len(PLAYERS)


def attribute_mass(
    ranker: Ranker,
    questions: Sequence[Question],
    attribute: Sequence[int],
    proxies: IntArray,
    proxy_attributes: Sequence[int] = (),
) -> FloatArray:
    """[n, 3] the shares of attribute, proxies and rest in what moves each question's score.

    They sum to 1, and to 0 for people whose score nothing moves.

    Args:
        ranker: any that scores.
        questions: one a person.
        attribute: columns of the askers' attributes that are the attribute; none = the data don't hold it.
        proxies: item numbers that are proxies.
        proxy_attributes: columns of other attributes that are proxies.
    """
    values = np.empty((len(questions), COALITIONS))
    is_proxy = [np.isin(items_of(question.history)[0], proxies) for question in questions]
    for coalition in range(COALITIONS):
        there = frozenset(player for place, player in enumerate(PLAYERS) if coalition >> place & 1)
        asked = [_as_known(question, there, attribute, proxy_attributes) for question in questions]
        gone = [np.where(own, "proxies" not in there, "rest" not in there)[None, :] for own in is_proxy]
        values[:, coalition] = [own.scores[0] for own in answers(ranker, asked, gone, in_place=False)]
    strengths = np.abs(shapley(values))
    total = strengths.sum(axis=1, keepdims=True)
    moved = total > 1e-12 * np.maximum(1.0, np.abs(values).max(axis=1, keepdims=True))
    return np.where(moved, strengths / np.where(moved, total, 1.0), 0.0)


def _as_known(
    question: Question, there: frozenset[str], attribute: Sequence[int], proxies: Sequence[int]
) -> Question:
    """The question of somebody of whom only some attributes are known; 0 = not known."""
    if question.askers is None:
        return question
    codes = question.askers.attributes.copy()
    for column in range(codes.shape[1]):
        player = "attribute" if column in attribute else "proxies" if column in proxies else "rest"
        if player not in there:
            codes[:, column] = 0
    return replace(question, askers=replace(question.askers, attributes=codes))
