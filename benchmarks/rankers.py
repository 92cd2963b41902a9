"""Every ranker under every preset on MovieLens-100K: python -m benchmarks.rankers FOLDER HOME [RANKER …].

HOME is a workspace that is kept, so that a run that was stopped goes on, and its models can be looked at in
the dashboard. Protocol: leave one out, all items ranked, seen items left out, no time of the request. For
each: the test figures; the paired difference to popularity over the same people, with its 95 % interval;
seconds; and whether the model, opened again from its folder, gives the ranks that were kept with it.
The ensemble is made of this preset's transformer and of transitions. Prints Markdown.
"""

import argparse
from pathlib import Path

import numpy as np

from recsys_core.actions.comparisons import leaderboard
from recsys_core.actions.data import ingest_sample
from recsys_core.actions.models import list_for_user, open_model, train
from recsys_core.config import SETTINGS
from recsys_core.presets import PRESETS
from recsys_core.ranker.evaluation import evaluate
from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace

DATASET, SEED = "ml", 0


def trained(workspace: Workspace, ranker: str, preset: str) -> ModelRecord:
    """The model of this ranker and preset, trained where it isn't kept yet."""
    name = f"{ranker} {preset}"
    for model in workspace.models():
        if model.name == name:
            return model
    changes = [f"members=transformer {preset},transitions {preset}"] if ranker == "ensemble" else []
    return train(workspace, DATASET, ranker, name, preset, SEED, changes)


def opens_again(workspace: Workspace, model: ModelRecord) -> bool:
    """Whether the model from its folder ranks the test items as the trained one did, and has a list.

    The figures that were kept with it would say so of themselves, so everybody is ranked again.
    """
    opened = open_model(workspace, model.id)
    again = evaluate(opened.ranker, opened.data.dataset, opened.data.split, "test")
    person = str(opened.data.dataset.users["user_id"].iloc[0])
    return np.array_equal(again.ranks, opened.test.ranks) and len(list_for_user(opened, person, 10)) == 10


def main() -> None:
    """Trains what is missing, then prints one row a model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of MovieLens-100K")
    parser.add_argument("home", type=Path, help="of the workspace")
    parser.add_argument("rankers", nargs="*", help="all of them by default")
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=PRESETS)
    options = parser.parse_args()
    workspace = Workspace.open(options.home)
    if not workspace.datasets():
        ingest_sample(workspace, DATASET, "movielens-100k", options.folder)
    rankers = options.rankers or list(SETTINGS)
    for preset in options.presets:
        for ranker in rankers:
            model = trained(workspace, ranker, preset)
            print(f"  {model.name}: {model.details['seconds']:.0f} s", flush=True)
    print("\n| model | NDCG@10 | HR@10 | minus popularity's NDCG@10 | seconds | opens again |")
    print("|---|---|---|---|---|---|")
    for standing in leaderboard(workspace, DATASET).standings:
        model, gain = standing.model, standing.result
        figures = model.details["test"]
        print(
            f"| {model.name} | {figures['ndcg@10']:.4f} | {figures['hr@10']:.4f} "
            f"| {gain.difference:+.4f} ({gain.ci_low:+.4f} to {gain.ci_high:+.4f}) "
            f"| {model.details['seconds']:.0f} | {'yes' if opens_again(workspace, model) else 'NO'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
