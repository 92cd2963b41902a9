"""Why this and not that: the margin's attributions against the margin's own gradient and against sums."""

import numpy as np
import pytest
import torch
from hand_made import small_transformer

from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.contrast import contrast
from recsys_core.explain.scoring import Question, item_scores
from recsys_core.ranker.neighbours import NeighbourRanker
from recsys_core.ranker.neural import HistoryBatch


def neighbours() -> NeighbourRanker:
    import scipy.sparse as sp

    weights = np.zeros((6, 6))
    weights[1, 4], weights[2, 4], weights[1, 5], weights[3, 5] = 2.0, 1.0, 0.5, 1.5
    return NeighbourRanker(sp.csr_matrix(weights), 1.0, 100)


def ask(item: int) -> Question:
    history = np.array([1, 2, 3])
    return Question(history, item, history)


def test_margin_of_sums_is_divided_exactly():
    """Item 1 gives 2 to item 4 and ½ to item 5, item 2 gives 1 to item 4, item 3 gives 1½ to item 5."""
    found = contrast(neighbours(), ask(4), 5)
    assert found.values.tolist() == [1.5, 1.0, -1.5]
    assert (found.margin, found.baseline_margin) == (1.0, 0.0)
    assert found.delta == pytest.approx(0)


def test_the_other_way_round_every_sign_changes():
    there, back = contrast(neighbours(), ask(4), 5), contrast(neighbours(), ask(5), 4)
    assert there.values.tolist() == (-back.values).tolist()
    assert there.margin == -back.margin


def test_neural_margin_adds_up_and_is_the_distance_on_the_list():
    ranker = small_transformer(8, spread=0.3)
    found = contrast(ranker, ask(5), 7)
    scores = [float(item_scores(ranker, ask(item), ask(item).known)[0]) for item in (5, 7)]
    assert found.margin == pytest.approx(scores[0] - scores[1], abs=1e-5)
    assert found.values.sum() == pytest.approx(found.margin - found.baseline_margin, abs=0.02)


def test_neural_margin_is_the_gradient_of_the_margin_along_the_path():
    """Gradients of (logit of 5 − logit of 7), averaged over 512 points from the mean item to the history."""
    ranker = small_transformer(8, spread=0.3)
    vectors = ranker.item_vectors().detach()
    scale = vectors.shape[1] ** 0.5
    items = torch.tensor([[1, 2, 3]])
    end, start = vectors[items] * scale, vectors[1:].mean(0).expand(1, 3, -1) * scale
    total = torch.zeros(3, dtype=torch.float64)
    n = 512
    for place in range(n):
        x = (start + (place + 0.5) / n * (end - start)).requires_grad_()
        batch = HistoryBatch(items, torch.tensor([3]))
        hidden = x
        for block in ranker.blocks:
            hidden = block(hidden, batch)
        logits = ranker.logits(ranker.norm(hidden)[:, -1], vectors, ranker.item_bias)[0]
        (gradient,) = torch.autograd.grad(logits[5] - logits[7], x)
        total += (gradient * (end - start)).sum(-1)[0].double() / n
    found = contrast(ranker, ask(5), 7)
    np.testing.assert_allclose(found.values, total.numpy(), atol=0.01)


def test_leave_one_out_promises_no_sum():
    found = contrast(neighbours(), ask(4), 5, "leave-one-out")
    assert found.values.tolist() == pytest.approx([1.5, 1.0, -1.5])
    assert np.isnan(found.delta) and np.isnan(found.baseline_margin)


def test_an_item_has_no_contrast_to_itself_or_to_what_was_touched():
    with pytest.raises(ConfigError, match="against itself"):
        contrast(neighbours(), ask(4), 4)
    with pytest.raises(DataError, match="no candidate"):
        contrast(neighbours(), ask(4), 2)


def test_without_a_history_there_is_nothing_to_contrast_by():
    nothing = np.zeros(0, dtype=np.int64)
    with pytest.raises(ConfigError, match="no history"):
        contrast(neighbours(), Question(nothing, 4, nothing), 5)
