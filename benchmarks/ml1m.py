"""Rank quality and time to quality on MovieLens-1M: python -m benchmarks.ml1m FILE [--preset P] [--seeds S].

FILE is the SASRec paper's `ml-1m.txt` (also .gz): one "person item" a line, in order. Protocol S, F: last
item test, last but one validation, all items ranked, seen items left out, no time of the request.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_core.config import EnsembleSettings, make_settings
from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.schema import Tables
from recsys_core.data.split import Split, histories, leave_one_out
from recsys_core.pipeline import TrainedModel, train_model
from recsys_core.ranker.evaluation import evaluate
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.registry import fit_counting_ranker
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.ensembles import fit_ensemble
from recsys_core.trainer.loop import Epoch


def read_in_order(file: Path) -> Dataset:
    """The data set of a file of "person item" lines, its events in the order of the lines."""
    rows = pd.read_csv(file, sep=" ", header=None, names=["user_id", "item_id"], dtype=str)
    rows["order"] = np.arange(len(rows), dtype=np.float64)
    items = pd.DataFrame({"item_id": rows["item_id"].unique()})
    nothing = dict.fromkeys(("title", "text", "category", "provider", "image"), "")
    people = pd.DataFrame({"user_id": rows["user_id"].unique()})
    return build_dataset(Tables(rows, items.assign(**nothing), people))


def train_once(
    dataset: Dataset, split: Split, ranker: str, preset: str, changes: list[str], seed: int
) -> tuple[TrainedModel, float]:
    """A ranker trained without text, and the seconds until its weights were final."""
    start, last = time.perf_counter(), [0.0]

    def on_epoch(epoch: Epoch) -> None:
        last[0] = time.perf_counter() - start
        print(
            f"  epoch {epoch.number}: loss {epoch.loss:.4f}, validation NDCG@10 {epoch.valid_ndcg:.4f}, "
            f"{last[0]:.0f} s, {epoch.targets_per_s:,.0f} targets/s",
            flush=True,
        )

    trained = train_model(
        dataset,
        split,
        ranker,
        make_settings(ranker, preset, changes),
        seed=seed,
        device=choose_device("auto"),
        cache=Path("unused"),
        progress=lambda share, message: None,
        on_epoch=on_epoch,
    )
    return trained, last[0] or trained.seconds


def main() -> None:
    """Trains a ranker on each seed and prints its figures, then their mean."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("file", type=Path)
    options.add_argument("--ranker", default="transformer")
    options.add_argument("--preset", default="best")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--set", nargs="*", default=[], help="key=value")
    options.add_argument("--members", action="store_true", help="also in an ensemble with transitions")
    chosen = options.parse_args()
    dataset = read_in_order(chosen.file)
    split = leave_one_out(dataset)
    changes = ["encoder=none", *chosen.set] if chosen.ranker == "transformer" else chosen.set
    print(f"{chosen.ranker}, preset {chosen.preset}, {' '.join(changes)}")
    rows, fused = list[list[float]](), list[list[float]]()
    counts, members = counted(dataset, split), list[Inner]()
    for seed in chosen.seeds:
        trained, seconds = train_once(dataset, split, chosen.ranker, chosen.preset, changes, seed)
        figures = [trained.valid.mean("ndcg@10"), trained.test.mean("ndcg@10"), trained.test.mean("hr@10")]
        rows.append([*figures, seconds, trained.peak_memory_bytes / 1e9])
        print(row_text(f"seed {seed}", rows[-1]), flush=True)
        if chosen.members:
            members.append(Inner(f"seed {seed}", chosen.ranker, trained.settings, trained.ranker))
            fused.append(fused_figures(dataset, split, [members[-1], counts]))
            print(fused_text(f"seed {seed} with transitions", fused[-1]), flush=True)
    print(row_text("mean", list(np.mean(rows, axis=0))))
    if chosen.members:
        print(fused_text("mean with transitions", list(np.mean(fused, axis=0))))
        print(fused_text("all seeds with transitions", fused_figures(dataset, split, [*members, counts])))


def counted(dataset: Dataset, split: Split) -> Inner:
    """Transitions as a member of an ensemble."""
    settings = make_settings("transitions")
    ranker = fit_counting_ranker(settings, histories(dataset, split, "valid"), dataset.n_items, 0)
    return Inner("transitions", "transitions", settings, ranker)


def fused_figures(dataset: Dataset, split: Split, members: list[Inner]) -> list[float]:
    """Validation NDCG@10, test NDCG@10 and HR@10 of an ensemble, its weights chosen on validation."""
    fused = fit_ensemble(dataset, split, EnsembleSettings(), members)
    valid, test = (evaluate(fused, dataset, split, part) for part in ("valid", "test"))
    return [valid.mean("ndcg@10"), test.mean("ndcg@10"), test.mean("hr@10")]


def fused_text(label: str, row: list[float]) -> str:
    """One row of the Markdown table, without time and memory."""
    return "| {} | {:.4f} | {:.4f} | {:.4f} | | |".format(label, *row)


def row_text(label: str, row: list[float]) -> str:
    """One row of the Markdown table."""
    return "| {} | {:.4f} | {:.4f} | {:.4f} | {:.0f} s | {:.2f} GB |".format(label, *row)


if __name__ == "__main__":
    main()
