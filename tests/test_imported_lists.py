"""Lists made elsewhere: read with an account of every row, and measured like the model that made them."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions.data import LoadedDataset, open_dataset
from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.ranked_lists import (
    BAD_RANK,
    NO_ITEM,
    NO_PERSON,
    SEEN,
    SET_ASIDE_COLUMNS,
    TWICE,
    ReadLists,
    judge_lists,
    read_lists,
)
from recsys_core.data.schema import Tables
from recsys_core.data.split import histories, leave_one_out
from recsys_core.errors import DataError
from recsys_core.store.workspace import Workspace

EVENTS = [(user, item, 10 * place) for user in ("ann", "bob") for place, item in enumerate(["a", "b", "c"])]


@pytest.fixture(scope="module")
def reclens(kept_shop: BuiltWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Command:
    home = tmp_path_factory.mktemp("imported") / "home"
    shutil.copytree(kept_shop.home, home)
    return Command(home)


def shop_of_two() -> tuple[Dataset, Histories]:
    """Ann and bob touched a and b before the test; items are a to f."""
    columns = ["user_id", "item_id", "timestamp_s"]
    interactions = pd.DataFrame(EVENTS, columns=columns).astype({"timestamp_s": float})
    items = pd.DataFrame({"item_id": list("abcdef")})
    for column in ("title", "text", "category", "provider", "image"):
        items[column] = ""
    dataset = build_dataset(Tables(interactions, items, pd.DataFrame({"user_id": ["ann", "bob"]})))
    return dataset, histories(dataset, leave_one_out(dataset), "test")


def judged(text: str) -> ReadLists:
    """The lists in rows of `user item rank` or, where numbers have points, of `user item score`."""
    rows = [row.split() for row in text.split(",")]
    given = pd.DataFrame(rows, columns=["user_id", "item_id", "key"]).astype({"key": float})
    return judge_lists(
        given.assign(score=given["key"]),
        pd.DataFrame(columns=SET_ASIDE_COLUMNS),
        *shop_of_two(),
        by_rank="." not in text.replace("2.5", ""),
        name="lists.csv",
    )


def read(tmp_path: Path, text: str, name: str = "lists.csv") -> ReadLists:
    """The lists in a file."""
    (tmp_path / name).write_text(text)
    return read_lists(tmp_path / name, *shop_of_two())


def test_ranks_put_the_items_in_order() -> None:
    found = judged("ann d 2,ann c 1,bob f 1")
    assert found.items.tolist() == [[3, 4], [6, 0]]
    assert found.by_rank and len(found.set_aside) == 0


def test_the_highest_score_comes_first_and_negative_scores_are_allowed() -> None:
    found = judged("ann d -3.5,ann c -1.0,bob f 0.001")
    assert found.items.tolist() == [[3, 4], [6, 0]]
    assert found.scores[0].tolist() == [-1.0, -3.5]


def test_equal_scores_go_by_item_number_and_are_counted() -> None:
    found = judged("ann f 1.0,ann d 1.0,ann e 1.0,bob c 1.0")
    assert found.items[0].tolist() == [4, 5, 6]
    assert found.n_tied == 2 and any("2 rows have the same score" in said for said in found.warnings)


def test_every_row_that_is_not_used_has_its_reason_and_the_places_close_up() -> None:
    found = judged("zoe c 1,ann z 1,ann a 2,ann d 3,ann d 4,ann e 0,ann f 2.5,ann c 5")
    who = found.set_aside["user_id"] + found.set_aside["item_id"]
    reasons = dict(zip(who, found.set_aside["reason"], strict=True))
    assert found.items.tolist() == [[4, 3], [0, 0]]
    assert reasons == {
        "zoec": NO_PERSON,
        "annz": NO_ITEM,
        "anna": SEEN,
        "annd": TWICE,
        "anne": BAD_RANK,
        "annf": BAD_RANK,
    }
    assert any("1 of 2 people have no list" in said for said in found.warnings)


def test_a_list_shorter_than_the_longest_is_said_unless_the_candidates_ran_out() -> None:
    full = ",".join(f"ann {item} {rank}" for rank, item in enumerate("cdef", 1))
    assert not judged(f"{full},{full.replace('ann', 'bob')}").warnings
    (said,) = judged(f"{full},bob c 1").warnings
    assert "1 lists end before the 4 places" in said


def test_lists_of_nobody_known_are_refused() -> None:
    with pytest.raises(DataError, match="none of its 1 rows can be used; of 1 of them, no person"):
        judged("zoe c 1")


def test_ranks_go_before_scores_and_a_row_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    rows = ["ann,d,1,-0.1", "ann,c,2,0.9", "bob,c,first,0.5"]
    found = read(tmp_path, "\n".join(["user_id,item_id,rank,score", *rows]) + "\n")
    assert found.items[0].tolist() == [4, 3] and found.scores[0].tolist() == [-0.1, 0.9]
    (row,) = found.set_aside.to_dict("records")
    assert "rank 'first' is not a number" in row["reason"] and row["row"] == 4
    assert found.n_rows == 3


def test_json_lines_are_read_too(tmp_path: Path) -> None:
    found = read(tmp_path, '{"user_id": "ann", "item_id": "c", "rank": 1}\n', "lists.jsonl")
    assert found.items[0].tolist() == [3]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("user_id,item_id,stars\nann,c,1\n", "neither a column 'rank' nor a column 'score'"),
        ("item_id,rank\nc,1\n", "no column looks like the person's id"),
    ],
)
def test_unusable_files_are_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "model",
    [
        "item_knn",
        pytest.param("popularity", marks=pytest.mark.slow),
        pytest.param("transformer", marks=pytest.mark.slow),
    ],
)
def test_lists_of_a_model_imported_again_have_its_figures_and_its_audit(
    reclens: Command, kept_shop: BuiltWorkspace, tmp_path: Path, model: str
) -> None:
    own, out = getattr(kept_shop, model), tmp_path / "lists.parquet"
    reclens.json("recommend", own, "--all", "--k", "20", "--out", str(out))
    done = reclens.json("import-recommendations", "Test shop", str(out), "--name", f"again {model}")
    assert done["n_set_aside"] == 0 and done["n_people_without_list"] == 0 and done["longest"] == 20
    for k in ("5", "10", "20"):
        figures, again = (reclens.json("evaluate", name, "--k", k) for name in (own, f"again {model}"))
        assert again == {name: value for name, value in figures.items() if name != "auc"}
    asked = ("--by", "gender", "--by", "age_band", "--draws", "200")
    audited = [reclens.json("audit", name, *asked) for name in (own, f"again {model}")]
    assert audited[0] | {"audit": audited[1]["audit"]} == audited[1]
    compared = reclens.json("compare", own, f"again {model}", "--draws", "200")
    assert compared["difference"] == 0 and compared["n_better"] == compared["n_worse"] == 0
    shown = [
        reclens.json("recommend", name, "--user", "u003", "--k", "5")["recommendations"]
        for name in (own, done["model"])
    ]
    assert [[row["item_id"], row["rank"]] for row in shown[0]] == [
        [row["item_id"], row["rank"]] for row in shown[1]
    ]


def test_imported_lists_refuse_what_only_a_model_can_answer(
    reclens: Command, kept_shop: BuiltWorkspace, tmp_path: Path
) -> None:
    out = tmp_path / "lists.parquet"
    reclens.json("recommend", kept_shop.item_knn, "--all", "--k", "12", "--out", str(out))
    reclens.json("import-recommendations", "Test shop", str(out), "--name", "elsewhere")
    for words, sentence in {
        ("evaluate", "elsewhere", "--k", "13"): "end after 12 places",
        ("evaluate", "elsewhere", "--split", "valid"): "for the test items",
        ("compare", "elsewhere", kept_shop.item_knn, "--metric", "auc"): "end after 12 places",
        ("audit", "elsewhere", "--by", "gender", "--metric", "ndcg@20"): "end after 12 places",
        ("explain", "elsewhere", "--user", "u003"): "made elsewhere",
        ("recommend", "elsewhere", "--user", "u003", "--k", "13"): "1 to 12 places",
        ("recommend", "elsewhere", "--user", "u003", "--k", "5", "--as-of", "now"): "as of now",
        ("recommend", "elsewhere", "--all", "--k", "5", "--rerank", "mmr:0.5"): "re-ranked",
        ("recommend", "elsewhere", "--history", "i001", "--k", "5"): "made elsewhere",
    }.items():
        assert sentence in reclens.refusal(*words)
    members = f"members=elsewhere,{kept_shop.item_knn}"
    told = reclens.refusal("train", "Test shop", "--ranker", "ensemble", "--name", "both", "--set", members)
    assert "an ensemble can't use them" in told


def test_short_lists_are_left_off_the_leaderboard_with_their_reason(
    reclens: Command, kept_shop: BuiltWorkspace, tmp_path: Path
) -> None:
    out = tmp_path / "lists.parquet"
    reclens.json("recommend", kept_shop.item_knn, "--all", "--k", "3", "--out", str(out))
    model = reclens.json("import-recommendations", "Test shop", str(out), "--name", "three places")["model"]
    short, long = (
        reclens.json("leaderboard", "Test shop", "--metric", metric, "--draws", "200")
        for metric in ("ndcg@3", "ndcg@10")
    )
    assert model in [row["model"] for row in short["models"]]
    assert "three places" not in [row["name"] for row in short["left_out"]]
    assert model not in [row["model"] for row in long["models"]] and long["models"]
    (reason,) = [row["reason"] for row in long["left_out"] if row["model"] == model]
    assert "end after 3 places" in reason
    assert "left out: three places" in reclens.run("leaderboard", "Test shop", "--draws", "200").stdout


def test_an_import_that_fails_keeps_nothing(reclens: Command, tmp_path: Path) -> None:
    before = reclens.json("list", "models")
    (tmp_path / "lists.csv").write_text("user_id,item_id\nu003,i001\n")
    told = reclens.refusal(
        "import-recommendations", "Test shop", str(tmp_path / "lists.csv"), "--name", "none"
    )
    assert "neither" in told and reclens.json("list", "models") == before


def test_people_without_a_list_have_no_value(
    kept_shop: BuiltWorkspace, tmp_path: Path, reclens: Command
) -> None:
    data: LoadedDataset = open_dataset(Workspace.open(reclens.workspace), kept_shop.dataset)
    out = tmp_path / "lists.parquet"
    reclens.json("recommend", kept_shop.item_knn, "--all", "--k", "10", "--out", str(out))
    lists = pd.read_parquet(out)
    some = set(data.dataset.users["user_id"].head(50))
    lists[lists["user_id"].isin(some)].to_parquet(tmp_path / "some.parquet")
    found = reclens.json(
        "import-recommendations", "Test shop", str(tmp_path / "some.parquet"), "--name", "some"
    )
    n_tested = int((data.split.test_row[:50] >= 0).sum())
    assert found["n_people_without_list"] == data.dataset.n_users - 50
    assert reclens.json("evaluate", "some")["n_users"] == n_tested
