"""Searching better settings, and the file that training reads them from. Needs the extra `search`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from recsys_core.actions.data import open_dataset
from recsys_core.actions.settings_files import SETTINGS_VERSION
from recsys_core.config import Settings
from recsys_core.files import write_json
from recsys_core.pipeline import learn
from recsys_core.ranker.evaluation import evaluate
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.search import Report, Search, SearchResult, Trial, search


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
