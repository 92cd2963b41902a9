"""Text files as strangers write them: read aright, or refused, or the row set aside with its number."""

import gzip
import json
from pathlib import Path

import pytest
from data_reading import HEADER, ROWS, read_text_here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys_core.errors import DataError

GOOD = [["u1", "i1", "5", "1600000000"], ["u2", "i2", "4", "1600000001"]]
TEXT = HEADER + ROWS


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT, id="plain"),
        pytest.param(TEXT[:-1], id="no newline at the end"),
        pytest.param(TEXT.replace(b"\n", b"\r\n"), id="windows lines"),
        pytest.param(TEXT.replace(b"\n", b"\r"), id="old mac lines"),
        pytest.param(b"\n\n" + TEXT.replace(b"\n", b"\n\n"), id="blank lines"),
        pytest.param(b"\xef\xbb\xbf" + TEXT, id="utf-8 mark"),
        pytest.param(TEXT.decode().encode("utf-16"), id="utf-16"),
        pytest.param(TEXT.decode().encode("utf-16-le"), id="utf-16-le without mark"),
        pytest.param(TEXT.decode().encode("utf-16-be"), id="utf-16-be without mark"),
        pytest.param(TEXT.decode().encode("utf-32"), id="utf-32"),
        pytest.param(TEXT.replace(b",", b"\t"), id="tabs"),
        pytest.param(TEXT.replace(b",", b";"), id="semicolons"),
        pytest.param(TEXT.replace(b",", b"|"), id="bars"),
        pytest.param(TEXT.replace(b",", b"::"), id="double colons"),
        pytest.param(TEXT.replace(b"i1", b'"i1"').replace(b"user_id", b'"user_id"'), id="quoted"),
        pytest.param(TEXT.replace(b"i1", b"'i1'").replace(b"i2", b"'i2'"), id="single quotes"),
        pytest.param(TEXT.replace(b"user_id", b" user_id "), id="spaces around a name"),
        pytest.param(
            b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + ROWS.replace(b",", b"\t"),
            id="recbole",
        ),
    ],
)
def test_the_same_table_in_another_dress_is_read(tmp_path: Path, content: bytes):
    raw, rows, aside = read_text_here(tmp_path, content)
    assert raw.columns == ("user_id", "item_id", "rating", "timestamp")
    assert rows == GOOD
    assert aside == []


@pytest.mark.parametrize(
    ("bad_row", "reason"),
    [
        (b"u3", "1 field where the header has 4"),
        (b"u3,i3,1,2,3,4", "6 fields where the header has 4"),
        (b"u3,i\x003,5,1600000000", "byte 0x00 after 4 characters"),
        (b'u3,"i3,5,1600000000', "a quote is opened and not closed"),
        (
            b'u3,"i"3,5,1600000000',
            "a quote ends inside its field: quotes in a quoted field are written twice",
        ),
        (b"\xff3,\xc3\xa9\xc3\xa9,5,1600000000", "byte 0xff isn't UTF-8 text"),
        (b"u" * (2**24 + 5) + b",i3,5,1600000000", "the line is longer than 16,777,216 characters"),
    ],
)
@pytest.mark.parametrize("n_after", [1, 150])
def test_a_broken_row_is_set_aside_and_all_others_are_read(
    tmp_path: Path, bad_row: bytes, reason: str, n_after: int
):
    after = b"u4,i4,1,1600000002\n" * n_after
    _, rows, aside = read_text_here(tmp_path, TEXT + bad_row + b"\n" + after)
    assert aside == [(4, reason)]
    assert rows == GOOD + [["u4", "i4", "1", "1600000002"]] * n_after


def test_an_open_quote_that_another_row_closes_swallows_nothing(tmp_path: Path):
    _, rows, aside = read_text_here(tmp_path, HEADER + b'u0,"i0,1,1\n' + ROWS + b'u9,"i,9",1,2\n')
    assert [row for row, _ in aside] == [2]
    assert rows == [*GOOD, ["u9", "i,9", "1", "2"]]


def test_an_open_quote_in_the_last_row_loses_only_that_row(tmp_path: Path):
    _, rows, aside = read_text_here(tmp_path, TEXT + b'u3,"i3,5,1600000000')
    assert (rows, aside) == (GOOD, [(4, "a quote is opened and not closed")])


def test_a_line_break_in_quotes_belongs_to_its_field_and_rows_keep_their_line_numbers(tmp_path: Path):
    _, rows, aside = read_text_here(tmp_path, HEADER + b'u0,"a\nb\nc",1,1\n' + ROWS + b"short\n")
    assert rows[0] == ["u0", "a\nb\nc", "1", "1"]
    assert aside == [(7, "1 field where the header has 4")]


def test_a_quote_inside_an_unquoted_field_is_a_letter(tmp_path: Path):
    _, rows, _ = read_text_here(tmp_path, HEADER + b'u1,5" disk,1,1\n')
    assert rows == [["u1", '5" disk', "1", "1"]]


def test_bytes_that_are_no_utf8_are_windows_1252_with_a_warning(tmp_path: Path):
    raw, rows, _ = read_text_here(tmp_path, b"user_id,title\nu1,Caf\xe9 \x93x\x94\n")
    assert rows == [["u1", "Café “x”"]]
    assert raw.warnings == (
        "x.csv isn't UTF-8 and was read as Windows-1252 (Latin-1): check that its letters look right",
    )


def test_pairs_of_high_bytes_are_chinese(tmp_path: Path):
    raw, rows, _ = read_text_here(tmp_path, "user_id,title\nu1,流浪地球\n".encode("gb18030"))
    assert rows == [["u1", "流浪地球"]]
    assert raw.how.encoding == "gb18030"


def test_columns_of_one_name_are_told_apart_with_a_warning(tmp_path: Path):
    raw, _, _ = read_text_here(tmp_path, b"a,a,,a\n1x,2x,3x,4x\n")
    assert raw.columns == ("a", "a_2", "column_3", "a_3")
    assert raw.warnings[0] == "x.csv has several columns called 'a'; column 2 is now 'a_2'"


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b"196\t242\t3\t881250949\n186\t302\t3\t891717742\n", 4),
        (b"1 2\n1 3\n", 2),
        (b"u1,i1,5\nu2,i2,4\n", 3),
        (b"1::1193::5::978300760\n", 4),
    ],
)
def test_a_file_without_header_counts_its_rows_from_1(tmp_path: Path, content: bytes, columns: int):
    raw, rows, aside = read_text_here(tmp_path, content + b"x\n")
    assert raw.columns == tuple(f"column_{number}" for number in range(1, columns + 1))
    assert len(rows) == content.count(b"\n")
    assert [row for row, _ in aside] == [content.count(b"\n") + 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.csv is empty"),
        (b" \n\n  \n", "x.csv is empty"),
        (b"\xef\xbb\xbf", "x.csv is empty"),
        (HEADER, "x.csv has a header, but no row; its columns are user_id, item_id, rating, timestamp"),
        (bytes(range(256)) * 4, "x.csv is not text: byte 0x00 at offset 0; CSV, TSV, JSON lines, Parquet"),
        (b"user_id,item_id\x00\nu,i\n", "x.csv is not text: byte 0x00 at offset 15"),
        (b"ab\x03cd\n", "x.csv is not text: byte 0x03 at offset 2"),
        (b"a,b\n" + b"1\x00,2\n" * 9, "x.csv is not text: byte 0x00 at offset 5"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 50, "x.csv is a PNG image, not a table"),
        (b"%PDF-1.7\n", "x.csv is a PDF document, not a table"),
        (b"\x80\x04\x95\x00", "x.csv is a pickle, not a table"),
        (b"SQLite format 3\x00", "x.csv is an SQLite database, not a table"),
        (b"{}\n{}\n", "x.csv has no columns: no line is a JSON object with a key"),
        (b'[{"user_id": 1}]', "x.csv is one JSON list; write one object a line"),
        (
            b",".join(b"c%d" % n for n in range(100_000)) + b"\n1\n",
            "x.csv has 100,000 columns; at most 1,000",
        ),
        (b"u" * (2**24 + 5), "x.csv: row 1 is longer than 16,777,216 characters"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str):
    with pytest.raises(DataError) as refused:
        read_text_here(tmp_path, content)
    assert str(refused.value).startswith(message)


def test_json_lines_keep_numbers_as_they_were_written(tmp_path: Path):
    content = (
        b'{"user_id": 12345678901234567890, "rating": 5.10, "tags": ["a", "b"], "new": true, "no": null}\n'
    )
    raw, rows, _ = read_text_here(tmp_path, content)
    assert raw.columns == ("user_id", "rating", "tags", "new", "no")
    assert rows == [["12345678901234567890", "5.10", "a|b", "true", ""]]


def test_json_lines_of_different_keys_share_all_columns(tmp_path: Path):
    raw, rows, _ = read_text_here(tmp_path, b'{"a": "1"}\n{"b": {"c": 2}}\n')
    assert raw.columns == ("a", "b")
    assert rows == [["1", ""], ["", '{"c": "2"}']]


def test_json_keys_that_make_no_name_get_one(tmp_path: Path):
    raw, rows, _ = read_text_here(tmp_path, b'{"": "1", " a": "2", "a": "3"}\n')
    assert raw.columns == ("column_1", "a", "a_2")
    assert rows == [["1", "2", "3"]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes at character 2"),
        (b"[1]", 'not a JSON object such as {"user_id": "u1"}'),
        (b"null", 'not a JSON object such as {"user_id": "u1"}'),
        (b'{"a": "\\ud800"}', "half a surrogate pair isn't UTF-8 text"),
        (b'{"a": ' + b"[" * 100_000 + b"1}", "JSON nested too deeply"),
    ],
)
def test_a_broken_json_line_is_set_aside(tmp_path: Path, line: bytes, reason: str):
    _, rows, aside = read_text_here(tmp_path, b'{"a": "1"}\n\n' + line + b'\n{"a": "2"}\n')
    assert rows == [["1"], ["2"]]
    assert aside == [(3, reason)]


def test_one_percent_of_broken_rows_in_a_large_file_are_set_aside_by_their_numbers(tmp_path: Path):
    lines = [b"broken" if number % 100 == 37 else b"u%d,i1,5,1600000000" % number for number in range(50_000)]
    raw, _, aside = read_text_here(tmp_path, HEADER + b"\n".join(lines))
    assert raw.n_read == 50_000
    assert [row for row, _ in aside] == list(range(37 + 2, 50_000, 100))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(alphabet="ab1,;\t\"'\n\r{}:[]é漢\x00|", max_size=300).map(str.encode),
        st.lists(
            st.dictionaries(st.text(max_size=5), st.floats() | st.text(max_size=5), max_size=3), max_size=5
        ).map(lambda objects: "\n".join(map(json.dumps, objects)).encode()),
    )
)
def test_any_bytes_whatever_are_read_or_refused_with_a_sentence(tmp_path: Path, content: bytes):
    if content.startswith((b"PAR1", b"PK", gzip.compress(b"")[:2])):
        return
    try:
        raw, rows, aside = read_text_here(tmp_path, content)
    except DataError as refused:
        assert str(refused).startswith("x.csv")
    else:
        assert raw.n_read == len(rows) + len(aside)
        assert all(len(row) == len(raw.columns) for row in rows)
