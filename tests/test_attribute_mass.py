"""Attribution mass: it lies where a planted model looks, and nowhere else."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from app_workspace import TINY, BuiltWorkspace
from command import Command
from scipy.sparse import csr_array
from scipy.stats import chi2_contingency, false_discovery_control
from scipy.stats.contingency import association

from recsys_core.data.dataset import Histories
from recsys_core.data.events import Askers
from recsys_core.explain.attribute_mass import attribute_mass
from recsys_core.explain.scoring import Question
from recsys_core.fairness.proxies import associations

N_ITEMS = 6


@dataclass(frozen=True)
class Looks:
    """Scores of item 6: so much for the attribute (code 2), so much for item 1 and so much for item 2."""

    attribute: float = 0.0
    first: float = 0.0
    second: float = 0.0
    n_items: int = N_ITEMS
    max_length: int = 10
    score_kind: str = "similarity"

    def score(self, histories: Histories) -> np.ndarray:
        scores = np.zeros((len(histories), N_ITEMS + 1), dtype=np.float32)
        for row in range(len(histories)):
            known = histories.askers is not None and histories.askers.attributes[row, 0] == 2
            scores[row, N_ITEMS] = self.attribute * known
            scores[row, N_ITEMS] += self.first * (1 in histories[row]) + self.second * (2 in histories[row])
        return scores

    def tensors(self) -> dict[str, torch.Tensor]:
        return {}


def question(history: list[int], codes: list[int]) -> Question:
    asker = Askers(np.array([codes]), np.array([np.nan]))
    return Question(np.array(history), N_ITEMS, np.array(history), None, asker)


def mass_of(ranker: Looks, codes: list[int], columns: tuple[int, ...] = (0,)) -> list[float]:
    """With item 1 as the proxy, and items 2 and 3 as the rest."""
    found = attribute_mass(ranker, [question([1, 2, 3], codes)], columns, np.array([1]))  # type: ignore[arg-type]
    return found[0].tolist()


def test_a_model_in_which_the_attribute_decides_has_all_mass_on_it():
    assert mass_of(Looks(attribute=3.0), [2]) == [1.0, 0.0, 0.0]


def test_a_model_without_the_attribute_has_none_on_it():
    assert mass_of(Looks(first=1.0, second=-3.0), [2]) == pytest.approx([0.0, 0.25, 0.75])


def test_a_model_that_goes_by_a_proxy_has_its_mass_there():
    assert mass_of(Looks(first=2.0), [2]) == [0.0, 1.0, 0.0]


def test_shares_are_those_of_a_sum_by_hand():
    assert mass_of(Looks(attribute=-1.0, first=2.0, second=1.0), [2]) == pytest.approx([0.25, 0.5, 0.25])


def test_an_attribute_that_is_another_one_is_rest_or_proxy():
    ranker = Looks(attribute=1.0)
    asked = [question([1, 2], [2, 1])]
    found = attribute_mass(ranker, asked, (1,), np.array([1]))  # type: ignore[arg-type]
    assert found.tolist() == [[0.0, 0.0, 1.0]]
    found = attribute_mass(ranker, asked, (1,), np.array([1]), (0,))  # type: ignore[arg-type]
    assert found.tolist() == [[0.0, 1.0, 0.0]]


def test_whom_nothing_moves_has_no_mass_anywhere():
    assert mass_of(Looks(), [2]) == [0.0, 0.0, 0.0]


def test_nobody_is_no_row():
    found = attribute_mass(Looks(), [], (0,), np.array([1]))  # type: ignore[arg-type]
    assert found.shape == (0, 3)


def test_associations_are_those_of_scipy():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 3, 200)
    has = (rng.random((200, 12)) < np.linspace(0.2, 0.8, 12)).astype(float)
    has[:, 0] = groups == 1
    for group in range(3):
        other = np.flatnonzero(groups == group)[:11]
        has[other, 0] = 1 - has[other, 0]
    found = associations(csr_array(has), groups)
    tables = [
        np.array([[(has[groups == g, m] == v).sum() for g in range(3)] for v in (0, 1)]) for m in range(12)
    ]
    assert found.strength == pytest.approx([association(own, method="cramer") for own in tables], abs=1e-12)
    p_values = [chi2_contingency(own, correction=False)[1] for own in tables]
    assert found.p_adjusted == pytest.approx(false_discovery_control(p_values), rel=1e-9)
    assert found.strongest()[0] == 0


def tables_of(sizes: tuple[int, int]) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """Who has which of as many inputs as there are tables, everybody's group, and [tables, 2] who have it."""
    cells = np.array([(a, b) for a in range(sizes[0] + 1) for b in range(sizes[1] + 1)])
    groups = np.repeat([0, 1], sizes)
    place = np.concatenate([np.arange(size) for size in sizes])  # within the group
    return csr_array((place[:, None] < cells.T[groups]).astype(float)), groups, cells


def test_nothing_that_is_told_of_an_input_tells_of_few_people():
    """All tables of groups of 117 and 123, as whoever knows the sizes would try them."""
    sizes, fewest = (117, 123), 11
    has, groups, cells = tables_of(sizes)
    found = associations(has, groups)
    smallest = np.minimum(cells, np.array(sizes) - cells).min(axis=1)
    assert (found.strength[smallest < fewest] == 0).all() and (found.p_adjusted[smallest < fewest] == 1).all()
    told = found.p_adjusted <= 0.05
    assert told.sum() > 5_000 and (smallest[told] >= fewest).all()
    as_shown, counts = np.unique(found.strength[told].round(2), return_counts=True)
    most_apart = (106 * 112 - 11 * 11) / (117 * 123)  # 11 and 112 have it, 106 and 11 lack it
    assert as_shown.max() == pytest.approx(most_apart, abs=0.005)
    assert counts[as_shown <= 0.7].min() > 30  # far from there one figure is that of many tables


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("cell", [0, 1, 10])
def test_an_input_that_few_of_a_group_have_or_lack_is_no_proxy(cell: int, turned: bool):
    groups = np.repeat([0, 1], [100, 100])
    has = np.zeros((200, 1))
    has[:cell] = has[100:150] = 1  # so many of the first group, half of the second one
    found = associations(csr_array(1 - has if turned else has), groups)
    assert found.strength.tolist() == [0] and found.p_adjusted.tolist() == [1]
    assert found.strongest().tolist() == []


def test_as_many_as_the_threshold_says_are_enough():
    groups = np.repeat([0, 1], [100, 100])
    has = np.zeros((200, 1))
    has[:12] = has[100:150] = 1
    strength = [associations(csr_array(has), groups, fewest=own).strength[0] for own in (12, 13)]
    assert strength == pytest.approx([(50 * 88 - 12 * 50) / (100 * 100 * 62 * 138) ** 0.5, 0])


def test_without_an_association_there_is_hardly_ever_a_proxy():
    rng = np.random.default_rng(0)
    groups = np.arange(300) % 2
    found = [associations(csr_array(rng.integers(0, 2, (300, 40)) * 1.0), groups) for _ in range(200)]
    assert np.mean([len(own.strongest()) > 0 for own in found]) <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def test_one_group_alone_has_no_proxies():
    found = associations(csr_array(np.eye(30)), np.zeros(30, dtype=np.int64))
    assert found.strongest().tolist() == []


@pytest.mark.slow
def test_the_command_tells_mass_by_group_with_intervals(own_shop: BuiltWorkspace):
    reclens = Command(own_shop.home)
    settings = [
        f"--set={change}" for change in (*TINY[:4], "encoder=none", "item_id=true", "attributes=region")
    ]
    words = ("--ranker", "fusion", "--name", "reads", "--preset", "quick")
    reclens.json("train", "Test shop", *words, *settings)
    asked = ("--by", "region", "--permutations", "19")
    reads = reclens.json("leakage", "reads", *asked)["mass"]
    assert reads["reads"] is True and reads["reason"] == ""
    assert reads["groups"][0]["group"] == ""
    for row in reads["groups"]:
        assert 0 < row["attribute"]["value"] < 1 and row["n"] >= 11
        for share in (row["attribute"], row["proxies"]):
            assert 0 <= share["ci_low"] <= share["value"] <= share["ci_high"] <= 1
    blind = reclens.json("leakage", "Test item-knn", *asked)["mass"]
    assert blind["reads"] is False
    assert all(row["attribute"] == {"value": 0, "ci_low": 0, "ci_high": 0} for row in blind["groups"])
    assert "share of what moves people's first items" in reclens.run("leakage", "reads", *asked).stdout
    still = reclens.json("leakage", "Test popularity", *asked)["mass"]
    assert still["groups"] == [] and "nothing that is known of people moves" in still["reason"]
