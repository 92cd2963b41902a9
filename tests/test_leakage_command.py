"""`reclens leakage`: groups that may be shown are probed, lists are flipped where the attribute is read."""

import pytest
from app_workspace import TINY, BuiltWorkspace
from command import Command


@pytest.fixture
def reclens(own_shop: BuiltWorkspace) -> Command:
    return Command(own_shop.home)


WORDS = ("--by", "region", "--permutations", "19")


def test_large_groups_have_a_probe_and_small_ones_a_reason(reclens: Command):
    """Of 150 people in five regions none has 50."""
    found = reclens.json("leakage", "Test item-knn", *WORDS)
    assert found["attribute"] == "region"
    assert all(row["model"] is None and "insufficient data" in row["reason"] for row in found["groups"])
    assert found["flip"] is None
    assert "doesn't read this attribute" in found["flip_reason"]


def test_a_probe_says_how_well_a_group_is_told(own_wider_shop: BuiltWorkspace):
    reclens = Command(own_wider_shop.home)
    found = reclens.json("leakage", "Test item-knn", "--by", "gender", "--permutations", "19")
    probed = [row for row in found["groups"] if row["model"] is not None]
    assert [row["group"] for row in probed] == ["female"]  # of two groups one probe says it all
    for row in probed:
        for source in ("model", "history"):
            probe = row[source]
            assert 0 <= probe["ci_low"] <= probe["auc"] <= probe["ci_high"] <= 1
            assert 0 < probe["p_value"] <= 1
            assert probe["n"] >= 50
    text = reclens.run("leakage", "Test item-knn", "--by", "gender", "--permutations", "19").stdout
    assert "read from" in text and "history" in text


def test_a_model_that_reads_the_attribute_has_its_lists_flipped(reclens: Command):
    settings = [
        f"--set={change}" for change in (*TINY[:4], "encoder=none", "item_id=true", "attributes=region")
    ]
    reclens.json(
        "train", "Test shop", "--ranker", "fusion", "--name", "reads", "--preset", "quick", *settings
    )
    flip = reclens.json("leakage", "reads", *WORDS)["flip"]
    assert 0 <= flip["overlap"] <= 1 and 0 <= flip["overlap_withheld"] <= 1
    assert 0 <= flip["changed"] <= 1
    assert flip["k"] == 10
    assert len(flip["overlap_by_group"]) >= 2
    assert "with another value of region" in reclens.run("leakage", "reads", *WORDS).stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--by", "tea"], "'tea' is not an attribute"),
        (["--by", "region", "--permutations", "5"], "5 shuffles were asked for"),
        (["--by", "region", "--k", "0"], "k is 0; a list has at least 1 item"),
    ],
)
def test_bad_input_is_one_sentence(reclens: Command, words: list[str], sentence: str):
    assert sentence in reclens.refusal("leakage", "Test item-knn", *words)
