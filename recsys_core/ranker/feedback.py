"""What happens when people take what they are shown, and the model learns from that: rounds of acceptance.

A simulation with one assumption, which it states: in each round everybody takes one item of their list, the
upper places likelier (position weight 1 / log2(1 + place)), whatever their taste. So all that changes from
round to round is the model's own doing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.data.events import EventContext
from recsys_core.metrics.beyond_accuracy import coverage, exposure, gini
from recsys_core.metrics.ranking import target_ranks
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import mask_seen, top_k

BATCH_USERS = 512


@dataclass(frozen=True, slots=True)
class Round:
    """What the lists are like after so many rounds of acceptance.

    Attributes:
        number: 0 = before anybody took anything.
        ranks: [n] where everybody's held-out item is ranked, from 1.
        gini: how unevenly the lists spread exposure over the catalogue.
        coverage: share of the catalogue that they show.
    """

    number: int
    ranks: IntArray
    gini: float
    coverage: float


def simulate_feedback(
    learn: Callable[[Histories], Ranker],
    known: Histories,
    held_out: IntArray,
    n_items: int,
    k: int,
    n_rounds: int,
    seed: int,
) -> Iterator[Round]:
    """The lists before anything is taken, and after each round.

    Nobody takes their held-out item, or it could no longer be looked for.

    Args:
        learn: the ranker that is had from everybody's histories.
        known: [n] histories at the beginning.
        held_out: [n] the item that each person's list is judged by.
        n_items: of the catalogue.
        k: length of the lists.
        n_rounds: how often everybody takes something.
        seed: of what is taken.
    """
    generator = np.random.default_rng(seed)
    for number in range(n_rounds + 1):
        ranker = learn(known)
        ranks, lists = _lists(ranker, known, held_out, k)
        shown = exposure(lists, n_items)
        yield Round(number, ranks, gini(shown), coverage(lists, n_items))
        if number < n_rounds:
            known = appended(known, _taken(lists, held_out, generator))


def appended(known: Histories, items: IntArray) -> Histories:
    """Each history with one more item at its end, of which nothing else is known; 0 = none."""
    people = np.flatnonzero(items > 0)
    new = Histories(items[people], np.concatenate([[0], np.cumsum(items > 0)]))
    owners = np.concatenate([known.rows, people])
    order = np.argsort(owners, kind="stable")
    context = known.context
    if context is not None:
        unknown = EventContext.unknown((len(people),), context.contexts.shape[-1])
        context = EventContext.joined([context, unknown]).at(order)
    lengths = known.lengths + new.lengths
    return Histories(
        np.concatenate([known.items, new.items])[order],
        np.concatenate([[0], np.cumsum(lengths)]),
        context,
        known.askers,
    )


def _lists(ranker: Ranker, known: Histories, held_out: IntArray, k: int) -> tuple[IntArray, IntArray]:
    """[n] ranks of the held-out items, and [n, k] the lists."""
    ranks, lists = list[IntArray](), list[IntArray]()
    for start in range(0, len(known), BATCH_USERS):
        rows = np.arange(start, min(start + BATCH_USERS, len(known)))
        batch = known.take(rows)
        scores = ranker.score(batch)
        seen = batch.padded(int(batch.lengths.max(initial=0)))
        ranks.append(target_ranks(scores, held_out[rows], seen))
        lists.append(top_k(mask_seen(scores, batch), k))
    return np.concatenate(ranks), np.concatenate(lists)


def _taken(lists: IntArray, held_out: IntArray, generator: np.random.Generator) -> IntArray:
    """[n] what each person takes off their list; 0 where it holds nothing to take."""
    places = np.arange(2, lists.shape[1] + 2)
    weights: FloatArray = np.where((lists > 0) & (lists != held_out[:, None]), 1 / np.log2(places), 0.0)
    ends = np.cumsum(weights, axis=1)
    draw = generator.random(len(lists)) * ends[:, -1]
    place = (ends <= draw[:, None]).sum(axis=1).clip(max=lists.shape[1] - 1)
    return np.where(ends[:, -1] > 0, lists[np.arange(len(lists)), place], 0)
