"""The calls of a page and the command: each goes through the real child process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
from data_reading import HEADER, ROWS, put

from recsys_core.data import readers
from recsys_core.data.mapping import Mapping, parse_mapping
from recsys_core.data.read_request import ReadLimits, ReadRequest
from recsys_core.data.readers import import_files, load_tables, preview, read_tables, write_tables
from recsys_core.data.schema import Role, Tables
from recsys_core.data.validate import ValidationReport
from recsys_core.errors import ConfigError, DataError, StoreError

pytestmark = pytest.mark.slow  # many processes are started


def test_tables_come_back_from_the_child(tmp_path: Path):
    path = put(tmp_path, "ratings.csv", HEADER + ROWS + b"u3,i3,x,1\n")
    users = put(tmp_path, "people.csv", b"user_id,age\nu1,33\n")
    result = read_tables(path, None, users, Mapping(), min_rating=None)
    assert result.tables.interactions.to_dict("list") == {
        "user_id": ["u1", "u2"],
        "item_id": ["i1", "i2"],
        "timestamp_s": [1.6e9, 1.6e9 + 1],
        "rating": [5.0, 4.0],
    }
    assert result.tables.users.to_dict("list") == {"user_id": ["u1", "u2"], "age": ["33", ""]}
    assert result.report.rejected.to_dict("records") == [
        {
            "file": "ratings.csv",
            "row": 4,
            "column": "rating",
            "reason": "rating 'x' is not a number of 0 or more",
        }
    ]


def test_what_the_child_says_is_wrong_is_raised_here(tmp_path: Path):
    path = put(tmp_path, "ratings.csv", b"a,b\nx,y\n")
    with pytest.raises(DataError, match=r"ratings\.csv: no column looks like the person's id"):
        read_tables(path, None, None, Mapping(), min_rating=None)
    with pytest.raises(ConfigError, match=r"no column of ratings\.csv is a rating"):
        read_tables(path, None, None, parse_mapping(["user_id=a,item_id=b"]), min_rating=3)


def test_a_lowest_rating_that_is_no_number_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="must be a number, not nan"):
        read_tables(put(tmp_path, "x.csv", HEADER), None, None, Mapping(), min_rating=float("nan"))


def test_a_preview_shows_the_first_rows_and_what_the_columns_seem_to_be(tmp_path: Path):
    rows = b"".join(b"%d\t%d\t3\t%d\n" % (n, n, 881_250_949 + n) for n in range(1, 31))
    found = preview(put(tmp_path, "u.data", rows))
    assert (found.label, found.format, found.encoding, found.delimiter) == (
        "u.data",
        "delimited text",
        "utf-8",
        "\t",
    )
    assert not found.has_header
    assert found.columns == ("column_1", "column_2", "column_3", "column_4")
    assert len(found.rows) == 20
    assert found.rows.iloc[0].tolist() == ["1", "1", "3", "881250950"]
    assert found.guess.pairs == (
        (Role.USER_ID, "column_1"),
        (Role.ITEM_ID, "column_2"),
        (Role.RATING, "column_3"),
        (Role.TIMESTAMP_S, "column_4"),
    )


def test_a_preview_of_items_guesses_item_columns(tmp_path: Path):
    found = preview(put(tmp_path, "things.csv", b"id,name\n1,Alien\n"), kind="items")
    assert found.guess.pairs == ((Role.ITEM_ID, "id"), (Role.TITLE, "name"))


def test_an_import_leaves_only_its_tables_and_its_report(tmp_path: Path):
    folder = tmp_path / "out"
    folder.mkdir()
    report = import_files(put(tmp_path, "x.csv", HEADER + ROWS), None, None, Mapping(), None, folder)
    assert sorted(file.name for file in folder.iterdir()) == [
        "interactions.parquet",
        "items.parquet",
        "rejected.parquet",
        "report.json",
        "users.parquet",
    ]
    assert ValidationReport.load(folder).n_interactions == report.n_interactions == 2
    assert load_tables(folder).interactions["user_id"].tolist() == ["u1", "u2"]


def test_a_failed_import_leaves_nothing(tmp_path: Path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(DataError):
        import_files(put(tmp_path, "x.csv", b"a,b\nx,y\n"), None, None, Mapping(), None, folder)
    assert list(folder.iterdir()) == []


def test_a_file_that_needs_too_much_memory_is_refused(tmp_path: Path):
    path = put(tmp_path, "big.csv", HEADER + b"u,i," + b"9" * 12_000_000 + b",1\n" * 5)
    limits = ReadLimits(memory_bytes=600 * 2**20)
    with pytest.raises(DataError, match=r"big\.csv .*needs? more memory than reading a file may take"):
        import_files(path, None, None, Mapping(), None, tmp_path, limits=limits)


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path):
    path = put(tmp_path, "slow.csv", HEADER + ROWS * 400_000)
    with pytest.raises(DataError, match=r"slow\.csv took over 1 s of processor time to read"):
        import_files(path, None, None, Mapping(), None, tmp_path, limits=ReadLimits(cpu_s=1))


def test_a_file_that_unpacks_beyond_the_limit_is_given_up(tmp_path: Path):
    path = put(tmp_path, "wide.csv", HEADER + ROWS * 200_000)
    limits = ReadLimits(file_bytes=1000)
    with pytest.raises(DataError, match=r"wide\.csv could not be read: .*[Ff]ile too large"):
        import_files(path, None, None, Mapping(), None, tmp_path, limits=limits)


def test_a_child_that_is_killed_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    killer = tmp_path / "killer"
    killer.write_text("#!/bin/sh\nkill -SEGV $$\n")  # a first line can't name a path with a space
    killer.chmod(0o700)
    monkeypatch.setattr(readers.sys, "executable", str(killer))
    with pytest.raises(DataError, match=r"x\.csv could not be read: its reader stopped \(signal 11\)"):
        preview(put(tmp_path, "x.csv", HEADER + ROWS))


def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path):
    path = put(tmp_path, "slow.csv", HEADER + ROWS * 600_000)
    script = (
        "import sys; from pathlib import Path; from recsys_core.data.mapping import Mapping; "
        "from recsys_core.data.readers import import_files; "
        "import_files(Path(sys.argv[1]), None, None, Mapping(), None, Path(sys.argv[2]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(path), str(tmp_path)])
    reading = tmp_path / "work" / "reading"
    _wait_until(reading.exists)
    children = psutil.Process(parent.pid).children()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert len(children) == 1
    gone, _ = psutil.wait_procs(children, timeout=2.5)  # reading on would take twice as long
    assert len(gone) == 1


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_child_loads_neither_torch_nor_streamlit():
    script = (
        "import sys, recsys_core.data.read_child; print({'torch', 'streamlit', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_request_survives_its_way_to_the_child(tmp_path: Path):
    said = parse_mapping(["user_id=a'b,context=c,context=d"])
    request = ReadRequest(
        tmp_path / "x", None, tmp_path / "y", said, 3.5, "movielens-1m", None, tmp_path, ReadLimits(cpu_s=7)
    )
    assert ReadRequest.from_json(request.to_json()) == request


def test_tables_survive_a_round_trip(tmp_path: Path):
    tables = Tables(
        interactions=pd.DataFrame(
            {"user_id": ["u", "名字"], "item_id": ["007", ""], "rating": [1.5, float("nan")]}
        ),
        items=pd.DataFrame({"item_id": ["007"], "title": ["A\nB"]}),
        users=pd.DataFrame({"user_id": ["u"], "Age": [""]}),
    )
    write_tables(tables, tmp_path)
    found = load_tables(tmp_path)
    pd.testing.assert_frame_equal(found.interactions, tables.interactions)
    pd.testing.assert_frame_equal(found.items, tables.items)
    pd.testing.assert_frame_equal(found.users, tables.users)


def test_a_damaged_table_is_found_on_load(tmp_path: Path):
    one = pd.DataFrame({"user_id": ["u"]})
    write_tables(Tables(one, one, one), tmp_path)
    (tmp_path / "items.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"items\.parquet can't be read"):
        load_tables(tmp_path)


def test_a_report_survives_a_round_trip(tmp_path: Path):
    path = put(tmp_path, "x.csv", HEADER + ROWS + b"broken\n")
    report = read_tables(path, None, None, Mapping(), None).report
    report.save(tmp_path)
    found = ValidationReport.load(tmp_path)
    pd.testing.assert_frame_equal(found.rejected, report.rejected)
    assert (found.n_read, found.warnings) == (report.n_read, report.warnings)
