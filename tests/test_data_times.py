from collections.abc import Generator

import duckdb
import pytest

from recsys_core.data.fields import quoted_sql
from recsys_core.data.times import TimeReading, find_time_reading, time_problem_sql, time_sql

DAY = 1_590_969_600.0  # 2020-06-01T00:00:00Z, by `date -d 2020-06-01T00:00:00Z +%s`


@pytest.fixture(scope="module")
def db() -> Generator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def read(db: duckdb.DuckDBPyConnection, *texts: str) -> list[tuple[float | None, str | None]]:
    """(seconds, problem) of each value of one column."""
    db.execute("CREATE OR REPLACE TABLE t (v VARCHAR)")
    db.executemany("INSERT INTO t VALUES (?)", [[text] for text in texts])
    reading = find_time_reading(db, "t", "v")
    seconds = time_sql("v", reading)
    return db.execute(
        f"SELECT {seconds}, {time_problem_sql('v', quoted_sql('v'), seconds, reading)} FROM t"
    ).fetchall()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1590969600", DAY),
        ("1590969600.5", DAY + 0.5),
        ("1.5909696e9", DAY),
        ("1590969600000", DAY),
        ("1590969600000000", DAY),
        ("1590969600000000000", DAY),
        ("17", 17.0),
        ("0", 0.0),
        ("20200601", DAY),
        ("2020-06-01", DAY),
        ("2020-06-01T00:00:00Z", DAY),
        ("2020-06-01 00:00", DAY),
        ("2020-06-01T02:00:00+02:00", DAY),
        ("2020-05-31T18:30:00-0530", DAY),
        ("2020-06-01T09:00:00+09", DAY),
        ("2020-06-01 00:00:00 UTC", DAY),
        ("2020-06-01T00:00:00.25Z", DAY + 0.25),
        ("2020-06-01T00:00:00,25", DAY + 0.25),
        ("2020-06-01 00:00:00.250000000", DAY + 0.25),
        ("20200601T000000Z", DAY),
        ("2020/06/01", DAY),
        ("2020/06/01 12:00:00", DAY + 43_200),
        ("01.06.2020", DAY),
        ("01-Jun-2020", DAY),
        ("1 June 2020", DAY),
        ("Jun 1, 2020", DAY),
        ("June 1, 2020 1:30 PM", DAY + 48_600),
        ("Mon, 01 Jun 2020 00:00:00 GMT", DAY),
        ("Mon Jun 01 00:00:00 +0000 2020", DAY),
        ("1969-12-31T23:59:59Z", -1.0),
    ],
)
def test_a_time_of_usual_notation_is_read(db: duckdb.DuckDBPyConnection, text: str, seconds: float):
    assert read(db, text) == [(pytest.approx(seconds, abs=1e-3), None)]


@pytest.mark.parametrize(
    "text",
    ["12/31", "noon", "12:30", "2020-13-01", "2020-02-30", "NaN", "inf", "2020-06-01T25:00", "1_000", "0x10"],
)
def test_an_unreadable_time_says_so(db: duckdb.DuckDBPyConnection, text: str):
    [(seconds, problem)] = read(db, text)
    assert seconds is None
    assert problem == f"timestamp '{text}' is neither ISO 8601 nor Unix seconds"


@pytest.mark.parametrize("text", ["9999-12-31", "1899-12-31", "-9223372036854775808", "1e400"])
def test_a_time_outside_1900_to_2100_says_so(db: duckdb.DuckDBPyConnection, text: str):
    assert read(db, text)[0][1] == f"timestamp '{text}' is not between the years 1900 and 2100"


def test_the_year_9999_in_a_column_of_seconds_is_not_taken_for_milliseconds(db: duckdb.DuckDBPyConnection):
    found = read(db, "1590969600", "1590969601", "253402300799")
    assert found[2][1] == "timestamp '253402300799' is not between the years 1900 and 2100"


def test_no_time_says_so(db: duckdb.DuckDBPyConnection):
    assert read(db, "", "1590969600")[0][1] == "no timestamp"


def test_a_day_above_12_tells_that_the_day_comes_first(db: duckdb.DuckDBPyConnection):
    found = read(db, "01/06/2020", "31/05/2020 00:00")
    assert [seconds for seconds, _ in found] == [DAY, DAY - 86_400]


def test_a_day_above_12_tells_that_the_month_comes_first(db: duckdb.DuckDBPyConnection):
    found = read(db, "06/01/2020", "05/31/2020")
    assert [seconds for seconds, _ in found] == [DAY, DAY - 86_400]


def test_a_date_that_may_begin_with_either_is_not_guessed(db: duckdb.DuckDBPyConnection):
    assert read(db, "03/04/2020") == [
        (None, "timestamp '03/04/2020' may begin with the day or the month; write YYYY-MM-DD")
    ]


def test_a_column_that_begins_with_both_is_not_guessed(db: duckdb.DuckDBPyConnection):
    assert [seconds for seconds, _ in read(db, "31/05/2020", "05/31/2020")] == [None, None]


def test_numbers_that_are_not_all_dates_are_seconds(db: duckdb.DuckDBPyConnection):
    assert [seconds for seconds, _ in read(db, "20200601", "20209999")] == [20_200_601.0, 20_209_999.0]


def test_a_long_value_is_shown_cut(db: duckdb.DuckDBPyConnection):
    assert read(db, "x" * 200)[0][1] == f"timestamp '{'x' * 80}…' is neither ISO 8601 nor Unix seconds"


def test_a_column_without_values_has_the_plain_reading(db: duckdb.DuckDBPyConnection):
    db.execute("CREATE OR REPLACE TABLE none (v VARCHAR)")
    assert find_time_reading(db, "none", "v") == TimeReading()
