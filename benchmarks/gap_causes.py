"""Is a planted cause of a gap found, and nothing where none is? python -m benchmarks.gap_causes [WORLDS]

Prints, over seeded worlds: which share of a gap that is planted through length alone goes to length and what
follows from it; how often the interval of what is left holds 0, which is the truth; how long a decomposition
takes; and how often a worst subgroup is significant where no subgroup is worse.
"""

import sys
import time

import numpy as np
import pandas as pd

from benchmarks.gap_worlds import hits, length_world
from recsys_core.fairness.decomposition import decompose
from recsys_core.fairness.inference import minimum_detectable, sample_of
from recsys_core.fairness.worst_subgroup import Search, find_worst_subgroup
from recsys_core.metrics.person_factors import FOLLOW_FROM_LENGTH

ATTRIBUTES = ("gender", "age", "region")
N_PEOPLE = 600


def main() -> None:
    n_worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    attribution(n_worlds // 5)
    speed()
    false_alarms(n_worlds)


def attribution(n_worlds: int) -> None:
    """Of worlds in which length alone makes a gap of at least twice the smallest detectable."""
    shares, held = list[float](), 0
    for seed in range(n_worlds):
        world = length_world(seed)
        sides = [sample_of(world.values[side]) for side in (world.in_group, ~world.in_group)]
        if abs(sides[0].mean - sides[1].mean) < 2 * minimum_detectable(*sides):
            continue
        found = decompose(world.values, world.in_group, ~world.in_group, world.factors, 200, seed)
        shares.append(found.share_of(FOLLOW_FROM_LENGTH) or 0.0)
        held += found.structure.ci_low <= 0 <= found.structure.ci_high
    print(
        f"planted through length, {len(shares)} worlds: mean share {np.mean(shares):.3f}, standard deviation "
        f"{np.std(shares):.3f}; at least .9 in {np.mean(np.array(shares) >= 0.9):.1%}; the interval of what "
        f"is left holds 0 in {held / len(shares):.1%}",
        flush=True,
    )


def speed() -> None:
    world = length_world(0, n=6_040)
    start = time.process_time()
    decompose(world.values, world.in_group, ~world.in_group, world.factors, 1_000)
    print(
        f"6,040 people, six factors, 1,000 draws: {time.process_time() - start:.2f} CPU seconds", flush=True
    )


def false_alarms(n_worlds: int) -> None:
    rng = np.random.default_rng(5)
    users = pd.DataFrame(
        {
            "user_id": [str(number) for number in range(N_PEOPLE)],
            "gender": rng.choice(["F", "M", ""], N_PEOPLE, p=[0.45, 0.5, 0.05]),
            "age": rng.choice(["young", "middle", "old"], N_PEOPLE),
            "region": rng.choice(["north", "south", "east", "west"], N_PEOPLE),
        }
    )
    n_significant = n_confirmed = 0
    for seed in range(n_worlds):
        values = pd.Series(hits(np.full(N_PEOPLE, 0.3), np.random.default_rng(seed)), index=users["user_id"])
        found = find_worst_subgroup(values, users, Search(ATTRIBUTES, draws=200, seed=seed))
        n_significant += found.p_value <= 0.05
        n_confirmed += found.confirmed
    print(
        f"no subgroup is worse, {n_worlds} worlds: p at most .05 in {n_significant / n_worlds:.1%}, "
        f"confirmed in {n_confirmed / n_worlds:.1%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
