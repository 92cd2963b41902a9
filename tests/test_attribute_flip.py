"""Lists with an attribute at another value: they move where a ranker reads it, and nowhere else."""

import numpy as np
import pytest
import torch
from hand_made import WeightedSum, shaken, tables

from recsys_core.config import make_settings
from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.profiles import item_traits, profile_layout
from recsys_core.data.split import histories, leave_one_out
from recsys_core.ranker.attribute_flip import attribute_inputs, flipped_lists
from recsys_core.ranker.ensemble import new_ensemble
from recsys_core.ranker.fusion import FusionRanker
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.profile import ProfileColumns

N_ITEMS, K = 8, 3


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Six people of three regions, each with three of eight items."""
    pairs = [(f"u{user}", f"i{(user + step) % N_ITEMS}") for user in range(6) for step in (0, 1, 3)]
    pairs += [("u6", f"i{item}") for item in range(N_ITEMS)]
    made = tables(pairs, range(len(pairs)))
    made.users["region"] = ["East", "West", "North"] * 2 + ["East"]
    return build_dataset(made)


def ranker_of(dataset: Dataset, allowed: list[str]) -> FusionRanker:
    traits = item_traits(dataset, histories(dataset, leave_one_out(dataset), "valid"))
    columns = ProfileColumns.of(profile_layout(dataset, traits, allowed), traits)
    torch.manual_seed(0)
    return shaken(FusionRanker(N_ITEMS, 4, 10, 0.0, columns, None, True))


def test_only_rankers_that_read_an_attribute_have_it_as_input(dataset: Dataset):
    reads, blind = ranker_of(dataset, ["region"]), ranker_of(dataset, [])
    assert attribute_inputs(reads) == ("region",)
    assert attribute_inputs(blind) == ()
    assert attribute_inputs(WeightedSum(np.eye(N_ITEMS + 1))) == ()
    settings = make_settings("fusion", changes=["attributes=region"])
    members = [Inner(name, "fusion", settings, one) for name, one in (("a", reads), ("b", blind))]
    assert attribute_inputs(new_ensemble(members, [1, 1], "log-probability")) == ("region",)


def test_lists_at_another_value_are_those_of_somebody_who_has_it(dataset: Dataset):
    """Of three regions each person gets the lists of the two others, in the order of their codes."""
    ranker = ranker_of(dataset, ["region"])
    known = histories(dataset, leave_one_out(dataset), "test").take(np.arange(6))
    found = flipped_lists(ranker, dataset, known, "region", K)
    assert found.as_it_is.shape == found.withheld.shape == (6, K)
    assert found.others.shape == (6, 2, K)
    asked = known.askers
    assert asked is not None
    for person in range(6):
        own = int(asked.attributes[person, 0])
        for step in (1, 2):
            there = (own - 1 + step) % 3 + 1
            twin = known.take(np.array([person]))
            assert twin.askers is not None
            twin.askers.attributes[0, 0] = there
            lists = flipped_lists(ranker, dataset, twin, "region", K)
            assert (found.others[person, step - 1] == lists.as_it_is[0]).all()
    assert (found.others != found.as_it_is[:, None]).any()
    assert (asked.attributes[:, 0] > 0).all()


def test_a_ranker_that_does_not_read_it_keeps_its_lists(dataset: Dataset):
    known = histories(dataset, leave_one_out(dataset), "test").take(np.arange(6))
    found = flipped_lists(ranker_of(dataset, []), dataset, known, "region", K)
    assert (found.others == found.as_it_is[:, None]).all()
    assert (found.withheld == found.as_it_is).all()
