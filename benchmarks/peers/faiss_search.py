"""faiss IndexFlatIP: seconds to find everybody's best items, and what it found.

.venv-peers/bin/python benchmarks/peers/faiss_search.py FOLDER --k 100: reads vectors.npy and states.npy,
writes items.npy (row numbers of vectors) there.
"""

import argparse
import os
import time
from pathlib import Path

import faiss
import numpy as np
from peer_run import print_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    vectors, states = np.load(options.folder / "vectors.npy"), np.load(options.folder / "states.npy")
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    index.search(states[:256], options.k)  # warm-up
    start = time.perf_counter()
    _, items = index.search(states, options.k)
    seconds = time.perf_counter() - start
    np.save(options.folder / "items.npy", items)
    print_result(["faiss-cpu"], {"library": "faiss", "model": "IndexFlatIP", "seconds": seconds})


if __name__ == "__main__":
    main()
