"""Speed of the audit: python -m benchmarks.audit_speed [PART …]; parts: fairlearn, few, continuous, audit.

`fairlearn`: intervals of group means of 6,040 people by 7 groups and 4 metrics from 100 draws, beside
`MetricFrame` with `n_boot=100`. `few` and `continuous`: 1,000,000 people by 8 metrics and 3 attributes with
all of their intersections, 1,000 draws, every group's and every gap's draws. `audit`: the whole audit of
those people by one metric of few outcomes, permutations included. Each part runs in a process of its own, so
that its peak memory is its own. Prints a Markdown table; RESULTS.md keeps what was measured, with the
machine.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, mean_prediction
from numpy.typing import NDArray

from recsys_core.fairness.audit import audit
from recsys_core.fairness.inference import interval
from recsys_core.fairness.resampling import resample
from recsys_core.fairness.result import AuditSettings

Result = TypeVar("Result")

GAINS = 1 / np.log2(np.arange(2, 12))
N_PEOPLE, N_METRICS, N_DRAWS = 1_000_000, 8, 1_000
SIZES = {"gender": 2, "age": 7, "job": 21}
CROSSINGS = ("gender", "age", "job", "gender*age", "gender*job", "age*job", "gender*age*job")


def main(parts: list[str]) -> None:
    if len(parts) == 1:
        PARTS[parts[0]]()
        return
    print("| what | seconds | peak memory of the process |\n|---|---|---|", flush=True)
    for part in parts or PARTS:
        subprocess.run([sys.executable, "-m", "benchmarks.audit_speed", part], check=True)


def beside_fairlearn() -> None:
    rng = np.random.default_rng(0)
    n, names = 6_040, ("ndcg", "hr", "mrr", "precision")
    hit, places = rng.random(n) < 0.3, rng.integers(0, 10, n)
    columns = [GAINS[places], np.ones(n), 1 / (places + 1), np.full(n, 0.1)]
    values = np.where(hit[:, None], np.stack(columns, axis=1), 0.0)
    codes = rng.integers(0, 7, n)
    seconds, draws = _timed(lambda: resample(values, [codes], 100, [[0]]))
    _row(f"RecLens, 6,040 people, 7 groups, 4 metrics, 100 draws ({len(draws)} metrics)", seconds)

    def theirs() -> MetricFrame:
        return MetricFrame(
            metrics=dict.fromkeys(names, mean_prediction),
            y_true=values[:, 0],
            y_pred=values[:, 0],
            sensitive_features=codes,
            n_boot=100,
            ci_quantiles=[0.025, 0.975],
            random_state=0,
        )

    theirs_seconds, _ = _timed(theirs, repeats=1)
    _row(f"fairlearn `n_boot=100`, the same ({theirs_seconds / seconds:,.0f} ×)", theirs_seconds)


def few_outcomes() -> None:
    rng = np.random.default_rng(0)
    ranks = np.where(rng.random(N_PEOPLE) < 0.3, rng.integers(1, 11, N_PEOPLE), 0)
    gain = np.concatenate([[0.0], GAINS])[ranks]
    hits = [(ranks > 0) & (ranks <= k) for k in (1, 3, 5, 10)]
    reciprocal = [np.where(hit, 1 / np.maximum(ranks, 1), 0.0) for hit in hits[2:]]
    columns = [gain, gain * hits[2], *reciprocal, *(hit * 1.0 for hit in hits)]
    _draws_of_everybody("few outcomes (NDCG, HR, MRR)", np.stack(columns, axis=1).astype(np.float64))


def continuous() -> None:
    rng = np.random.default_rng(0)
    _draws_of_everybody("continuous metrics", rng.gamma(4.0, 1.0, (N_PEOPLE, N_METRICS)))


def _draws_of_everybody(what: str, values: NDArray[np.float64]) -> None:
    users = people(N_PEOPLE)
    numbers = {name: users[name].astype("category").cat.codes.to_numpy().astype(np.int64) for name in SIZES}
    tables = [_crossed([numbers[name] for name in by.split("*")]) for by in CROSSINGS]

    def run() -> int:
        made = resample(values, tables, N_DRAWS, [[0, number] for number in range(len(tables))])
        intervals = [
            interval(draws.pooled([group]))
            for metric in made
            for draws in metric
            for group in range(len(draws.n))
        ]
        return len(intervals)

    seconds, n_intervals = _timed(run, repeats=1)
    _row(
        f"{what}: 1,000,000 people, 8 metrics, 7 attributes, {n_intervals:,} intervals",
        seconds,
    )


def whole_audit() -> None:
    rng = np.random.default_rng(0)
    users = people(N_PEOPLE)
    hit = rng.random(N_PEOPLE) < 0.3
    values = pd.Series(np.where(hit, rng.choice(GAINS, N_PEOPLE), 0.0), index=users["user_id"])
    begin = time.process_time()
    seconds, result = _timed(lambda: audit(values, users, AuditSettings(CROSSINGS)), repeats=1)
    spent = time.process_time() - begin
    what = f"whole audit by one metric: {len(result.gaps)} gaps with p-values, margins and summaries"
    _row(f"{what}; {spent:.0f} CPU seconds", seconds)


def people(n: int) -> pd.DataFrame:
    """Three attributes of unequal groups, none of them small."""
    rng = np.random.default_rng(1)
    drawn = {
        name: rng.choice([f"{name} {group}" for group in range(size)], n, p=_shares(size))
        for name, size in SIZES.items()
    }
    return pd.DataFrame({"user_id": np.arange(n).astype(str), **drawn})


def _shares(size: int) -> NDArray[np.float64]:
    weights = 1 / np.sqrt(np.arange(1, size + 1))
    return weights / weights.sum()


def _crossed(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    numbers = parts[0]
    for part in parts[1:]:
        numbers = numbers * (int(part.max()) + 1) + part
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _timed(run: Callable[[], Result], repeats: int = 5) -> tuple[float, Result]:
    """Median seconds and the last result."""
    seconds = list[float]()
    while True:
        begin = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - begin)
        if len(seconds) == repeats:
            return float(np.median(seconds)), result


def _row(what: str, seconds: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {what} | {seconds:.3f} | {peak:.2f} GiB |", flush=True)


PARTS: dict[str, Callable[[], None]] = {
    "fairlearn": beside_fairlearn,
    "few": few_outcomes,
    "continuous": continuous,
    "audit": whole_audit,
}

if __name__ == "__main__":
    main(sys.argv[1:])
