"""Windows, batches and the training loop."""

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_made import histories_in, small_transformer
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_core.data.dataset import Histories
from recsys_core.errors import CancelledError, ConfigError, DataError, RecsysError
from recsys_core.files import sha256_of
from recsys_core.ranker.blocks import BlockName
from recsys_core.ranker.lstm import CellName, RecurrentRanker
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.checkpoints import save_ranker
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.loop import train
from recsys_core.trainer.objective import LossChoice, LossName
from recsys_core.trainer.recipe import Callbacks, Epoch, Recipe, TrainingLog
from recsys_core.trainer.schedule import rate_at
from recsys_core.trainer.windows import batches, cut_windows, seen_before

CPU = torch.device("cpu")
N_ITEMS = 12
CYCLES = Histories.of([[(start + step) % N_ITEMS + 1 for step in range(8)] for start in range(N_ITEMS)])
RECIPE = Recipe(epochs=4, patience=10, batch_size=8, learning_rate=0.01, weight_decay=0.01, seed=0)


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """Training seeds torch's own generator; and for models this small a second thread only waits."""
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
    torch.set_rng_state(state)


def nothing(_: object) -> None:
    """Follows a run without a word."""


def run(
    ranker: NeuralRanker,
    histories: Histories = CYCLES,
    recipe: Recipe = RECIPE,
    validate: Callable[[], float] = lambda: 0.5,
    step: Callable[[float], None] = nothing,
    epoch: Callable[[Epoch], None] = nothing,
) -> TrainingLog:
    return train(ranker, histories, validate, recipe, CPU, Callbacks(step, epoch))


def fresh(seed: int = 0) -> TransformerRanker:
    """A ranker as training finds it."""
    torch.manual_seed(seed)
    return TransformerRanker(N_ITEMS, 8, 1, 2, max_length=6, dropout=0.2)


def weights_of(ranker: TransformerRanker) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in ranker.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def cut(history: list[int], max_length: int) -> list[list[int]]:
    windows = cut_windows(Histories.of([history]), max_length)
    return [window.tolist() for window in histories_in(windows)]


def test_a_short_history_is_one_window():
    assert cut([1, 2, 3], max_length=5) == [[1, 2, 3]]


def test_a_long_history_is_cut_from_its_end_with_one_item_in_common():
    assert cut([1, 2, 3, 4, 5, 6], max_length=2) == [[4, 5, 6], [2, 3, 4], [1, 2]]
    assert cut([1, 2, 3, 4, 5], max_length=2) == [[3, 4, 5], [1, 2, 3]]


@pytest.mark.parametrize("history", [[], [1], [1, 1, 1]], ids=["empty", "one item", "one item repeated"])
def test_a_history_without_a_next_item_has_no_window(history: list[int]):
    assert cut(history, max_length=5) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=30, unique=True), st.integers(2, 9))
def test_each_item_but_the_first_is_a_target_once(history: list[int], max_length: int):
    windows = cut(history, max_length)
    assert sorted(itertools.chain(*(window[1:] for window in windows))) == sorted(history[1:])
    assert max(map(len, windows)) <= max_length + 1


def test_targets_are_the_next_items_and_never_touched_before():
    windows = Histories.of([[1, 2, 1, 3, 3], [4, 5]])
    (batch,) = batches(windows, batch_size=2, generator=np.random.default_rng(0))
    order = np.argsort(batch.history[:, 0])
    assert batch.history[order].tolist() == [[1, 2, 1, 3], [4, 5, 0, 0]]
    assert batch.targets[order].tolist() == [[2, 0, 3, 0], [5, 0, 0, 0]]


def test_every_window_is_in_one_batch_with_others_of_like_length():
    generator = np.random.default_rng(0)
    lengths = generator.integers(2, 101, 200)
    windows = Histories.of([generator.permutation(120)[:length] + 1 for length in lengths])
    found = list(batches(windows, 8, generator))
    rows = [
        [history[0], *targets[targets > 0]]
        for batch in found
        for history, targets in zip(batch.history, batch.targets, strict=True)
    ]
    assert sorted(rows) == sorted(window.tolist() for window in histories_in(windows))
    assert max(len(batch.history) for batch in found) == 8
    padded = sum(int((batch.history == 0).sum()) for batch in found)
    assert padded < 0.2 * sum(batch.history.size for batch in found)


def test_batches_come_in_an_order_drawn_by_the_generator():
    windows = cut_windows(CYCLES, 6)

    def firsts(seed: int) -> list[list[int]]:
        return [batch.history[:, 0].tolist() for batch in batches(windows, 4, np.random.default_rng(seed))]

    assert firsts(1) == firsts(1)
    assert firsts(1) != firsts(2)


def test_seen_before_holds_the_first_items_of_each_row():
    history = np.array([[7, 8, 9], [4, 5, 0]])
    seen = seen_before(history, rows=np.array([0, 0, 1]), lengths=np.array([1, 3, 2]))
    assert [items.tolist() for items in histories_in(seen)] == [[7], [7, 8, 9], [4, 5]]


def test_the_rate_rises_for_a_twentieth_and_falls_to_zero():
    rates = [rate_at(step, 100) for step in range(101)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == 1.0
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[5:]))
    assert rate_at(5 + 95 // 5, 100) == pytest.approx(0.5 * (1 + math.cos(math.pi / 5)))
    assert rates[100] == pytest.approx(0)


def test_a_single_step_has_the_full_rate():
    assert rate_at(0, 1) == 1.0


def test_the_loss_falls_and_the_next_item_is_learned():
    """In a cycle of twelve items, each is always followed by the same one."""
    ranker = fresh()
    log = run(ranker, recipe=Recipe(40, 40, 8, 0.03, 0.0, 0), validate=iter(np.arange(40.0)).__next__)
    assert log.epochs[0].loss > 1.5
    assert log.epochs[-1].loss < 0.3
    asked = Histories.of([[3, 4, 5], [11, 12]])
    assert top_k(mask_seen(ranker.score(asked), asked), 1).tolist() == [[6], [1]]


@pytest.mark.parametrize("name", ["sampled-softmax", "gbce", "bce", "bpr"])
def test_the_next_item_is_learned_from_a_few_negatives(name: LossName):
    ranker = fresh()
    recipe = Recipe(40, 40, 8, 0.03, 0.0, 0, loss=LossChoice(name, n_negatives=4))
    log = run(ranker, recipe=recipe, validate=iter(np.arange(40.0)).__next__)
    assert log.epochs[-1].loss < 0.6 * log.epochs[0].loss
    asked = Histories.of([[3, 4, 5], [10, 11, 12]])
    assert top_k(mask_seen(ranker.score(asked), asked), 1).tolist() == [[6], [1]]


@pytest.mark.parametrize("block", ["ligr", "hstu"])
def test_the_next_item_is_learned_by_other_blocks(block: BlockName):
    torch.manual_seed(0)
    ranker = TransformerRanker(N_ITEMS, 8, 1, 2, max_length=6, dropout=0.0, block=block)
    run(ranker, recipe=Recipe(40, 40, 8, 0.03, 0.0, 0), validate=iter(np.arange(40.0)).__next__)
    asked = Histories.of([[3, 4, 5], [10, 11, 12]])
    assert top_k(mask_seen(ranker.score(asked), asked), 1).tolist() == [[6], [1]]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_next_item_is_learned_step_by_step(cell: CellName):
    torch.manual_seed(0)
    ranker = RecurrentRanker(N_ITEMS, 8, 1, max_length=6, dropout=0.0, cell=cell)
    run(ranker, recipe=Recipe(40, 40, 8, 0.03, 0.0, 0), validate=iter(np.arange(40.0)).__next__)
    asked = Histories.of([[3, 4, 5], [10, 11, 12]])
    assert top_k(mask_seen(ranker.score(asked), asked), 1).tolist() == [[6], [1]]


def test_epochs_are_told_in_order_and_kept_in_the_log():
    told: list[Epoch] = []
    log = run(fresh(), epoch=told.append)
    assert tuple(told) == log.epochs
    assert [epoch.number for epoch in told] == [1, 2, 3, 4]
    assert all(epoch.elapsed_s > 0 and epoch.targets_per_s > 0 for epoch in told)


def test_steps_are_told_as_a_share_that_ends_at_one():
    shares: list[float] = []
    run(fresh(), step=shares.append)
    n_steps = 4 * math.ceil(2 * len(CYCLES) / 8)  # each history of 8 is cut in two
    np.testing.assert_allclose(shares, np.arange(1, n_steps + 1) / n_steps)


def test_the_weights_of_the_best_epoch_stay():
    ranker, kept = fresh(), list[dict[str, torch.Tensor]]()
    figures = [0.1, 0.5, 0.3, 0.4]

    def validate() -> float:
        kept.append(weights_of(ranker))
        return figures[len(kept) - 1]

    log = run(ranker, validate=validate)
    assert log.best_epoch == 2
    assert same(weights_of(ranker), kept[1])
    assert not same(kept[1], kept[3])
    assert not ranker.training


def test_of_equal_epochs_the_first_stays():
    assert run(fresh(), validate=lambda: 0.5).best_epoch == 1


def test_training_stops_when_patience_is_over():
    figures = iter([0.1, 0.5, 0.4, 0.5, 0.9, 0.9])
    recipe = Recipe(epochs=6, patience=2, batch_size=8, learning_rate=0.01, weight_decay=0.0, seed=0)
    log = run(fresh(), recipe=recipe, validate=lambda: next(figures))
    assert [epoch.valid_ndcg for epoch in log.epochs] == [0.1, 0.5, 0.4, 0.5]
    assert log.best_epoch == 2


def test_the_same_seed_gives_the_same_file(tmp_path: Path):
    for name in ("first", "second"):
        ranker = fresh()
        run(ranker)
        save_ranker(ranker, tmp_path / name)
    assert sha256_of(tmp_path / "first") == sha256_of(tmp_path / "second")


@pytest.mark.parametrize("what", ["recipe", "weights"])
def test_another_seed_gives_other_weights(what: str):
    first, second = fresh(), fresh(seed=int(what == "weights"))
    run(first)
    run(second, recipe=Recipe(4, 10, 8, 0.01, 0.01, seed=int(what == "recipe")))
    assert not same(weights_of(first), weights_of(second))


def poison(ranker: TransformerRanker, value: float) -> None:
    with torch.no_grad():
        ranker.item_bias[3] = value


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_the_weights_of_the_best_epoch(value: float):
    ranker, kept = fresh(), list[dict[str, torch.Tensor]]()

    def validate() -> float:
        kept.append(weights_of(ranker))
        return [0.5, 0.4, 0.3][len(kept) - 1]

    def spoil(epoch: Epoch) -> None:
        if epoch.number == 2:
            poison(ranker, value)

    with pytest.raises(
        RecsysError,
        match=r"the loss became (nan|inf) at step 1 in epoch 3; the weights of epoch 1 were kept; "
        r"lower learning_rate \(it is 0.01\)",
    ):
        run(ranker, validate=validate, epoch=spoil)
    assert same(weights_of(ranker), kept[0])


def test_a_loss_that_is_no_number_at_once_leaves_the_weights_of_the_start():
    ranker = fresh()
    start = weights_of(ranker)
    seen_steps: list[float] = []

    def spoil_after_the_first(share: float) -> None:
        seen_steps.append(share)
        poison(ranker, math.nan)

    with pytest.raises(RecsysError, match="at step 2 in epoch 1; the weights of epoch 0 were kept"):
        run(ranker, step=spoil_after_the_first)
    assert len(seen_steps) == 1
    assert same(weights_of(ranker), start)


def test_a_gradient_that_is_no_number_changes_no_weight(monkeypatch: pytest.MonkeyPatch):
    """A finite loss may still have an infinite slope; it must not reach the weights."""
    ranker = fresh()
    start = weights_of(ranker)
    ranker.item_bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(RecsysError, match="the gradient became nan at step 1 in epoch 1"):
        run(ranker)
    assert same(weights_of(ranker), start)


@pytest.mark.parametrize("where", ["step", "epoch"])
def test_a_callback_may_raise_to_stop(where: str):
    calls: list[object] = []

    def stop(told: object) -> None:
        calls.append(told)
        raise CancelledError("a person stopped the work")

    with pytest.raises(CancelledError, match="a person stopped the work"):
        run(fresh(), step=stop if where == "step" else nothing, epoch=stop if where == "epoch" else nothing)
    assert len(calls) == 1


@pytest.mark.parametrize("histories", [[[1], [2], []], [[1, 1], [2, 2, 2]], []])
def test_nobody_with_two_different_items_is_an_error(histories: list[list[int]]):
    with pytest.raises(DataError, match="nobody in the data has two different items"):
        run(fresh(), Histories.of(histories))


def test_people_who_only_repeat_one_item_do_not_stop_the_others():
    """In batches of one, theirs would have no target and a loss of 0 / 0."""
    histories = Histories.of([[1, 1, 1], [2, 3], [4, 4], [5, 6]])
    log = run(fresh(), histories, Recipe(2, 5, batch_size=1, learning_rate=0.01, weight_decay=0.0, seed=0))
    assert all(math.isfinite(epoch.loss) for epoch in log.epochs)


def test_frozen_text_vectors_are_not_trained():
    text = np.random.default_rng(0).normal(size=(N_ITEMS + 1, 4)).astype(np.float16)
    ranker = small_transformer(N_ITEMS, text_vectors=text, max_length=6)
    projection = ranker.state_dict()["item_vectors.projection.weight"].clone()
    run(ranker)
    np.testing.assert_array_equal(ranker.tensors()["item_vectors.text"].numpy(), text)
    assert not torch.equal(ranker.state_dict()["item_vectors.projection.weight"], projection)


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_a_device_by_name(name: str):
    assert choose_device(name).type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["", "tpu", "meta", "mps", "cuda:x", "CPU"])
def test_a_device_that_models_are_not_trained_on_is_named(name: str):
    with pytest.raises(ConfigError, match=f"'{name}' is no device.*write auto, cpu or cuda"):
        choose_device(name)


def test_cuda_on_a_machine_without_it_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="this machine has no CUDA device"):
        choose_device("cuda")
