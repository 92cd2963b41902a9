"""Attributions by taking items out of the history and scoring what is left, for any ranker.

An item goes with all its events: a view that stays behind would go on speaking for the purchase that
went. Its value is shared by those of its events that the model reaches.

- Leave-one-out: the fall of the score when the item goes alone.
- Shapley values (Shapley, 1953): its mean gain over all orders in which the items could have come in;
  exact over all subsets of up to 12 items, or sampled over drawn orders, each with its reverse
  (Castro et al., 2009; Mitchell et al., JMLR 2022).

Shapes: n different items of the history (the players), L events, k explained items.
"""

import time
from dataclasses import replace
from math import factorial

import numpy as np

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.errors import ConfigError
from recsys_core.explain.attributions import Attributions, Cost, Method, Options
from recsys_core.explain.scoring import BoolArray, Question, removed, scores_of_items
from recsys_core.ranker.protocol import Ranker

MAX_EXACT_ITEMS = 12
WITHOUT_SUM = "the history without the item"
AVERAGED_OUT = "the history with an average item in the item's places"
EMPTY, AVERAGE = "an empty history", "an average item in every place of the history"


def leave_one_out(
    ranker: Ranker, question: Question, items: tuple[int, ...], options: Options
) -> tuple[Attributions, ...]:
    """The fall of each item's score when an item of the history goes with all its events.

    Raises:
        ConfigError: more histories would be scored than the budget allows.
    """
    start = time.perf_counter()
    players, place = np.unique(question.history, return_inverse=True)
    options.check_budget(len(players) + 1, "ask about a shorter history")
    gone = np.concatenate([np.zeros((1, len(place)), dtype=bool), place == np.arange(len(players))[:, None]])
    in_place = options.baseline == "padding"
    versions = removed(question.known, gone, in_place)
    scores = scores_of_items(ranker, question, items, versions)
    reached = np.arange(len(place)) >= len(place) - ranker.max_length
    cost = Cost(forward=len(gone), seconds=time.perf_counter() - start)
    return tuple(
        Attributions(
            _by_event(own[0] - own[1:], place, reached),
            "leave-one-out",
            AVERAGED_OUT if in_place else WITHOUT_SUM,
            score=float(own[0]),
            baseline_score=np.nan,
            delta=np.nan,
            n_steps=0,
            cost=cost,
        )
        for own in scores.T
    )


def shapley_exact(
    ranker: Ranker, question: Question, items: tuple[int, ...], options: Options
) -> tuple[Attributions, ...]:
    """Shapley values over all subsets of the items in the model's window.

    Raises:
        ConfigError: there are more than 12 different items, or the budget is too small for their subsets.
    """
    start, game = time.perf_counter(), _Game.of(ranker, question, options)
    n = game.n_players
    if n > MAX_EXACT_ITEMS:
        raise ConfigError(
            f"the history has {n} different items, and shapley-exact goes through all subsets of at most "
            f"{MAX_EXACT_ITEMS}; shapley-sampling has no such limit"
        )
    options.check_budget(2**n, "shapley-sampling takes fewer")
    present = (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1  # [2ⁿ, n], row = bits of the players
    worth = game.scores(ranker, items, present)  # [2ⁿ, k]
    values = np.zeros((n, len(items)))
    size = present.sum(axis=1)
    weights = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    for player in range(n):
        without = np.flatnonzero(~present[:, player])
        gains = worth[without + 2**player] - worth[without]
        values[player] = weights[size[without]] @ gains
    cost = Cost(forward=2**n, seconds=time.perf_counter() - start)
    return game.answers("shapley-exact", values, worth[-1], worth[0], cost)


def shapley_sampling(
    ranker: Ranker, question: Question, items: tuple[int, ...], options: Options
) -> tuple[Attributions, ...]:
    """Shapley values over `n_draws` orders, with a standard error for each; they add up exactly.

    Raises:
        ConfigError: more histories would be scored than the budget allows.
    """
    start, game = time.perf_counter(), _Game.of(ranker, question, options)
    n, n_draws = game.n_players, options.n_draws
    n_histories = n_draws * max(0, n - 1) + 2
    options.check_budget(n_histories, f"up to {_affordable(n, options.budget)} draws fit")
    generator = np.random.default_rng(options.seed)
    orders = generator.permuted(np.tile(np.arange(n), (n_draws // 2, 1)), axis=1)
    orders = np.concatenate([orders, orders[:, ::-1]])  # [draws, n]
    entry = np.argsort(orders, axis=1)  # when each player comes in
    present = entry[:, None] < np.arange(n + 1)[:, None]  # [draws, n + 1, n]
    different, row = np.unique(present.reshape(-1, n), axis=0, return_inverse=True)
    worth = game.scores(ranker, items, different)[row.reshape(-1)].reshape(n_draws, n + 1, len(items))
    gains = np.take_along_axis(np.diff(worth, axis=1), entry[:, :, None], axis=1)  # [draws, n, k]
    pairs = (gains[: n_draws // 2] + gains[n_draws // 2 :]) / 2
    errors = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
    cost = Cost(forward=len(different), seconds=time.perf_counter() - start)
    return game.answers(
        "shapley-sampling", pairs.mean(axis=0), worth[0, -1], worth[0, 0], cost, errors, n_draws
    )


class _Game:
    """The items of the model's window as players, whose coalitions are scored.

    What is older than the window is no player: it can't move in when others go, and so the values add
    up to what the window says.
    """

    def __init__(self, question: Question, n_before: int, in_place: bool) -> None:
        self.question, self.n_before, self.in_place = question, n_before, in_place
        players, self.place = np.unique(question.history, return_inverse=True)
        self.n_players = len(players)

    @staticmethod
    def of(ranker: Ranker, question: Question, options: Options) -> "_Game":
        """The game of a question, about the last `max_length` items."""
        n_before = max(0, len(question.history) - ranker.max_length)
        kept = np.arange(len(question.history)) >= n_before
        context = None if question.context is None else question.context.at(kept)
        window = replace(question, history=question.history[kept], context=context)
        return _Game(window, n_before, options.baseline == "padding")

    def scores(self, ranker: Ranker, items: tuple[int, ...], present: BoolArray) -> FloatArray:
        """[m, k] the scores if only these players [m, n] had been there."""
        gone = ~present[:, self.place]
        versions = removed(self.question.known, gone, self.in_place)
        return scores_of_items(ranker, self.question, items, versions)

    def answers(
        self,
        method: Method,
        values: FloatArray,
        scores: FloatArray,
        bases: FloatArray,
        cost: Cost,
        errors: FloatArray | None = None,
        n_draws: int = 0,
    ) -> tuple[Attributions, ...]:
        """One answer for each of the k items, from values [n, k] of the players."""
        reached = np.ones(len(self.place), dtype=bool)
        before = np.zeros(self.n_before)

        def by_event(of_players: FloatArray) -> FloatArray:
            return np.concatenate([before, _by_event(of_players, self.place, reached)])

        return tuple(
            Attributions(
                by_event(values[:, item]),
                method,
                AVERAGE if self.in_place else EMPTY,
                score=float(scores[item]),
                baseline_score=float(bases[item]),
                delta=float(values[:, item].sum() - (scores[item] - bases[item])),
                n_steps=n_draws,
                standard_errors=None if errors is None else by_event(errors[:, item]),
                cost=cost,
            )
            for item in range(len(scores))
        )


def _by_event(of_players: FloatArray, place: IntArray, reached: BoolArray) -> FloatArray:
    """[L] each player's value, shared by those of its events that are reached."""
    n_events = np.bincount(place[reached], minlength=len(of_players))
    return np.where(reached, (of_players / np.maximum(n_events, 1))[place], 0.0)


def _affordable(n_players: int, budget: int) -> int:
    return max(0, (budget - 2) // max(1, n_players - 1) // 2 * 2)
