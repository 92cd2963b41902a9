"""Is the audit as sure as it says, of people whose truth is known? python -m benchmarks.audit_calibration.

False alarms under shuffled labels, coverage of intervals by the number of people above zero, and how often
planted gaps are found beside the power that was said beforehand. Prints Markdown tables; RESULTS.md keeps
what was measured. `--rounds 1000` is the default; the tests run a few of each.
"""

import argparse
from collections.abc import Sequence
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.fairness.audit import audit
from recsys_core.fairness.inference import difference, interval
from recsys_core.fairness.planning import plan
from recsys_core.fairness.resampling import resample
from recsys_core.fairness.result import AuditSettings

GAINS = 1 / np.log2(np.arange(2, 12))
SHARES = {"gender": (0.7, 0.3), "age": (0.35, 0.3, 0.2, 0.15)}
DRAWS = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    single, family = false_alarms(options.rounds, rng)
    print("| false alarms under shuffled labels | share |\n|---|---|")
    print(f"| the same single gap, unadjusted p ≤ .05, {options.rounds:,} audits | {single:.1%} |")
    print(f"| any gap of the family, adjusted p ≤ .05 | {family:.1%} |\n", flush=True)
    print("| people above zero in the group, about | metric | 95 % interval of the mean | of the gap |")
    print("|---|---|---|---|")
    for n, rate in (
        (50, 0.1),
        (100, 0.1),
        (100, 0.15),
        (100, 0.2),
        (100, 0.3),
        (200, 0.1),
        (200, 0.15),
        (600, 0.1),
    ):
        for metric in ("ndcg", "hr"):
            mean, gap = coverage(metric, n, rate, options.rounds, rng)
            print(f"| {n * rate:.0f} of {n} | {metric} | {mean:.1%} | {gap:.1%} |", flush=True)
    for n in (60, 300):
        mean, gap = coverage("gamma", n, 1.0, options.rounds, rng)
        print(f"| {n} of {n} | gamma (continuous, skewed) | {mean:.1%} | {gap:.1%} |", flush=True)
    print("\n| planted gap | people | said beforehand | found |\n|---|---|---|---|")
    for gap in (0.05, 0.10):
        for sizes in ((200, 400), (400, 800), (1_000, 2_000)):
            said, found = planted(gap, sizes, max(100, options.rounds // 2), rng)
            print(f"| {gap:.2f} | {sizes[0]} and {sizes[1]:,} | {said:.1%} | {found:.1%} |", flush=True)


def false_alarms(rounds: int, rng: np.random.Generator, n: int = 800) -> tuple[float, float]:
    """Shares of audits of shuffled labels in which one gap, and in which any gap, was significant at .05.

    The single one is the same in every audit, before adjustment; the family is of two attributes, five gaps.
    """
    single, family = 0, 0
    for round_number in range(rounds):
        users = people(n, rng)
        values = pd.Series(ndcg(n, 0.3, rng), index=users["user_id"])
        gaps = audit(values, users, AuditSettings(tuple(SHARES), draws=200, seed=round_number)).gaps
        single += gaps[0].p_value <= 0.05
        family += min(gap.p_adjusted for gap in gaps) <= 0.05
    return single / rounds, family / rounds


def coverage(metric: str, n: int, rate: float, rounds: int, rng: np.random.Generator) -> tuple[float, float]:
    """Shares of samples whose 95 % interval holds a group's true mean, and the true gap to one of 3 n."""
    truth = {"ndcg": rate * GAINS.mean(), "hr": rate, "gamma": 0.5}[metric]
    held = np.zeros(2)
    for round_number in range(rounds):
        values = np.concatenate([sample(metric, size, rate, rng) for size in (n, 3 * n)])
        codes = np.repeat([0, 1], [n, 3 * n])
        draws = resample(values[:, None], [codes], DRAWS, [[round_number]])[0][0]
        own, other = draws.pooled([0]), draws.pooled([1])
        for place, (estimate, true) in enumerate(((own, truth), (difference(own, other), 0.0))):
            low, high = interval(estimate)
            held[place] += low <= true <= high
    mean, gap = held / rounds
    return float(mean), float(gap)


def planted(gap: float, sizes: Sequence[int], rounds: int, rng: np.random.Generator) -> tuple[float, float]:
    """Power that the plan said on average for a gap in HR@10, and how often p ≤ .05 found it."""
    labels = np.repeat(["a", "b"], sizes)
    users = pd.DataFrame({"user_id": np.arange(sum(sizes)).astype(str), "group": labels})
    said, found = list[float](), 0
    for round_number in range(rounds):
        rates = np.where(labels == "a", 0.3 - gap, 0.3)
        values = pd.Series((rng.random(len(users)) < rates) * 1.0, index=users["user_id"])
        settings = AuditSettings(("group",), "hr@10", draws=200, seed=round_number)
        (row,) = plan(values, users, settings)[0][0].rows
        said.append(row.power_of_005 if gap == 0.05 else row.power_of_010)
        found += audit(values, users, settings).gaps[0].p_adjusted <= 0.05
    return float(np.mean(said)), found / rounds


def people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """People whose attributes have nothing to do with anything."""
    drawn = {
        name: rng.choice([f"{name} {group}" for group in range(len(shares))], n, p=shares)
        for name, shares in SHARES.items()
    }
    return pd.DataFrame({"user_id": np.arange(n).astype(str), **drawn})


def sample(metric: str, n: int, rate: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Values of n people: hits, NDCG@10 of one held-out item, or a skewed amount with mean .5."""
    if metric == "gamma":
        return rng.gamma(1.0, 0.5, n)
    return ndcg(n, rate, rng) if metric == "ndcg" else (rng.random(n) < rate).astype(np.float64)


def ndcg(n: int, rate: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """NDCG@10 of one held-out item a person, found at `rate`, each place alike."""
    return np.where(rng.random(n) < rate, rng.choice(GAINS, n), 0.0).astype(np.float64)


def within(share: float, expected: float, rounds: int) -> bool:
    """Whether a share of so many rounds is within three standard errors of what is expected."""
    return abs(share - expected) <= 3 * sqrt(expected * (1 - expected) / rounds) + 1 / rounds


if __name__ == "__main__":
    main()
