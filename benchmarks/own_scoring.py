"""Our side of the scoring benchmark; each part prints one line of JSON.

python -m benchmarks.own_scoring search FOLDER: everybody's best items among vectors.npy, by states.npy.
python -m benchmarks.own_scoring everybody ml-1m.txt.gz: lists for all of ML-1M by the transformer.
python -m benchmarks.own_scoring one: one person's list among 100,000 items.

The transformer's weights are drawn at random: how fast it is doesn't depend on them.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.children import print_figures
from benchmarks.ml1m import read_in_order
from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.schema import Tables
from recsys_core.data.split import leave_one_out
from recsys_core.ranker.lists import ListRequest, list_requests, recommend
from recsys_core.ranker.retrieval import ItemIndex
from recsys_core.ranker.transformer import TransformerRanker

LENGTH, TEXT_SIZE, CATALOGUE = 200, 384, 100_000


def search(folder: Path, k: int) -> None:
    """Seconds with the preparation of the index, which of faiss isn't timed."""
    vectors, states = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("vectors", "states"))
    vectors = torch.cat([vectors[:1], vectors])  # row 0 is the padding
    nothing = Histories(np.zeros(0, np.int64), np.zeros(len(states) + 1, np.int64))
    ItemIndex(vectors).search(states[:256], nothing.take(np.arange(256)), k)  # warm-up
    start = time.perf_counter()
    found = ItemIndex(vectors).search(states, nothing, k)
    seconds = time.perf_counter() - start
    np.save(folder / "items_own.npy", found.items - 1)
    print_figures(seconds=seconds)


def everybody(file: Path, k: int) -> None:
    dataset = read_in_order(file)
    requests = list_requests(dataset, leave_one_out(dataset), np.arange(dataset.n_users), "test")
    ranker = transformer(dataset.n_items, None)
    known = Histories.of([request.history for request in requests])
    seen = Histories.of([request.seen for request in requests])

    def best(precision: torch.dtype) -> None:
        index = ranker.index()
        assert index is not None
        index.search(ranker.states(known, precision), seen, k)

    print_figures(
        fp32=timed(lambda: best(torch.float32)),
        bf16=timed(lambda: best(torch.bfloat16)),
        tables=timed(lambda: recommend(ranker, dataset, requests, k)),
    )


def one(k: int) -> None:
    dataset = catalogue(CATALOGUE)
    generator = np.random.default_rng(0)
    text = torch.from_numpy(generator.standard_normal((CATALOGUE + 1, TEXT_SIZE), dtype=np.float32)).half()
    ranker = transformer(CATALOGUE, text)
    history = generator.integers(1, CATALOGUE + 1, LENGTH)
    request = ListRequest(history, history, "somebody")
    print_figures(seconds=timed(lambda: recommend(ranker, dataset, [request], k), n_runs=40))


def catalogue(n_items: int) -> Dataset:
    """So many items with titles, and one person who has touched all of them."""
    ids = [f"i{number}" for number in range(1, n_items + 1)]
    nothing = dict.fromkeys(("text", "category", "provider", "image"), "")
    items = pd.DataFrame({"item_id": ids, "title": [f"Title of {item}" for item in ids]}).assign(**nothing)
    return build_dataset(
        Tables(pd.DataFrame({"user_id": "u", "item_id": ids}), items, pd.DataFrame({"user_id": ["u"]}))
    )


def transformer(n_items: int, text_vectors: torch.Tensor | None) -> TransformerRanker:
    torch.manual_seed(0)
    ranker = TransformerRanker(n_items, 64, 2, 2, LENGTH, 0.1, text_vectors)
    with torch.no_grad():
        for weight in ranker.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return ranker.eval()


def timed(call: Callable[[], object], n_runs: int = 5) -> list[float]:
    """Seconds of the runs after a first one that isn't counted."""
    call()
    seconds = []
    for _ in range(n_runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("search", "everybody", "one"))
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.part == "one":
        one(options.k)
    else:
        {"search": search, "everybody": everybody}[options.part](options.path, options.k)


if __name__ == "__main__":
    main()
