"""CSV downloads: readable by spreadsheets, and nothing in them runs."""

import io

import numpy as np
import pandas as pd
import pytest

from ui.exports import csv_bytes, inert


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", '=HYPERLINK("http://e")', "|calc", "%0A"],
)
def test_formula_gets_an_apostrophe(cell: str) -> None:
    assert inert(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-5", "+3.5", "-1e-9", "Alien", "a=b", "1-2", "", "'quoted"])
def test_number_or_plain_text_stays(cell: str) -> None:
    assert inert(cell) == cell


@pytest.mark.parametrize("cell", [-5, -0.5, None, True])
def test_what_is_no_text_stays(cell: object) -> None:
    assert inert(cell) is cell


def test_csv_begins_with_a_byte_order_mark_and_keeps_chinese() -> None:
    written = csv_bytes(pd.DataFrame({"标题": ["电影"]}))
    assert written[:3] == b"\xef\xbb\xbf"
    assert written[3:].decode("utf-8") == "标题\n电影\n"


def test_csv_makes_cells_and_headers_inert_and_numbers_stay_numbers() -> None:
    frame = pd.DataFrame({"=cmd": ["=1+1", "b"], "n": [-1.5, np.nan]})
    back = pd.read_csv(io.BytesIO(csv_bytes(frame)))
    assert list(back.columns) == ["'=cmd", "n"]
    assert back["'=cmd"].tolist() == ["'=1+1", "b"]
    assert back["n"].iloc[0] == -1.5
    assert np.isnan(back["n"].iloc[1])


def test_csv_of_categories_is_inert_too() -> None:
    frame = pd.DataFrame({"group": pd.Categorical(["=a", "b"])})
    assert csv_bytes(frame)[3:] == b"group\n'=a\nb\n"


def test_csv_of_an_empty_table_has_its_header() -> None:
    assert csv_bytes(pd.DataFrame({"a": [], "b": []}))[3:] == b"a,b\n"
