"""What leaves an audit names nobody: every command about groups, every format of a report, a bundle of it."""

import json
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
from command import Command
from small_groups import people

PLANTED = "person~"  # every id of a person has it, and nothing else
DRAWS = ("--draws", "200")
ABOUT_GROUPS = (
    ("audit", "knn", "--by", "gender", "--by", "club", "--metric", "hr@10", *DRAWS),
    ("decompose", "knn", "--by", "town", "--metric", "hr@10", *DRAWS),
    ("subgroups", "knn", "--by", "gender", "--by", "town", "--metric", "hr@10", "--fewest", "15", *DRAWS),
    ("compare", "First system", "Second system", "--by", "gender", *DRAWS),
    ("leaderboard", "Clubs", "--metric", "hr@10"),
    ("leakage", "knn", "--by", "gender", "--permutations", "19"),
    ("membership", "knn", "--by", "gender", *DRAWS),
    ("explanation-parity", "knn", "--by", "gender", "--people", "60", *DRAWS),
    ("suspicious", "knn", "--by", "gender", "--metric", "hr@10", *DRAWS),
    ("feedback", "knn", "--by", "gender", "--metric", "hr@10", "--rounds", "1", "--seeds", "1"),
    ("mitigate", "knn", "--by", "gender", "--rerank", "popularity:0.3", "--max-loss", "1", *DRAWS),
    ("evaluate", "knn", "--slices"),
    ("describe", "knn", "--people", "60"),
    ("verify", "knn", "--method", "counts", "--people", "60", "--cohort", "gender=F"),
)


def test_the_planted_ids_are_in_the_data_and_are_found_where_people_are_asked_for(clubs: Command):
    assert people()["user_id"].str.startswith(PLANTED).all()
    assert PLANTED in clubs.run("recommend", "knn", "--all", "--k", "1", "--json").stdout


@pytest.mark.parametrize("words", ABOUT_GROUPS, ids=lambda words: words[0])
def test_no_command_about_groups_names_anybody(clubs: Command, words: tuple[str, ...]):
    told = json.dumps(clubs.json(*words))
    done = clubs.run(*words)
    assert (done.code, PLANTED in told, PLANTED in done.stdout) == (0, False, False), done.stderr
    shown = clubs.workspace / "shown"
    records = [path.read_text() for path in shown.iterdir()] if shown.exists() else []
    assert not any(PLANTED in record for record in records)


def test_no_file_of_an_audit_names_anybody(clubs: Command, tmp_path: Path):
    kept = clubs.json("audit", "knn", "--by", "gender", "--by", "club", "--metric", "hr@10", *DRAWS)["audit"]
    for language in ("en", "zh"):
        for form in ("html", "json", "csv"):
            out = tmp_path / "reports" / f"report-{language}.{form}"
            clubs.json("report", kept, "--out", str(out), "--language", language)
    clubs.json("export", kept, str(tmp_path / "reports" / "audit.zip"))
    with ZipFile(tmp_path / "reports" / "audit.zip") as bundle:
        bundle.extractall(tmp_path / "reports" / "bundle")
    files = [path for path in (tmp_path / "reports").rglob("*") if path.is_file()]
    files += [path for path in (clubs.workspace / "audits").rglob("*") if path.is_file()]
    assert len(files) >= 10
    assert {path.name for path in files if names_somebody(path)} == set()


def names_somebody(path: Path) -> bool:
    """Whether a file has a planted id, in its bytes or in a column of a table."""
    if path.suffix == ".parquet":
        return PLANTED in pd.read_parquet(path).to_csv()
    return PLANTED.encode() in path.read_bytes()


def test_the_search_finds_an_id_in_bytes_and_in_a_packed_column(tmp_path: Path):
    pd.DataFrame({"user_id": [f"{PLANTED}1"] * 50}).to_parquet(tmp_path / "a.parquet", compression="zstd")
    (tmp_path / "b.csv").write_text(f"user_id\n{PLANTED}1\n")
    (tmp_path / "c.csv").write_text("group,n\nF,120\n")
    assert [names_somebody(tmp_path / name) for name in ("a.parquet", "b.csv", "c.csv")] == [
        True,
        True,
        False,
    ]
