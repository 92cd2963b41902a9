"""Lists that were made elsewhere, explained by a ranker that was taught to make them again.

The surrogate is a sum over the history, so its terms explain its own scores exactly; whether they have
anything to do with the lists is its agreement with them on people that it never saw. Below a stated
agreement it refuses to explain.

Shapes: U people with a list, V = n_items + 1, K the longest list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.history import Attributions, attribute
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neighbours import WHOLE_HISTORY, NeighbourRanker
from recsys_core.ranker.top_k import mask_seen, top_k

MIN_AGREEMENT = 0.5  # of the first k, in the mean over people
FEWEST_PEOPLE = 20  # with a list, so that some can be held out
HELD_OUT = 0.2
DECAYS = (1.0, 0.9, 0.7)
RIDGES = (1.0, 10.0, 100.0)
MOST_ITEMS = 6_000  # the eigenvectors of a matrix of items by items are needed


@dataclass(frozen=True, slots=True)
class ListsAgreement:
    """How near a surrogate's lists come to the ones that it was taught, on people whom it never saw.

    Attributes:
        overlap: mean share of the first k of theirs that are among the first k of the surrogate's, 0 to 1.
        ndcg: mean NDCG@k of the surrogate's order, the relevance of an item being k + 1 − its rank on their
            list; 0 to 1, 1 = the same order.
        n_people: held out.
        k: length of the lists that are compared.
    """

    overlap: float
    ndcg: float
    n_people: int
    k: int


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A ranker that was taught lists, and how well it makes them again.

    Attributes:
        ranker: taught by everybody who wasn't held out.
        agreement: to be shown before any explanation.
        min_agreement: the overlap below which it explains nothing.
    """

    ranker: NeighbourRanker
    agreement: ListsAgreement
    min_agreement: float = MIN_AGREEMENT

    @property
    def explains(self) -> bool:
        """Whether it agrees enough with the lists to speak for them."""
        return self.agreement.overlap >= self.min_agreement

    @property
    def reason(self) -> str:
        """What can be expected of its explanations, in a sentence."""
        own = self.agreement
        found = (
            f"on {own.n_people} people whom it hadn't seen, the surrogate found {own.overlap:.0%} of the "
            f"first {own.k} items of their lists (NDCG {own.ndcg:.2f})"
        )
        if self.explains:
            return found
        return f"{found}; {self.min_agreement:.0%} are needed, so it can't say why items are on these lists"


def distil(
    known: Histories,
    lists: Histories,
    n_items: int,
    k: int = 10,
    seed: int = 0,
    min_agreement: float = MIN_AGREEMENT,
) -> Surrogate:
    """The surrogate of lists that were made elsewhere.

    W is the ridge regression from histories, recent items weighing more, to what the lists give each item:
    k + 1 − rank, and what is not among the first k is 0. How recent and how much ridge is chosen on a part
    of the people; the agreement is that on another part.

    Args:
        known: [U] what each person had touched when the lists were made.
        lists: [U] item numbers, the best first; touched items on them count for nothing.
        n_items: of the catalogue.
        k: how much of the lists is learned and compared.
        seed: decides who is held out.
        min_agreement: the overlap below which nothing will be explained, 0 to 1.

    Raises:
        DataError: too few people have a history and a list.
        ConfigError: the catalogue is too large, or k or the agreement is out of bounds.
    """
    if k < 1 or not 0 <= min_agreement <= 1:
        raise ConfigError(f"k is {k} and the agreement {min_agreement:g}; allowed are 1 or more, and 0 to 1")
    if n_items > MOST_ITEMS:
        raise ConfigError(f"a surrogate of {n_items:,} items would take too long; {MOST_ITEMS:,} is the most")
    wanted = _first_new(known, lists, k)
    people = np.flatnonzero((known.lengths > 0) & (wanted.lengths > 0))
    if len(people) < FEWEST_PEOPLE:
        raise DataError(
            f"{len(people)} people have a history and a list of items that they haven't touched; "
            f"a surrogate needs {FEWEST_PEOPLE}"
        )
    drawn = np.random.default_rng(seed).permutation(people)
    tested, chosen_on, learned = np.split(
        drawn, [round(HELD_OUT * len(drawn)), round(2 * HELD_OUT * len(drawn))]
    )
    trials = [
        ranker
        for decay in DECAYS
        for ranker in _taught(known.take(learned), wanted.take(learned), n_items, k, decay)
    ]
    best = max(
        trials, key=lambda ranker: agreement(ranker, known.take(chosen_on), wanted.take(chosen_on), k).ndcg
    )
    return Surrogate(best, agreement(best, known.take(tested), wanted.take(tested), k), min_agreement)


def agreement(ranker: NeighbourRanker, known: Histories, lists: Histories, k: int) -> ListsAgreement:
    """How near a ranker's lists come to these; `lists` [n], each with an item at least."""
    first = top_k(mask_seen(ranker.score(known), known), k)
    overlaps, ndcgs = list[float](), list[float]()
    for row in range(len(known)):
        theirs = lists[row][:k]
        relevance = np.zeros(ranker.n_items + 1)
        relevance[theirs] = k - np.arange(len(theirs))
        overlaps.append(float(np.isin(theirs, first[row]).mean()))
        gained = relevance[first[row]] @ _discounts(first.shape[1])
        ndcgs.append(float(gained / (np.sort(relevance)[::-1][:k] @ _discounts(min(k, len(relevance))))))
    return ListsAgreement(float(np.mean(overlaps)), float(np.mean(ndcgs)), len(known), k)


def explain_list_item(
    surrogate: Surrogate, history: IntArray, item_number: int, seen: Sequence[int]
) -> Attributions:
    """What each history item adds to an item's score by the surrogate.

    Raises:
        DataError: the surrogate doesn't agree enough with the lists.
        ConfigError: there is no history.
    """
    if not surrogate.explains:
        raise DataError(surrogate.reason)
    question = Question(history, item_number, np.asarray(seen, dtype=np.int64))
    return attribute(surrogate.ranker, question, "counts")


def _first_new(known: Histories, lists: Histories, k: int) -> Histories:
    """The first k items of each list that the person hasn't touched."""
    return Histories.of([lists[row][~np.isin(lists[row], known[row])][:k] for row in range(len(known))])


def _taught(known: Histories, lists: Histories, n_items: int, k: int, decay: float) -> list[NeighbourRanker]:
    """A ranker for each ridge: W = (XᵀX + λI)⁻¹ XᵀY, by one eigendecomposition."""
    size = n_items + 1
    place = np.arange(len(known.items)) - np.repeat(known.offsets[:-1], known.lengths)
    age = np.repeat(known.lengths, known.lengths) - 1 - place
    x = sp.csr_matrix((decay**age, (known.rows, known.items)), shape=(len(known), size))
    gains = k - (np.arange(len(lists.items)) - np.repeat(lists.offsets[:-1], lists.lengths))
    y = sp.csr_matrix((gains.astype(np.float64), (lists.rows, lists.items)), shape=(len(lists), size))
    values, vectors = np.linalg.eigh(sp.csr_matrix(x.T @ x).toarray())
    towards = vectors.T @ sp.csr_matrix(x.T @ y).toarray()
    return [
        NeighbourRanker(
            sp.csr_matrix(vectors @ (towards / (values.clip(0) + ridge)[:, None])), decay, WHOLE_HISTORY
        )
        for ridge in RIDGES
    ]


def _discounts(n: int) -> FloatArray:
    return 1 / np.log2(np.arange(2, n + 2))
