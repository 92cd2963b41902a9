"""The membership attack: a ranker that remembers is seen through, one that can't isn't; pairs by hand."""

import numpy as np
import pytest
from app_workspace import BuiltWorkspace
from command import Command
from hand_made import WeightedSum, dataset_of, histories_in

from recsys_core.data.dataset import Dataset, Histories
from recsys_core.data.split import histories, leave_one_out
from recsys_core.ranker.membership import membership_wins
from recsys_core.ranker.protocol import ScoreArray

DATASET = dataset_of({"ann": "abcde", "bob": "bcaed", "cid": "ab"})
SPLIT = leave_one_out(DATASET)


def many_people() -> Dataset:
    """800 people who each touch 12 of 26 items in a drawn order."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return dataset_of({f"u{user}": "".join(rng.permutation(letters)[:12]) for user in range(800)})


MANY = many_people()
MANY_SPLIT = leave_one_out(MANY)
MANY_TRAINED = {
    tuple(own[:-1].tolist()): int(own[-1]) for own in histories_in(histories(MANY, MANY_SPLIT, "valid"))
}


class Remembers(WeightedSum):
    """Scores of 1 for what came next in training, and a random order of all else."""

    def score(self, histories: Histories) -> ScoreArray:
        scores = super().score(histories)
        for row in range(len(histories)):
            own = MANY_TRAINED.get(tuple(histories[row].tolist()))
            if own is not None:
                scores[row, own] = 1e6
        return scores


def weights(value: float = 0.0) -> np.ndarray:
    return np.full((DATASET.n_items + 1, DATASET.n_items + 1), value)


def test_a_ranker_that_remembers_its_training_is_seen_through():
    """It ranks every training item first; a held-out one is first by chance, for one in sixteen."""
    ranker = Remembers(np.random.default_rng(1).random((27, 27)))
    wins = membership_wins(ranker, MANY, MANY_SPLIT)
    assert np.nanmean(wins) > 0.9
    assert not np.isnan(wins).any()


def test_people_without_two_training_items_or_a_target_have_no_value():
    assert np.isnan(membership_wins(WeightedSum(weights()), DATASET, SPLIT)[2])


def test_pairs_by_hand():
    """All scores equal, so items are ranked by number. Ann: c among c, d, e is first, d among d, e first too.

    Bob trains on b, c, a; a (number 1) among a, d, e is first; e is second of d, e.
    """
    wins = membership_wins(WeightedSum(weights()), DATASET, SPLIT)
    assert wins[:2].tolist() == [0.5, 1.0]


def test_a_last_item_that_was_known_before_gives_no_pair():
    again = dataset_of({"ann": "abcabde", "bob": "abcdef"})
    split = leave_one_out(again)
    assert histories(again, split, "valid")[0].tolist() == [1, 2, 3, 1, 2]
    ranker = WeightedSum(np.zeros((again.n_items + 1, again.n_items + 1)))
    wins = membership_wins(ranker, again, split)
    assert np.isnan(wins[0]) and not np.isnan(wins[1])


def test_scores_that_know_nothing_of_training_win_half_of_the_time():
    ranker = WeightedSum(np.random.default_rng(2).random((27, 27)))
    assert np.nanmean(membership_wins(ranker, MANY, MANY_SPLIT)) == pytest.approx(0.5, abs=0.06)


def test_the_command_audits_the_attack_by_group(own_shop: BuiltWorkspace):
    reclens = Command(own_shop.home)
    found = reclens.json("membership", "Test item-knn", "--by", "region", "--draws", "200")
    assert found["overall"]["metric"] == "membership"
    assert 0.5 < found["overall"]["value"] <= 1
    assert 0 <= found["popularity"] <= 1
    assert found["overall"]["value"] > found["popularity"]
    assert {row["group"] for row in found["by_group"]} >= {"North", "South"}
    text = reclens.run("membership", "Test item-knn", "--by", "region", "--draws", "200").stdout
    assert "50 % = a guess" in text
    assert "'tea' is not an attribute" in reclens.refusal("membership", "Test item-knn", "--by", "tea")
