"""Fewer numbers a text, where there are too many texts to keep whole vectors of them with a model."""

import numpy as np
from numpy.typing import NDArray

from recsys_core.encoder.kept import HalfArray

ROWS_AT_ONCE = 16_384


def principal_values(vectors: NDArray[np.floating], fitted: NDArray[np.bool_], size: int) -> HalfArray:
    """[n, size or fewer] the vectors in the directions in which most of the fitted ones' length lies.

    Their mean square over the fitted rows is 1 an entry, whatever the encoder. Nothing is centred, so that a
    vector of zeros stays one.

    Args:
        vectors: [n, t].
        fitted: [n] the rows that decide the directions; no other row changes them.
        size: the most directions; fewer where the vectors have fewer.
    """
    n, width = vectors.shape
    products, pieces = (
        np.zeros((width, width)),
        [slice(s, s + ROWS_AT_ONCE) for s in range(0, n, ROWS_AT_ONCE)],
    )
    for rows in pieces:
        part = vectors[rows][fitted[rows]].astype(np.float64)
        products += part.T @ part
    directions = _directions(products, size) * np.sqrt(max(1, int(fitted.sum())))
    found = np.empty((n, directions.shape[1]), dtype=np.float16)
    for rows in pieces:
        found[rows] = vectors[rows].astype(np.float64) @ directions
    return found


def _directions(products: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """[t, size or fewer] the strongest eigenvectors, long enough that the mean square becomes 1.

    An eigenvector has no sign of its own: its largest entry is made positive.
    """
    strengths, vectors = np.linalg.eigh(products)  # ascending
    strong = np.flatnonzero(strengths > max(0.0, strengths[-1]) * 1e-9)[::-1][:size]
    if len(strong) == 0:
        return np.zeros((len(products), 0))
    chosen = vectors[:, strong]
    signs = np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(len(strong))])
    return chosen * signs * np.sqrt(len(strong) / strengths[strong].sum())
