"""The commands that explain: their JSON is a contract, and a change is what the list really does."""

from pathlib import Path
from typing import Any

import pytest
from command import Command

from recsys_core.data.simulate import ShopSize, simulate_shop, write_shop

TINY = [
    *("--set", "epochs=2", "--set", "patience=2", "--set", "max_length=10", "--set", "embedding_size=8"),
    *("--set", "n_blocks=1", "--set", "n_heads=1", "--set", "encoder=none"),
]


@pytest.fixture(scope="module")
def reclens(tmp_path_factory: pytest.TempPathFactory) -> Command:
    folder = tmp_path_factory.mktemp("shop")
    write_shop(simulate_shop(1, ShopSize(120, 120, 3_600)), folder)
    command = Command(tmp_path_factory.mktemp("home"))
    files = ["--items", str(folder / "items.csv"), "--users", str(folder / "users.csv")]
    command.json("ingest", "shop", "--interactions", str(folder / "interactions.csv"), *files)
    command.json("train", "shop", "--ranker", "item-knn", "--name", "knn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsys_core.pipeline.verify_method", lambda *_, **__: None)
        command.json("train", "shop", "--ranker", "transformer", "--name", "net", "--preset", "quick", *TINY)
    return command


def ranks(reclens: Command, model: str, *words: str) -> dict[str, int]:
    found = reclens.json("recommend", model, "--user", "u003", "--k", "119", *words)["recommendations"]
    return {row["item_id"]: row["rank"] for row in found}


@pytest.mark.parametrize("model", ["knn", "net"])
def test_what_is_removed_moves_the_item_as_the_list_without_it_does(reclens: Command, model: str) -> None:
    found = reclens.json("counterfactual", model, "--user", "u003", "--k", "2")
    assert found["rank_before"] == 1 and found["removed"] and isinstance(found["minimal"], bool)
    after = ranks(reclens, model, "--without", ",".join(found["removed"]))
    assert after[found["item_id"]] == found["rank_after"] > 2
    for kept in found["removed"] if len(found["removed"]) > 1 else []:
        others = [item for item in found["removed"] if item != kept]
        assert ranks(reclens, model, "--without", ",".join(others))[found["item_id"]] <= 2


@pytest.mark.parametrize("model", ["knn", "net"])
def test_what_is_removed_lets_the_named_item_overtake(reclens: Command, model: str) -> None:
    first, second = list(ranks(reclens, model))[:2]
    found = reclens.json("counterfactual", model, "--user", "u003", "--item", first, "--overtaken-by", second)
    assert found["removed"] and found["overtaken_by"] == second
    after = ranks(reclens, model, "--without", ",".join(found["removed"]))
    assert after[second] < after[first]


@pytest.mark.parametrize("model", ["knn", "net"])
def test_what_is_added_lifts_the_item(reclens: Command, model: str) -> None:
    item = list(ranks(reclens, model))[5]
    found = reclens.json("counterfactual", model, "--user", "u003", "--item", item, "--k", "3", "--add")
    assert (found["removed"], found["rank_before"]) == ([], 6)
    assert found["added"] and found["rank_after"] <= 3


def test_each_k_is_answered(reclens: Command) -> None:
    found = reclens.json("counterfactual", "knn", "--user", "u003", "--each-k")
    assert [row["k"] for row in found["at_each_k"]] == [1, 2, 3, 4, 5]
    assert all(row["rank_after"] > row["k"] for row in found["at_each_k"] if row["removed"])
    item = list(ranks(reclens, "knn"))[2]
    found = reclens.json("counterfactual", "knn", "--user", "u003", "--item", item, "--each-k")
    assert [row["k"] for row in found["at_each_k"]] == [3, 4, 5]


def test_the_answer_in_words_names_the_ranks(reclens: Command) -> None:
    text = reclens.run("counterfactual", "knn", "--user", "u003", "--k", "1").stdout
    assert "is number 1 for u003. With these" in text and "drops it out of the first 1" in text


def test_contrast_adds_up_to_the_distance_on_the_list(reclens: Command) -> None:
    rows = reclens.json("recommend", "knn", "--user", "u003", "--k", "2")["recommendations"]
    over = rows[1]["item_id"]
    found = reclens.json("explain", "knn", "--user", "u003", "--over", over)["contrast"]
    assert found["over"] == over
    assert found["margin"] == pytest.approx(rows[0]["score"] - rows[1]["score"], abs=1e-6)
    assert sum(row["attribution"] for row in found["attributions"]) == pytest.approx(
        found["margin"], abs=1e-5
    )
    assert "Rather than" in reclens.run("explain", "knn", "--user", "u003", "--over", over).stdout


def test_components_lead_to_the_score_on_the_list(reclens: Command) -> None:
    score = reclens.json("recommend", "net", "--user", "u003", "--k", "1")["recommendations"][0]["score"]
    found: dict[str, Any] = reclens.json("explain", "net", "--user", "u003", "--components")["components"]
    total = sum(row["contribution"] for row in found["parts"])
    assert found["score"] == pytest.approx(score, abs=1e-4)
    assert found["baseline_score"] + total == pytest.approx(found["score"])
    assert "nothing known" in reclens.run("explain", "net", "--user", "u003", "--components").stdout


def test_describe_gives_shares_intervals_and_a_paragraph(reclens: Command) -> None:
    found = reclens.json("describe", "net", "--people", "30")
    assert found["n_people"] == 30 and "30 people" in found["text"]
    parts = [row["value"] for row in found["parameters"] if row["parameter"].startswith("part: ")]
    assert sum(parts) == pytest.approx(1)
    assert all(row["ci_low"] <= row["value"] <= row["ci_high"] for row in found["parameters"])
    assert all(cohort["n"] >= 11 for cohort in found["cohorts"])
    assert "Measured on" in reclens.run("describe", "knn", "--people", "30").stdout
    chinese = reclens.json("describe", "knn", "--people", "30", "--language", "zh")["text"]
    assert chinese.endswith("区间的置信水平为 95 %。")


def test_another_baseline_is_named_and_adds_up_from_another_score(reclens: Command) -> None:
    own, other = (
        reclens.json("explain", "net", "--user", "u003", "--baseline", name)
        for name in ("padding", "mean-item")
    )
    assert (own["baseline_name"], other["baseline_name"]) == ("padding", "mean-item")
    assert own["score"] == other["score"] and own["baseline_score"] != other["baseline_score"]
    total = sum(row["attribution"] for row in other["attributions"])
    assert total == pytest.approx(other["score"] - other["baseline_score"], abs=abs(other["delta"]) + 1e-6)


def test_drawn_values_have_standard_errors_and_more_draws_make_them_smaller(reclens: Command) -> None:
    words = ("explain", "net", "--user", "u003", "--method", "shapley-sampling", "--draws")
    few, many = (reclens.json(*words, draws) for draws in ("4", "400"))
    errors = [max(row["standard_error"] for row in found["attributions"]) for found in (few, many)]
    assert few["n_steps"] == 4 and many["n_steps"] == 400
    assert errors[1] < errors[0]
    assert "standard_error" in reclens.run(*words, "4").stdout


def test_steps_that_are_asked_for_are_taken(reclens: Command) -> None:
    found = reclens.json("explain", "net", "--user", "u003", "--steps", "7")
    assert found["n_steps"] == 7 and found["cost"]["forward"] >= 7


def test_roll_out_says_that_it_is_no_attribution(reclens: Command) -> None:
    words = ("explain", "net", "--user", "u003", "--method", "attention-rollout")
    (warning,) = reclens.json(*words)["warnings"]
    assert "it is no attribution" in warning
    assert f"note: {warning}" in reclens.run(*words).stdout


def test_somebody_without_a_history_is_explained_by_popularity(tmp_path: Path) -> None:
    """Of items a to e, e was touched by all six people, d by five and so on."""
    rows = [
        f"u{n},{item},{100 * n + place}"
        for n in range(6)
        for place, item in enumerate("abcde")
        if place >= n - 1
    ]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    (tmp_path / "users.csv").write_text("user_id,colour\nnew,red\nu0,blue\n")
    command = Command(tmp_path / "home")
    files = ["--interactions", str(tmp_path / "log.csv"), "--users", str(tmp_path / "users.csv")]
    command.json("ingest", "small", *files)
    command.json("train", "small", "--ranker", "item-knn", "--name", "knn")
    found = command.json("explain", "knn", "--user", "new")
    first = command.json("recommend", "knn", "--user", "new", "--k", "1")["recommendations"][0]
    assert (found["item_id"], found["rank"], found["score"]) == (first["item_id"], 1, first["score"])
    assert (found["popularity_rank"], found["attributions"], found["components"]) == (1, [], None)
    assert found["training_interactions"] == first["score"]
    assert "made from popularity" in command.run("explain", "knn", "--user", "new").stdout
    assert "no history" in command.refusal("counterfactual", "knn", "--user", "new", "--k", "2")
    lifted = command.json("counterfactual", "knn", "--user", "new", "--item", "a", "--k", "1", "--add")
    assert lifted["rank_before"] > 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["counterfactual", "knn", "--user", "nobody", "--k", "5"], "no person 'nobody'"),
        (["counterfactual", "knn", "--user", "u003", "--item", "i9999"], "no item 'i9999'"),
        (["counterfactual", "knn", "--user", "u003", "--k", "0"], "k is 0"),
        (["counterfactual", "knn", "--user", "u003", "--k", "500"], "k is 500"),
        (["counterfactual", "knn", "--user", "u003", "--overtaken-by", "i9999"], "no item 'i9999'"),
        (["counterfactual", "knn", "--user", "u003", "--add"], "--add needs --item"),
        (["counterfactual", "knn", "--user", "u003", "--add", "--each-k"], "neither with"),
        (["counterfactual", "knn", "--user", "u003", "--as-of", "later"], "the moment is 'later'"),
        (["explain", "knn", "--user", "u003", "--components"], "has no components"),
        (["explain", "knn", "--user", "u003", "--over", "i9999"], "no item 'i9999'"),
        (["describe", "knn", "--people", "3"], "at least 11"),
        (["describe", "knn", "--people", "30", "--language", "fr"], "no language 'fr'; languages are en, zh"),
        (["explain", "knn", "--user", "u003", "--baseline", "mask"], "counts has no baseline 'mask'"),
        (["explain", "knn", "--user", "u003", "--method", "gradient-shap"], "methods that do: counts"),
        (["explain", "net", "--user", "u003", "--method", "counts"], "methods that do: integrated-gradients"),
        (["explain", "net", "--user", "u003", "--steps", "600"], "a path has 1 to 512 points"),
        (["explain", "net", "--user", "u003", "--draws", "5"], "an even number from 4"),
        (
            ["explain", "net", "--user", "u003", "--method", "shapley-sampling", "--draws", "1000000"],
            "more than the budget of 50,000; up to ",
        ),
    ],
)
def test_bad_input_is_one_sentence(reclens: Command, words: list[str], sentence: str) -> None:
    assert sentence in reclens.refusal(*words)


def test_an_item_further_down_is_refused_with_its_rank(reclens: Command) -> None:
    item = list(ranks(reclens, "knn"))[7]
    sentence = reclens.refusal("counterfactual", "knn", "--user", "u003", "--item", item, "--k", "3")
    assert "number 8 of this list" in sentence
    touched = reclens.json("explain", "knn", "--user", "u003")["attributions"][0]["item_id"]
    assert "in this person's history" in reclens.refusal(
        "counterfactual", "knn", "--user", "u003", "--item", touched
    )
