"""`reclens decompose` on a small simulated shop, where one age band has shorter histories."""

import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.metrics.person_factors import FACTORS


@pytest.fixture(scope="module")
def reclens(kept_shop: BuiltWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command on a copy of the shop, because an audit may be kept."""
    return Command(kept_shop.home)


def test_decompose_splits_the_gap_of_the_audit(reclens: Command):
    found = reclens.json(
        "decompose", "Test item-knn", "--by", "region", "--metric", "hr@60", "--draws", "200"
    )
    assert found["metric"] == "hr@60"
    assert "not what causes it" in found["note"]
    assert found["gaps"]
    for gap in found["gaps"]:
        parts = sum(row["value"] for row in gap["factors"]) + gap["structure"]["value"]
        assert parts == pytest.approx(gap["gap"]["value"], abs=1e-12)
        named = {row["factor"] for row in (*gap["factors"], *gap["not_used"])}
        assert named == set(FACTORS)
        may_be_none = gap["gap"]["ci_low"] <= 0 <= gap["gap"]["ci_high"]
        shares = [gap["share_of_length_and_what_follows"], *(row["share"] for row in gap["factors"])]
        assert [share is None for share in shares] == [may_be_none] * len(shares)


def test_decompose_in_words_ends_with_what_it_does_not_say(reclens: Command):
    text = reclens.run("decompose", "Test item-knn", "--by", "region", "--metric", "hr@60", "--draws", "200")
    assert "structure" in text.stdout and "history_length" in text.stdout
    assert text.stdout.rstrip().endswith("the data don't hold.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--by", "tea"], "'tea' is not an attribute"),
        (["--by", "gender", "--group", "non-binary"], "fewer than 11 people"),
        (["--by", "gender", "--group", "tea"], "no gap of the group 'tea'"),
        (["--by", "gender", "--draws", "10"], "draws is 10"),
        (["--by", "gender", "--metric", "tea@1"], "no metric 'tea@1'"),
    ],
)
def test_bad_input_is_one_sentence(reclens: Command, words: list[str], sentence: str):
    assert sentence in reclens.refusal("decompose", "Test item-knn", *words)


def test_the_worst_subgroup_is_told_with_what_the_other_half_says(reclens: Command):
    words = ("--by", "region", "--by", "age_band", "--metric", "hr@60", "--fewest", "12", "--draws", "200")
    found = reclens.json("subgroups", "Test item-knn", *words)
    assert 1 <= len(found["conditions"]) <= 2
    assert {row["attribute"] for row in found["conditions"]} <= {"region", "age_band"}
    assert found["difference"] == pytest.approx(found["value"] - found["others"])
    assert found["n"] >= 12
    text = reclens.run("subgroups", "Test item-knn", *words).stdout
    assert "half of the people see" in text and "the other half" in text


def test_without_attributes_named_all_that_fit_are_searched(reclens: Command):
    words = ("--metric", "hr@60", "--fewest", "20", "--depth", "1", "--draws", "200")
    assert reclens.json("subgroups", "Test item-knn", *words)["n_searched"] >= 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--by", "region", "--depth", "7"], "depth is 7; allowed are 1 to 3"),
        (["--by", "region", "--fewest", "3"], "must be 11 or more"),
        (["--by", "region", "--fewest", "70"], "no subgroup of region has 70 people in each half"),
        (["--by", "tea"], "'tea' is not an attribute"),
    ],
)
def test_a_search_that_cannot_be_made_is_one_sentence(reclens: Command, words: list[str], sentence: str):
    assert sentence in reclens.refusal("subgroups", "Test item-knn", *words)
