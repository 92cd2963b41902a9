"""Speed and loss of encoding texts on the CPU: python -m benchmarks.encoder_speed [N_TEXTS] [ROUNDS].

MiniLM on the simulated shop's texts, one thread: sentence-transformers beside RecLens in fp32, bf16 and
int8, round by round in turn, the best round of each. Then a catalogue of which 1 % is new. Seconds are the
process's CPU seconds, so that other work on the machine weighs less. Prints Markdown tables.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from recsys_core.encoder.cache import encode_texts
from recsys_core.encoder.int8 import quantised
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.sources import MINILM, local_folder
from recsys_core.encoder.text import MAX_TOKENS

CPU = torch.device("cpu")
BATCH_SIZE = 64
SHOP = Path(__file__).resolve().parents[1] / "sample_data" / "shop" / "items.csv"
Vectors = NDArray[np.float32]


def main(n_texts: int, rounds: int) -> None:
    """Prints texts a CPU second, the ratio to fp32, cosines to fp32, and how many of ten neighbours stay."""
    torch.set_num_threads(1)
    texts = shop_texts(n_texts)
    with tempfile.TemporaryDirectory() as work:
        runs = encoders(Path(work))
        seconds, vectors = measure(runs, texts, rounds)
        exact = vectors["fp32"]
        print(f"{len(texts):,} texts of {np.mean([len(text) for text in texts]):.0f} characters\n")
        print("| | texts a CPU second | ratio to fp32 | mean cosine | lowest cosine | of 10 neighbours |")
        print("|---|---|---|---|---|---|")
        for name, found in vectors.items():
            cosines = (found * exact).sum(1)
            print(
                f"| {name} | {len(texts) / seconds[name]:.0f} | {seconds['fp32'] / seconds[name]:.2f} "
                f"| {cosines.mean():.4f} | {cosines.min():.4f} | {shared_neighbours(found, exact):.2f} |"
            )
        print_growth(texts, Path(work))


def shop_texts(n: int) -> list[str]:
    """[n] texts of the sample shop, each with a number where there are more than the shop has."""
    items = pd.read_csv(SHOP, dtype=str, keep_default_na=False)
    own = [". ".join(row) for row in items[["title", "category", "text"]].to_numpy().tolist()]
    return [own[row % len(own)] + (f" {row}" if row >= len(own) else "") for row in range(n)]


def encoders(work: Path) -> dict[str, Callable[[Sequence[str]], Vectors]]:
    """What is compared, by name."""
    peer = SentenceTransformer(str(local_folder(MINILM)), device="cpu", local_files_only=True)
    peer.max_seq_length = MAX_TOKENS
    exact = load_encoder(MINILM, CPU)
    started = time.process_time()
    rough = quantised(exact, work / "int8.onnx")
    print(f"export to int8: {time.process_time() - started:.1f} CPU seconds\n")
    return {
        "sentence-transformers": lambda texts: peer.encode(
            list(texts), batch_size=BATCH_SIZE, show_progress_bar=False
        ),
        "fp32": lambda texts: exact.encode(texts, BATCH_SIZE),
        "bf16": lambda texts: replace(exact, precision="bf16").encode(texts, BATCH_SIZE),
        "int8": lambda texts: rough.encode(texts, BATCH_SIZE),
    }


def measure(
    runs: dict[str, Callable[[Sequence[str]], Vectors]], texts: Sequence[str], rounds: int
) -> tuple[dict[str, float], dict[str, Vectors]]:
    """The CPU seconds of each one's best round, and its vectors; a first round warms up."""
    seconds = dict.fromkeys(runs, float("inf"))
    vectors: dict[str, Vectors] = {}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            started = time.process_time()
            vectors[name] = run(texts)
            if turn > 0:
                seconds[name] = min(seconds[name], time.process_time() - started)
    return seconds, vectors


def shared_neighbours(found: Vectors, exact: Vectors, k: int = 10) -> float:
    """Mean share of each text's k nearest others that both sets of vectors agree on, 0 to 1."""
    nearest: list[NDArray[np.int64]] = []
    for vectors in (found, exact):
        cosines = vectors @ vectors.T
        np.fill_diagonal(cosines, -np.inf)
        nearest.append(np.argpartition(-cosines, k, axis=1)[:, :k])
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*nearest, strict=True)]))


def print_growth(texts: list[str], work: Path) -> None:
    """Times a catalogue when it is new, when it is known, and when 1 % of it is new."""
    n_new = max(1, len(texts) // 100)
    grown = [f"new {row}: {text}" for row, text in enumerate(texts[:n_new])] + texts[n_new:]
    print("\n| catalogue | CPU seconds |\n|---|---|")
    for name, catalogue in (("new", texts), ("known", texts), (f"{n_new} of {len(texts):,} new", grown)):
        started = time.process_time()
        encode_texts(catalogue, MINILM, CPU, work / "cache")
        print(f"| {name} | {time.process_time() - started:.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000, int(sys.argv[2]) if len(sys.argv) > 2 else 3)
