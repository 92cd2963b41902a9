"""RecTools' and ranx's times for NDCG, HR and MRR at 10, for `benchmarks/metrics_speed.py`.

Runs in .venv-peers, where nothing of RecLens is. Reads lists and targets from an .npz file; writes one line
of JSON.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd

REPEATS = 7


def median_seconds(function):
    """Median time of several calls after one that isn't counted, and what the last returned."""
    function()
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        found = function()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds)), found


def rectools(lists, targets):
    """By data frames, NDCG over the ideal that is achievable, as ours."""
    from rectools.metrics import MRR, NDCG, HitRate, calc_metrics

    n, k = lists.shape
    users = np.repeat(np.arange(n), k)
    lists_frame = pd.DataFrame(
        {"user_id": users, "item_id": lists.ravel(), "rank": np.tile(np.arange(1, k + 1), n)}
    )
    targets_frame = pd.DataFrame({"user_id": np.arange(n), "item_id": targets})
    metrics = {"ndcg@10": NDCG(k=10, divide_by_achievable=True), "hr@10": HitRate(k=10), "mrr@10": MRR(k=10)}
    return median_seconds(lambda: calc_metrics(metrics, lists_frame, targets_frame))


def ranx(lists, targets):
    """By Qrels and Run, compiled by the call that isn't counted; on all cores."""
    from ranx import Qrels, Run, evaluate

    users, items = np.char.mod("%d", np.arange(len(lists))), np.char.mod("%d", lists)
    scores = -np.arange(lists.shape[1], dtype=np.float64)
    qrels = Qrels({user: {str(target): 1} for user, target in zip(users, targets, strict=True)})
    run = Run({user: dict(zip(own, scores, strict=True)) for user, own in zip(users, items, strict=True)})
    names = {"ndcg@10": "ndcg@10", "hr@10": "hit_rate@10", "mrr@10": "mrr@10"}
    seconds, found = median_seconds(lambda: evaluate(qrels, run, list(names.values())))
    return seconds, {ours: found[theirs] for ours, theirs in names.items()}


def main(file):
    """Measures both and prints what they took and found."""
    warnings.simplefilter("ignore")
    with np.load(file) as kept:
        lists, targets = kept["lists"], kept["targets"]
    answer = {}
    for name, package, measure in (("RecTools", "rectools", rectools), ("ranx, warm", "ranx", ranx)):
        seconds, found = measure(lists, targets)
        figures = {metric: float(value) for metric, value in found.items()}
        answer[f"{name} {version(package)}"] = {"seconds": seconds, **figures}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
