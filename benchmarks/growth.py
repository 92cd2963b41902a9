"""How time and memory grow with the data: python -m benchmarks.growth [1 10 100] [--seed 0].

A simulated shop of 100 k, 1 M and 10 M interactions; people grow with them, items with their square root.
Each stage runs in a process of its own; what it needs lies in files. The exponent is the slope of
log(time), or of log(memory above an idle process), over log(interactions): 1 is linear, 2 quadratic.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.children import ChildFailed, Figures, machine, print_figures, print_table, run_own
from recsys_core.data.dataset import Histories, build_dataset
from recsys_core.data.mapping import Mapping
from recsys_core.data.readers import import_files, load_tables
from recsys_core.data.simulate import ShopSize, simulate_shop, write_shop
from recsys_core.data.split import histories, leave_one_out
from recsys_core.ranker.evaluation import evaluate
from recsys_core.ranker.neighbours import fit_item_knn, fit_transitions
from recsys_core.ranker.popularity import item_counts
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Recipe

USERS, ITEMS, EVENTS = 1_500, 1_000, 100_000  # at scale 1
MAX_LENGTH = 50
STAGES = ("simulate", "import", "dataset and split", "epoch", "transitions", "item-knn", "evaluate")


def stage_of(name: str, folder: Path, scale: int, seed: int) -> Callable[[], object]:
    """A stage ready to be timed: what it starts from is loaded already."""
    if name == "simulate":
        return lambda: make_shop(folder, scale, seed)
    if name == "import":
        return lambda: import_shop(folder)
    tables = load_tables(folder / "tables") if name != "idle" else None
    if tables is None:
        return lambda: None
    if name == "dataset and split":
        return lambda: leave_one_out(build_dataset(tables))
    dataset = build_dataset(tables)
    split = leave_one_out(dataset)
    known = histories(dataset, split, "valid")
    if name == "transitions":
        return lambda: fit_transitions(known, dataset.n_items, window=20, decay=0.8)
    if name == "item-knn":
        return lambda: fit_item_knn(known, dataset.n_items, n_neighbours=100, shrinkage=10.0)
    ranker = transformer(known, dataset.n_items, seed)
    if name == "epoch":
        return lambda: train(ranker, known, lambda: 0.0, one_epoch(seed), torch.device("cpu"), SILENT)
    return lambda: evaluate(ranker, dataset, split, "test")


def make_shop(folder: Path, scale: int, seed: int) -> None:
    size = ShopSize(USERS * scale, round(ITEMS * scale**0.5), EVENTS * scale)
    write_shop(simulate_shop(seed, size), folder)


def import_shop(folder: Path) -> None:
    (folder / "tables").mkdir()
    files = (folder / f"{name}.csv" for name in ("interactions", "items", "users"))
    import_files(*files, mapping=Mapping(), min_rating=None, folder=folder / "tables")


def transformer(known: Histories, n_items: int, seed: int) -> TransformerRanker:
    torch.manual_seed(seed)
    ranker = TransformerRanker(n_items, 64, n_blocks=2, n_heads=2, max_length=MAX_LENGTH, dropout=0.1)
    ranker.start_at_popularity(torch.from_numpy(item_counts(known, n_items)).float())
    return ranker


def one_epoch(seed: int) -> Recipe:
    return Recipe(epochs=1, patience=1, batch_size=64, learning_rate=1e-3, weight_decay=0.0, seed=seed)


SILENT = Callbacks(step=lambda share: None, epoch=lambda epoch: None)


def run_stage(name: str, folder: Path, scale: int, seed: int) -> None:
    """The child: times one stage."""
    work = stage_of(name, folder, scale, seed)
    start = time.perf_counter()
    work()
    print_figures(seconds=time.perf_counter() - start)


def main(scales: list[int], stages: list[str], seed: int) -> None:
    print(f"{machine()}; seed {seed}; simulated shops\n", flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in stages}
    memory: dict[str, list[float]] = {name: [] for name in stages}
    for scale in scales:
        with tempfile.TemporaryDirectory() as folder:
            needed = [name for name in STAGES[:2] if name not in stages]
            for name in (*needed, *stages):
                figures = measured(name, folder, scale, seed)
                if name in stages:
                    seconds[name].append(figures["seconds"])
                    memory[name].append(figures["peak_memory_bytes"] / 2**30)
                    print(f"{scale} ×, {name}: {seconds[name][-1]:.1f} s", file=sys.stderr, flush=True)
    idle = run_own("growth", "--stage", "idle", "--folder", ".", 1)["peak_memory_bytes"] / 2**30
    columns = [f"{scale} ×" for scale in scales]
    print_table(
        ["stage", *(f"{c}: s" for c in columns), "exponent", *(f"{c}: GB" for c in columns), "exponent"],
        [
            [
                name,
                *(f"{value:.2f}" for value in seconds[name]),
                exponent(scales, seconds[name]),
                *(f"{value:.2f}" for value in memory[name]),
                exponent(scales, [value - idle for value in memory[name]]),
            ]
            for name in stages
        ],
    )


def measured(name: str, folder: str, scale: int, seed: int) -> Figures:
    """A stage's figures; NaN where it failed, for lack of memory as a rule."""
    try:
        return run_own("growth", "--stage", name, "--folder", folder, scale, "--seed", seed)
    except ChildFailed as failure:
        print(failure, file=sys.stderr, flush=True)
        return {"seconds": float("nan"), "peak_memory_bytes": float("nan")}


def exponent(scales: list[int], values: list[float]) -> str:
    """Least-squares slope of log(value) over log(scale)."""
    usable = [(scale, value) for scale, value in zip(scales, values, strict=True) if value > 0]
    if len(usable) < 2:
        return "–"
    x, y = np.log(np.array(usable)).T
    return f"{np.polyfit(x, y, 1)[0]:.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scales", type=int, nargs="*", default=[1, 10, 100])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", default=",".join(STAGES), help="some of them, with commas")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        run_stage(options.stage, options.folder, options.scales[0], options.seed)
    else:
        main(options.scales, options.stages.split(","), options.seed)
