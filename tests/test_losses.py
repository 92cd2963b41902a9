"""The chunked softmax against torch's cross-entropy on masked logits."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_core.data.dataset import Histories
from recsys_core.trainer import losses
from recsys_core.trainer.losses import softmax_over_candidates as softmax_over_histories

N_ITEMS, SIZE, CHUNK = 11, 5, 4


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "MIN_CHUNK_ROWS", CHUNK)
    monkeypatch.setattr(losses, "MAX_CHUNK_ROWS", CHUNK)


def example(n: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """States, vectors and bias that learn; targets; seen items with padding and repeats, never the target."""
    generator = torch.Generator().manual_seed(seed)
    hidden, vectors, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((n, SIZE), (N_ITEMS + 1, SIZE), (N_ITEMS + 1,))
    )
    targets = torch.randint(1, N_ITEMS + 1, (n,), generator=generator)
    seen = torch.randint(0, N_ITEMS + 1, (n, 6), generator=generator)
    return hidden, vectors, bias, targets, seen.masked_fill(seen == targets[:, None], 0)


def softmax_over_candidates(
    hidden: Tensor, vectors: Tensor, bias: Tensor, targets: Tensor, seen: Tensor
) -> Tensor:
    """The loss with `seen` written as a table that is filled up with 0."""
    return softmax_over_histories(hidden, vectors, bias, targets, Histories.of(list(seen.numpy())))


def by_torch(hidden: Tensor, vectors: Tensor, bias: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
    """The same loss from logits that exist all at once."""
    logits = hidden @ vectors.T + bias
    masked = torch.zeros_like(logits, dtype=torch.bool).scatter(1, seen, True)
    masked[:, 0] = True
    return F.cross_entropy(logits.masked_fill(masked, -math.inf), targets)


@pytest.mark.parametrize("n", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
def test_loss_and_gradients_equal_torch_across_chunk_borders(n: int):
    arguments = example(n)
    loss, expected = softmax_over_candidates(*arguments), by_torch(*arguments)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    found = torch.autograd.grad(loss, arguments[:3])
    for gradient, wanted in zip(found, torch.autograd.grad(expected, arguments[:3]), strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-12, atol=1e-12)


def test_single_precision_equals_torch_closely():
    arguments = example(9)
    singles = [tensor.detach().float().requires_grad_() for tensor in arguments[:3]]
    loss = softmax_over_candidates(singles[0], singles[1], singles[2], *arguments[3:])
    torch.testing.assert_close(loss.double(), by_torch(*arguments), rtol=1e-5, atol=1e-6)


def test_gradients_follow_what_comes_after_the_loss():
    """Three times the loss has three times the gradient, and shared vectors gather both their gradients."""
    arguments = example(6)

    def further(loss: Tensor) -> Tensor:
        return 3 * loss + arguments[1].square().sum()

    found = torch.autograd.grad(further(softmax_over_candidates(*arguments)), arguments[:3])
    wanted = torch.autograd.grad(further(by_torch(*arguments)), arguments[:3])
    for gradient, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


def test_gradients_equal_finite_differences():
    hidden, vectors, bias, targets, seen = example(5)

    def loss(hidden: Tensor, vectors: Tensor, bias: Tensor) -> Tensor:
        return softmax_over_candidates(hidden, vectors, bias, targets, seen)

    assert torch.autograd.gradcheck(loss, (hidden, vectors, bias))


def test_seen_items_and_the_padding_get_no_gradient():
    hidden, vectors, bias, _, _ = example(2)
    targets, seen = torch.tensor([3, 4]), torch.tensor([[1, 2, 2], [1, 2, 0]])
    softmax_over_candidates(hidden, vectors, bias, targets, seen).backward()
    assert bias.grad is not None
    assert vectors.grad is not None
    assert bias.grad[:3].tolist() == [0, 0, 0]
    assert vectors.grad[:3].abs().max() == 0
    assert (bias.grad[3:].abs() > 0).all()


def test_equal_logits_cost_the_log_of_the_number_of_candidates():
    """Eleven items, two of them seen."""
    hidden, vectors, bias = torch.zeros(1, SIZE), torch.zeros(N_ITEMS + 1, SIZE), torch.zeros(N_ITEMS + 1)
    loss = softmax_over_candidates(hidden, vectors, bias, torch.tensor([3]), torch.tensor([[1, 2]]))
    assert float(loss) == pytest.approx(math.log(9))


def test_the_only_candidate_left_is_certain():
    hidden, vectors, bias, _, _ = example(1)
    seen = torch.tensor([[item for item in range(1, N_ITEMS + 1) if item != 5]])
    assert softmax_over_candidates(hidden, vectors, bias, torch.tensor([5]), seen).item() == 0.0


def test_a_second_derivative_is_refused():
    hidden, vectors, bias, targets, seen = example(3)
    loss = softmax_over_candidates(hidden, vectors, bias, targets, seen).square()
    (gradient,) = torch.autograd.grad(loss, hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
