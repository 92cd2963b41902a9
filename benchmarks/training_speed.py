"""Training speed beside RecTools and RecBole, in one run: python -m benchmarks.training_speed ml-1m.txt.gz

Same data (ML-1M, everybody's last two items held out), same width and depth (64, 2 blocks, 2 heads), full
softmax, batches of 128; each library as it ships, RecBole with its anomaly detection off, ours in bfloat16
where the processor multiplies it (--precision fp32 makes it like the peers). A target is a
next item that is really learned from: padding isn't one, and RecBole has one a sample. Ours runs before
and after every peer, and a ratio is between a peer's figure and the mean of those two; each run is a
process of its own, whose memory peak is the whole process's, loading the data included.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import Figures, machine, print_table, run_own, run_peer, spread

PEERS = {"RecTools": "rectools_sasrec.py", "RecBole": "recbole_sasrec.py"}
BATCH_SIZES = {"RecTools": {}, "RecBole": {50: 256}}  # otherwise 128
GOALS = {("RecTools", 200): 7, ("RecTools", 50): 4, ("RecBole", 200): 150, ("RecBole", 50): 20}


@dataclass(frozen=True, slots=True)
class Compared:
    """One peer's run between two of ours."""

    before: Figures
    peer: Figures
    after: Figures

    @property
    def ratio(self) -> float:
        """How many times as many targets a second we learn from."""
        own = (self.before["targets_per_s"] + self.after["targets_per_s"]) / 2
        return own / self.peer["targets_per_s"]


def compare(options: argparse.Namespace, max_length: int, name: str, seed: int) -> Compared:
    common = (options.sequences, "--max-length", max_length, "--people", options.people, "--seed", seed)
    own = ("own_training", *common, "--precision", options.precision)
    batch_size = BATCH_SIZES[name].get(max_length, 128)
    before = run_own(*own)
    peer = run_peer(PEERS[name], *common, "--batch-size", batch_size, "--seconds", options.seconds)
    return Compared(before, peer, run_own(*own))


def row(name: str, max_length: int, runs: list[Compared]) -> list[str]:
    peaks = [max(run.before["peak_memory_bytes"], run.after["peak_memory_bytes"]) for run in runs]
    return [
        str(max_length),
        f"{name} {next(iter(runs[0].peer['versions'].values()))}",
        spread([own["targets_per_s"] for run in runs for own in (run.before, run.after)]),
        spread([run.peer["targets_per_s"] for run in runs]),
        spread([run.ratio for run in runs], "{:.1f}"),
        f"≥ {GOALS[name, max_length]}" if (name, max_length) in GOALS else "",
        f"{max(peaks) / 1e9:.2f}",
        f"{max(run.peer['peak_memory_bytes'] for run in runs) / 1e9:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--lengths", type=int, nargs="+", default=[200, 50])
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--precision", default="auto", help="of ours: auto, fp32 or bf16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60, help="that a peer is measured for")
    parser.add_argument("--people", type=int, default=0, help="only the first so many, to try it out")
    options = parser.parse_args()
    print(f"{machine()}; seeds 0 to {options.rounds - 1}\n", flush=True)
    rows = [
        row(name, length, [compare(options, length, name, seed) for seed in range(options.rounds)])
        for length in options.lengths
        for name in options.peers
    ]
    columns = ["L", "peer", "ours: targets/s", "peer: targets/s", "ratio", "goal", "ours: GB", "peer: GB"]
    print_table(columns, rows)


if __name__ == "__main__":
    main()
