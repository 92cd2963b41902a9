"""Is a planted cause of a gap found, and nothing where none is? python -m benchmarks.gap_causes [PART …].

Parts: `attribution`, `shops`, `subgroups`, `speed`. `--worlds 200` is the default.

`attribution`: of worlds in which length alone makes a gap of at least twice the smallest detectable, the
share that goes to length and what follows from it, beside the share by whoever knows the true mean of
everybody of such factors (the limit: chance between people is all that is left). `shops`: the parts of the
mean gap of simulated shops, whose 65+ have shorter histories, with standard errors. `subgroups`: how often
a worst subgroup is significant where none is worse. Prints Markdown tables.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.gap_worlds import World, hits, length_world, shop_world
from recsys_core.data.simulate import ShopSize
from recsys_core.fairness.decomposition import Decomposition, decompose
from recsys_core.fairness.inference import minimum_detectable, sample_of
from recsys_core.fairness.worst_subgroup import Search, find_worst_subgroup
from recsys_core.metrics.person_factors import FACTORS, FOLLOW_FROM_LENGTH

ATTRIBUTES = ("gender", "age", "region")
DRAWS = 400
SHOPS = (ShopSize(), ShopSize(7_500, 1_000, 500_000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--worlds", type=int, default=200)
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    for part in options.parts or PARTS:
        PARTS[part](options.worlds)


@dataclass(frozen=True, slots=True)
class Attributed:
    """One world: its gap over the smallest detectable, shares of the gap, and what the intervals hold."""

    size: float
    share: float
    known_truth: float
    structure_held: bool
    share_held: bool


def attributed(world: World, seed: int) -> Attributed | None:
    """What a decomposition says of a world whose truth is a share of 1; None where the gap is too small."""
    sides = [world.in_group, ~world.in_group]
    group, others = (sample_of(world.values[side]) for side in sides)
    size = abs(group.mean - others.mean) / minimum_detectable(group, others)
    if size < 2:
        return None
    found = decompose(world.values, sides[0], sides[1], world.factors, DRAWS, seed, FOLLOW_FROM_LENGTH)
    expected = [float(world.expected[side].mean()) for side in sides]
    return Attributed(
        size=size,
        share=found.share_of(FOLLOW_FROM_LENGTH) or 0.0,
        known_truth=(expected[0] - expected[1]) / found.gap.value,
        structure_held=found.structure_may_be_none,
        share_held=found.share is not None and found.share.ci_low <= 1 <= found.share.ci_high,
    )


def attribution(n_worlds: int) -> None:
    _head()
    for n, worlds in ((1_500, n_worlds), (4_000, 5 * n_worlds), (16_000, n_worlds), (36_000, n_worlds // 2)):
        found = [attributed(length_world(seed, n), seed) for seed in range(worlds)]
        _row(f"{n:,} people", [one for one in found if one is not None])


def shops(n_worlds: int) -> None:
    """Parts of the mean gap, because the shares of shops with small gaps scatter without bounds."""
    print("\n| shop | shops | gap | " + " | ".join(FACTORS) + " | left between people alike | it holds 0 |")
    print("|---" * (len(FACTORS) + 5) + "|", flush=True)
    for size, n_shops in zip(SHOPS, (n_worlds // 2, n_worlds // 10), strict=True):
        found = [parts_of(shop_world(seed, size)) for seed in range(n_shops)]
        rows = np.array([[*(row.term.value for row in own.factors), own.structure.value] for own in found])
        gap = float(np.mean([own.gap.value for own in found]))
        error = rows.std(axis=0, ddof=1) / np.sqrt(n_shops) / abs(gap)
        cells = [f"{mean / gap:.1%} ± {one:.1%}" for mean, one in zip(rows.mean(axis=0), error, strict=True)]
        held = np.mean([own.structure_may_be_none for own in found])
        print(f"| {size.n_users:,} | {n_shops} | {gap:.4f} | {' | '.join(cells)} | {held:.0%} |", flush=True)


def parts_of(world: World) -> Decomposition:
    return decompose(world.values, world.in_group, ~world.in_group, world.factors, 200)


def _head() -> None:
    print(
        "| world | worlds | gap / smallest detectable | share: mean, median, deviation | ≥ .9 in | "
        "by whoever knows the truth: deviation, ≥ .9 in | "
        "interval of what is left holds 0 | of the share holds 1 |"
        "\n|---|---|---|---|---|---|---|---|"
    )


def _row(what: str, found: list[Attributed]) -> None:
    shares, limit = (np.array([getattr(one, name) for one in found]) for name in ("share", "known_truth"))
    print(
        f"| {what} | {len(found):,} | {np.mean([one.size for one in found]):.1f} | {shares.mean():.3f}, "
        f"{np.median(shares):.3f}, {shares.std():.3f} | {np.mean(shares >= 0.9):.1%} | "
        f"{limit.std():.3f}, {np.mean(limit >= 0.9):.1%} | "
        f"{np.mean([one.structure_held for one in found]):.1%} | "
        f"{np.mean([one.share_held for one in found]):.1%} |",
        flush=True,
    )


def speed(_: int) -> None:
    world = length_world(0, n=6_040)
    start = time.process_time()
    decompose(world.values, world.in_group, ~world.in_group, world.factors, 1_000)
    print(
        f"6,040 people, six factors, 1,000 draws: {time.process_time() - start:.2f} CPU seconds", flush=True
    )


def subgroups(n_worlds: int) -> None:
    """At least 1,000 worlds each, in which nobody is served worse."""
    print("\n| people, rate | searched | p ≤ .05 | confirmed |\n|---|---|---|---|")
    for n, rate, depth, fewest in (
        (600, 0.3, 2, 30),
        (600, 0.05, 2, 30),
        (600, 0.3, 3, 11),
        (4_000, 0.3, 3, 30),
    ):
        significant, confirmed, n_searched = false_alarms(max(1_000, 5 * n_worlds), n, rate, depth, fewest)
        print(
            f"| {n:,}, {rate} | depth {depth}, {fewest} or more, about {n_searched:.0f} | "
            f"{significant:.1%} | {confirmed:.1%} |",
            flush=True,
        )


def false_alarms(
    n_worlds: int, n: int = 600, rate: float = 0.3, depth: int = 2, fewest: int = 30
) -> tuple[float, float, float]:
    """Shares of worlds without a worse subgroup with p ≤ .05, and confirmed; how many are searched."""
    users, found = people(n, 5), list[tuple[bool, bool, int]]()
    for seed in range(n_worlds):
        values = pd.Series(hits(np.full(n, rate), np.random.default_rng(seed)), index=users["user_id"])
        worst = find_worst_subgroup(values, users, Search(ATTRIBUTES, depth, fewest, 200, seed))
        found.append((worst.p_value <= 0.05, worst.confirmed, worst.n_searched))
    significant, confirmed, searched = np.mean(np.array(found, dtype=np.float64), axis=0)
    return float(significant), float(confirmed), float(searched)


def people(n: int, seed: int) -> pd.DataFrame:
    """People with three attributes that have nothing to do with anything."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": [str(number) for number in range(n)],
            "gender": rng.choice(["F", "M", ""], n, p=[0.45, 0.5, 0.05]),
            "age": rng.choice(["young", "middle", "old"], n),
            "region": rng.choice(["north", "south", "east", "west"], n),
        }
    )


PARTS: dict[str, Callable[[int], None]] = {
    "attribution": attribution,
    "shops": shops,
    "subgroups": subgroups,
    "speed": speed,
}

if __name__ == "__main__":
    main()
