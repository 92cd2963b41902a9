"""NDCG, hit rate and MRR at 10 of many people's lists, by RecTools, ranx and torchmetrics.

.venv-peers/bin/python benchmarks/peers/metrics.py FOLDER: reads lists.npy [n, k] and targets.npy [n] there.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from peer_run import print_result
from ranx import Qrels, Run, evaluate
from rectools import Columns
from rectools.metrics import MRR, NDCG, HitRate, calc_metrics
from torchmetrics.retrieval import RetrievalHitRate, RetrievalMRR, RetrievalNormalizedDCG

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    lists, targets = np.load(options.folder / "lists.npy"), np.load(options.folder / "targets.npy")
    seconds = {
        "rectools": timed(rectools_call(lists, targets)),
        "ranx": timed(ranx_call(lists, targets)),
        "torchmetrics": timed(torchmetrics_call(lists, targets), n_runs=1),
    }
    print_result(["rectools", "ranx", "torchmetrics"], {"library": "metrics", "seconds": seconds})


def timed(call: Callable[[], object], n_runs: int = 3) -> list[float]:
    """Seconds of the first run, which may compile, and of the next ones."""
    seconds = []
    for _ in range(n_runs + 1):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def rectools_call(lists: np.ndarray, targets: np.ndarray) -> Callable[[], object]:
    people = np.arange(len(lists))
    shown = pd.DataFrame(
        {
            Columns.User: np.repeat(people, lists.shape[1]),
            Columns.Item: lists.ravel(),
            Columns.Rank: np.tile(np.arange(1, lists.shape[1] + 1), len(lists)),
        }
    )
    chosen = pd.DataFrame({Columns.User: people, Columns.Item: targets})
    # With one relevant item a person, divide_by_achievable makes RecTools' NDCG the usual one.
    metrics = {"ndcg": NDCG(k=K, divide_by_achievable=True), "hr": HitRate(k=K), "mrr": MRR(k=K)}
    return lambda: calc_metrics(metrics, reco=shown, interactions=chosen)


def ranx_call(lists: np.ndarray, targets: np.ndarray) -> Callable[[], object]:
    falling = np.linspace(1, 0, lists.shape[1], endpoint=False)
    qrels = Qrels({str(person): {str(target): 1} for person, target in enumerate(targets.tolist())})
    run = Run(
        {
            str(person): dict(zip(map(str, items), falling.tolist(), strict=True))
            for person, items in enumerate(lists.tolist())
        }
    )
    names = [f"ndcg@{K}", f"hit_rate@{K}", f"mrr@{K}"]
    return lambda: evaluate(qrels, run, names, make_comparable=True)


def torchmetrics_call(lists: np.ndarray, targets: np.ndarray) -> Callable[[], object]:
    scores = torch.linspace(1, 0.1, lists.shape[1]).repeat(len(lists))
    relevant = torch.from_numpy(lists == targets[:, None]).ravel()
    person = torch.arange(len(lists)).repeat_interleave(lists.shape[1])
    kinds = (RetrievalNormalizedDCG, RetrievalHitRate, RetrievalMRR)
    return lambda: [kind(top_k=K)(scores, relevant, indexes=person) for kind in kinds]


if __name__ == "__main__":
    main()
