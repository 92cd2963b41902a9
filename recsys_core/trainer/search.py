"""Settings that rank better on the validation part, found by trying; the hopeless are cut short (Optuna)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import optuna
from optuna.trial import Trial as OptunaTrial

from recsys_core.config import Settings, make_settings
from recsys_core.errors import CancelledError, ConfigError, RecsysError
from recsys_core.trainer.search_space import Choice, Space, Value, matters, search_space

WARM_UP_TRIALS, WARM_UP_EPOCHS = 4, 1  # none is cut short before

Report = Callable[[int, float], None]
Attempt = Callable[[Settings, Report], float]
Drawn = dict[str, float | Value]
Outcome = Literal["whole", "cut short", "failed"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of settings that was tried.

    Attributes:
        number: from 0; the first is the preset itself.
        tried: the settings that were drawn.
        settings: all of them.
        valid_ndcg: the best validation NDCG@10 of its epochs; None if it failed before any.
        n_reports: after how many epochs it ended.
        outcome: "cut short" where it was behind the median of the others, or the time was over.
        reason: why it failed.
    """

    number: int
    tried: Drawn
    settings: Settings
    valid_ndcg: float | None
    n_reports: int
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """All trials, and the best one."""

    trials: tuple[Trial, ...]
    best: Trial


@dataclass(frozen=True, slots=True)
class Search:
    """What to search.

    Attributes:
        ranker: by name.
        preset: where it starts.
        changes: `key=value`, which stay.
        n_trials: at most.
        seconds: at most; a trial that is under way then is cut short.
        seed: decides what is drawn.
        over: the settings to search; () = all that are worth it.
    """

    ranker: str
    preset: str
    changes: tuple[str, ...]
    n_trials: int
    seconds: float
    seed: int
    over: tuple[str, ...] = ()


def search(
    what: Search,
    attempt: Attempt,
    follow: Callable[[Trial], None],
    clock: Callable[[], float] = time.monotonic,
) -> SearchResult:
    """Tries settings around a preset, the preset first; nothing is kept but what it hands back.

    Args:
        what: to search, and for how long.
        attempt: trains with settings, reports (epoch, validation NDCG@10) and returns the best of them.
        follow: told about each trial that has ended.
        clock: seconds.

    Raises:
        ConfigError: bad settings, nothing to search, or no trial came to a figure.
    """
    base = make_settings(what.ranker, what.preset, what.changes)
    space = search_space(base, {change.partition("=")[0].strip() for change in what.changes}, what.over)
    _check(what, space)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=what.seed),
        pruner=optuna.pruners.MedianPruner(WARM_UP_TRIALS, WARM_UP_EPOCHS),
    )
    study.enqueue_trial({name: getattr(base, name) for name in space})
    trials, end = list[Trial](), clock() + what.seconds
    while len(trials) < what.n_trials and (not trials or clock() < end):
        asked = study.ask()
        trial, state = _tried(what, base, space, asked, attempt, lambda: clock() >= end)
        value = trial.valid_ndcg if state is optuna.trial.TrialState.COMPLETE else None
        study.tell(asked, value, state=state)
        trials.append(trial)
        follow(trial)
    return SearchResult(tuple(trials), _best(trials))


def _tried(
    what: Search,
    base: Settings,
    space: Space,
    asked: OptunaTrial,
    attempt: Attempt,
    is_over: Callable[[], bool],
) -> tuple[Trial, optuna.trial.TrialState]:
    drawn = _draw(base, space, asked)
    settings = make_settings(
        what.ranker, what.preset, [*what.changes, *(f"{name}={value}" for name, value in drawn.items())]
    )
    reported = list[float]()

    def report(epoch: int, value: float) -> None:
        reported.append(value)
        asked.report(value, epoch)
        if asked.should_prune() or is_over():
            raise optuna.TrialPruned

    def ended(outcome: Outcome, value: float | None, reason: str = "") -> Trial:
        return Trial(asked.number, drawn, settings, value, len(reported), outcome, reason)

    try:
        return ended("whole", attempt(settings, report)), optuna.trial.TrialState.COMPLETE
    except optuna.TrialPruned:
        return ended("cut short", max(reported)), optuna.trial.TrialState.PRUNED
    except CancelledError:
        raise
    except RecsysError as error:  # too little memory, or a loss that is no number: another trial may do
        best = max(reported, default=None)
        return ended("failed", best, str(error)), optuna.trial.TrialState.FAIL


def _draw(base: Settings, space: Space, asked: OptunaTrial) -> Drawn:
    drawn: Drawn = {}
    for name, values in space.items():
        if not matters(name, drawn, base):
            continue
        if isinstance(values, Choice):
            drawn[name] = cast(Value, asked.suggest_categorical(name, values.values))
        elif values.is_whole:
            drawn[name] = asked.suggest_int(
                name, int(values.low), int(values.high), log=values.is_logarithmic
            )
        else:
            drawn[name] = asked.suggest_float(name, values.low, values.high, log=values.is_logarithmic)
    return drawn


def _best(trials: Sequence[Trial]) -> Trial:
    """The best whole trial, the first of equals; where none is whole, the best of the others."""
    known = [trial for trial in trials if trial.valid_ndcg is not None]
    candidates = [trial for trial in known if trial.outcome == "whole"] or known
    if not candidates:
        raise ConfigError(f"no trial came to a figure; the last one said: {trials[-1].reason}")
    return max(candidates, key=lambda trial: (trial.valid_ndcg or 0.0, -trial.number))


def _check(what: Search, space: Space) -> None:
    problems: list[str] = []
    if what.n_trials < 1:
        problems.append(f"trials is {what.n_trials}, but it must be a whole number from 1")
    if what.seconds <= 0:
        problems.append(f"minutes is {what.seconds / 60:g}, but it must be a number above 0")
    if unsearched := [name for name in what.over if name not in space]:
        problems.append(f"{', '.join(unsearched)} can't be searched for {what.ranker}")
    elif not space:
        problems.append(f"{what.ranker} has nothing to search that isn't fixed")
    if problems:
        raise ConfigError("; ".join(problems))
