"""Every measure of whether an explanation is true, for many people and many orders at once.

What the badge asks is in `faithfulness`; here is the rest, with the curves that the measures are areas
and counts of. Items leave in ten steps of about as many items each, from none to all of them (the
bins of LXR, Barkan et al., WWW 2024), by either kind of removal. Scores are those of `scoring`:
log-probabilities over the candidates of the full history, so a ratio of probabilities is the exponential
of a difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.explain.answers import Answers, answers, items_of
from recsys_core.explain.faithfulness import SHARES, Faithfulness, Removal, fixed_sizes, share_sizes
from recsys_core.explain.orders import place_in_order
from recsys_core.explain.scoring import BoolArray, Question
from recsys_core.ranker.protocol import Ranker, ScoreKind

N_STEPS = 10
PEOPLE_AT_ONCE = 500  # whose versions are made together
DEFAULT_K = 10
N_SETS = 50  # drawn for the infidelity of one explanation


@dataclass(frozen=True, slots=True)
class Curve:
    """Where an item stands while history items leave, or enter, in one order.

    Attributes:
        n_moved: [S + 1] how many have left (or entered), from 0 to all of them.
        scores: [S + 1] the item's score then.
        ranks: [S + 1] its rank then, from 1.
    """

    n_moved: IntArray
    scores: FloatArray
    ranks: IntArray

    @property
    def area(self) -> float:
        """Area under the scores over the share of items that have moved, by trapezoids."""
        return float(np.trapezoid(self.scores, self.n_moved / self.n_moved[-1]))


@dataclass(frozen=True, slots=True)
class Measures:
    """What an order of history items is worth, by one kind of removal.

    Attributes:
        comprehensiveness: mean fall of the score when the first 1, 5, 10, 20, 50 % go. Higher is better.
            (DeYoung et al., ACL 2020)
        sufficiency: mean fall when only those stay. Lower is better.
        deletion: mean fall after exactly 1 to 5 items. Higher is better.
        deletion_auc: area under the score while the first items leave. Lower is better. (Petsiuk et al.,
            BMVC 2018)
        insertion_auc: area under the score while the first items enter an empty history. Higher is better.
        pos: POS@k, the share of steps, most relevant items first, at which the item is still among the
            first k. 0 to 1, lower is better. (Barkan et al., WWW 2024)
        neg: NEG@k, the same with the least relevant first. Higher is better.
        cdcg: mean of 1 / log2(1 + rank) over the steps, most relevant first. 0 to 1, lower is better.
        fixed_deletion: [5] the probability once exactly 1 to 5 items are gone, over the first one; of plain
            scores their ratio, NaN where the first is not above 0. Lower is better. (Baklanov et al.,
            SIGIR 2025)
        fixed_insertion: [5] the same with exactly those items alone. Higher is better.
        necessity: [5] PN, whether taking the first 1 to 5 away drops the item out of the first k: 1 or 0,
            a share in the mean over people; NaN where it wasn't there. Higher is better. (Tan et al., CIKM
            2021)
        sufficing: [5] PS, whether those alone keep it there. Higher is better.
    """

    comprehensiveness: float
    sufficiency: float
    deletion: float
    deletion_auc: float
    insertion_auc: float
    pos: float
    neg: float
    cdcg: float
    fixed_deletion: tuple[float, ...]
    fixed_insertion: tuple[float, ...]
    necessity: tuple[float, ...]
    sufficing: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MeasuredOrder:
    """The measures of one order of one history, and the curves that they come from."""

    measures: Measures
    deletion: Curve
    insertion: Curve

    @property
    def faithfulness(self) -> Faithfulness:
        """What the badge asks."""
        own = self.measures
        return Faithfulness(own.comprehensiveness, own.sufficiency, own.deletion)


def measure_orders(
    ranker: Ranker,
    questions: Sequence[Question],
    orders: Sequence[dict[str, FloatArray]],
    removal: Removal,
    k: int = DEFAULT_K,
    with_ranks: bool = True,
) -> list[dict[str, MeasuredOrder]]:
    """Every measure of several orders of many histories, all scored together.

    Args:
        ranker: the model that is asked.
        questions: [Q] the explained items.
        orders: [Q] by name, one value for each item of `items_of`; higher = more important.
        removal: how items go.
        k: length of the list that an item is on, or not.
        with_ranks: without them it is faster for rankers that read texts; what needs them is NaN, ranks 0.
    """
    found = list[dict[str, MeasuredOrder]]()
    for start in range(0, len(questions), PEOPLE_AT_ONCE):
        some = slice(start, start + PEOPLE_AT_ONCE)
        asked, own = questions[some], orders[some]
        gone = [np.concatenate([_versions(place_in_order(values)) for values in one.values()]) for one in own]
        given = answers(ranker, asked, gone, removal == "mask-in-place", with_ranks)
        found += [
            {
                name: _measured(part, len(items_of(question.history)[0]), k, ranker.score_kind)
                for name, part in zip(one, _split(answer, len(one)), strict=True)
            }
            for question, one, answer in zip(asked, own, given, strict=True)
        ]
    return found


def mean_measures(people: Sequence[Measures]) -> Measures:
    """The mean of each figure over people; of those that are NaN for somebody, over the others."""
    means: dict[str, Any] = {
        field.name: _mean([getattr(own, field.name) for own in people]) for field in fields(Measures)
    }
    return Measures(**means)


def infidelities(
    ranker: Ranker,
    questions: Sequence[Question],
    values: Sequence[FloatArray],
    removal: Removal,
    generator: np.random.Generator,
) -> FloatArray:
    """[Q] how far attributions are from what happens: E[(Σ of a random set − fall without that set)²].

    Each item is in the set with probability ½. Range ≥ 0, lower is better, 0 = every fall was foretold.
    Source: Yeh et al., NeurIPS 2019, definition 2.1, with a binary perturbation, as
    `captum.metrics.infidelity` takes it for attributions that include the input.

    Args:
        ranker: the model that is asked.
        questions: [Q] the explained items.
        values: [Q] attributions of the items of `items_of`, one value each.
        removal: how items go.
        generator: draws the sets.
    """
    drawn = [generator.random((N_SETS, len(own))) < 0.5 for own in values]
    gone = [np.concatenate([np.zeros((1, sets.shape[1]), dtype=bool), sets]) for sets in drawn]
    found = answers(ranker, questions, gone, removal == "mask-in-place")
    falls = [own.scores[0] - own.scores[1:] for own in found]
    foretold = [sets @ own for sets, own in zip(drawn, values, strict=True)]
    return np.array([np.mean((a - b) ** 2) for a, b in zip(foretold, falls, strict=True)])


def max_sensitivity(
    explained: Callable[[Question], FloatArray], question: Question, edited: Sequence[Question]
) -> float:
    """How far an explanation moves at most under edits of the history: max ‖φ(H') − φ(H)‖ / ‖φ(H)‖.

    Range ≥ 0, lower is better; NaN for an explanation of zeros. Source: Yeh et al., NeurIPS 2019,
    definition 2.2, normalised as in `captum.metrics.sensitivity_max`; a history has no small real
    neighbourhood, so the edits are given.

    Args:
        explained: [length] attributions of a question's events.
        question: as it is.
        edited: the same with other histories of the same length.
    """
    own = explained(question)
    length = float(np.linalg.norm(own))
    if length == 0:
        return np.nan
    return max(float(np.linalg.norm(explained(other) - own)) for other in edited) / length


def _steps(n_items: int) -> IntArray:
    """How many items have left at each step: 0, about a tenth more each time, all."""
    return np.unique(np.round(np.linspace(0, n_items, N_STEPS + 1)).astype(np.int64))


def _versions(order: IntArray) -> BoolArray:
    """[n_versions, n_items] what goes, for the parts that `_measured` takes apart."""
    n_items = len(order)
    shares, fixed, steps = (
        sizes[:, None] for sizes in (share_sizes(n_items), fixed_sizes(n_items), _steps(n_items))
    )
    parts = [order < shares, order >= shares, order < fixed, order >= fixed]
    return np.concatenate([*parts, order < steps, order >= steps, order >= n_items - steps])


def _split(answer: Answers, n: int) -> list[Answers]:
    halves = zip(np.split(answer.scores, n), np.split(answer.ranks, n), strict=True)
    return [Answers(scores, ranks) for scores, ranks in halves]


def _measured(answer: Answers, n_items: int, k: int, score_kind: ScoreKind) -> MeasuredOrder:
    steps, five = _steps(n_items), len(SHARES)
    cuts = np.cumsum([five, five, five, five, len(steps), len(steps)])
    without, alone, fixed_out, fixed_in, leaving, entering, _ = np.split(answer.scores, cuts)
    _, _, ranks_out, ranks_in, ranks_leaving, ranks_entering, ranks_least = np.split(answer.ranks, cuts)
    first, is_listed, known = leaving[0], 0 < ranks_leaving[0] <= k, ranks_leaving[0] > 0
    necessity = np.where(ranks_out > k, 1.0, 0.0) if is_listed else np.full(five, np.nan)
    sufficing = np.where(ranks_in <= k, 1.0, 0.0) if is_listed else np.full(five, np.nan)
    measures = Measures(
        comprehensiveness=float(first - without.mean()),
        sufficiency=float(first - alone.mean()),
        deletion=float(first - fixed_out.mean()),
        deletion_auc=(deletion := Curve(steps, leaving, ranks_leaving)).area,
        insertion_auc=(insertion := Curve(steps, entering, ranks_entering)).area,
        pos=float((ranks_leaving[1:] <= k).mean()) if known else np.nan,
        neg=float((ranks_least[1:] <= k).mean()) if known else np.nan,
        cdcg=float((1 / np.log2(1 + ranks_leaving[1:])).mean()) if known else np.nan,
        fixed_deletion=_over_first(fixed_out, first, score_kind),
        fixed_insertion=_over_first(fixed_in, first, score_kind),
        necessity=tuple(necessity.tolist()),
        sufficing=tuple(sufficing.tolist()),
    )
    return MeasuredOrder(measures, deletion, insertion)


def _over_first(scores: FloatArray, first: float, score_kind: ScoreKind) -> tuple[float, ...]:
    if score_kind == "log-probability":
        return tuple(np.exp(scores - first).tolist())
    return tuple((scores / first if first > 0 else np.full(len(scores), np.nan)).tolist())


def _mean(values: Sequence[float | tuple[float, ...]]) -> float | tuple[float, ...]:
    """The mean over people, NaN left out; of tuples the mean of each place."""
    table = np.array(values, dtype=np.float64).reshape(len(values), -1)
    counts = (~np.isnan(table)).sum(axis=0)
    means = np.nansum(table, axis=0) / np.where(counts > 0, counts, np.nan)
    return tuple(means.tolist()) if isinstance(values[0], tuple) else float(means[0])
