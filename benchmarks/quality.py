"""Rank quality of every ranker on MovieLens-100K, in one run: python -m benchmarks.quality FOLDER [SEED …].

Protocol: leave one out, last item test, last but one validation, all items ranked, seen items left out,
no time of the request. Prints a Markdown table; RESULTS.md keeps what was measured, with the machine.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from recsys_core.actions.data import ingest_sample
from recsys_core.actions.models import train
from recsys_core.config import SETTINGS
from recsys_core.store.workspace import Workspace

VARIANTS = {name: (name, ()) for name in SETTINGS if name != "ensemble"} | {
    "transformer, ids alone": ("transformer", ("encoder=none",)),
    "transformer, text alone": ("transformer", ("item_id=false",)),
    "ensemble of transformer and transitions": ("ensemble", ("members=transformer 0,transitions 0",)),
}


def main(folder: Path, seeds: list[int], preset: str = "balanced") -> None:
    """Trains everything on each seed and prints mean ± standard deviation over seeds of the test figures."""
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace.open(Path(home))
        ingest_sample(workspace, "ml", "movielens-100k", folder)
        print("| ranker | seeds | NDCG@10 | HR@10 | seconds |\n|---|---|---|---|---|")
        for label, (ranker, changes) in VARIANTS.items():
            own_seeds = seeds if ranker == "transformer" else seeds[:1]
            records = [
                train(workspace, "ml", ranker, f"{label} {seed}", preset, seed, changes) for seed in own_seeds
            ]
            figures = np.array(
                [[run.details["test"]["ndcg@10"], run.details["test"]["hr@10"]] for run in records]
            )
            seconds = np.median([run.details["seconds"] for run in records])
            (ndcg, hr), (ndcg_sd, hr_sd) = figures.mean(0), figures.std(0)
            print(
                f"| {label} | {len(records)} | {ndcg:.4f} ± {ndcg_sd:.4f} | {hr:.4f} ± {hr_sd:.4f} "
                f"| {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]] or [0])
