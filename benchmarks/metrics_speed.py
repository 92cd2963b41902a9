"""Speed of the ranking metrics beside RecTools and ranx: python -m benchmarks.metrics_speed [PEERS_PYTHON].

From ranked lists and one target a person to the means of the metrics. Ours runs on one thread. The peers run
in their own environment, by `benchmarks/peers/metrics_speed.py`, on the same lists; what they are given (data
frames, Qrels and Run) is made beforehand and not timed. Prints a Markdown table of medians; RESULTS.md keeps
what was measured, with the machine.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys_core.data.dataset import Histories
from recsys_core.metrics.ranking import per_person
from recsys_core.metrics.ranks import ranks_on_lists

N_ITEMS = 3_416
NAMES = ("ndcg", "hr", "mrr")
REPEATS = 15
PEERS = Path(__file__).parent / "peers" / "metrics_speed.py"

IntArray = NDArray[np.int64]


def make_lists(n: int, k: int, seed: int = 0) -> tuple[IntArray, IntArray]:
    """[n, k] lists without repeats and [n] targets, three in ten of them on the list."""
    generator = np.random.default_rng(seed)
    start = generator.integers(0, N_ITEMS, (n, 1))
    lists = (start + 13 * np.arange(k)) % N_ITEMS + 1  # 13 divides no round of 3,416 places
    targets = generator.integers(1, N_ITEMS + 1, n)
    on_list = generator.random(n) < 0.3
    return lists, np.where(on_list, lists[np.arange(n), generator.integers(0, k, n)], targets)


def measure(
    lists: IntArray, targets: IntArray, metrics: list[str], repeats: int
) -> tuple[float, dict[str, float]]:
    """Median seconds and the means."""
    relevant = Histories(targets, np.arange(len(targets) + 1))
    seconds, means = list[float](), dict[str, float]()
    for _ in range(repeats):
        begin = time.perf_counter()
        ranks = ranks_on_lists(lists, relevant)
        means = {metric: float(per_person(metric, ranks).mean()) for metric in metrics}
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds)), means


def measure_peers(python: Path, lists: IntArray, targets: IntArray) -> dict[str, dict[str, float]]:
    """What each peer took, in seconds, and found: {"RecTools 0.19.0": {"seconds": …, "ndcg@10": …}, …}."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lists.npz"
        np.savez(file, lists=lists, targets=targets)
        done = subprocess.run([python, PEERS, file], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the peers failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main(peers_python: Path | None) -> None:
    """Measures and prints."""
    lists, targets = make_lists(100_000, 10)
    seconds, means = measure(lists, targets, [f"{name}@10" for name in NAMES], REPEATS)
    print("| people | metrics | by | ms, median | largest difference to ours |\n|---|---|---|---|---|")
    print(f"| 100,000 | NDCG, HR, MRR at 10 | RecLens, 1 thread | {1000 * seconds:.1f} | |", flush=True)
    if peers_python is not None:
        for name, found in measure_peers(peers_python, lists, targets).items():
            off = max(abs(found[metric] - mean) for metric, mean in means.items())
            print(f"| 100,000 | the same | {name} | {1000 * found['seconds']:.1f} | {off:.0e} |", flush=True)
    lists, targets = make_lists(1_000_000, 100)
    metrics = [f"{name}@{k}" for name in NAMES for k in (10, 100)]
    seconds, _ = measure(lists, targets, metrics, 5)
    print(f"| 1,000,000 | NDCG, HR, MRR at 10 and 100 | RecLens, 1 thread | {1000 * seconds:.0f} | |")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
