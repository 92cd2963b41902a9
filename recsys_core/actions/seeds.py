"""How much of a model's figures is its seed's doing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys_core.actions.data import open_dataset
from recsys_core.config import make_settings
from recsys_core.errors import ConfigError
from recsys_core.pipeline import Progress, learn
from recsys_core.ranker.evaluation import evaluate
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.device import choose_device


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
