"""Are ratings predicted worse for some groups than for others? For models that predict ratings.

The five figures of Yao & Huang (NeurIPS 2017) are norms of differences: chance alone makes them larger than
0, the more so the fewer ratings an item has. So each stands beside what it is when the groups are dealt out
anew among the same people, which also gives its p-value; a bootstrap interval would lie off by the same
amount, and none is given.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys_core.errors import ConfigError
from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO
from recsys_core.fairness.groups import UNKNOWN
from recsys_core.fairness.inference import holm
from recsys_core.metrics.rating_gaps import RATING_MEASURES, ItemErrors, RatingMeasure, five_figures

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_SHUFFLES, FEWEST_SHUFFLES = 999, 199
CHUNK = 8_000_000  # numbers held at once while shuffling
FEWEST_PEOPLE = FEWEST_ABOVE_ZERO
HIDDEN = "hidden: it has fewer people than may be shown, or would give away a group that has"
FEW_PEOPLE = (
    f"insufficient data: fewer than {FEWEST_PEOPLE} people with a rating in the group or outside of it"
)
NO_ITEM = "insufficient data: no item was rated by people of the group and by others"


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings with their predictions.

    Attributes:
        people: [n] the number of who rated, from 0.
        items: [n] which item, from 0.
        given: [n] the rating.
        predicted: [n] the model's prediction of it.
        n_people: how many people there are.
    """

    people: IntArray
    items: IntArray
    given: FloatArray
    predicted: FloatArray
    n_people: int


@dataclass(frozen=True, slots=True)
class RatedGroups:
    """The groups of one attribute: their names, everybody's number [n_people], and who may not be shown."""

    attribute: str
    names: tuple[str, ...]
    codes: IntArray
    hidden: frozenset[str]


@dataclass(frozen=True, slots=True)
class RatingGapRow:
    """One figure of one group beside everybody else.

    Attributes:
        attribute: what the groups are made of.
        group: the group.
        reference: "rest", or the other group where there are two.
        measure: one of RATING_MEASURES.
        value: in units of the ratings, 0 = alike; None where it can't be computed.
        by_chance: its mean when the groups are dealt out anew.
        p_value: how often that gives as much.
        p_adjusted: by Holm over all figures of all groups.
        n: people of the group.
        n_reference: people whom they are compared with.
        reason: why there is no value.
    """

    attribute: str
    group: str
    reference: str
    measure: RatingMeasure
    value: float | None
    by_chance: float | None
    p_value: float | None
    p_adjusted: float | None
    n: int | None
    n_reference: int | None
    reason: str | None


def audit_ratings(
    ratings: Ratings, groupings: list[RatedGroups], n_shuffles: int = N_SHUFFLES, seed: int = 0
) -> tuple[RatingGapRow, ...]:
    """The five figures of every group, each with what chance gives and an adjusted p-value.

    Args:
        ratings: of everybody who is audited.
        groupings: one an attribute.
        n_shuffles: how often groups are dealt out anew, at least 199.
        seed: of the shuffles.

    Raises:
        ConfigError: too few shuffles.
    """
    if n_shuffles < FEWEST_SHUFFLES:
        raise ConfigError(f"{n_shuffles} shuffles were asked for; allowed are {FEWEST_SHUFFLES} or more")
    tables = _tables(ratings)
    rows = [row for groups in groupings for row in _rows(tables, groups, n_shuffles, seed)]
    adjusted = iter(holm([row.p_value for row in rows if row.p_value is not None]))
    return tuple(row if row.p_value is None else _adjusted(row, next(adjusted)) for row in rows)


@dataclass(frozen=True, slots=True)
class _Tables:
    """[n_people, n_items] sums of errors and counts of ratings, and each person's sum of predictions."""

    errors: sp.csr_matrix
    counts: sp.csr_matrix
    predicted: FloatArray
    n_items: int

    def of(self, members: FloatArray) -> ItemErrors:
        """Sums over the members [..., n_people], 1 = counts, of each row."""
        return ItemErrors(
            np.asarray(members @ self.errors), np.asarray(members @ self.counts), members @ self.predicted
        )


def _tables(ratings: Ratings) -> _Tables:
    shape = ratings.n_people, int(ratings.items.max(initial=-1)) + 1
    places = ratings.people, ratings.items
    errors = sp.csr_matrix((ratings.predicted - ratings.given, places), shape=shape)
    counts = sp.csr_matrix((np.ones(len(ratings.items)), places), shape=shape)
    predicted = np.bincount(ratings.people, ratings.predicted, ratings.n_people).astype(np.float64)
    return _Tables(errors, counts, predicted, shape[1])


def _rows(tables: _Tables, groups: RatedGroups, n_shuffles: int, seed: int) -> Iterator[RatingGapRow]:
    """Every group against all other known ones; two groups are one gap."""
    known = [name for name in groups.names if name != UNKNOWN]
    counted = [name for name in known if name not in groups.hidden] if UNKNOWN in groups.hidden else known
    pool = np.isin(groups.codes, [groups.names.index(name) for name in counted])
    shown = [name for name in known if name not in groups.hidden]
    pair = len(counted) == 2 and len(shown) == 2
    for name in known:
        if name in groups.hidden:
            yield from _without(groups.attribute, name, "rest", HIDDEN)
        elif not pair or name == shown[0]:
            reference = shown[1] if pair else "rest"
            inside = (groups.codes == groups.names.index(name))[pool]
            rng = np.random.default_rng([seed, crc32(f"ratings {groups.attribute} {name}".encode())])
            yield from _of_group(tables, pool, inside, (groups.attribute, name, reference), n_shuffles, rng)


def _of_group(
    tables: _Tables,
    pool: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    names: tuple[str, str, str],
    n_shuffles: int,
    rng: np.random.Generator,
) -> Iterator[RatingGapRow]:
    n, n_others = int(inside.sum()), int((~inside).sum())
    if min(n, n_others) < FEWEST_PEOPLE:
        yield from _without(*names, FEW_PEOPLE)
        return
    some = _Tables(tables.errors[pool], tables.counts[pool], tables.predicted[pool], tables.n_items)
    observed = _figures(some, inside[None].astype(np.float64))[:, 0]
    if np.isnan(observed).any():
        yield from _without(*names, NO_ITEM)
        return
    shuffled = np.concatenate(list(_shuffled(some, inside, n_shuffles, rng)), axis=1)  # [5, n_shuffles]
    as_much = (shuffled >= observed[:, None] * (1 - 1e-9)).sum(axis=1)
    p_values = (1 + as_much) / (1 + n_shuffles)
    for place, measure in enumerate(RATING_MEASURES):
        figures = (float(observed[place]), float(np.nanmean(shuffled[place])), float(p_values[place]))
        yield RatingGapRow(*names, measure, *figures, None, n, n_others, None)


def _figures(tables: _Tables, members: FloatArray) -> FloatArray:
    """[5, n_rows] of the members of each row [n_rows, n_people] beside all others."""
    return five_figures(tables.of(members), tables.of(1 - members))


def _shuffled(
    tables: _Tables, inside: NDArray[np.bool_], n_shuffles: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    at_once = max(1, CHUNK // (len(inside) + 4 * tables.n_items))
    for start in range(0, n_shuffles, at_once):
        now = min(at_once, n_shuffles - start)
        members = rng.permuted(np.tile(inside.astype(np.float64), (now, 1)), axis=1)
        yield _figures(tables, members)


def _without(attribute: str, group: str, reference: str, reason: str) -> Iterator[RatingGapRow]:
    for measure in RATING_MEASURES:
        yield RatingGapRow(attribute, group, reference, measure, None, None, None, None, None, None, reason)


def _adjusted(row: RatingGapRow, p_adjusted: float) -> RatingGapRow:
    return replace(row, p_adjusted=p_adjusted)
