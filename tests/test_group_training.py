"""Training by groups from settings: who is in which group, every neural ranker, and choices as texts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hand_made import tables

from recsys_core.config import make_settings
from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.split import histories, leave_one_out
from recsys_core.errors import ConfigError, DataError
from recsys_core.pipeline import learn, people_groups
from recsys_core.trainer.groups import GroupChoice, parse_group_choice

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def regions() -> Dataset:
    """24 people with six items each; every third one's region is missing."""
    made = tables([(f"u{user}", f"i{(user + item) % 9}") for user in range(24) for item in range(6)])
    made.users["region"] = ["East", "West", ""] * 8
    made.users["member"] = ["yes", "no"] * 12
    return build_dataset(made)


def test_people_whose_attribute_is_missing_are_a_group_of_their_own(regions: Dataset):
    groups = people_groups(regions, " region ")
    assert groups is not None
    assert groups.names == ("East", "West", "unknown")
    assert groups.of(regions.attribute_codes).tolist() == [0, 1, 2] * 8


def test_attributes_can_be_crossed(regions: Dataset):
    groups = people_groups(regions, "region*member")
    assert groups is not None
    names = [groups.names[number] for number in groups.of(regions.attribute_codes)]
    assert names[:6] == ["East × yes", "West × no", "unknown", "East × no", "West × yes", "unknown"]


def test_no_attribute_makes_no_groups_and_one_that_is_not_there_is_refused(regions: Dataset):
    assert people_groups(regions, "") is None
    with pytest.raises(DataError, match="'tea' is not an attribute of the people"):
        people_groups(regions, "tea")


@pytest.mark.parametrize("method", ["dro", "adversarial"])
@pytest.mark.parametrize("ranker", ["transformer", "bert4rec", "lstm", "fusion", "hybrid"])
def test_every_neural_ranker_can_heed_groups(ranker: str, method: str, regions: Dataset, tmp_path: Path):
    # of several steps: what makes a group unreadable is worked out by the first one
    changes = ["epochs=1", "batch_size=8", "max_length=6", "embedding_size=8", "encoder=none", "item_id=true"]
    asked = ["group_attribute=region", f"group_objective={method}"]
    split = leave_one_out(regions)
    with_groups, without = (
        learn(
            regions,
            split,
            make_settings(ranker, "quick", [*changes, *more]),
            seed=0,
            device=CPU,
            cache=tmp_path,
            progress=lambda share, message: None,
            on_epoch=lambda epoch: None,
        ).ranker
        for more in (asked, [])
    )
    known = histories(regions, split, "test")
    scores = with_groups.score(known)
    assert np.isfinite(scores[:, 1:]).all()
    assert (scores != without.score(known)).any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("dro", GroupChoice("dro", 1.0)), (" gap : 2 ", GroupChoice("gap", 2.0))],
)
def test_a_choice_from_a_text(text: str, expected: GroupChoice):
    assert parse_group_choice(text) == expected


@pytest.mark.parametrize("text", ["", "none", "tea", "dro:", "gap:much"])
def test_a_text_that_is_no_choice_is_refused(text: str):
    with pytest.raises(ConfigError, match="is no training by groups; write resampling"):
        parse_group_choice(text)
