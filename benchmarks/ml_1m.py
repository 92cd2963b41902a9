"""MovieLens-1M as the SASRec paper prepared it: ml-1m.txt, one "user item" a line, in each person's order.

The file may not be passed on: benchmarks are told where it is.
"""

import gzip
from pathlib import Path

import numpy as np

from recsys_core.data.dataset import Histories

FILE = "ml-1m.txt.gz"


def read_sequences(path: Path, n_people: int = 0) -> Histories:
    """[n] everybody's items, oldest first; only the first `n_people` unless that is 0."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    users, items = np.array(text.split(), dtype=np.int64).reshape(-1, 2).T
    starts = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]]))
    sequences = Histories(items, np.concatenate([starts, [len(items)]]))
    return sequences.take(np.arange(min(n_people or len(sequences), len(sequences))))


def without_last(sequences: Histories, n: int) -> Histories:
    """Everybody's items but the last n: 2 leaves what trains, 1 what is known before the test target."""
    return Histories.of([sequences[row][:-n] for row in range(len(sequences))])
