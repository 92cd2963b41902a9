"""The order of a list with more in mind than each item's score: variety, a person's own mix, rarity, caps.

Two more give a protected group of items its due: they are in `fair_top_k.py`.

Each method is one function over the candidates of one person, given in order of their item numbers, so
that the first of equals is the one with the smaller number. It returns the places of up to k of them,
first on the list first. A strength of 0 leaves the order by score, 1 forgets the scores. Scores are
stretched to 0 … 1 over the candidates before they are weighed against anything.

Shapes: n candidates, k on the list, C categories.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from recsys_core.data.dataset import Dataset, FloatArray, IntArray
from recsys_core.data.schema import CATEGORY_SEPARATOR
from recsys_core.errors import ConfigError
from recsys_core.ranker.fair_top_k import BoolArray, exposed_top_k, fair_top_k

RerankMethod = Literal["mmr", "calibration", "popularity", "cap", "share", "exposure"]

POOL = 200  # candidates that are looked at again, or twice the list where it is longer
WITH_GROUP = ("share", "exposure")  # methods that name a group of items
WHOLE_POOL = ("cap", *WITH_GROUP)  # methods that may need any candidate
SMOOTHING = 0.01  # share of the wanted mix that is put into a list's own, so that KL stays finite


def mmr(scores: FloatArray, unit_vectors: FloatArray, k: int, strength: float) -> IntArray:
    """Places of a list whose items differ: each is the best of (1 − s) · score − s · nearest cosine.

    The nearest is among those already on the list. Source: maximal marginal relevance, Carbonell &
    Goldstein, SIGIR 1998, with s = 1 − λ.

    Args:
        scores: [n].
        unit_vectors: [n, t] of length 1, or 0 for an item of which nothing is known.
        k: how many.
        strength: s, from 0 to 1.
    """
    relevance, nearest = _stretched(scores), np.full(len(scores), -1.0)
    chosen: list[int] = []
    for _ in range(min(k, len(scores))):
        value = (1 - strength) * relevance - strength * nearest
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
        nearest = np.maximum(nearest, unit_vectors @ unit_vectors[chosen[-1]])
    return np.array(chosen, dtype=np.int64)


def calibrated(
    scores: FloatArray, shares: FloatArray, wanted: FloatArray, k: int, strength: float
) -> IntArray:
    """Places of a list whose mix of categories is like the wanted one, built greedily.

    Each step takes the best (1 − s) · score − s · KL(wanted ‖ mix of the list with the item), the mix
    smoothed by 1 % of the wanted one. Source: Steck, Calibrated recommendations, RecSys 2018.

    Args:
        scores: [n].
        shares: [n, C] how much of each item is in each category; a row sums to 1, or to 0 if it has none.
        wanted: [C] sums to 1; zeros alone leave the order by score.
        k: how many.
        strength: s, from 0 to 1.
    """
    relevance, asked = _stretched(scores), wanted > 0
    wanted, shares = wanted[asked], shares[:, asked]
    gathered = np.zeros(len(wanted))
    chosen: list[int] = []
    for length in range(1, min(k, len(scores)) + 1):
        mix = (1 - SMOOTHING) * (gathered + shares) / length + SMOOTHING * wanted  # [n, C] with each item
        value = (1 - strength) * relevance - strength * (wanted * np.log(wanted / mix)).sum(axis=1)
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
        gathered += shares[chosen[-1]]
    return np.array(chosen, dtype=np.int64)


def less_popular(scores: FloatArray, popularity: FloatArray, k: int, strength: float) -> IntArray:
    """Places of the best (1 − s) · score − s · log(1 + popularity), both stretched to 0 … 1.

    Args:
        scores: [n].
        popularity: [n] how often each item was touched.
        k: how many.
        strength: s, from 0 to 1.
    """
    value = (1 - strength) * _stretched(scores) - strength * _stretched(np.log1p(popularity))
    return np.argsort(-value, kind="stable")[:k]


def capped(scores: FloatArray, shares: FloatArray, k: int, cap: int) -> IntArray:
    """Places of the best items, no more than `cap` of any category; fewer than k where none fits any more.

    An item of several categories counts in each of them, one without any in none.

    Args:
        scores: [n].
        shares: [n, C] above 0 where an item is in a category.
        k: how many.
        cap: at least 1.
    """
    member, taken = shares > 0, np.zeros(shares.shape[1], dtype=np.int64)
    chosen: list[int] = []
    for place in np.argsort(-scores, kind="stable"):
        if len(chosen) == k:
            break
        if (taken[member[place]] < cap).all():
            chosen.append(int(place))
            taken += member[place]
    return np.array(chosen, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Reranking:
    """Which method, and how much of it.

    Attributes:
        method: the name of the method.
        strength: from 0 to 1; for "cap" the largest number of items of a category; for "share" and
            "exposure" what is due to the protected group.
        group: the protected group of items as `attribute=value`; "" for methods without one.
    """

    method: RerankMethod
    strength: float
    group: str = ""


def parse_reranking(spec: str) -> Reranking:
    """The method and its strength from a text like `mmr:0.3`, `cap:2` or `share:0.3@popularity=tail`.

    Raises:
        ConfigError: the text is none of these.
    """
    name, _, rest = (part.strip() for part in spec.partition(":"))
    amount, _, group = (part.strip() for part in rest.partition("@"))
    try:
        strength = float(amount)
    except ValueError:
        strength = math.nan
    for method in get_args(RerankMethod):
        if method == name and _is_allowed(method, strength) and _names_group(group) == (method in WITH_GROUP):
            return Reranking(method, strength, group)
    raise ConfigError(
        f"'{spec}' is no re-ranking; write mmr:S, calibration:S or popularity:S with S from 0 (the list as "
        "it is) to 1, cap:N with N, the most items of one category, a whole number from 1, or share:S@A=G or "
        "exposure:S@A=G with S, the share due to the items whose attribute A is G, between 0 and 1"
    )


def listed_rerankings(text: str) -> list[str]:
    """The re-rankings of a text like `mmr:0.3,cap:2`; commas within the name of a group stay there."""
    names = "|".join(get_args(RerankMethod))
    pieces = re.split(rf",(?=\s*(?:{names})\s*:)", text)
    return [spec for piece in pieces if (spec := piece.strip(" ,"))]


def _is_allowed(method: RerankMethod, strength: float) -> bool:
    if method == "cap":
        return strength >= 1 and strength.is_integer()
    return 0 < strength < 1 if method in WITH_GROUP else 0 <= strength <= 1


def _names_group(group: str) -> bool:
    attribute, equals, value = group.partition("=")
    return bool(attribute and equals and value)


@dataclass(frozen=True, slots=True)
class ItemSets:
    """Groups of items by name, V = n_items + 1.

    Attributes:
        names: such as "popularity=tail".
        members: [n_sets, V] which items are in each.
    """

    names: tuple[str, ...]
    members: BoolArray

    def of(self, name: str) -> BoolArray:
        """[V] which items are in the set of that name."""
        return self.members[self.names.index(name)]


NO_SETS = ItemSets((), np.zeros((0, 0), dtype=bool))


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What re-ranking knows of the items, V = n_items + 1.

    Attributes:
        unit_vectors: [V, t] of length 1, or 0 for an item of which nothing is known.
        shares: [V, C] how much of each item is in each category; rows sum to 1 or 0.
        popularity: [V] how often each was touched in training.
        protected: the groups of items that re-rankings may name.
    """

    unit_vectors: FloatArray
    shares: sp.csr_matrix
    popularity: FloatArray
    protected: ItemSets = NO_SETS


@dataclass(frozen=True, slots=True)
class Reranker:
    """A method with what it needs to know.

    Raises:
        ConfigError: the method asks for categories and no item has one, or for a group that isn't known.
    """

    reranking: Reranking
    facts: ItemFacts

    def __post_init__(self) -> None:
        if self.reranking.method in ("calibration", "cap") and self.facts.shares.nnz == 0:
            raise ConfigError(
                f"no item of this data set has a category, so '{self.reranking.method}' has nothing to go "
                "by; write mmr:S or popularity:S"
            )
        group, known = self.reranking.group, self.facts.protected.names
        if group and group not in known:
            raise ConfigError(
                f"the items '{group}' aren't known here; known are: {', '.join(known) or 'none'}"
            )

    def pool_size(self, k: int) -> int:
        """How many of the best candidates are looked at for a list of k; some methods may need any."""
        whole = self.reranking.method in WHOLE_POOL
        return len(self.facts.popularity) - 1 if whole else max(POOL, 2 * k)

    def first(self, candidates: IntArray, scores: FloatArray, history: IntArray, k: int) -> IntArray:
        """[up to k] places among the candidates, first on the list first.

        Args:
            candidates: [n] item numbers, each once.
            scores: [n] of each.
            history: [any] what the person touched; "calibration" wants its mix of categories.
            k: how many, at least 1.
        """
        order = np.argsort(candidates)
        items, scores = candidates[order], scores[order]
        facts, strength = self.facts, self.reranking.strength
        match self.reranking.method:
            case "mmr":
                places = mmr(scores, facts.unit_vectors[items], k, strength)
            case "calibration":
                places = calibrated(scores, self._shares(items), self._mix(history), k, strength)
            case "popularity":
                places = less_popular(scores, facts.popularity[items], k, strength)
            case "cap":
                places = capped(scores, self._shares(items), k, int(strength))
            case "share":
                places = fair_top_k(scores, self._protected(items), k, strength)
            case "exposure":
                places = exposed_top_k(scores, self._protected(items), k, strength)
        return order[places]

    def _shares(self, items: IntArray) -> FloatArray:
        return self.facts.shares[items].toarray()

    def _protected(self, items: IntArray) -> BoolArray:
        return self.facts.protected.of(self.reranking.group)[items]

    def _mix(self, history: IntArray) -> FloatArray:
        """[C] the mix of categories of a history; zeros where none of its items has one."""
        total = np.asarray(self.facts.shares[history].sum(axis=0), dtype=np.float64).ravel()
        return total / max(total.sum(), 1e-12)


def category_names(dataset: Dataset) -> list[str]:
    """The categories that items have, in the order of the columns of `category_shares`."""
    return sorted(set[str]().union(*_categories(dataset)))


def category_shares(dataset: Dataset) -> sp.csr_matrix:
    """[n_items + 1, C] items in equal parts in each of their categories; zeros where there is none."""
    names = _categories(dataset)
    numbers = {name: number for number, name in enumerate(category_names(dataset))}
    counts = np.array([0, *map(len, names)], dtype=np.int64)
    columns = np.array([numbers[name] for own in names for name in own], dtype=np.int64)
    values = 1 / counts.repeat(counts)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return sp.csr_matrix((values, columns, starts), shape=(len(counts), len(numbers)))


def _categories(dataset: Dataset) -> list[list[str]]:
    return [
        sorted({name.strip() for name in text.split(CATEGORY_SEPARATOR)} - {""})
        for text in dataset.items["category"]
    ]


def _stretched(values: FloatArray) -> FloatArray:
    """[n] the values moved and scaled to 0 … 1; zeros where all are equal."""
    width = np.ptp(values) if len(values) else 0.0
    return (values - values.min()) / width if width > 0 else np.zeros(len(values))
