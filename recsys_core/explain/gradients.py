"""Attributions by gradients, for neural rankers: along a path, at one point, or at drawn points.

- Integrated gradients (Sundararajan et al., ICML 2017): the gradient, averaged over the straight line
  from a baseline, times the way. Over several baselines its values are averaged (expected gradients).
- Gradient × input (Shrikumar et al., 2016): the gradient at the history itself, times the vectors.
- GradientShap (Lundberg & Lee, NIPS 2017; Erion et al., 2021): integrated gradients by drawing a
  baseline and a point of its line each time. DeepLift isn't here: its rules hang on modules, and
  attention is computed by functions that no module holds, so it would be wrong without a word.

Shapes: P people, k explained items each, n baselines each, N = P · n lines, L history items.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.explain.attributions import SMALLEST_DIFFERENCE, Attributions, Cost, Method, Options
from recsys_core.explain.baselines import baseline_vectors
from recsys_core.explain.looked_up import Asked, scores_at, slopes
from recsys_core.explain.quadrature import gauss_legendre, nested_rules
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neural import NeuralRanker

NO_SUM = "gradient × input looks at the history alone, not at a way to it: its values promise no sum"


def integrated_gradients(
    ranker: NeuralRanker, questions: Sequence[Question], items: IntArray, options: Options
) -> list[tuple[Attributions, ...]]:
    """Of several people their items [P, k]; a path gets more points until its values add up.

    Raises:
        ConfigError: the ranker lacks the baseline, or the path would take more than the budget.
    """
    start, asked = time.perf_counter(), Asked.of(ranker, questions, items)
    baseline = baseline_vectors(asked, options)
    n_baselines = baseline.vectors.shape[1]
    n_points = (options.n_steps or 1) * n_baselines
    options.check_budget(n_points, f"with {n_baselines} baselines, take fewer steps")
    lines, starts = asked.repeated(n_baselines), baseline.vectors.flatten(0, 1)
    path = _integrated(lines, starts, len(questions), options)
    cost = Cost(path.n_forward, path.n_backward, time.perf_counter() - start)
    return _answers("integrated-gradients", asked, questions, path, baseline.words, cost, options)


def gradient_x_input(
    ranker: NeuralRanker, questions: Sequence[Question], items: IntArray, options: Options
) -> list[tuple[Attributions, ...]]:
    """Of several people their items [P, k]: gradient times vector at each place of the history.

    Raises:
        ConfigError: another baseline than "zero" is asked for.
    """
    start, asked = time.perf_counter(), Asked.of(ranker, questions, items)
    n = len(questions)
    own = np.arange(n)
    found = slopes(
        asked, own, 0 * asked.looked_up, asked.looked_up, np.ones(n), np.ones_like(items, dtype=bool)
    )
    scores = scores_at(asked, own, asked.looked_up)
    cost = Cost(2 * n, items.size, time.perf_counter() - start)
    nowhere, no_points = np.full_like(scores, np.nan), np.zeros(items.shape, dtype=np.int64)
    path = _Path(found, scores, nowhere, no_points, 0, 0)
    return _answers("gradient-x-input", asked, questions, path, "zeros in every place", cost, options)


def gradient_shap(
    ranker: NeuralRanker, questions: Sequence[Question], items: IntArray, options: Options
) -> list[tuple[Attributions, ...]]:
    """Of several people their items [P, k], with a standard error for each value.

    Each of `n_draws` draws is one of the baselines and a point between it and the history.

    Raises:
        ConfigError: the ranker lacks the baseline, or more points than the budget are to be drawn.
    """
    start, asked = time.perf_counter(), Asked.of(ranker, questions, items)
    options.check_budget(options.n_draws, "take fewer draws")
    baseline = baseline_vectors(asked, options)
    n_people, n_baselines = baseline.vectors.shape[:2]
    generator, n = np.random.default_rng(options.seed), options.n_draws
    lines, starts = asked.repeated(n_baselines), baseline.vectors.flatten(0, 1)
    chosen = generator.integers(n_baselines, size=(n_people, n)) + n_baselines * np.arange(n_people)[:, None]
    positions = generator.random((n_people, n))
    directions = lines.looked_up - starts
    needed = np.ones((chosen.size, items.shape[1]), dtype=bool)
    found = slopes(lines, chosen.ravel(), starts, directions, positions.ravel(), needed)
    drawn = found.reshape(n_people, n, *found.shape[1:])
    ends = scores_at(asked, np.arange(n_people), asked.looked_up)
    bases = scores_at(lines, np.arange(len(starts)), starts).reshape(n_people, n_baselines, -1).mean(1)
    path = _Path(drawn.mean(1), ends, bases, np.full(items.shape, n), 0, 0)
    errors = drawn.std(1, ddof=1) / np.sqrt(n)
    n_forward = chosen.size + n_people * (1 + n_baselines)
    cost = Cost(n_forward, chosen.size * items.shape[1], time.perf_counter() - start)
    return _answers("gradient-shap", asked, questions, path, baseline.words, cost, options, errors)


@dataclass(frozen=True, slots=True)
class _Path:
    """What was found on the lines, averaged over each person's.

    Attributes:
        values: [P, k, L].
        ends: [P, k] scores of the histories.
        bases: [P, k] scores of the baselines; NaN where there are none.
        n_points: [P, k] on each line.
    """

    values: FloatArray
    ends: FloatArray
    bases: FloatArray
    n_points: IntArray
    n_forward: int
    n_backward: int


def _integrated(lines: Asked, starts: Tensor, n_people: int, options: Options) -> _Path:
    """The slopes along N lines, averaged over each; those of one person follow one another."""
    both = scores_at(lines, np.tile(np.arange(len(starts)), 2), torch.cat([lines.looked_up, starts]))
    ends, bases = both.reshape(2, n_people, -1, lines.items.shape[1]).mean(2)
    allowed = options.max_relative_delta * np.maximum(np.abs(ends - bases), SMALLEST_DIFFERENCE)
    values = np.zeros((*ends.shape, starts.shape[1]))
    n_points, is_open = np.zeros(ends.shape, dtype=np.int64), np.ones(ends.shape, dtype=bool)
    n_lines = len(starts) // n_people
    still = np.arange(len(starts))  # lines of whose person an item is open
    known = np.zeros((len(still), 0, ends.shape[1], starts.shape[1]))  # [still, points, k, L]
    n_forward, n_backward = 2 * len(starts), 0
    directions = lines.looked_up - starts
    for rule in nested_rules() if options.n_steps is None else [gauss_legendre(options.n_steps)]:
        is_kept = np.isin(still // n_lines, np.flatnonzero(is_open.any(axis=1)))
        still, known = still[is_kept], known[is_kept]
        rows = np.repeat(still, len(rule.positions))
        needed = is_open[rows // n_lines]
        found = slopes(lines, rows, starts, directions, np.tile(rule.positions, len(still)), needed)
        n_forward, n_backward = n_forward + len(rows), n_backward + int(needed.sum())
        known = np.concatenate([known, found.reshape(len(still), -1, *known.shape[2:])], axis=1)
        integrals = np.einsum("p,npkl->nkl", rule.weights, known)
        of_people = integrals.reshape(-1, n_lines, *integrals.shape[1:]).mean(1)
        open_people = still[::n_lines] // n_lines
        values[open_people] = np.where(is_open[open_people, :, None], of_people, values[open_people])
        n_points[is_open] = len(rule.weights)
        is_open &= np.abs(values.sum(-1) - (ends - bases)) > allowed
        if not is_open.any():
            break
    return _Path(values, ends, bases, n_points, n_forward, n_backward)


def _answers(
    method: Method,
    asked: Asked,
    questions: Sequence[Question],
    path: _Path,
    baseline: str,
    cost: Cost,
    options: Options,
    errors: FloatArray | None = None,
) -> list[tuple[Attributions, ...]]:
    deltas = path.values.sum(-1) - (path.ends - path.bases)  # [P, k]
    windows = zip(questions, asked.batch.lengths.tolist(), strict=True)

    def of_item(row: int, item: int, length: int, question: Question) -> Attributions:
        difference = float(path.ends[row, item] - path.bases[row, item])
        return Attributions(
            _whole(path.values[row, item, :length], len(question.history)),
            method,
            baseline,
            score=float(path.ends[row, item]),
            baseline_score=float(path.bases[row, item]),
            delta=float(deltas[row, item]),
            n_steps=int(path.n_points[row, item]),
            standard_errors=None
            if errors is None
            else _whole(errors[row, item, :length], len(question.history)),
            cost=cost,
            warnings=_warnings(method, float(deltas[row, item]), difference, options),
        )

    return [
        tuple(of_item(row, item, length, question) for item in range(path.ends.shape[1]))
        for row, (question, length) in enumerate(windows)
    ]


def _warnings(method: Method, delta: float, difference: float, options: Options) -> tuple[str, ...]:
    if method == "gradient-x-input":
        return (NO_SUM,)
    share = abs(delta) / max(abs(difference), SMALLEST_DIFFERENCE)
    if method == "integrated-gradients" and share > options.max_relative_delta:
        return (
            f"the values miss the difference of the scores by {share:.1%}; more points bring them closer",
        )
    return ()


def _whole(values: FloatArray, length: int) -> FloatArray:
    """[length] the values of the model's window, and 0 for what came before it."""
    return np.concatenate([np.zeros(length - len(values)), values])
