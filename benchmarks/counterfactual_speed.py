"""How long the smallest change takes, and how small it is: python -m benchmarks.counterfactual_speed FILE.

A transformer (d = 64, two blocks, L = 200) on MovieLens-1M, trained for three epochs (or read from
`--weights FILE`); people drawn by the seed, the last 50 items of each as their history. For k = 1 … 5 the
first item of the list is to leave the first k; then the item at rank 15 is to come into the first 10. Times
are of one search from question to answer; processor time of all threads beside the wall clock.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.children import machine, print_table
from benchmarks.ml1m import read_in_order
from recsys_core.config import TransformerSettings
from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.data.split import histories, leave_one_out
from recsys_core.explain.addition import smallest_addition
from recsys_core.explain.counterfactual import smallest_removal
from recsys_core.explain.scoring import Question
from recsys_core.explain.standing import Change, Goal
from recsys_core.ranker.popularity import item_counts
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.checkpoints import load_ranker
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Recipe

LENGTH, EPOCHS, FAR_RANK, NEAR_K = 50, 3, 15, 10
SETTINGS = TransformerSettings(embedding_size=64, n_blocks=2, n_heads=2, max_length=200)
COLUMNS = [
    "asked",
    "found",
    "size, median",
    "minimal",
    "smallest",
    "s, median",
    "s, 90 %",
    "processor s",
    "lists",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    dataset = read_in_order(options.file)
    split = leave_one_out(dataset)
    trained_on, known = histories(dataset, split, "valid").bare(), histories(dataset, split, "test").bare()
    ranker = trained(dataset, trained_on, options.seed) if options.weights is None else kept(options.weights)
    long_enough = np.flatnonzero(known.lengths >= LENGTH)
    drawn = np.sort(np.random.default_rng(options.seed).permutation(long_enough)[: options.people])
    people = [known[int(person)][-LENGTH:] for person in drawn]
    popularity = item_counts(trained_on, dataset.n_items)
    rows = [
        row(f"leave the first {k}", people, lambda history, k=k: removal(ranker, history, k, popularity))
        for k in range(1, 6)
    ]
    lifted = row(
        f"from {FAR_RANK} into the first {NEAR_K}",
        people,
        lambda history: addition(ranker, history, popularity),
    )
    print_table(COLUMNS, [*rows, lifted])
    print(f"\n{len(people)} people, histories of {LENGTH}, {dataset.n_items:,} items; {machine()}")


def trained(dataset: Dataset, known: Histories, seed: int) -> Ranker:
    torch.manual_seed(seed)
    ranker = TransformerRanker(dataset.n_items, 64, 2, 2, 200, 0.1)
    ranker.start_at_popularity(torch.from_numpy(item_counts(known, dataset.n_items)))
    recipe = Recipe(EPOCHS, EPOCHS, 32, 8e-3, 0.0, seed, precision="auto")
    rising = iter(range(EPOCHS))
    callbacks = Callbacks(step=lambda _: None, epoch=lambda _: None)
    train(ranker, known, lambda: next(rising), recipe, torch.device("cpu"), callbacks)
    return ranker.eval()


def kept(weights: Path) -> Ranker:
    return load_ranker(SETTINGS, weights, torch.device("cpu"))


def asked(ranker: Ranker, history: IntArray, rank: int) -> Question:
    known = Histories.of([history])
    item = int(top_k(mask_seen(ranker.score(known), known), rank)[0, rank - 1])
    return Question(history, item, history)


def removal(ranker: Ranker, history: IntArray, k: int, popularity: np.ndarray) -> Change:
    return smallest_removal(ranker, asked(ranker, history, 1), Goal("leave", k), popularity)


def addition(ranker: Ranker, history: IntArray, popularity: np.ndarray) -> Change:
    return smallest_addition(ranker, asked(ranker, history, FAR_RANK), Goal("enter", NEAR_K), popularity)


def row(name: str, people: list[IntArray], search: Callable[[IntArray], Change]) -> list[str]:
    """One kind of question, answered for everybody."""
    changes, wall, processor = list[Change](), list[float](), list[float]()
    for history in people:
        began, began_cpu = time.perf_counter(), time.process_time()
        changes.append(search(history))
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - began_cpu)
    found = [change for change in changes if len(change.items)]
    sizes = [len(change.items) for change in found]
    return [
        name,
        f"{len(found) / len(changes):.0%}",
        f"{np.median(sizes):.0f}" if found else "–",
        f"{np.mean([change.minimal for change in found]):.0%}" if found else "–",
        f"{np.mean([change.smallest for change in found]):.0%}" if found else "–",
        f"{np.median(wall):.2f}",
        f"{np.quantile(wall, 0.9):.2f}",
        f"{np.median(processor):.2f}",
        f"{np.median([change.n_ranked for change in changes]):,.0f}",
    ]


if __name__ == "__main__":
    main()
