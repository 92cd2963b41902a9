"""Tables as files that a spreadsheet opens without running anything."""

import re

import pandas as pd

_FORMULA = re.compile(r"^\s*[=+\-@\t\r\n|%]|^\s+[=+\-@]")
_NUMBER = re.compile(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")


def inert(cell: object) -> object:
    """The cell, with an apostrophe before a text that a spreadsheet would run; numbers stay numbers."""
    if not isinstance(cell, str) or not _FORMULA.match(cell) or _NUMBER.match(cell):
        return cell
    return f"'{cell}"


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8 with a byte order mark, which makes Excel read Chinese right."""
    texts = frame.select_dtypes(exclude=["number", "bool", "datetime"]).columns
    shown = frame.assign(**{column: frame[column].map(inert) for column in texts})
    shown.columns = [str(inert(str(column))) for column in frame.columns]
    return shown.to_csv(index=False).encode("utf-8-sig")
