"""Rank quality and time to quality on MovieLens-1M: python -m benchmarks.ml1m FILE [--preset P] [--seeds S].

With --members each ranker is measured in an ensemble with transitions, too, and all of them together; with
--pupils as many rankers are trained again, each taught by all of the first ones. With --keep FOLDER what
was trained is kept there, and a run that was cut off goes on.

FILE is the SASRec paper's `ml-1m.txt` (also .gz): one "person item" a line, in order. Protocol S, F: last
item test, last but one validation, all items ranked, seen items left out, no time of the request.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_core.config import EnsembleSettings, Settings, make_settings
from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.schema import Tables
from recsys_core.data.split import Split, histories, leave_one_out
from recsys_core.pipeline import TrainedModel, train_model
from recsys_core.ranker.evaluation import evaluate
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.registry import fit_counting_ranker
from recsys_core.trainer.checkpoints import load_ranker, save_ranker
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
    dataset: Dataset,
    split: Split,
    ranker: str,
    settings: Settings,
    seed: int,
    teachers: Sequence[Inner] = (),
    checkpoint: Path | None = None,
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
        settings,
        seed=seed,
        device=choose_device("auto"),
        cache=Path("unused"),
        progress=lambda share, message: None,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
        members=teachers,
    )
    return trained, last[0] or trained.seconds


@dataclass(frozen=True)
class Measured:
    """What a run is made of, whichever ranker of it is trained."""

    dataset: Dataset
    split: Split
    ranker: str
    settings: Settings
    counts: Inner
    seeds: list[int]
    members: bool
    folder: Path | None

    def rankers(self, label: str, teachers: Sequence[Inner] = ()) -> list[Inner]:
        """A ranker a seed, their figures printed, and those of their mean."""
        rows, fused, made = list[list[float]](), list[list[float]](), list[Inner]()
        for seed in self.seeds:
            inner, row = self.one(f"{label} {seed}", seed, teachers)
            made.append(inner)
            rows.append(row)
            print(row_text(inner.name, row), flush=True)
            if self.members:
                fused.append(fused_figures(self.dataset, self.split, [inner, self.counts]))
                print(fused_text(f"{inner.name} with transitions", fused[-1]), flush=True)
        print(row_text(f"mean of {label}s", list(np.mean(rows, axis=0))))
        if self.members:
            print(fused_text(f"mean of {label}s with transitions", list(np.mean(fused, axis=0))))
            self.together(f"all {label}s with transitions", [*made, self.counts])
            if len(made) > 1:
                self.together(f"all {label}s", made)
        return made

    def one(self, name: str, seed: int, teachers: Sequence[Inner]) -> tuple[Inner, list[float]]:
        """A ranker, and its row of figures: validation and test NDCG@10, test HR@10, seconds, GB."""
        weights = None if self.folder is None else self.folder / f"{name.replace(' ', '-')}.safetensors"
        if weights is not None and weights.exists():
            ranker, nan = load_ranker(self.settings, weights, choose_device("auto")), float("nan")
            valid, test = (evaluate(ranker, self.dataset, self.split, part) for part in ("valid", "test"))
            seconds, gigabytes = nan, nan
        else:
            checkpoint = None if weights is None else weights.with_suffix(".checkpoint")
            trained, seconds = train_once(
                self.dataset, self.split, self.ranker, self.settings, seed, teachers, checkpoint
            )
            ranker, valid, test = trained.ranker, trained.valid, trained.test
            gigabytes = trained.peak_memory_bytes / 1e9
            if weights is not None:
                save_ranker(ranker, weights)
        figures = [valid.mean("ndcg@10"), test.mean("ndcg@10"), test.mean("hr@10"), seconds, gigabytes]
        return Inner(name, self.ranker, self.settings, ranker), figures

    def together(self, label: str, members: list[Inner]) -> None:
        """Prints the figures of an ensemble."""
        print(fused_text(label, fused_figures(self.dataset, self.split, members)), flush=True)


def main() -> None:
    """Trains a ranker on each seed and prints its figures, then their mean."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("file", type=Path)
    options.add_argument("--ranker", default="transformer")
    options.add_argument("--preset", default="best")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--set", nargs="*", default=[], help="key=value")
    options.add_argument("--members", action="store_true", help="also in an ensemble with transitions")
    options.add_argument("--pupils", action="store_true", help="then the same taught by all of them")
    options.add_argument("--keep", type=Path, help="a folder for what was trained")
    chosen = options.parse_args()
    dataset = read_in_order(chosen.file)
    split = leave_one_out(dataset)
    changes = ["encoder=none", *chosen.set] if chosen.ranker == "transformer" else chosen.set
    print(f"{chosen.ranker}, preset {chosen.preset}, {' '.join(changes)}")
    if chosen.keep is not None:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    measured = Measured(
        dataset,
        split,
        chosen.ranker,
        make_settings(chosen.ranker, chosen.preset, changes),
        counted(dataset, split),
        chosen.seeds,
        chosen.members,
        chosen.keep,
    )
    first = measured.rankers("seed")
    if chosen.pupils:
        pupils = measured.rankers("pupil", first)
        if chosen.members:
            measured.together("all of both with transitions", [*first, *pupils, measured.counts])


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
