"""Training by groups: weights by hand, people drawn by group, worse-off groups that are helped."""

import math
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_core.data.dataset import Histories
from recsys_core.data.events import Askers
from recsys_core.errors import CancelledError, DataError
from recsys_core.ranker.neural import Prediction
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.group_objectives import (
    GroupObjective,
    moved_weights,
    starting_weights,
)
from recsys_core.trainer.groups import (
    MOST_COPIES,
    GroupChoice,
    GroupMethod,
    PeopleGroups,
    resampled,
)
from recsys_core.trainer.loop import train, training_loss
from recsys_core.trainer.processes import ALONE
from recsys_core.trainer.recipe import Callbacks, Epoch, Recipe
from recsys_core.trainer.resume import Checkpoint
from recsys_core.trainer.windows import batches, cut_windows

CPU = torch.device("cpu")
TWO = PeopleGroups(("many", "few"), (0,), ((1,), (2,)), (0, 1))


def exact(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def of_people(sequences: list[list[int]], groups: list[int]) -> Histories:
    """Histories of people, the one attribute of each being 1 more than the group."""
    bare = Histories.of(sequences)
    codes = np.array(groups, dtype=np.int64)[:, None] + 1
    return Histories(bare.items, bare.offsets, None, Askers(codes, np.full(len(bare), np.nan)))


def test_groups_are_told_by_attributes():
    groups = PeopleGroups(("F × old", "M × old", "unknown"), (2, 0), ((1, 1), (2, 1), (0, 1)), (0, 1, 2))
    assert groups.of(np.array([[1, 9, 2], [1, 9, 0], [1, 9, 1]])).tolist() == [1, 2, 0]


def test_people_without_known_attributes_are_refused():
    with pytest.raises(DataError, match="needs the attributes of the people"):
        TWO.of(None)
    with pytest.raises(DataError, match="nobody's attributes"):
        TWO.of(np.array([[3]]))


def test_reweighting_by_hand():
    """Shares .8 and .2: at strength 1 each group has half of the loss; at ½ weights are as 1 : 2."""
    shares = exact(0.8, 0.2)
    full = starting_weights(GroupChoice("reweighting", 1.0), shares)
    assert (shares * full).tolist() == pytest.approx([0.5, 0.5])
    half = starting_weights(GroupChoice("reweighting", 0.5), shares)
    assert float(half[1] / half[0]) == pytest.approx(2)
    assert float((shares * half).sum()) == pytest.approx(1)


def test_a_group_without_targets_has_no_weight_in_reweighting():
    assert starting_weights(GroupChoice("reweighting"), exact(1.0, 0.0)).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("method", ["dro", "gap", "adversarial"])
def test_other_methods_begin_with_everybody_alike(method: GroupMethod):
    assert starting_weights(GroupChoice(method), exact(0.8, 0.2)).tolist() == [1.0, 1.0]


def test_a_step_of_dro_by_hand():
    """q = p w = (.8, .2); losses 1 and 2, η = ½: q grows by e^½ and e^1, and adds up to 1 again."""
    shares = exact(0.8, 0.2)
    moved = moved_weights(GroupChoice("dro", 2.0), exact(1.0, 1.0), exact(1.0, 2.0), shares, n_steps=4)
    grown = [0.8 * math.exp(0.5), 0.2 * math.exp(1.0)]
    assert (shares * moved).tolist() == pytest.approx([part / sum(grown) for part in grown])


def test_the_weights_of_the_gap_are_its_gradient():
    """Σ p L + λ Σ p (L − mean)², differentiated by torch, is p w."""
    shares, strength = exact(0.5, 0.3, 0.2), 0.7
    losses = exact(1.0, 1.2, 0.9).requires_grad_()
    mean = (shares * losses).sum()
    (mean + strength * (shares * (losses - mean) ** 2).sum()).backward()
    moved = moved_weights(GroupChoice("gap", strength), torch.ones(3), losses.detach(), shares, n_steps=9)
    assert losses.grad is not None
    assert (shares * moved).tolist() == pytest.approx(losses.grad.tolist())


def test_the_gap_never_makes_anybody_worse_on_purpose():
    moved = moved_weights(GroupChoice("gap", 10.0), torch.ones(2), exact(1.0, 3.0), exact(0.5, 0.5), 1)
    assert moved.tolist() == [0.0, 21.0]


def test_a_group_that_was_not_met_yet_counts_as_average():
    for method in ("gap", "dro"):
        moved = moved_weights(
            GroupChoice(method), torch.ones(3), exact(2.0, math.nan, 2.0), exact(0.4, 0.2, 0.4), 5
        )
        assert moved.tolist() == pytest.approx([1, 1, 1])


def asked_of(states: Tensor) -> Prediction:
    places = torch.arange(len(states))
    return Prediction(states, places, places, places + 1)


def objective(method: GroupMethod, strength: float = 1.0) -> GroupObjective:
    torch.manual_seed(0)
    return GroupObjective(GroupChoice(method, strength), TWO, torch.tensor([0.75, 0.25]), 3, n_steps=2)


def first_of(part: Prediction) -> Tensor:
    """As if the loss of a target were the first number of its state."""
    return part.states[:, 0].mean()


def test_a_weighted_loss_by_hand():
    """Targets' losses 1, 2, 3 of the many and 6 of the few; weights ⅔ and 2: (⅔ · 6 + 2 · 6) / 4."""
    states = torch.tensor([[1.0, 0, 0], [6, 0, 0], [2, 0, 0], [3, 0, 0]])
    found = objective("reweighting").loss(asked_of(states), np.array([0, 1, 0, 0]), first_of)
    assert float(found) == pytest.approx((2 / 3 * 6 + 2 * 6) / 4)


def test_running_means_follow_the_steps():
    """The first loss of a group is its mean; after that a tenth of each new one; who isn't there stays."""
    heeding = objective("gap")
    groups = np.array([0, 1, 0])
    for first, second in ((1.0, 5.0), (2.0, 6.0)):
        states = torch.tensor([[first, 0, 0], [second, 0, 0], [first + 2, 0, 0]])
        heeding.loss(asked_of(states), groups, first_of)
        heeding.after_step(ALONE)
    assert heeding.means.tolist() == pytest.approx([0.9 * 2 + 0.1 * 3, 0.9 * 5 + 0.1 * 6])
    heeding.loss(asked_of(torch.tensor([[9.0, 0, 0]])), np.array([1]), first_of)
    heeding.after_step(ALONE)
    assert heeding.means.tolist() == pytest.approx([2.1, 0.9 * 5.1 + 0.1 * 9])


def drawn(sizes: tuple[int, ...], strength: float) -> list[int]:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    known = of_people([[number + 1, 1] for number in range(len(groups))], groups.tolist())
    again = resampled(known, groups, strength, seed=0)
    assert again.askers is not None
    return np.bincount(again.askers.attributes[:, 0] - 1, minlength=len(sizes)).tolist()


def test_people_drawn_by_group():
    """At strength 1 groups are equal; at ½ as the roots of their sizes, 30 : 10; at 0 as they were."""
    assert drawn((90, 10), 1.0) == [50, 50]
    assert drawn((90, 10), 0.5) == [75, 25]
    assert drawn((90, 10), 0.0) == [90, 10]


def test_everybody_comes_as_often_as_others_of_the_group_up_to_once():
    groups = np.repeat([0, 1], [90, 10])
    known = of_people([[number + 1, 1] for number in range(100)], groups.tolist())
    counts = np.bincount(resampled(known, groups, 1.0, seed=3).items, minlength=101)[2:]
    assert set(counts[:89].tolist()) <= {0, 1}
    assert set(counts[89:].tolist()) == {5}


def test_nobody_is_repeated_without_end():
    assert drawn((999, 1), 1.0) == [500, MOST_COPIES]


def worse_off(n_many: int = 360, n_few: int = 40, seed: int = 0) -> Histories:
    """The many follow a cycle of 12 items forwards, the few backwards."""
    rng = np.random.default_rng(seed)
    groups = [0] * n_many + [1] * n_few
    sequences = list[list[int]]()
    for group in groups:
        start, step = int(rng.integers(12)), (1, -1)[group]
        sequences.append([1 + (start + step * place) % 12 for place in range(3)])
    return of_people(sequences, groups)


def learned(method: GroupMethod, strength: float = 1.0, epochs: int = 6, **changes: int) -> TransformerRanker:
    """A small ranker that learned by groups."""
    torch.manual_seed(0)
    ranker = TransformerRanker(12, 16, 1, 2, max_length=4, dropout=0.0)
    recipe = Recipe(epochs, epochs, 20, 0.01, 0.0, 0, groups=GroupChoice(method, strength))
    rising = iter(range(epochs))
    callbacks = Callbacks(lambda _: None, lambda _: None)
    train(ranker, worse_off(**changes), lambda: next(rising), recipe, CPU, callbacks, groups=TWO)
    return ranker


def first_steps(ranker: TransformerRanker) -> list[float]:
    """The mean loss of each group's first next item, which nothing foretells but the share of its group."""
    found = list[float]()
    for step in (1, -1):
        scores = ranker.score(Histories.of([[1 + start] for start in range(12)])).astype(np.float64)
        scores[:, 0] = -np.inf
        scores[np.arange(12), np.arange(12) + 1] = -np.inf
        log_shares = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        nexts = (np.arange(12) + step) % 12 + 1
        found.append(float(-log_shares[np.arange(12), nexts].mean()))
    return found


@pytest.fixture(scope="module")
def as_it_is() -> list[float]:
    return first_steps(learned("none"))


def test_plain_training_serves_the_few_worse(as_it_is: list[float]):
    """What comes after one item is forwards in nine of ten cases: losses near −ln .9 and −ln .1."""
    assert as_it_is == pytest.approx([-math.log(0.9), -math.log(0.1)], abs=0.4)


@pytest.mark.parametrize(
    ("method", "strength"), [("reweighting", 1.0), ("resampling", 1.0), ("dro", 5.0), ("gap", 5.0)]
)
def test_the_worst_off_group_is_better_off(method: GroupMethod, strength: float, as_it_is: list[float]):
    many, few = first_steps(learned(method, strength))
    assert few < as_it_is[1] - 0.5
    assert max(many, few) < max(as_it_is) - 0.5


def test_groups_of_one_size_are_not_touched_by_reweighting():
    """Equal shares make weights of 1: the loss of the parts adds up to that of the whole."""
    ranker = learned("none", epochs=1).train()
    known = worse_off(n_many=30, n_few=30)
    (batch,) = batches(cut_windows(known, 4), 60, np.random.default_rng(0))
    heeding = GroupObjective(GroupChoice("reweighting"), TWO, torch.tensor([0.5, 0.5]), 16, n_steps=1)
    plain, weighted = training_loss(ranker, batch), training_loss(ranker, batch, heeding=heeding)
    assert float(weighted.detach()) == pytest.approx(float(plain.detach()), rel=1e-5)


@pytest.mark.parametrize("method", ["dro", "gap", "adversarial"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(method: GroupMethod, tmp_path: Path):
    def run(path: Path | None, stop_after: int) -> TransformerRanker:
        torch.manual_seed(0)
        ranker = TransformerRanker(12, 8, 1, 2, max_length=4, dropout=0.2)
        recipe = Recipe(4, 4, 20, 0.01, 0.0, 0, groups=GroupChoice(method, 2.0))
        kept = None if path is None else Checkpoint(path, "settings", "data")

        def follow(epoch: Epoch) -> None:
            if epoch.number == stop_after:
                raise CancelledError("stopped")

        valid = iter((1, 2, 3, 4) if stop_after or path is None else (3, 4))
        with suppress(CancelledError):
            train(
                ranker, worse_off(60, 20), lambda: next(valid), recipe, CPU,
                Callbacks(lambda _: None, follow), kept, groups=TWO,
            )  # fmt: skip
        return ranker

    whole = run(None, stop_after=0)
    run(tmp_path / "kept", stop_after=2)
    again = run(tmp_path / "kept", stop_after=0)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
