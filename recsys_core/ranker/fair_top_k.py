"""Lists in which a protected group of items has its share: FA*IR, and a floor under its exposure.

Both take the best item unless the group would then miss its due, and the best protected one if it would. So
protected items keep their order and never lose a place, and others keep theirs among themselves.

FA*IR tests the group's share at every length of the list. Each of these tests errs in a share α of
lists drawn at random, all of them together in far more: the significance has to be adjusted for the number
of tests, which is what is left out most often where the method is used. Here it is adjusted by working out
exactly how often a list drawn at random would fail anywhere.

Shapes: n candidates, k on the list.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.errors import ConfigError

BoolArray = NDArray[np.bool_]

BISECTIONS = 40


def fewest_protected(k: int, share: float, significance: float) -> IntArray:
    """[k] how many protected items the first 1, 2, …, k places must hold, by one test at each length.

    The smallest t with P(X ≤ t) > α for X ~ Binomial(length, share): fewer would be too few by chance alone.
    Source: Zehlike et al., FA*IR, CIKM 2017, definition 3.

    Args:
        k: length of the list.
        share: of protected items that is due, above 0 and below 1.
        significance: α of each test.
    """
    lengths = np.arange(1, k + 1)
    least = binom.ppf(significance, lengths, share)
    return np.where(binom.cdf(least, lengths, share) > significance, least, least + 1).astype(np.int64)


def failure_probability(least: IntArray, share: float) -> float:
    """How often a list whose places are drawn at random fails at one length or more.

    Each place is protected with probability `share`, on its own. Exact, by adding up over the number of
    protected items after each place.

    Args:
        least: [k] how many protected items each length must hold.
        share: of protected items.
    """
    alive = np.zeros(len(least) + 1)  # [t] lists that hold t protected items and haven't failed
    alive[0] = 1.0
    for needed in least:
        alive = (1 - share) * alive + share * np.concatenate([[0.0], alive[:-1]])
        alive[:needed] = 0.0
    return float(1 - alive.sum())


@lru_cache(maxsize=64)
def adjusted_significance(k: int, share: float, significance: float) -> float:
    """The α of each test with which all k tests together fail a random list at most that often.

    Args:
        k: length of the list.
        share: of protected items that is due.
        significance: of all tests together.
    """
    low, high = 0.0, significance
    if failure_probability(fewest_protected(k, share, high), share) <= significance:
        return high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if failure_probability(fewest_protected(k, share, middle), share) <= significance:
            low = middle
        else:
            high = middle
    return low


def fair_top_k(
    scores: FloatArray, protected: BoolArray, k: int, share: float, significance: float = 0.1
) -> IntArray:
    """Places of a list that passes FA*IR's test at every length, with the significance adjusted.

    Where protected candidates run out, the best others follow.

    Args:
        scores: [n], the first of equals first.
        protected: [n] which candidates are protected.
        k: how many.
        share: of protected items that is due.
        significance: of all tests together.

    Raises:
        ConfigError: share or significance isn't above 0 and below 1.
    """
    _check(share, "share")
    _check(significance, "significance")
    length = min(k, len(scores))
    alpha = adjusted_significance(length, share, significance) if length else significance
    least = fewest_protected(length, share, alpha)
    return _merged(scores, protected, length, _FewestProtected(least))


def exposed_top_k(scores: FloatArray, protected: BoolArray, k: int, share: float) -> IntArray:
    """Places of a list whose protected items have at least that share of its exposure.

    Exposure of place j is 1 / log2(1 + j) (Singh & Joachims, KDD 2018). Protected items come where they must
    for the list as a whole to reach the share, and no earlier; where there are too few of them, all of them.

    Args:
        scores: [n], the first of equals first.
        protected: [n] which candidates are protected.
        k: how many.
        share: of the exposure, from 0 to 1.

    Raises:
        ConfigError: the share is out of bounds.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"the share of exposure is {share}; it must lie from 0 to 1")
    length = min(k, len(scores))
    weights = 1 / np.log2(np.arange(2, length + 2))
    return _merged(scores, protected, length, _LeastExposure(weights, share * weights.sum()))


class _Floor(Protocol):
    """What a list owes to protected items."""

    def allows_other(self, places: Sequence[int], place: int, n_left: int) -> bool:
        """Whether somebody else may have a place, n_left protected candidates being left.

        Args:
            places: where protected items are so far, from 0.
            place: the place in question.
            n_left: protected candidates that aren't on the list.
        """
        ...


@dataclass(frozen=True, slots=True)
class _FewestProtected:
    """`least[place]` protected items among the places up to and with each."""

    least: IntArray

    def allows_other(self, places: Sequence[int], place: int, n_left: int) -> bool:
        return len(places) >= self.least[place]


@dataclass(frozen=True, slots=True)
class _LeastExposure:
    """Weights of the protected items' places that add up to `due` at the end of the list."""

    weights: FloatArray
    due: float

    def allows_other(self, places: Sequence[int], place: int, n_left: int) -> bool:
        behind = self.weights[place + 1 : place + 1 + n_left].sum()
        return bool(self.weights[list(places)].sum() + behind >= self.due - 1e-12)


def _merged(scores: FloatArray, protected: BoolArray, k: int, floor: _Floor) -> IntArray:
    """The best of all, or of the protected where the floor doesn't allow another, place by place."""
    order = np.argsort(-scores, kind="stable")
    waiting = {side: deque(order[protected[order] == side].tolist()) for side in (True, False)}
    rank = np.empty(len(scores), dtype=np.int64)
    rank[order] = np.arange(len(scores))
    chosen, places = list[int](), list[int]()
    for place in range(k):
        own, others = waiting[True], waiting[False]
        own_is_best = bool(own) and (not others or rank[own[0]] < rank[others[0]])
        if own and (own_is_best or not floor.allows_other(places, place, len(own))):
            chosen.append(own.popleft())
            places.append(place)
        else:
            chosen.append(others.popleft())
    return np.array(chosen, dtype=np.int64)


def _check(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise ConfigError(f"the {name} is {value}; it must lie between 0 and 1")
