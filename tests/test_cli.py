"""The command: its JSON is a contract, and bad input is one sentence with exit code 2."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command import Command
from recomputed import ndcg_by_ranx

from recsys_core.data.simulate import ShopSize, simulate_shop, write_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_shop(simulate_shop(1, ShopSize(200, 150, 7_000)), folder)
    return folder


@pytest.fixture(scope="module")
def reclens(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    command = Command(tmp_path_factory.mktemp("home with a space"))
    files = ["--items", str(shop / "items.csv"), "--users", str(shop / "users.csv")]
    command.json("ingest", "shop", "--interactions", str(shop / "interactions.csv"), *files)
    command.json("train", "shop", "--ranker", "item-knn", "--name", "knn")
    return command


def test_ingest_answers_with_counts_and_rejected_rows(reclens: Command, tmp_path: Path) -> None:
    rows = [f"u{n % 40},i{n % 25},{1_700_000_000 + n}" for n in range(198)]
    (tmp_path / "log.csv").write_text(
        "\n".join(["user,item,time", *rows, ",i1,1700000000", "u1,i1,yesterday"])
    )
    found = reclens.json("ingest", "log", "--interactions", str(tmp_path / "log.csv"))
    assert (found["n_interactions"], found["n_users"], found["n_items"], found["n_rejected"]) == (
        198,
        40,
        25,
        2,
    )
    assert [f"{row['file']}:{row['row']}" for row in found["rejected"]] == ["log.csv:200", "log.csv:201"]
    assert len(pd.read_csv(found["rejected_file"])) == 2


def test_train_answers_with_figures_of_both_parts(reclens: Command) -> None:
    found = reclens.json("train", "shop", "--ranker", "popularity", "--name", "popular")
    assert {"model", "ranker", "preset", "epochs", "seconds", "peak_memory_bytes", "weights_sha256"} <= set(
        found
    )
    assert 0 <= found["test"]["ndcg@10"] <= found["test"]["hr@10"] <= 1
    assert len(found["weights_sha256"]) == 64


def test_evaluate_at_another_k_finds_at_least_as_many(reclens: Command) -> None:
    ten, fifty = reclens.json("evaluate", "knn"), reclens.json("evaluate", "knn", "--k", "50")
    assert ten["n_users"] == fifty["n_users"] > 150
    assert 0 < ten["hr@10"] <= fifty["hr@50"]


def test_lists_and_split_let_anybody_recompute_ndcg(reclens: Command, tmp_path: Path) -> None:
    reclens.json("split", "shop", "--out", str(tmp_path))
    reclens.json("recommend", "knn", "--all", "--k", "10", "--out", str(tmp_path / "lists.parquet"))
    assert ndcg_by_ranx(tmp_path) == pytest.approx(reclens.json("evaluate", "knn")["ndcg@10"], abs=1e-6)


def test_a_list_has_ten_places_unless_told_otherwise(reclens: Command) -> None:
    rows = reclens.json("recommend", "knn", "--user", "u003", "--rerank", "mmr:0.3")["recommendations"]
    assert [row["rank"] for row in rows] == list(range(1, 11))


def test_recommend_leaves_history_out_and_ranks_from_one(reclens: Command) -> None:
    rows = reclens.json("recommend", "knn", "--history", "i001,i002", "--k", "5")["recommendations"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert not {"i001", "i002"} & {row["item_id"] for row in rows}
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert {row["source"] for row in rows} == {"history"}


def test_somebody_without_a_history_gets_what_is_popular_and_is_told(
    reclens: Command, tmp_path: Path
) -> None:
    reclens.json("split", "shop", "--out", str(tmp_path))
    train = pd.read_parquet(tmp_path / "train.parquet")
    touches = train[train["item_id"] != train.groupby("user_id")["item_id"].shift()]
    counts = touches["item_id"].value_counts()
    rows = reclens.json("recommend", "knn", "--history", "", "--k", "3")["recommendations"]
    assert {row["source"] for row in rows} == {"popularity"}
    assert [row["score"] for row in rows] == sorted(counts, reverse=True)[:3]


def test_recommend_without_an_item_keeps_it_off_the_list(reclens: Command) -> None:
    reasons = reclens.json("explain", "knn", "--user", "u003")["attributions"]
    gone = max(reasons, key=lambda row: row["attribution"])["item_id"]
    rows = reclens.json("recommend", "knn", "--user", "u003", "--without", gone, "--k", "149")[
        "recommendations"
    ]
    assert gone not in {row["item_id"] for row in rows}


def test_a_reranked_list_has_other_items_and_ranks_from_one(reclens: Command) -> None:
    asked = ("recommend", "knn", "--user", "u003", "--k", "10")
    plain = reclens.json(*asked)["recommendations"]
    same, other = (
        reclens.json(*asked, "--rerank", spec)["recommendations"] for spec in ("mmr:0", "popularity:1")
    )
    assert same == plain
    assert [row["rank"] for row in other] == list(range(1, 11))
    assert {row["item_id"] for row in other} != {row["item_id"] for row in plain}


def test_explain_gives_the_whole_history_and_adds_up(reclens: Command) -> None:
    found = reclens.json("explain", "knn", "--user", "u003")
    total = sum(row["attribution"] for row in found["attributions"])
    assert [row["position"] for row in found["attributions"]] == list(
        range(1, len(found["attributions"]) + 1)
    )
    assert total == pytest.approx(found["score"], rel=1e-5)
    assert found["rank"] == 1 and isinstance(found["verified"], bool) and found["reason"]


def test_a_list_that_no_history_counts_for_says_so(reclens: Command) -> None:
    reclens.json("train", "shop", "--ranker", "popularity", "--name", "same for all")
    told = reclens.run("explain", "same for all", "--user", "u003").stdout
    assert "no item of the history counts for it" in told and "strongest" not in told
    assert "the strongest of its reasons" in reclens.run("explain", "knn", "--user", "u003").stdout


def test_audit_answers_with_groups_gaps_and_what_it_left_open(reclens: Command, tmp_path: Path) -> None:
    report = tmp_path / "audit.html"
    found = reclens.json("audit", "knn", "--by", "gender", "--by", "age_band", "--report", str(report))
    assert set(found) >= {"overall", "by_group", "gaps", "not_computed", "sizes", "summaries"}
    assert {row["attribute"] for row in found["by_group"]} == {"gender", "age_band"}
    assert all(row["n"] is None for row in found["by_group"] if row["suppressed"])
    assert "http" not in report.read_text().split("<body", 1)[1].replace("http-equiv", "")
    assert [kept["id"] for kept in reclens.json("list", "audits")["audits"]] == [found["audit"]]


def test_an_audit_says_what_its_report_is_asked_by(reclens: Command, tmp_path: Path) -> None:
    told = reclens.run("audit", "knn", "--by", "region", "--draws", "200").stdout
    words = told.rsplit("reclens report ", 1)[1].split()[0]
    again = reclens.json("report", words, "--out", str(tmp_path / "again.json"))
    assert again["audit"] == words


def test_list_names_what_is_there(reclens: Command) -> None:
    assert "knn" in [model["name"] for model in reclens.json("list", "models")["models"]]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["recommend", "knn", "--user", "nobody", "--k", "5"], "no person 'nobody'"),
        (["recommend", "nothing", "--user", "u003", "--k", "5"], "no model 'nothing'"),
        (["recommend", "knn", "--user", "u003", "--k", "0"], "k is 0"),
        (["evaluate", "knn", "--k", "0"], "'--k'"),
        (["train", "shop", "--ranker", "ease"], "Missing option '--name'"),
        (["recommend", "knn", "--user", "u003", "--all", "--k", "5"], "exactly one of"),
        (["recommend", "knn", "--history", "i9999", "--k", "5"], "no item 'i9999'"),
        (["recommend", "knn", "--wish", "a quiet film", "--k", "5"], "reads no text"),
        (["recommend", "knn", "--user", "u003", "--k", "5", "--rerank", "mmr:2"], "'mmr:2' is no re-ranking"),
        (["recommend", "knn", "--wish", "a film", "--k", "5", "--rerank", "mmr:0.5"], "--rerank goes with"),
        (["explain", "knn", "--user", "u003", "--item", "i9999"], "no item 'i9999'"),
        (["explain", "knn", "--user", "u003", "--method", "tea-leaves"], "no method 'tea-leaves'"),
        (["train", "shop", "--ranker", "oracle", "--name", "x"], "no ranker 'oracle'"),
        (["train", "shop", "--ranker", "ease", "--name", "knn"], "'knn' already exists"),
        (["train", "shop", "--ranker", "ease", "--name", "x", "--set", "l2=-1"], "l2 is -1"),
        (["audit", "knn", "--by", "shoe_size"], "shoe_size"),
        (["audit", "knn", "--by", "gender", "--metric", "ndcg@0"], "no metric 'ndcg@0'"),
        (["evaluate", "knn", "--split", "train"], "the split is 'train'"),
        (["ingest", "x", "--sample", "movielens-100k"], "--path"),
        (["list", "llamas"], "no list of 'llamas'"),
    ],
)
def test_bad_input_is_one_sentence(reclens: Command, words: list[str], sentence: str) -> None:
    before = reclens.run("list", "models").stdout
    assert sentence in reclens.refusal(*words)
    assert reclens.run("list", "models").stdout == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"item,time\ni1,1700000000\n", "person"),
        (b"user,item,time\nu1,i1,12/31\nu2,i2,later\n", "time"),
        (b"user,item\n\x00\x01\x02\xff\xfe\x00PK\x03\x04" + bytes(range(256)) * 8, "text"),
    ],
    ids=["empty", "no user column", "no readable time", "binary"],
)
def test_unusable_file_leaves_the_workspace_as_it_was(
    reclens: Command, tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "upload.csv"
    path.write_bytes(content)
    before = reclens.json("list", "datasets")
    assert sentence in reclens.refusal("ingest", "bad", "--interactions", str(path))
    assert reclens.json("list", "datasets") == before


@pytest.mark.slow
def test_command_in_a_process_of_its_own_answers_and_fails_alike(reclens: Command) -> None:
    command = [sys.executable, "-m", "recsys_core.cli", "--workspace", str(reclens.workspace)]
    listing = [*command[:3], "list", "models", *command[3:], "--json"]
    good = subprocess.run(listing, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "") and "knn" in good.stdout
    unknown = [*command[:3], "evaluate", "nothing", *command[3:]]
    bad = subprocess.run(unknown, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (2, "") and "no model 'nothing'" in bad.stderr


def test_plan_tells_sizes_and_keeps_no_audit(reclens: Command) -> None:
    kept = len(reclens.json("list", "audits")["audits"])
    (planned,) = reclens.json("audit", "knn", "--by", "gender", "--plan")["plans"]
    assert planned["metric"] == "ndcg@10"
    assert all(row["minimum_detectable"] <= row["minimum_detectable_family"] for row in planned["rows"])
    assert len(reclens.json("list", "audits")["audits"]) == kept


def test_a_cohort_that_nothing_is_asked_about_is_a_sentence(reclens: Command):
    arguments = ["audit", "any", "--by", "gender", "--cohort", "women=gender:female"]
    assert "the cohort 'women' isn't asked about; add --by women" in reclens.refusal(*arguments)


def test_audit_by_several_metrics_a_derived_attribute_and_a_cohort(reclens: Command, shop: Path) -> None:
    files = ["--items", str(shop / "items.csv"), "--users", str(shop / "users.csv")]
    reclens.json("ingest", "fresh", "--interactions", str(shop / "interactions.csv"), *files)  # nothing shown
    reclens.json("train", "fresh", "--ranker", "item-knn", "--name", "fresh knn")
    arguments = ["audit", "fresh knn", "--by", "activity", "--by", "women", "--cohort", "women=gender:female"]
    metrics = ["--metric", "hr@10", "--metric", "novelty@10", "--metric", "popularity-deviation@10"]
    found = reclens.json(*arguments, *metrics, "--primary", "activity", "--draws", "200", "--lists")
    assert found["primary"] == ["activity"]
    assert [part["overall"]["metric"] for part in found["more_metrics"]] == [
        "novelty@10",
        "popularity-deviation@10",
    ]
    assert {row["family"] for row in found["gaps"] if row["attribute"] == "women"} <= {"exploratory"}
    groups = {row["group"] for row in found["by_group"] if row["attribute"] == "women"}
    assert {"in", "out"} <= groups
    lifts = [row for row in found["lists"] if row["measure"] == "popularity-lift"]
    assert {row["attribute"] for row in lifts} == {"activity", "women"}
    assert all((row["value"] is None) == (row["reason"] is not None) for row in found["lists"])
    assert {row["measure"] for row in found["lists"]} == {"popularity-lift", "bias-disparity"}
