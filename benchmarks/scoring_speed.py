"""Scoring beside faiss and RecTools, in one run: python -m benchmarks.scoring_speed ml-1m.txt.gz

search: top 100 of 100,000 random items for 100,000 random people (64 numbers each, seed 0), beside faiss
IndexFlatIP; both are compared with each other, item by item.
everybody: top 10 for all people of ML-1M, histories of 200 encoded, seen items out; beside RecTools.
one: one person's list of 10 among 100,000 items with text, from history to table.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.children import machine, print_table, run_own, run_peer, spread

PARTS = ("search", "everybody", "one")
K, SIZE = 100, 64
ROUNDING = SIZE * 2.0**-24 * SIZE  # n · u · ‖q‖ ‖x‖: what float32 may lose in a sum; norms are about √SIZE


def search(n: int, rounds: int) -> list[list[str]]:
    """Ours before and after faiss, in every round; their lists compared."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("vectors", "states"):
            np.save(Path(folder) / f"{name}.npy", generator.standard_normal((n, SIZE), dtype=np.float32))
        own, peer, peaks, faiss = list[float](), list[float](), list[float](), dict[str, Any]()
        for _ in range(rounds):
            before = run_own("own_scoring", "search", folder, "--k", K)
            faiss = run_peer("faiss_search.py", folder, "--k", K)
            after = run_own("own_scoring", "search", folder, "--k", K)
            own.append((before["seconds"] + after["seconds"]) / 2)
            peer.append(faiss["seconds"])
            peaks += [before["peak_memory_bytes"], after["peak_memory_bytes"]]
        version = next(iter(faiss["versions"].values()))
        agreement = compare(Path(folder))
    what = f"top {K}, {n:,} × {n:,}"
    ratios = [theirs / ours for ours, theirs in zip(own, peer, strict=True)]
    return [
        [what, "RecLens", spread(own, "{:.2f}"), spread([n / s for s in own]), f"{max(peaks) / 1e9:.2f}", ""],
        [
            what,
            f"faiss {version} IndexFlatIP",
            spread(peer, "{:.2f}"),
            spread([n / s for s in peer]),
            f"{faiss['peak_memory_bytes'] / 1e9:.2f}",
            f"RecLens {spread(ratios, '{:.2f}')} × as fast; {agreement}",
        ],
    ]


def compare(folder: Path) -> str:
    """How many places differ, and whether every difference is a tie within the rounding of float32."""
    own, faiss = np.load(folder / "items_own.npy"), np.load(folder / "items.npy")
    vectors, states = (np.load(folder / f"{name}.npy").astype(np.float64) for name in ("vectors", "states"))
    rows, places = np.nonzero(own != faiss)
    scores = [np.einsum("nd,nd->n", states[rows], vectors[items[rows, places]]) for items in (own, faiss)]
    apart = np.abs(scores[0] - scores[1])
    beyond = int((apart > ROUNDING).sum())
    largest = f"{apart.max():.0e}" if len(apart) else "0"
    return f"{len(rows):,} of {own.size:,} places differ, by {largest} at most; {beyond} beyond rounding"


def everybody(file: Path, rounds: int, seconds: float) -> list[list[str]]:
    own, peer = [], []
    for _ in range(rounds):
        own.append(run_own("own_scoring", "everybody", file))
        options = ("--seconds", seconds, "--max-length", 200, "--recommend")
        peer.append(run_peer("rectools_sasrec.py", file, *options))
    theirs = [s for run in peer for s in run["recommend_s"]]
    names = {
        "fp32": "RecLens, states and search in fp32",
        "bf16": "RecLens, states in bf16",
        "tables": "RecLens, fp32, as a table with titles and log-probabilities",
    }
    what = "top 10, everybody of ML-1M"
    rows = [[what, f"RecTools {peer[0]['versions']['rectools']} recommend", *timing(theirs), ""]]
    for key, name in names.items():
        ours = [s for run in own for s in run[key]]
        ratio = float(np.median(theirs) / np.median(ours))
        rows.append([what, name, *timing(ours), f"{ratio:.1f} × as fast as RecTools"])
    return rows


def timing(seconds: list[float]) -> list[str]:
    return [spread(seconds, "{:.2f}"), spread([6_040 / s for s in seconds]), ""]


def one(rounds: int) -> list[list[str]]:
    seconds = [s for _ in range(rounds) for s in run_own("own_scoring", "one")["seconds"]]
    return [["one list, 100,000 items with text", "RecLens", spread(seconds, "{:.4f}"), "", "", ""]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--n", type=int, default=100_000, help="people, and items, of the search")
    parser.add_argument("--seconds", type=float, default=2, help="that RecTools trains for beforehand")
    options = parser.parse_args()
    print(f"{machine()}; seed 0\n", flush=True)
    rows = list[list[str]]()
    for part in options.parts:
        if part == "search":
            rows += search(options.n, options.rounds)
        elif part == "everybody":
            rows += everybody(options.sequences, options.rounds, options.seconds)
        else:
            rows += one(options.rounds)
    print_table(["what", "by", "seconds", "people/s", "GB", ""], rows)


if __name__ == "__main__":
    main()
