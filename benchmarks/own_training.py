"""Our trainer on ML-1M: targets a second of the second epoch, when everything is warm.

python -m benchmarks.own_training ml-1m.txt.gz --max-length 200: prints one line of JSON.
"""

import argparse
import os
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from benchmarks.children import print_figures
from benchmarks.ml1m import read_in_order
from recsys_core.data.dataset import Histories
from recsys_core.data.split import histories, leave_one_out
from recsys_core.ranker.popularity import item_counts
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.device import Precision
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Recipe, TrainingLog

SILENT = Callbacks(step=lambda share: None, epoch=lambda epoch: None)


def run(
    known: Histories, n_items: int, max_length: int, batch_size: int, seed: int, precision: Precision
) -> TrainingLog:
    """Two epochs at the width and depth that the peers have too, full softmax; nothing is validated."""
    torch.manual_seed(seed)
    ranker = TransformerRanker(n_items, 64, n_blocks=2, n_heads=2, max_length=max_length, dropout=0.1)
    ranker.start_at_popularity(torch.from_numpy(item_counts(known, n_items)).float())
    recipe = Recipe(
        epochs=2,
        patience=2,
        batch_size=batch_size,
        learning_rate=1e-3,
        weight_decay=0.0,
        seed=seed,
        precision=precision,
    )
    return train(ranker, known, lambda: 0.0, recipe, torch.device("cpu"), SILENT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--max-length", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--precision", default="auto", choices=get_args(Precision))
    parser.add_argument("--people", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dataset = read_in_order(options.sequences)
    people = np.arange(min(options.people or dataset.n_users, dataset.n_users))
    known = histories(dataset, leave_one_out(dataset), "valid").take(people)
    log = run(known, dataset.n_items, options.max_length, options.batch_size, options.seed, options.precision)
    print_figures(targets_per_s=log.epochs[1].targets_per_s, seconds=log.seconds)


if __name__ == "__main__":
    main()
