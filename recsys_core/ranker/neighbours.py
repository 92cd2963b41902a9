"""Rankers that sum a learned item-to-item weight over the history: item-kNN, EASE and transitions.

All three have one form, s(i) = Σ_p decay^p · W[h_p, i] with p = 0 for the last item of the history,
and so one class and an exact explanation. They differ in where W comes from.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.ranker.protocol import ScoreArray, ScoreKind

WHOLE_HISTORY = 2**31 - 1


@dataclass(frozen=True, slots=True)
class NeighbourRanker:
    """Item-to-item weights and how they fade with the age of a history item.

    Attributes:
        weights: [n_items + 1, n_items + 1], row = item of the history, column = candidate.
        decay: factor for each step back in the history; 1 = all ages count the same.
        max_length: how many of the last items count.
    """

    weights: sp.csr_matrix
    decay: float
    max_length: int
    score_kind: ScoreKind = "similarity"

    @property
    def n_items(self) -> int:
        return len(self.weights.indptr) - 2

    def score(self, histories: Histories) -> ScoreArray:
        lengths = np.minimum(histories.lengths, self.max_length)
        age = _ages(histories)
        counts = age < self.max_length
        fading = sp.csr_matrix(
            (self.decay ** age[counts], histories.items[counts], np.concatenate([[0], np.cumsum(lengths)])),
            shape=(len(histories), self.n_items + 1),
        )
        found = sp.csr_matrix(fading @ self.weights)
        scores = np.zeros((len(histories), self.n_items + 1), dtype=np.float32)
        rows = np.repeat(np.arange(len(histories)), np.diff(found.indptr))
        scores[rows, found.indices] = found.data  # `toarray` would make all of it in double precision first
        return scores

    def score_of(self, histories: Histories, item_number: int) -> ScoreArray:
        """[n] the score of one item, looking up nothing but that: what `score` has in its column.

        The terms are added up in the same order, so that both agree to the last bit.
        """
        age = _ages(histories)
        counts = age < self.max_length
        terms = self.decay ** age[counts] * self._weights_to(item_number, histories.items[counts])
        return np.bincount(histories.rows[counts], terms, minlength=len(histories)).astype(np.float32)

    def contributions(self, history: IntArray, item_number: int) -> FloatArray:
        """[len(history)] decay^p · W[h_p, i]: they sum to the score exactly."""
        age = np.arange(len(history))[::-1]
        return np.where(age < self.max_length, self.decay**age * self._weights_to(item_number, history), 0.0)

    def _weights_to(self, item_number: int, items: IntArray) -> FloatArray:
        """[len(items)] W[j, i] of each j, each different one looked up once: columns of W are far apart."""
        different = np.flatnonzero(np.bincount(items, minlength=self.n_items + 1))
        column = np.zeros(self.n_items + 1)
        column[different] = np.asarray(self.weights[different, np.full(len(different), item_number)]).ravel()
        return column[items]

    def tensors(self) -> dict[str, Tensor]:
        return {
            "values": torch.from_numpy(self.weights.data),
            "columns": torch.from_numpy(self.weights.indices.astype(np.int64)),
            "row_starts": torch.from_numpy(self.weights.indptr.astype(np.int64)),
            "decay": torch.tensor(self.decay, dtype=torch.float64),
            "max_length": torch.tensor(self.max_length),
        }


def load_neighbours(tensors: dict[str, Tensor]) -> NeighbourRanker:
    """The ranker from what `tensors` gave.

    Raises:
        KeyError: a tensor is missing.
        ValueError: the tensors are no square matrix: a damaged or made-up file.
    """
    row_starts = tensors["row_starts"].numpy()
    size = len(row_starts) - 1
    weights = sp.csr_matrix(
        (tensors["values"].numpy(), tensors["columns"].numpy(), row_starts), shape=(size, size)
    )
    weights.check_format(full_check=True)  # an index out of bounds would be read from foreign memory
    return NeighbourRanker(weights, float(tensors["decay"]), int(tensors["max_length"]))


def fit_item_knn(histories: Histories, n_items: int, n_neighbours: int, shrinkage: float) -> NeighbourRanker:
    """Item-kNN: cosine similarity of the sets of people, the best neighbours of each item kept.

    W[j, i] = |U_j ∩ U_i| / (√(|U_j| |U_i|) + shrinkage). Source: Sarwar et al., WWW 2001;
    Deshpande & Karypis, TOIS 2004.
    """
    touched = interaction_matrix(histories, n_items)
    together = (touched.T @ touched).tocoo()
    n_people = np.asarray(touched.sum(axis=0)).ravel()
    off_diagonal = together.row != together.col
    rows, columns = together.row[off_diagonal], together.col[off_diagonal]
    similarity = together.data[off_diagonal] / (np.sqrt(n_people[rows] * n_people[columns]) + shrinkage)
    kept = _largest_of_each(columns, similarity, n_neighbours)
    shape = (n_items + 1, n_items + 1)
    weights = sp.csr_matrix((similarity[kept], (rows[kept], columns[kept])), shape=shape)
    return NeighbourRanker(weights, decay=1.0, max_length=WHOLE_HISTORY)


def fit_ease(histories: Histories, n_items: int, l2: float) -> NeighbourRanker:
    """EASE: the closed-form linear autoencoder with a zero diagonal, W[j, i] = −P[j, i] / P[i, i].

    P = (XᵀX + λI)⁻¹. Source: Steck, WWW 2019, equation 8.
    """
    touched = interaction_matrix(histories, n_items)
    gram = sp.csr_matrix(touched.T @ touched).toarray()
    precision = np.linalg.inv(gram + l2 * np.eye(n_items + 1))
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    return NeighbourRanker(sp.csr_matrix(weights), decay=1.0, max_length=WHOLE_HISTORY)


def fit_transitions(histories: Histories, n_items: int, window: int, decay: float) -> NeighbourRanker:
    """Transition counts: how often i came within `window` items after j, closer ones counting more.

    W[j, i] = Σ decay^(distance − 1) / √n_j, over all places where i followed j; the root keeps what
    is popular from deciding alone.
    """
    size = n_items + 1
    counts = sp.csr_matrix((size, size))
    for distance in range(1, window + 1):
        same_person = histories.rows[distance:] == histories.rows[:-distance]
        before, after = histories.items[:-distance][same_person], histories.items[distance:][same_person]
        weight = np.full(len(before), decay ** (distance - 1))
        counts = counts + sp.csr_matrix((weight, (before, after)), shape=(size, size))
    occurrences = np.bincount(histories.items, minlength=size)
    scale = sp.diags(1 / np.sqrt(np.maximum(occurrences, 1)))
    return NeighbourRanker(sp.csr_matrix(scale @ counts), decay, window)


def _ages(histories: Histories) -> IntArray:
    """[n_events] how many steps each entry of `items` is from the end of its sequence."""
    return np.repeat(histories.offsets[1:], histories.lengths) - 1 - np.arange(len(histories.items))


def interaction_matrix(histories: Histories, n_items: int) -> sp.csr_matrix:
    """[n, n_items + 1] 1 where a person touched an item."""
    shape = (len(histories), n_items + 1)
    matrix = sp.csr_matrix((np.ones(len(histories.items)), histories.items, histories.offsets), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def _largest_of_each(groups: NDArray[np.int32], values: FloatArray, n: int) -> IntArray:
    """Places of the n largest values of each group."""
    order = np.lexsort((-values, groups))
    sorted_groups = groups[order]
    starts = np.searchsorted(sorted_groups, sorted_groups)
    return order[np.arange(len(order)) - starts < n]
