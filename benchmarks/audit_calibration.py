"""Is the audit as sure as it says, of people whose truth is known?

python -m benchmarks.audit_calibration [PART …] [--rounds 1000]; parts: alarms, coverage, power.

False alarms under shuffled labels, coverage of intervals by the number of people above zero, and how often
planted gaps are found beside the power that was said beforehand. Each row says whether it is as promised:
false alarms of a family at most 6.4 %, of a single gap 3.6 to 6.4 %, coverage 93 to 97 % from 20 people above
zero on, and power as said, within two standard errors of a share of so many rounds. Prints Markdown tables;
RESULTS.md keeps what was measured, and the tests run a few rounds of each.
"""

import argparse
from collections.abc import Callable, Sequence
from math import sqrt
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.fairness.audit import audit
from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO
from recsys_core.fairness.inference import difference, interval
from recsys_core.fairness.planning import plan
from recsys_core.fairness.resampling import resample
from recsys_core.fairness.result import AuditSettings

GAINS = 1 / np.log2(np.arange(2, 12))
SHARES = {"gender": (0.7, 0.3), "age": (0.35, 0.3, 0.2, 0.15)}
DRAWS = 1_000
HIT_CASES = ((50, 0.1), (100, 0.1), (100, 0.15), (100, 0.2), (100, 0.3), (200, 0.1), (200, 0.15), (600, 0.1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    for part in options.parts or PARTS:
        PARTS[part](options.rounds, np.random.default_rng([options.seed, crc32(part.encode())]))


def print_alarms(rounds: int, rng: np.random.Generator) -> None:
    single, family = false_alarms(rounds, rng)
    print(f"\n| false alarms under shuffled labels, {rounds:,} audits | share | as promised |\n|---|---|---|")
    print(f"| the same single gap, unadjusted p ≤ .05 | {single:.1%} | {_yes(0.036 <= single <= 0.064)} |")
    print(f"| any gap of the family, adjusted p ≤ .05 | {family:.1%} | {_yes(family <= 0.064)} |", flush=True)


def print_coverage(rounds: int, rng: np.random.Generator) -> None:
    print(
        "\n| people above zero in the group, about | metric | 95 % interval of the mean | of the gap | "
        "as promised |"
    )
    print("|---|---|---|---|---|")
    cases = [(metric, n, rate) for n, rate in HIT_CASES for metric in ("ndcg", "hr")]
    for metric, n, rate in [*cases, ("gamma", 60, 1.0), ("gamma", 300, 1.0)]:
        found = coverage(metric, n, rate, rounds, rng)
        promised = n * rate >= FEWEST_ABOVE_ZERO
        kept = _yes(min(found) >= 0.93 and max(found) <= 0.97) if promised else "not promised"
        print(f"| {n * rate:.0f} of {n} | {metric} | {found[0]:.1%} | {found[1]:.1%} | {kept} |", flush=True)


def print_power(rounds: int, rng: np.random.Generator) -> None:
    print("\n| planted gap | people | said beforehand | found | as promised |\n|---|---|---|---|---|")
    for metric in ("hr@10", "ndcg@10"):
        for gap in (0.05, 0.10):
            for sizes in ((200, 400), (400, 800), (1_000, 2_000)):
                said, found = planted(gap, sizes, max(100, rounds // 2), rng, metric)
                kept = _yes(within(found, said, max(100, rounds // 2), 2))
                who = f"{gap:.2f} in {metric} | {sizes[0]} and {sizes[1]:,}"
                print(f"| {who} | {said:.1%} | {found:.1%} | {kept} |", flush=True)


def _yes(kept: bool) -> str:
    return "yes" if kept else "no"


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


def planted(
    gap: float, sizes: Sequence[int], rounds: int, rng: np.random.Generator, metric: str = "hr@10"
) -> tuple[float, float]:
    """Power that the plan said on average for a gap in HR@10 or NDCG@10, and how often p ≤ .05 found it."""
    labels = np.repeat(["a", "b"], sizes)
    users = pd.DataFrame({"user_id": np.arange(sum(sizes)).astype(str), "group": labels})
    rate, less = (0.3, gap) if metric == "hr@10" else (0.5, gap / GAINS.mean())
    rates = np.where(labels == "a", rate - less, rate)
    said, found = list[float](), 0
    for round_number in range(rounds):
        hit = rng.random(len(users)) < rates
        gains = 1.0 if metric == "hr@10" else rng.choice(GAINS, len(users))
        values = pd.Series(np.where(hit, gains, 0.0), index=users["user_id"])
        settings = AuditSettings(("group",), metric, draws=200, seed=round_number)
        (row,) = plan(values, users, settings)[0][0].rows
        said.append(row.power_of_005 if gap == 0.05 else row.power_of_010)
        gaps = audit(values, users, settings).gaps
        found += bool(gaps) and gaps[0].p_adjusted <= 0.05
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


def within(share: float, expected: float, rounds: int, errors: float = 3) -> bool:
    """Whether a share of so many rounds is within so many standard errors of what is expected."""
    return abs(share - expected) <= errors * sqrt(expected * (1 - expected) / rounds) + 1 / rounds


PARTS: dict[str, Callable[[int, np.random.Generator], None]] = {
    "alarms": print_alarms,
    "coverage": print_coverage,
    "power": print_power,
}

if __name__ == "__main__":
    main()
