"""ALS: people and items as vectors whose product says who touched what (Hu, Koren & Volinsky, ICDM 2008).

The library `implicit` finds the items' vectors. A person's vector isn't kept: it is solved for from the
history each time, so that people who came later, and histories as if something hadn't happened, are
scored like everybody else.

Shapes: V = n_items + 1, f factors.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.errors import ConfigError
from recsys_core.ranker.neighbours import WHOLE_HISTORY
from recsys_core.ranker.protocol import ScoreArray, ScoreKind


@dataclass(frozen=True, slots=True)
class AlsRanker:
    """Item vectors y and what it takes to solve for a person's vector x.

    x = A⁻¹ Σ_j c_j y_j with A = YᵀY + λI + Σ_j (c_j − 1) y_j y_jᵀ and confidence c_j = 1 + α n_j, where
    n_j counts how often item j is in the history. Source: Hu et al. 2008, equation 4.

    Attributes:
        item_factors: [V, f] single precision; row 0, the padding, is zeros.
        regularization: λ.
        alpha: α.
    """

    item_factors: NDArray[np.float32]
    regularization: float
    alpha: float
    max_length: int = WHOLE_HISTORY
    score_kind: ScoreKind = "similarity"

    @property
    def n_items(self) -> int:
        return len(self.item_factors) - 1

    def score(self, histories: Histories) -> ScoreArray:
        people = self.fold_in(histories)
        return (people @ self.item_factors.T.astype(np.float64)).astype(np.float32)

    def fold_in(self, histories: Histories) -> FloatArray:
        """[len(histories), f] each person's vector, given the items' vectors: exact least squares."""
        gram = self._gram()
        people = np.zeros((len(histories), len(gram)))
        for row in range(len(histories)):
            items, counts = _counted(histories[row])
            if len(items):
                matrix, confident = self._normal_equations(gram, items, counts)
                people[row] = np.linalg.solve(matrix, confident.sum(axis=0))
        return people

    def contributions(self, history: IntArray, item_number: int) -> FloatArray:
        """[len(history)] c_j y_iᵀ A⁻¹ y_j, shared by the events of item j: they sum to the score exactly.

        The person's matrix A is held fixed, as in Hu et al. 2008, section 5.
        """
        items, counts = _counted(history)
        values = np.zeros(len(history))
        if len(items):
            matrix, confident = self._normal_equations(self._gram(), items, counts)
            wanted = np.linalg.solve(matrix, self.item_factors[item_number].astype(np.float64))
            real = history > 0
            values[real] = (confident @ wanted / counts)[np.searchsorted(items, history[real])]
        return values

    def tensors(self) -> dict[str, Tensor]:
        return {
            "item_factors": torch.from_numpy(self.item_factors),
            "regularization": torch.tensor(self.regularization, dtype=torch.float64),
            "alpha": torch.tensor(self.alpha, dtype=torch.float64),
        }

    def _gram(self) -> FloatArray:
        """[f, f] YᵀY + λI, the part of A that all people share."""
        factors = self.item_factors.astype(np.float64)
        return factors.T @ factors + self.regularization * np.eye(factors.shape[1])

    def _normal_equations(
        self, gram: FloatArray, items: IntArray, counts: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """[f, f] the matrix A of a person and [len(items), f] c_j y_j of each item."""
        own = self.item_factors[items].astype(np.float64)
        more_confident = own * (self.alpha * counts)[:, None]
        return gram + more_confident.T @ own, more_confident + own


def load_als(tensors: dict[str, Tensor]) -> AlsRanker:
    """The ranker from what `tensors` gave."""
    factors = tensors["item_factors"].numpy()
    if factors.ndim != 2:
        raise ValueError(f"item factors have {factors.ndim} dimensions, not 2")
    return AlsRanker(factors, float(tensors["regularization"]), float(tensors["alpha"]))


def fit_als(
    histories: Histories,
    n_items: int,
    *,
    factors: int,
    regularization: float,
    alpha: float,
    iterations: int,
    seed: int,
) -> AlsRanker:
    """Item vectors by alternating least squares, in one thread, so that a seed gives the same ones anywhere.

    Raises:
        ConfigError: the package `implicit` isn't installed.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError as error:
        raise ConfigError(
            "als needs the package implicit, which isn't installed; run: pip install 'reclens[als]'"
        ) from error
    from threadpoolctl import threadpool_limits

    size = n_items + 1
    confidence = sp.csr_matrix(
        (np.ones(len(histories.items)), histories.items, histories.offsets), shape=(len(histories), size)
    )
    confidence.sum_duplicates()
    confidence.data = 1 + alpha * confidence.data
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=1.0,
            iterations=iterations,
            use_cg=False,
            num_threads=1,
            random_state=seed,
        )
        model.fit(confidence.astype(np.float32), show_progress=False)
    item_factors = np.array(model.item_factors, dtype=np.float32)
    item_factors[0] = 0.0
    return AlsRanker(item_factors, regularization, alpha)


def _counted(history: IntArray) -> tuple[IntArray, IntArray]:
    """The different items of a history, by number, without the padding, and how often each is in it."""
    return np.unique(history[history > 0], return_counts=True)
