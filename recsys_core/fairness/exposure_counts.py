"""What each person's list gives to each group of items: the sums that every measure of exposure is made of.

All measures follow from sums over people, so people are gone through once, a chunk at a time, and resampled
as sums: a chunk's part of every draw is one matrix product, and no list is looked at twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.fairness.exposure_groups import ItemGroups

NAMES = (
    "attention",  # Σ 1 / log2(1 + place) over the list's items of the group
    "places",  # how many places the group has on the list
    "candidates",  # its items that the person hadn't touched
    "merit",  # held-out items of the group
    "found",  # those of them that are on the list
    "ideal",  # the attention that it has on average over all ideal lists
    "intra_won",  # pairs of a held-out item of the group with another candidate of the same group
    "intra",  # … of which the held-out one is ranked first, and all of them
    "inter_won",  # the same with candidates of other groups
    "inter",
)
NUMBERS_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over people, for one sample of people or for many.

    Attributes:
        values: [..., n_groups, len(NAMES)].
        n_people: over how many people.
    """

    values: FloatArray
    n_people: int

    def of(self, name: str) -> FloatArray:
        """[..., n_groups] one of the sums."""
        return self.values[..., NAMES.index(name)]


@dataclass(frozen=True, slots=True)
class Counted:
    """All people's sums, the same sums in every resample, and how many people are behind each group.

    Attributes:
        observed: [n_groups, n_names].
        draws: [n_draws, n_groups, n_names].
        n_reached: [n_groups] people on whose list the group is.
        n_merited: [n_groups] people who have a held-out item of the group.
    """

    observed: Sums
    draws: Sums
    n_reached: IntArray
    n_merited: IntArray


def attention(k: int) -> FloatArray:
    """[k] the weight of each place, 1 / log2(1 + place)."""
    return 1 / np.log2(1 + np.arange(1, k + 1))


def count(
    lists: IntArray, known: Histories, wanted: Histories, groups: ItemGroups, n_draws: int, seed: int
) -> Counted:
    """The sums over people, and over people drawn with replacement.

    Args:
        lists: [n, k] item numbers, best first, 0 = an empty place; candidates only.
        known: [n] what each person had before: no candidates.
        wanted: [n] each person's held-out items, at least one, no item twice.
        groups: of the items.
        n_draws: how many resamples.
        seed: of the resampling.
    """
    n, n_groups = len(lists), len(groups.groups)
    size = max(1, NUMBERS_AT_ONCE // (max(lists.shape[1], len(NAMES), n_draws // 8) * n_groups))
    starts = np.arange(0, n, size)
    rng = np.random.default_rng(seed)
    lengths = np.minimum(size, n - starts)
    drawn = rng.multinomial(n, lengths / n, size=n_draws)  # [n_draws, n_chunks] people drawn of each chunk
    total = np.zeros((n_groups, len(NAMES)))
    draws = np.zeros((n_draws, n_groups * len(NAMES)))
    reached, merited = np.zeros((2, n_groups), dtype=np.int64)
    for chunk, rows in enumerate(_chunks(lists, known, wanted, groups, starts, size)):
        total += rows.sum(axis=0)
        draws += _times_drawn(len(rows), drawn[:, chunk], rng) @ rows.reshape(len(rows), -1)
        reached += (rows[..., NAMES.index("places")] > 0).sum(axis=0)
        merited += (rows[..., NAMES.index("merit")] > 0).sum(axis=0)
    shape = n_draws, n_groups, len(NAMES)
    return Counted(Sums(total, n), Sums(draws.reshape(shape), n), reached, merited)


def _times_drawn(n: int, n_drawn: IntArray, rng: np.random.Generator) -> FloatArray:
    """[n_draws, n] how often each of n people comes when `n_drawn` of them are drawn with replacement."""
    people = rng.integers(0, n, size=int(n_drawn.sum())) + np.repeat(np.arange(len(n_drawn)) * n, n_drawn)
    return np.bincount(people, minlength=len(n_drawn) * n).reshape(len(n_drawn), n).astype(np.float64)


def _chunks(
    lists: IntArray, known: Histories, wanted: Histories, groups: ItemGroups, starts: IntArray, size: int
) -> Iterator[FloatArray]:
    catalogue, n_items = groups.membership.sum(axis=0), len(groups.membership) - 1
    touched = known.without_repeats()
    for start in starts:
        people = np.arange(start, min(start + size, len(lists)))
        yield _rows(lists[people], touched.take(people), wanted.take(people), groups, catalogue, n_items)


def _rows(
    lists: IntArray,
    touched: Histories,
    wanted: Histories,
    groups: ItemGroups,
    catalogue: FloatArray,
    n_items: int,
) -> FloatArray:
    """[n, n_groups, n_names] the sums of single people."""
    (n, k), member = lists.shape, groups.membership
    parts = member[lists]  # [n, k, n_groups]
    weights = attention(k)
    candidates = catalogue - _by_person(member[touched.items], touched.rows, n)
    n_candidates = n_items - touched.lengths
    merit = _by_person(member[wanted.items], wanted.rows, n)
    on_list = lists[wanted.rows] == wanted.items[:, None]  # [n_wanted, k]
    found = _by_person(member[wanted.items] * np.asarray(on_list.any(axis=1))[:, None], wanted.rows, n)
    ideal = _ideal(candidates, merit, n_candidates, wanted.lengths, weights)
    pairs = _pairs(lists, parts, on_list, candidates - merit, wanted, member)
    sums = [
        np.einsum("nkg,k->ng", parts, weights),
        parts.sum(axis=1),
        candidates,
        merit,
        found,
        ideal,
        *pairs,
    ]
    return np.stack(sums, axis=2)


def _ideal(
    candidates: FloatArray, merit: FloatArray, n_candidates: IntArray, n_wanted: IntArray, weights: FloatArray
) -> FloatArray:
    """[n, n_groups] attention under the ideal policy, which shuffles equally relevant items.

    The m relevant candidates share the first m places evenly, all others the places behind them.
    Source: Diaz et al., CIKM 2020, target exposure, with places that end at k.
    """
    reach = np.concatenate([[0.0], np.cumsum(weights)])  # [k + 1] attention of the first places
    k = len(weights)
    last, first = np.minimum(k, n_candidates), np.minimum(np.minimum(k, n_wanted), n_candidates)
    top = reach[first] / np.maximum(n_wanted, 1)
    below = (reach[last] - reach[first]) / np.maximum(n_candidates - n_wanted, 1)
    return merit * top[:, None] + (candidates - merit) * below[:, None]


def _pairs(
    lists: IntArray,
    parts: FloatArray,
    on_list: NDArray[np.bool_],
    others: FloatArray,
    wanted: Histories,
    member: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """[n, n_groups] each: pairs (held-out item, other candidate) won and in all, intra and inter.

    What isn't on the list is tied behind it, and a tie is half a win; with lists of all candidates there
    are none. Source: Beutel et al., KDD 2019, pairwise accuracy of a group's items against the others.
    """
    n, k = lists.shape
    relevant = np.zeros((n, k), dtype=bool)
    np.logical_or.at(relevant, wanted.rows, on_list)
    ahead = np.cumsum(parts * ~relevant[..., None], axis=1)  # [n, k, n_groups] others up to each place
    place, is_on = (
        on_list.argmax(axis=1),
        np.asarray(on_list.any(axis=1))[:, None],
    )  # [n_wanted], [n_wanted, 1]
    lost = np.where(is_on, ahead[wanted.rows, place], ahead[wanted.rows, k - 1])
    own, all_others = member[wanted.items], others[wanted.rows]  # [n_wanted, n_groups]
    won = np.where(is_on, all_others - lost, (all_others - lost) / 2)
    intra_won, intra = own * won, own * all_others
    inter_won = own * (won.sum(axis=1, keepdims=True) - won)
    inter = own * (all_others.sum(axis=1, keepdims=True) - all_others)
    of_people = [_by_person(values, wanted.rows, n) for values in (intra_won, intra, inter_won, inter)]
    return of_people[0], of_people[1], of_people[2], of_people[3]


def _by_person(values: FloatArray, rows: IntArray, n: int) -> FloatArray:
    """[n, n_groups] the sums of values [n_entries, n_groups] over each person's entries, in order."""
    totals = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    ends = np.searchsorted(rows, np.arange(n + 1))
    return totals[ends[1:]] - totals[ends[:-1]]
