"""Adversarial removal: the best reader by hand and by scikit-learn, its slope, and a planted group hidden."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from benchmarks.unreadable_groups import Hidden, judged, trained
from recsys_core.trainer.groups import AS_IT_IS, GroupChoice
from recsys_core.trainer.processes import ALONE, Processes
from recsys_core.trainer.unreadable import MEMORY, MOST_STATES, RIDGE, BestReader

N, D = 200, 3


def states_of(groups: np.ndarray, apart: float, seed: int = 0) -> Tensor:
    """States whose first number is higher in group 1 by `apart` deviations."""
    states = np.random.default_rng(seed).normal(size=(len(groups), D))
    states[:, 0] += apart * (groups == 1)
    return torch.from_numpy(states).float()


def stepped(states: Tensor, groups: np.ndarray, n_groups: int = 2) -> BestReader:
    """A reader that has seen these states in one step."""
    reader = BestReader(D, n_groups)
    reader.readable(states, groups)
    reader.after_step(ALONE)
    return reader


GROUPS = np.repeat([0, 1], [150, 50])


def separation(features: Tensor, groups: np.ndarray, within: Tensor) -> Tensor:
    """D of the module's first lines, by its definition."""
    means = torch.stack([features[groups == group].mean(dim=0) for group in np.unique(groups)])
    apart = means - means.mean(dim=0)
    return (apart * torch.linalg.solve(within, apart.T).T).sum() / len(means)


def within_groups(features: Tensor, groups: np.ndarray) -> Tensor:
    left = features.clone()
    for group in np.unique(groups):
        left[groups == group] -= features[groups == group].mean(dim=0)
    scatter = left.T @ left / len(left)
    return scatter + RIDGE * scatter.diagonal().mean() * torch.eye(len(scatter)).to(scatter)


@pytest.mark.parametrize("groups", [GROUPS, np.repeat([0, 1, 2], [100, 60, 40])], ids=["two", "three"])
def test_states_move_down_the_slope_of_what_can_be_read(groups: np.ndarray):
    """What is added has half the gradient of D, everything within groups held fixed, by torch's autograd."""
    states = states_of(groups, 1.0)
    reader = stepped(states, groups, int(groups.max()) + 1)
    states.requires_grad_()
    (found,) = torch.autograd.grad(reader.readable(states, groups), states)
    features = reader.features(states).double()
    value = separation(features, groups, within_groups(features.detach(), groups))
    (expected,) = torch.autograd.grad(value, states)
    assert torch.allclose(found, expected / 2, rtol=1e-2, atol=1e-6)


def test_the_reader_ranks_people_like_the_discriminant_of_scikit_learn():
    states = states_of(GROUPS, 1.0)
    reader = stepped(states, GROUPS)
    features = reader.features(states)
    ours = (features @ (reader.pull[1] - reader.pull[0])).numpy()
    theirs = LinearDiscriminantAnalysis(solver="eigen", shrinkage=1e-6)
    scores = theirs.fit(states.numpy(), GROUPS).decision_function(states.numpy())
    assert np.corrcoef(ours, scores)[0, 1] > 0.9


def test_before_the_first_step_nothing_is_added():
    assert float(BestReader(D, 2).readable(states_of(GROUPS, 1.0), GROUPS)) == 0.0


def test_what_cannot_be_read_moves_nothing():
    """Both groups hold the very same states."""
    states = states_of(np.zeros(50), 0.0).repeat(2, 1)
    reader = stepped(states, np.repeat([0, 1], 50))
    assert float(reader.pull.abs().max()) == pytest.approx(0, abs=1e-4)


def left(reader: BestReader, states: Tensor) -> float:
    """D of the states as they are, every reader having been worked out for them alone."""
    features = reader.features(states).double()
    return float(separation(features, GROUPS, within_groups(features, GROUPS)))


def test_following_the_slope_makes_the_group_unreadable():
    first, reader = states_of(GROUPS, 2.0), BestReader(D, 2)
    states = first
    for _ in range(300):
        states = states.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(reader.readable(states, GROUPS), states)
        reader.after_step(ALONE)
        states = states - 20 * slope
    assert left(reader, first) > 0.5
    assert left(reader, states.detach()) < 0.05 * left(reader, first)


def test_a_group_that_was_not_met_pulls_nobody_and_is_not_pulled():
    reader = stepped(states_of(GROUPS, 1.0), GROUPS, n_groups=3)
    assert reader.pull[2].abs().max() == 0
    two = stepped(states_of(GROUPS, 1.0), GROUPS)
    assert torch.allclose(reader.pull[:2], two.pull)


def test_of_many_states_as_many_are_read_as_tell_enough():
    groups = np.tile([0, 1, 1], 1_000)
    reader = stepped(states_of(groups, 1.0), groups)
    assert reader.counts.sum() == MOST_STATES
    assert 1.5 < reader.counts[1] / reader.counts[0] < 2.7


def test_earlier_steps_fade():
    first, second = states_of(GROUPS, 1.0, seed=1), states_of(GROUPS, 1.0, seed=2)
    reader = stepped(first, GROUPS)
    reader.readable(second, GROUPS)
    reader.after_step(ALONE)
    assert reader.counts.tolist() == pytest.approx([(1 + MEMORY) * 150, (1 + MEMORY) * 50])
    expected = MEMORY * reader.features(first).double() + reader.features(second).double()
    assert torch.allclose(reader.sums[1], expected[GROUPS == 1].sum(dim=0))


@dataclass(frozen=True, slots=True)
class BesideAnother(Processes):
    """The second of two processes; what the first one has of a step is known beforehand."""

    first: tuple[Tensor, ...] = ()

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        for tensor, more in zip(tensors, self.first, strict=True):
            tensor.add_(more)


def test_a_process_without_a_part_of_a_step_works_out_the_reader_of_the_others():
    """The last batch of an epoch may have fewer windows than there are threads in all."""
    states = states_of(GROUPS, 1.0)
    first, idle = stepped(states, GROUPS), BestReader(D, 2)
    idle.after_step(BesideAnother(1, 2, (first.counts, first.sums, first.products)))
    assert idle.counts.tolist() == [150, 50]
    assert torch.equal(idle.pull, first.pull)


def test_threads_in_any_order_make_the_same_bits():
    states = states_of(GROUPS, 1.0)
    parts = [np.arange(start, N, 4) for start in range(4)]
    pulls = list[Tensor]()
    for order in ((0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)):
        reader = BestReader(D, 2)
        own = [parts[number] for number in order]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(reader.readable, [states[part] for part in own], [GROUPS[part] for part in own]))
        reader.after_step(ALONE)
        pulls.append(reader.pull)
    assert torch.equal(pulls[0], pulls[1])
    assert torch.equal(pulls[0], pulls[2])


@pytest.fixture(scope="module")
def left_to_read() -> dict[str, Hidden]:
    """A world whose group can be read, learned plainly and with removal; judged on other people."""
    choices = {"plain": AS_IT_IS, "removal": GroupChoice("adversarial", 1.0)}
    return {name: judged(trained(choice, seed=0), seed=0) for name, choice in choices.items()}


@pytest.mark.slow
def test_a_planted_group_is_read_from_plain_states_and_hardly_from_others(left_to_read: dict[str, Hidden]):
    plain, removal = left_to_read["plain"].probe, left_to_read["removal"].probe
    assert plain.auc > 0.85
    assert plain.p_value == 0.05  # of 19 shuffles none is told as well
    assert removal.ci_high < plain.ci_low - 0.1
    assert removal.auc < 0.65


@pytest.mark.slow
def test_hiding_a_group_costs_what_it_was_good_for_and_no_more(left_to_read: dict[str, Hidden]):
    """Who knows the group foretells .8 of next items at best, who doesn't .5."""
    plain, removal = left_to_read["plain"].hit_rate, left_to_read["removal"].hit_rate
    assert plain > 0.7
    assert 0.45 < removal < plain
