"""Each block against its definition written with loops, values and gradients."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hand_made import M, shaken
from torch import Tensor, nn

from recsys_core.ranker.attention import attend, attend_to_past
from recsys_core.ranker.blocks import (
    AttentionBlock,
    BlockName,
    HstuBlock,
    LigrBlock,
    SasrecBlock,
    new_block,
    time_buckets,
)
from recsys_core.ranker.convolution import Convolution
from recsys_core.ranker.neural import HistoryBatch

SIZE, HEADS, HEAD, LENGTH, LONGEST = 8, 2, 4, 5, 6
CAUSAL = [(place, other) for place in range(LENGTH) for other in range(place + 1)]


def example(seed: int = 0) -> Tensor:
    """[1, L, d] in double precision, to be differentiated."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, LENGTH, SIZE, generator=generator, dtype=torch.float64, requires_grad=True)


def batch(lengths: list[int], timestamps_s: list[float] | None = None) -> HistoryBatch:
    times = None if timestamps_s is None else torch.tensor([timestamps_s], dtype=torch.float64)
    items = torch.ones(len(lengths), LENGTH, dtype=torch.long)
    return HistoryBatch(items, torch.tensor(lengths), timestamps_s=times)


def double(block: M) -> M:
    torch.manual_seed(0)
    return shaken(block.double())


def assert_equal_with_gradients(block: nn.Module, found: Tensor, expected: Tensor, x: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    direction = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=found.dtype)
    inputs = [x, *block.parameters()]
    gradients = [
        torch.autograd.grad((value * direction).sum(), inputs, allow_unused=True, materialize_grads=True)
        for value in (found, expected)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


def convolved(block: AttentionBlock, x: Tensor, n_real: int) -> Tensor:
    """[L, d] each place with what its neighbours add, one at a time."""
    normed, weight = block.convolution.norm(x), block.convolution.weight
    steps = (-2, -1, 0, 1, 2) if block.both_ways else (-2, -1, 0)
    rows: list[Tensor] = []
    for place in range(LENGTH):
        row = x[place] + weight.bias
        for number, step in enumerate(steps):
            if 0 <= place + step < n_real:
                row = row + weight.weight[:, SIZE * number : SIZE * (number + 1)] @ normed[place + step]
        rows.append(row)
    return torch.stack(rows)


def attended(block: AttentionBlock, x: Tensor, n_real: int = LENGTH) -> Tensor:
    """[L, d] softmax attention, one head, place and pair at a time."""
    query, key, value = block.query_key_value(block.attention_norm(x)).chunk(3, -1)
    rows: list[Tensor] = []
    for place in range(LENGTH):
        heads: list[Tensor] = []
        others = range(n_real) if block.both_ways else range(place + 1)
        for head in range(HEADS):
            own = slice(HEAD * head, HEAD * (head + 1))
            first = LONGEST - 1 if block.both_ways else 0
            logits = torch.stack(
                [
                    query[place, own] @ key[other, own] / math.sqrt(HEAD)
                    + block.relative_bias[head, first + place - other]
                    for other in others
                ]
            )
            weights = logits.exp() / logits.exp().sum()
            mixed = [weight * value[other, own] for weight, other in zip(weights, others, strict=True)]
            heads.append(torch.stack(mixed).sum(0))
        rows.append(torch.cat(heads))
    return block.output(torch.stack(rows))


def sasrec_by_loops(block: SasrecBlock, x: Tensor, n_real: int = LENGTH) -> Tensor:
    x = convolved(block, x, n_real)
    between = x + attended(block, x, n_real)
    norm, wide, _, narrow, _ = block.feed_forward
    return between + narrow(F.gelu(wide(norm(between))))


def test_a_sasrec_block_is_convolution_attention_and_a_feed_forward_layer():
    block, x = double(SasrecBlock(SIZE, HEADS, LONGEST, 0.1)), example()
    assert_equal_with_gradients(block, block(x, batch([LENGTH]))[0], sasrec_by_loops(block, x[0]), x)


def test_a_ligr_block_lets_attention_and_the_layer_in_through_gates():
    block, x = double(LigrBlock(SIZE, HEADS, LONGEST, 0.1)), example()
    start = convolved(block, x[0], LENGTH)
    between = start + torch.sigmoid(block.attention_gate(start)) * attended(block, start)
    both = block.gate_and_value(block.feed_forward_norm(between))
    width = both.shape[1] // 2
    inner = block.narrowing(both[:, :width] * torch.sigmoid(both[:, :width]) * both[:, width:])
    expected = between + torch.sigmoid(block.feed_forward_gate(between)) * inner
    assert_equal_with_gradients(block, block(x, batch([LENGTH]))[0], expected, x)


@pytest.mark.parametrize("n_real", [1, 3, LENGTH])
def test_a_block_that_looks_both_ways_sees_all_that_is_real(n_real: int):
    block, x = double(SasrecBlock(SIZE, HEADS, LONGEST, 0.1, both_ways=True)), example()
    expected = sasrec_by_loops(block, x[0], n_real)[:n_real]
    assert_equal_with_gradients(block, block(x, batch([n_real]))[0, :n_real], expected, x)


BLOCKS: dict[str, Callable[[], nn.Module]] = {
    "sasrec": lambda: SasrecBlock(SIZE, HEADS, LONGEST, 0.1),
    "both ways": lambda: SasrecBlock(SIZE, HEADS, LONGEST, 0.1, both_ways=True),
    "ligr": lambda: LigrBlock(SIZE, HEADS, LONGEST, 0.1),
    "hstu": lambda: HstuBlock(SIZE, HEADS, LONGEST, 0.1, reads_time=True),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_the_last_place_alone_is_what_it_is_among_all(name: str):
    """Scoring asks for nothing else."""
    block, x = double(BLOCKS[name]()), example().detach().repeat(3, 1, 1)
    lengths = [5, 2, 1]
    times = [1.0, 2.0, 5.0, 9e5, 9e8]
    some = HistoryBatch(
        torch.ones(3, LENGTH, dtype=torch.long),
        torch.tensor(lengths),
        timestamps_s=torch.tensor([times] * 3, dtype=torch.float64),
    )
    with torch.no_grad():
        everywhere, last = block(x, some), block.last(x, some)
    expected = torch.stack([everywhere[row, length - 1] for row, length in enumerate(lengths)])
    torch.testing.assert_close(last, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("timestamps_s", [None, [0.0, 1.0, 100.0, 1e5, 1e9]], ids=["no times", "times"])
def test_an_hstu_block_counts_each_earlier_item_by_itself(timestamps_s: list[float] | None):
    block, x = double(HstuBlock(SIZE, HEADS, LONGEST, 0.1, reads_time=True)), example()
    parts = block.gate_value_query_key(block.input_norm(x[0]))
    gate, value, query, key = (parts * torch.sigmoid(parts)).chunk(4, -1)
    mixed = [[torch.zeros(HEAD, dtype=torch.float64)] * HEADS for _ in range(LENGTH)]
    for head, (place, other) in itertools.product(range(HEADS), CAUSAL):
        own = slice(HEAD * head, HEAD * (head + 1))
        logit = query[place, own] @ key[other, own] + block.relative_bias[head, place - other]
        if timestamps_s is not None:
            gap = max(1.0, timestamps_s[place] - timestamps_s[other])
            logit = logit + block.time_bias[1 + math.floor(math.log(gap) / 0.301), head]
        weight = logit * torch.sigmoid(logit) / (place + 1)
        mixed[place][head] = mixed[place][head] + weight * value[other, own]
    rows = torch.stack([torch.cat(heads) for heads in mixed])
    normed = (rows - rows.mean(1, keepdim=True)) / (rows.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    expected = x[0] + block.output(normed * gate)
    assert_equal_with_gradients(block, block(x, batch([LENGTH], timestamps_s))[0], expected, x)


@pytest.mark.parametrize("name", ["sasrec", "ligr", "hstu"])
def test_no_block_knows_the_future(name: BlockName):
    block, x = double(new_block(name, SIZE, HEADS, LONGEST, 0.1, reads_time=True)), example().detach()
    later = x.clone()
    later[0, 3:] += 1
    times, later_times = [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 9e5, 9e8]
    before, after = block(x, batch([5], times)), block(later, batch([5], later_times))
    torch.testing.assert_close(before[0, :3], after[0, :3], rtol=0, atol=1e-12)
    assert (before[0, 3:] - after[0, 3:]).abs().max() > 0.1


def test_time_between_two_items_falls_in_a_bucket_of_its_logarithm():
    """0 and 1 s: the first. e^0.602 = 1.83 s begins the third; 1e9 s: 1 + floor(20.723 / 0.301) = 69."""
    times = torch.tensor([[0.0, 1.0, 1.9, 1e9, math.nan, 1e300]], dtype=torch.float64)
    found = time_buckets(times)[0]
    assert found[0].tolist() == [1, 1, 3, 69, 0, 71]
    assert found[4].tolist() == [0] * 6
    assert torch.equal(found, found.T)


def test_times_that_are_not_to_be_read_change_nothing():
    block, x = double(HstuBlock(SIZE, HEADS, LONGEST, 0.1)), example()
    times = [0.0, 1.0, 100.0, 1e5, 1e9]
    assert torch.equal(block(x, batch([LENGTH], times)), block(x, batch([LENGTH])))


def test_seconds_are_told_apart_in_the_present_day():
    """In single precision 1.76e9 and 1.76e9 + 60 would be one moment."""
    times = torch.tensor([[1.76e9, 1.76e9 + 60]], dtype=torch.float64)
    assert time_buckets(times)[0, 0].tolist() == [1, 1 + math.floor(math.log(60) / 0.301)]


def test_hidden_places_get_no_attention_and_no_gradient():
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(2, HEADS, LENGTH, HEAD, generator=generator, dtype=torch.float64, requires_grad=True)
        for _ in range(3)
    )
    bias = torch.randn(HEADS, LENGTH, LENGTH, generator=generator, dtype=torch.float64, requires_grad=True)
    real = torch.tensor([[True] * 5, [True, True, False, False, False]])
    found = attend(query, key, value, bias, real)
    mask = bias[None].masked_fill(~real[:, None, None], -torch.inf)
    expected = F.scaled_dot_product_attention(query, key, value, mask)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    inputs = (query, key, value, bias)
    gradients = [torch.autograd.grad(out.square().sum(), inputs) for out in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)
    assert gradients[0][1][1, :, 2:].abs().max() == 0


def test_attention_with_hidden_places_equals_finite_differences():
    generator = np.random.default_rng(0)
    tensors = [torch.from_numpy(generator.normal(size=(1, 1, 3, 2))).requires_grad_() for _ in range(3)]
    bias = torch.from_numpy(generator.normal(size=(1, 3, 3))).requires_grad_()
    real = torch.tensor([[True, False, True]])
    assert torch.autograd.gradcheck(lambda q, k, v, b: attend(q, k, v, b, real), (*tensors, bias))


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_the_way_back_through_neighbours_is_torch_s_own(after: int, length: int):
    """Against the gradient of slices of a padded tensor; a length of 1 has no neighbours."""
    torch.manual_seed(0)
    layer = shaken(Convolution(4, 0.0, both_ways=after > 0))
    x = torch.randn(3, length, 4, requires_grad=True)
    around = F.pad(layer.norm(x), (0, 0, 2, after))
    beside = torch.cat([around[:, step : step + length] for step in range(3 + after)], -1)
    expected = x + layer.weight(beside)
    real = torch.ones(3, length, dtype=torch.bool) if after else None
    found = layer(x, real)
    torch.testing.assert_close(found, expected)
    pull = torch.randn_like(expected)
    gradients = [torch.autograd.grad((out * pull).sum(), x)[0] for out in (found, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("length", [1, 2, 3, 300])
def test_what_is_added_up_in_place_is_what_is_learned(length: int):
    """Without gradients sums are made in place: the same values, x as it was, and the noise of training kept.

    Seven rows of 300 places are more than are widened at once.
    """
    torch.manual_seed(0)
    block = shaken(SasrecBlock(SIZE, HEADS, 300, 0.5)).eval()
    x = torch.randn(7, length, SIZE)
    before, whole = x.clone(), HistoryBatch(torch.ones(7, length).long(), torch.full((7,), length))
    expected = block(x, whole).detach()
    with torch.inference_mode():
        torch.testing.assert_close(block(x, whole), expected)
        turned = x.transpose(0, 1).contiguous().transpose(0, 1)  # the same, in another order of memory
        torch.testing.assert_close(block(turned, whole), expected)
        torch.testing.assert_close(block.last(x, whole), expected[:, -1])
        assert torch.equal(x, before)
        assert not torch.allclose(block.train()(x, whole), expected)


@pytest.mark.parametrize("length", [5, 64, 65, 150])
def test_attention_to_the_past_is_torch_s_own_forward_and_back(length: int):
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 2, length, 3, requires_grad=True) for _ in range(3))
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    learned = torch.randn(2, length, length, requires_grad=True)
    bias = learned.masked_fill(future, -torch.inf)
    found = attend_to_past(query, key, value, bias)
    expected = F.scaled_dot_product_attention(query, key, value, bias[None])
    torch.testing.assert_close(found, expected)
    pull, leaves = torch.randn_like(expected), (query, key, value, learned)
    for own, reference in zip(
        torch.autograd.grad((found * pull).sum(), leaves, retain_graph=True),
        torch.autograd.grad((expected * pull).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(own, reference, rtol=1e-4, atol=1e-5)
