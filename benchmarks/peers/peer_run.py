"""What the scripts that run other libraries share: the data, a clock for training steps, one line of JSON.

These scripts run under `.venv-peers`, where nothing of RecLens is installed: they import only each other.
"""

import argparse
import gzip
import json
import os
import resource
import time
from importlib.metadata import version
from pathlib import Path

WARM_UP_STEPS = 5


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with what every training script takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "sequences", type=Path, help="ml-1m.txt or ml-1m.txt.gz: one 'user item' a line, in order"
    )
    parser.add_argument("--max-length", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=60.0, help="measured, after the warm-up")
    parser.add_argument("--people", type=int, default=0, help="only the first so many; 0 is all")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    return parser


def read_sequences(path: Path, n_people: int = 0) -> dict[int, list[int]]:
    """Each person's items, oldest first."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    sequences: dict[int, list[int]] = {}
    for line in text.decode().splitlines():
        user, item = map(int, line.split())
        sequences.setdefault(user, []).append(item)
    chosen = list(sequences)[: n_people or None]
    return {user: sequences[user] for user in chosen}


class StepClock:
    """Counts targets and time of training steps, once the first few have warmed everything up."""

    def __init__(self, seconds: float) -> None:
        self._budget_s, self._start_s, self._steps = seconds, 0.0, 0
        self.targets, self.elapsed_s = 0, 0.0

    def step_done(self, n_targets: int) -> bool:
        """Called after each step; whether the time is up."""
        self._steps += 1
        now = time.perf_counter()
        if self._steps <= WARM_UP_STEPS:
            self._start_s = now
            return False
        self.targets += n_targets
        self.elapsed_s = now - self._start_s
        return self.elapsed_s >= self._budget_s

    def figures(self) -> dict[str, float]:
        steps = max(0, self._steps - WARM_UP_STEPS)
        per_s = self.targets / self.elapsed_s if steps else float("nan")
        return {"steps": steps, "targets": self.targets, "seconds": self.elapsed_s, "targets_per_s": per_s}


def print_result(packages: list[str], figures: dict[str, object]) -> None:
    """One line of JSON: the figures, the versions, and the peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    versions = {package: version(package) for package in packages}
    print(json.dumps({"versions": versions, "peak_memory_bytes": peak, **figures}), flush=True)
