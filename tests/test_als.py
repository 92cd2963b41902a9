"""ALS: the fold-in against implicit's own, exact contributions, and what is said without implicit."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hand_made import histories_in, random_histories
from implicit.cpu.als import AlternatingLeastSquares
from ranker_kit import CHECKS, N_ITEMS, SCORED, Case
from safetensors.torch import save_file
from threadpoolctl import threadpool_limits

from recsys_core.config import SETTINGS
from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError, StoreError
from recsys_core.explain.history import attribute, default_method
from recsys_core.explain.scoring import Question
from recsys_core.ranker.als import AlsRanker, fit_als
from recsys_core.trainer.checkpoints import load_ranker

CPU = torch.device("cpu")
LEARNED_FROM = random_histories(seed=3, n=50, n_items=12, longest=9)


def fitted(histories: Histories, n_items: int, seed: int = 0, factors: int = 6) -> AlsRanker:
    return fit_als(
        histories, n_items, factors=factors, regularization=0.5, alpha=4.0, iterations=5, seed=seed
    )


KIT_CASE = Case("als", fitted, lambda path: load_ranker(SETTINGS["als"](), path, CPU), tolerance=1e-6)


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_als(check: Callable[[Case, Path], None], tmp_path: Path):
    check(KIT_CASE, tmp_path)


def confidence_of(histories: Histories, n_items: int, alpha: float) -> sp.csr_matrix:
    """[n, n_items + 1] 1 + alpha · count where a person touched an item."""
    matrix = np.zeros((len(histories), n_items + 1), dtype=np.float32)
    for row, history in enumerate(histories_in(histories)):
        for item in history:
            matrix[row, item] += alpha
    return sp.csr_matrix(np.where(matrix > 0, matrix + 1, 0))


def test_the_fold_in_is_what_implicit_recalculates():
    """People that the model never saw, repeats included."""
    ranker = fitted(LEARNED_FROM, 12)
    new = random_histories(seed=9, n=20, n_items=12, longest=15, shortest=1)
    with threadpool_limits(1, "blas"):
        reference = AlternatingLeastSquares(factors=6, regularization=0.5, alpha=1.0, num_threads=1)
        reference.item_factors = ranker.item_factors
        expected = reference.recalculate_user(np.arange(20), confidence_of(new, 12, alpha=4.0))
    np.testing.assert_allclose(ranker.fold_in(new), expected, rtol=1e-3, atol=1e-5)


def test_the_fold_in_is_the_least_squares_solution_of_its_paper():
    """The minimum of Σ_i c_i (p_i − xᵀy_i)² + λ|x|², as one stacked least-squares problem."""
    ranker = fitted(LEARNED_FROM, 12)
    factors = ranker.item_factors.astype(np.float64)
    confidence, wanted = np.ones(13), np.zeros(13)
    confidence[[2, 5]], wanted[[2, 5]] = [1 + 4 * 2, 1 + 4], 1
    rows = np.concatenate([np.sqrt(confidence)[:, None] * factors, np.sqrt(0.5) * np.eye(6)])
    expected = np.linalg.lstsq(rows, np.concatenate([np.sqrt(confidence) * wanted, np.zeros(6)]))[0]
    np.testing.assert_allclose(ranker.fold_in(Histories.of([[2, 5, 2]]))[0], expected, rtol=1e-9)


def test_two_tastes_are_told_apart():
    """Some touch items 1 to 4, others 5 to 8; half of a taste asks for its other half."""
    generator = np.random.default_rng(0)
    tastes = [generator.choice([1, 2, 3, 4] if n % 2 else [5, 6, 7, 8], 3, replace=False) for n in range(40)]
    scores = fitted(Histories.of(tastes), 8, factors=2).score(Histories.of([[1, 2], [5, 6]]))
    assert scores[0, [3, 4]].min() > scores[0, 5:].max() + 0.3
    assert scores[1, [7, 8]].min() > scores[1, 1:5].max() + 0.3


@pytest.mark.parametrize("history", [[3], [1, 2, 3, 4, 5], [4, 4, 7, 4], [0, 3, 0, 9]])
def test_contributions_add_up_to_the_score(history: list[int]):
    ranker = fitted(LEARNED_FROM, 12)
    score = ranker.score(Histories.of([history]))[0]
    for item in (6, 12):
        added = ranker.contributions(np.array(history), item)
        assert added.shape == (len(history),)
        assert added.sum() == pytest.approx(score[item], abs=1e-6)


def test_events_of_one_item_share_its_contribution_and_padding_has_none():
    added = fitted(LEARNED_FROM, 12).contributions(np.array([4, 0, 7, 4]), 2)
    assert added[0] == added[3] != 0
    assert added[1] == 0


def test_its_explanation_is_its_own_sum():
    ranker = fitted(LEARNED_FROM, 12)
    history = np.array([1, 2, 3])
    found = attribute(ranker, Question(history, 6, history), default_method(ranker))
    assert found.method == "counts"
    assert abs(found.delta) < 1e-6


def test_another_seed_starts_elsewhere():
    assert not np.array_equal(fitted(SCORED, N_ITEMS).item_factors, fitted(SCORED, N_ITEMS, 1).item_factors)


def test_without_implicit_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(
        ConfigError, match=r"implicit, which isn't installed; run: pip install 'reclens\[als\]'"
    ):
        fitted(LEARNED_FROM, 12)


def test_factors_of_another_shape_are_an_error(tmp_path: Path):
    tensors = fitted(LEARNED_FROM, 12).tensors() | {"item_factors": torch.zeros(5)}
    save_file(tensors, tmp_path / "weights")
    with pytest.raises(StoreError, match="doesn't hold the ranker"):
        load_ranker(SETTINGS["als"](), tmp_path / "weights", CPU)
