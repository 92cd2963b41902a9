"""Searching better settings, and how much of a figure is the seed's doing."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys_core.actions.data import open_dataset
from recsys_core.config import Settings, make_settings, read_settings
from recsys_core.errors import ConfigError
from recsys_core.files import write_json
from recsys_core.pipeline import Progress, learn
from recsys_core.ranker.evaluation import evaluate
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.search import Report, Search, SearchResult, Trial, search

SETTINGS_VERSION = 1


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """The test figures of one ranker trained with several seeds.

    Attributes:
        seeds: in the order of `by_seed`.
        by_seed: [n_seeds] headline figures.
        mean: of each figure.
        sd: sample standard deviation of each figure, n − 1 in the denominator.
    """

    seeds: tuple[int, ...]
    by_seed: tuple[dict[str, float], ...]
    mean: dict[str, float]
    sd: dict[str, float]


def search_settings(
    workspace: Workspace,
    dataset: str,
    what: Search,
    device: str = "auto",
    follow: Callable[[Trial], None] = lambda trial: None,
) -> SearchResult:
    """Trials of settings on a data set's training and validation parts; the test part is not touched.

    Raises:
        ConfigError: bad settings, or nothing came of any trial.
        DataError: the data are too small.
    """
    loaded, where = open_dataset(workspace, dataset), choose_device(device)

    def attempt(settings: Settings, report: Report) -> float:
        learned = learn(
            loaded.dataset,
            loaded.split,
            settings,
            seed=what.seed,
            device=where,
            cache=workspace.cache,
            progress=lambda share, message: None,
            on_epoch=lambda epoch: report(epoch.number, epoch.valid_ndcg),
        )
        if learned.log is not None:
            return max(epoch.valid_ndcg for epoch in learned.log.epochs)
        return evaluate(learned.ranker, loaded.dataset, loaded.split, "valid").mean("ndcg@10")

    return search(what, attempt, follow)


def seed_spread(
    workspace: Workspace,
    dataset: str,
    ranker: str,
    seeds: Sequence[int],
    preset: str = "balanced",
    changes: Sequence[str] = (),
    device: str = "auto",
    progress: Progress = lambda share, message: None,
) -> SeedSpread:
    """The test figures of a ranker that is trained once for each seed; no model is kept.

    Raises:
        ConfigError: fewer than two different seeds, or bad settings.
        DataError: the data are too small.
    """
    settings = make_settings(ranker, preset, changes)
    if len(set(seeds)) < max(2, len(seeds)):
        raise ConfigError(f"seeds are {', '.join(map(str, seeds))}; at least 2 different ones are needed")
    loaded = open_dataset(workspace, dataset)
    found: list[dict[str, float]] = []
    for number, seed in enumerate(seeds):
        learned = learn(
            loaded.dataset,
            loaded.split,
            settings,
            seed=seed,
            device=choose_device(device),
            cache=workspace.cache,
            progress=lambda share, words, done=number: progress((done + share) / len(seeds), words),
            on_epoch=lambda epoch: None,
        )
        found.append(evaluate(learned.ranker, loaded.dataset, loaded.split, "test").summary())
    figures = {name: np.array([row[name] for row in found]) for name in found[0]}
    return SeedSpread(
        tuple(seeds),
        tuple(found),
        {name: float(values.mean()) for name, values in figures.items()},
        {name: float(values.std(ddof=1)) for name, values in figures.items()},
    )


def search_json(what: Search, result: SearchResult) -> dict[str, Any]:
    """The contract of `reclens search --json`, and the file that `reclens train --settings` reads."""
    return {
        "version": SETTINGS_VERSION,
        "ranker": what.ranker,
        "preset": what.preset,
        "seed": what.seed,
        "valid_ndcg@10": result.best.valid_ndcg,
        "settings": result.best.settings.model_dump(mode="json"),
        "trials": [
            {
                "number": trial.number,
                "tried": trial.tried,
                "valid_ndcg@10": trial.valid_ndcg,
                "epochs": trial.n_reports,
                "outcome": trial.outcome,
                "reason": trial.reason,
            }
            for trial in result.trials
        ],
    }


def write_settings(path: Path, what: Search, result: SearchResult) -> None:
    """Writes what was found to a file.

    Raises:
        StoreError: the disk refused.
    """
    write_json(path, search_json(what, result))


def changes_in(path: Path, ranker: str) -> list[str]:
    """The settings in a file of `write_settings`, as `key=value`.

    Raises:
        ConfigError: the file can't be read, is no such file, or is of another ranker.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        version, of_ranker, settings = kept["version"], kept["ranker"], kept["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path.name} is no file of settings that 'reclens search' wrote") from error
    if version != SETTINGS_VERSION:
        raise ConfigError(
            f"{path.name} is of version {version}, this RecLens reads version {SETTINGS_VERSION}"
        )
    if of_ranker != ranker:
        raise ConfigError(f"{path.name} holds settings of {of_ranker}, not of {ranker}")
    read_settings(ranker, settings)
    return [f"{name}={value}" for name, value in settings.items()]
