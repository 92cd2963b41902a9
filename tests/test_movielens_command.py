"""The main job through the command alone, on MovieLens-100K, with every figure recomputed or compared."""

import os
from pathlib import Path

import pytest
from command import Command
from recomputed import ndcg_by_ranx

from recsys_core.actions.models import open_model
from recsys_core.actions.reasons import explain_item
from recsys_core.store.workspace import Workspace

DATA = Path(os.environ.get("RECLENS_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
FOLDER = DATA / "ml-100k"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="needs MovieLens-100K in RECLENS_TEST_DATA"),
]


@pytest.fixture(scope="module")
def reclens(tmp_path_factory: pytest.TempPathFactory) -> Command:
    command = Command(tmp_path_factory.mktemp("home"))
    found = command.json("ingest", "ml", "--sample", "movielens-100k", "--path", str(FOLDER))
    assert (found["n_interactions"], found["n_users"], found["n_items"]) == (100_000, 943, 1_682)
    for ranker in ("popularity", "item-knn", "transformer"):
        command.json("train", "ml", "--ranker", ranker, "--name", ranker, "--preset", "quick")
    return command


def test_transformer_ranks_better_than_popularity_and_item_knn(reclens: Command) -> None:
    popularity, item_knn, transformer = (
        reclens.json("evaluate", name)["ndcg@10"] for name in ("popularity", "item-knn", "transformer")
    )
    assert transformer > item_knn > popularity > 0


def test_ranx_finds_the_same_ndcg_in_the_written_lists(reclens: Command, tmp_path: Path) -> None:
    reclens.json("split", "ml", "--out", str(tmp_path))
    reclens.json("recommend", "transformer", "--all", "--k", "10", "--out", str(tmp_path / "lists.parquet"))
    assert ndcg_by_ranx(tmp_path) == pytest.approx(
        reclens.json("evaluate", "transformer")["ndcg@10"], abs=1e-6
    )


def test_explanation_adds_up_to_the_score_difference(reclens: Command) -> None:
    found = reclens.json("explain", "transformer", "--user", "196")
    total = sum(row["attribution"] for row in found["attributions"])
    difference = found["score"] - found["baseline_score"]
    assert total - difference == pytest.approx(found["delta"], abs=1e-9)
    assert abs(found["delta"]) <= 0.01 * abs(difference)
    first = reclens.json("recommend", "transformer", "--user", "196", "--k", "1")["recommendations"][0]
    assert (found["item_id"], found["score"]) == (first["item_id"], pytest.approx(first["score"], abs=1e-4))


def test_attributions_of_a_hundred_lists_add_up_within_one_percent(reclens: Command) -> None:
    model = open_model(Workspace.open(reclens.workspace), "transformer")
    people = model.data.dataset.users["user_id"].iloc[::9].head(100)
    found = [explain_item(model, user_id).attributions for user_id in people]
    assert len(found) == 100
    assert max(attributions.relative_delta for attributions in found) <= 0.01


def test_audit_by_gender_and_age_covers_everybody(reclens: Command) -> None:
    found = reclens.json("audit", "transformer", "--by", "gender", "--by", "age")
    sizes = {row["group"]: row["n"] for row in found["by_group"] if row["attribute"] == "gender"}
    assert sizes == {"F": 273, "M": 670}
    assert sum(row["n"] for row in found["by_group"] if row["attribute"] == "age") == 943
    assert {gap["verdict"] for gap in found["gaps"]} <= {"disparity", "equivalent", "inconclusive"}
