"""Parquet from strangers: its types become text, and a file that lies is refused by its content."""

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_reading import put, read_here, read_text_here

from recsys_core.errors import DataError


def parquet(columns: dict[str, pa.Array]) -> bytes:
    """A Parquet file of these columns."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([1, None, 2**63 - 1]), ["1", "", "9223372036854775807"]),
        (pa.array([2**64 - 1, 0, 1], pa.uint64()), ["18446744073709551615", "0", "1"]),
        (pa.array([7.0, 7.5, None]), ["7", "7.5", ""]),
        (pa.array([float("nan"), float("inf"), 1e300]), ["nan", "inf", "1e+300"]),
        (pa.array(["007", "", None]), ["007", "", ""]),
        (pa.array([True, False, None]), ["true", "false", ""]),
        (pa.array([date(2020, 6, 1), None, None]), ["2020-06-01", "", ""]),
        (pa.array([datetime(2020, 6, 1, 12)] * 3, pa.timestamp("us")), ["2020-06-01 12:00:00.000000"] * 3),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([["a", "b"], [], None]), ["a|b", "", ""]),
        (pa.array([{"x": 1}] * 3), ['{"x": 1}'] * 3),
        (pa.array([b"text", b"", None]), ["text", "", ""]),
        (pa.nulls(3), ["", "", ""]),
    ],
)
def test_every_type_becomes_text(tmp_path: Path, values: pa.Array, texts: list[str]):
    _, rows, aside = read_text_here(tmp_path, parquet({"v": values}))
    assert [row[0] for row in rows] == texts
    assert aside == []


def test_bytes_that_are_no_text_are_set_aside_by_record_number(tmp_path: Path):
    _, rows, aside = read_text_here(tmp_path, parquet({"v": pa.array([b"a", b"\xff", b"b"])}))
    assert rows == [["a"], ["b"]]
    assert aside == [(2, "byte 0xff isn't UTF-8 text")]


def test_parquet_is_imported_like_any_table(tmp_path: Path):
    content = parquet(
        {
            "user_id": pa.array([1, 2, None]),
            "item_id": pa.array(["a", "b", "c"]),
            "timestamp": pa.array([datetime(1970, 1, 2)] * 3, pa.timestamp("ns", tz="UTC")),
            "rating": pa.array([1.5, None, 3.0]),
        }
    )
    result = read_here(tmp_path, put(tmp_path, "x.csv", content))
    assert result.tables.interactions["user_id"].tolist() == ["1", "2"]
    assert result.tables.interactions["timestamp_s"].tolist() == [86_400.0, 86_400.0]
    assert result.report.rejected.to_dict("records") == [
        {"file": "x.csv", "row": 3, "column": "user_id", "reason": "no user id"}
    ]


def bomb() -> bytes:
    """Fifteen million rows of one value, which pack into next to nothing."""
    sink = pa.BufferOutputStream()
    rows = pa.table({"user_id": pa.nulls(5_000_000, pa.string())})
    with pq.ParquetWriter(sink, rows.schema, compression="zstd") as writer:
        for _ in range(3):
            writer.write_table(rows, row_group_size=5_000_000)
    return sink.getvalue().to_pybytes()


def lying_text() -> bytes:
    """Bytes that are no UTF-8 in a column that says it is text."""
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    return parquet({"user_id": broken})


GOOD = parquet({"user_id": pa.array(["u"] * 50), "item_id": pa.array(["i"] * 50)})
REFUSED = {
    "nothing but its magic": (b"PAR1", "is a damaged Parquet file"),
    "cut": (GOOD[:-20], "is a damaged Parquet file"),
    "no end": (GOOD[: len(GOOD) // 2], "is a damaged Parquet file"),
    "noise between the magics": (b"PAR1" + bytes(range(256)) + b"PAR1", "is a damaged Parquet file"),
    "a footer longer than the file": (GOOD[:-8] + b"\xff\xff\xff\x7fPAR1", "is a damaged Parquet file"),
    "text that is no text": (lying_text(), "is a damaged Parquet file"),
    "too wide": (
        parquet({f"c{number}": pa.array([1]) for number in range(1_001)}),
        "has 1,001 columns; at most 1,000",
    ),
    "no row": (parquet({"user_id": pa.array([], pa.string())}), "has no row; its columns are user_id"),
    "no column": (parquet({}), "has no row"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_parquet_that_is_not_what_it_says_is_refused(tmp_path: Path, case: str):
    content, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        read_text_here(tmp_path, content)


def test_a_parquet_bomb_is_refused_by_its_row_count(tmp_path: Path):
    with pytest.raises(DataError, match="claims 15,000,000 rows in"):
        read_text_here(tmp_path, bomb())


def test_text_called_parquet_is_read_as_text(tmp_path: Path):
    result = read_here(tmp_path, put(tmp_path, "x.parquet", b"user_id,item_id\nu1,i1\n"))
    assert result.tables.interactions.to_dict("list") == {"user_id": ["u1"], "item_id": ["i1"]}
