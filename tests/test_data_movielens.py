"""MovieLens as GroupLens packs it: its counts by the README files, its order by the SASRec paper's file."""

import gzip
import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from data_reading import put

from recsys_core.data.mapping import parse_mapping
from recsys_core.data.movielens import layout_of, load_movielens
from recsys_core.data.readers import ReadResult, read_tables
from recsys_core.errors import DataError

DATA = Path(os.environ.get("RECLENS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not (DATA / "ml-100k" / "u.data").exists(),
    reason="MovieLens isn't at RECLENS_TEST_DATA or ../shared/data (GroupLens forbids passing it on)",
)


@pytest.fixture(scope="module")
def ml_100k() -> ReadResult:
    return load_movielens(DATA / "ml-100k", "movielens-100k")


@pytest.fixture(scope="module")
def ml_1m() -> ReadResult:
    return load_movielens(DATA / "ml-1m", "movielens-1m")


@needs_data
def test_100k_has_the_counts_of_its_readme(ml_100k: ReadResult):
    report = ml_100k.report
    assert (report.n_interactions, report.n_users, report.n_items) == (100_000, 943, 1_682)
    assert (report.n_rejected, report.warnings) == (0, ())


def raw_fields(name: str, separator: str = "|", line: int = 1) -> list[str]:
    """The fields of one line of a file of MovieLens-100K, read in the plainest way."""
    text = (DATA / "ml-100k" / name).read_text(encoding="latin-1")
    return text.split("\n")[line - 1].split(separator)


@needs_data
def test_100k_has_670_men_and_273_women(ml_100k: ReadResult):
    assert Counter(ml_100k.tables.users["gender"]) == {"M": 670, "F": 273}


@needs_data
def test_100k_tells_of_people_what_an_audit_may_use_and_no_zip_code(ml_100k: ReadResult):
    user_id, age, gender, occupation, _ = raw_fields("u.user")
    expected = {"user_id": user_id, "gender": gender, "age": age, "occupation": occupation}
    assert ml_100k.tables.users.iloc[0].to_dict() == expected


@needs_data
def test_100k_films_have_title_year_and_genres(ml_100k: ReadResult):
    item_id, title, _, _, _, *flags = raw_fields("u.item", line=543)
    names = [line.split("|")[0] for line in (DATA / "ml-100k" / "u.genre").read_text().split()]
    genres = "|".join(name for name, flag in zip(names, flags, strict=True) if flag == "1")
    found = ml_100k.tables.items.set_index("item_id").loc[item_id]
    assert found[["title", "text", "category"]].tolist() == [title, title[-5:-1], genres]
    assert not title.isascii()  # the file is Latin-1, and this line shows whether it was read so


@needs_data
def test_100k_interactions_are_the_file_in_its_order(ml_100k: ReadResult):
    user_id, item_id, rating, time = raw_fields("u.data", "\t")
    expected = {"user_id": user_id, "item_id": item_id, "timestamp_s": float(time), "rating": float(rating)}
    assert ml_100k.tables.interactions.iloc[0].to_dict() == expected


@needs_data
def test_1m_has_the_sequence_lengths_of_the_papers_file(ml_1m: ReadResult):
    with gzip.open(DATA / "ml-1m" / "ml-1m.txt.gz", "rt") as file:
        paper = Counter(line.split()[0] for line in file)
    ours = Counter(ml_1m.tables.interactions["user_id"])
    assert sorted(ours.values()) == sorted(paper.values())
    assert ml_1m.report.n_interactions == 999_611
    assert len(ours) == 6_040
    assert ml_1m.tables.interactions["item_id"].nunique() == 3_416


@needs_data
def test_1m_has_an_order_for_every_row_and_no_time(ml_1m: ReadResult):
    interactions = ml_1m.tables.interactions
    assert list(interactions.columns) == ["user_id", "item_id", "order"]
    lengths = interactions.groupby("user_id")["order"].agg(["min", "max", "size"])
    assert (lengths["min"] == 0).all()
    assert (lengths["max"] + 1 == lengths["size"]).all()


@needs_data
def test_1m_codes_are_the_names_of_its_readme(ml_1m: ReadResult):
    users = ml_1m.tables.users.set_index("user_id")
    assert users.loc["1"].tolist() == ["F", "Under 18", "K-12 student"]
    assert users.loc["2"].tolist() == ["M", "56+", "self-employed"]


@needs_data
def test_u_data_alone_is_recognised_without_a_header():
    tables = read_tables(
        DATA / "ml-100k" / "u.data", None, DATA / "ml-100k" / "u.user", parse_mapping([]), 4
    ).tables
    assert (
        len(tables.interactions) == 34_174 + 21_201
    )  # by `cut -f3 u.data | sort | uniq -c`: rated 4, rated 5
    assert Counter(tables.users["gender"]) == {"M": 670, "F": 273}


def test_a_folder_that_is_another_sample_is_refused(tmp_path: Path):
    put(tmp_path, "ratings.csv", b"user_id,item_id\nu,i\n")
    with pytest.raises(
        DataError, match=r"isn't movielens-1m: it should hold movies\.dat, .*and holds ratings\.csv"
    ):
        load_movielens(tmp_path, "movielens-1m")


def test_1m_with_ratings_is_read_out_of_its_zip(tmp_path: Path):
    path = tmp_path / "ml-1m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml-1m/ratings.dat", "1::10::5::978300760\n2::10::3::978300761\nbroken\n")
        archive.writestr("ml-1m/movies.dat", '10::Caf\xe9 "X" (1999)::Drama|War\n'.encode("latin-1"))
        archive.writestr("ml-1m/users.dat", "1::F::18::20::48067\n2::M::50::99::70072\n")
    result = load_movielens(path, "movielens-1m")
    assert result.tables.interactions.to_dict("list") == {
        "user_id": ["1", "2"],
        "item_id": ["10", "10"],
        "timestamp_s": [978_300_760.0, 978_300_761.0],
        "rating": [5.0, 3.0],
    }
    assert result.tables.items.iloc[0].tolist() == ["10", 'Café "X" (1999)', "1999", "Drama|War", "", ""]
    assert result.tables.users.to_numpy().tolist() == [
        ["1", "F", "18-24", "writer"],
        ["2", "M", "50-55", "99"],
    ]
    assert result.report.rejected.to_dict("records") == [
        {
            "file": "ml-1m.zip/ml-1m/ratings.dat",
            "row": 3,
            "column": "",
            "reason": "1 field where the first row has 4",
        }
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"1|2|3\n",
        b"1::2::3::4\n",
        b"user_id,item_id\n",
        b"",
        b"\x00\xff\n",
        b"1|Title|d||u|" + b"|".join([b"2"] * 19),
    ],
)
def test_other_files_have_no_layout(tmp_path: Path, line: bytes):
    assert layout_of(put(tmp_path, "x", line)) is None
