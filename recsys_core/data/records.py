"""Text files as records with their line numbers; what isn't a record is set aside, and reading goes on.

A quote that is opened and never closed would swallow the rest of a file. So a record may span a hundred
lines at most, and where it doesn't end well only its first line is lost: the others are read again.
"""

import csv
import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from recsys_core.data.sniff import MAX_LINE, TWO_COLONS, Format, decoding_errors

MAX_RECORD_LINES = 100

Reject = Callable[[int, str], None]  # line number, reason
Record = tuple[int, list[str]]  # line number of its first line, fields


class _UnclosedQuoteError(Exception):
    pass


class _Lines:
    """Numbered lines of a file for csv.reader, with those of the present record at hand to be read again."""

    def __init__(self, file: TextIO, reject: Reject, two_colons: bool = False) -> None:
        self._file = file
        self._reject = reject
        self._two_colons = two_colons
        self._number = 0
        self._again: deque[tuple[int, str]] = deque()
        self.record: list[tuple[int, str]] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        numbered = self._again.popleft() if self._again else self._read()
        if len(self.record) >= MAX_RECORD_LINES:
            self._again.appendleft(numbered)
            raise _UnclosedQuoteError
        self.record.append(numbered)
        return numbered[1]

    def _read(self) -> tuple[int, str]:
        while line := self._file.readline(MAX_LINE):
            self._number += 1
            if len(line) >= MAX_LINE and not line.endswith("\n"):
                self._skip_rest_of_line()
                self._reject(self._number, f"the line is longer than {MAX_LINE:,} characters")
            elif "\x00" in line:
                self._reject(self._number, f"byte 0x00 after {line.index(chr(0)):,} characters")
            else:
                return self._number, line.replace("::", TWO_COLONS) if self._two_colons else line
        raise StopIteration

    def _skip_rest_of_line(self) -> None:
        while (rest := self._file.readline(MAX_LINE)) and not rest.endswith("\n"):
            pass

    def skip_header(self) -> None:
        """Passes over the first line that has anything in it, which `sniff` has read."""
        for line in self:
            self.record.clear()
            if line.strip():
                return

    def take_record(self) -> int:
        """Ends the present record; returns the number of its first line."""
        number = self.record[0][0]
        self.record.clear()
        return number

    def set_first_line_aside(self, reason: str) -> None:
        """Rejects the record's first line; its other lines are read again, each for itself."""
        self._again.extendleft(reversed(self.record[1:]))
        self._reject(self.record[0][0], reason)
        self.record.clear()


def read_delimited(path: Path, how: Format, reject: Reject) -> Iterator[Record]:
    """The data rows of delimited text, each with as many fields as the file has columns.

    Args:
        path: the file.
        how: its format, as `sniff` found it.
        reject: is told the line number and the reason of each row that is set aside.
    """
    csv.field_size_limit(2 * MAX_LINE)
    with path.open(encoding=how.encoding, errors=decoding_errors(how.encoding)) as file:
        lines = _Lines(file, reject, how.delimiter == "::")
        if how.has_header:
            lines.skip_header()
        reader = _reader(lines, how)
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except (csv.Error, _UnclosedQuoteError) as error:
                lines.set_first_line_aside(_quote_reason(error))
                reader = _reader(lines, how)
                continue
            if not fields or (len(fields) == 1 and not fields[0].strip()):
                lines.take_record()
            elif len(fields) != len(how.columns):
                lines.set_first_line_aside(_count_reason(len(fields), how))
            else:
                yield lines.take_record(), fields


def _reader(lines: _Lines, how: Format) -> "Iterator[list[str]]":
    return csv.reader(
        lines,
        delimiter=TWO_COLONS if how.delimiter == "::" else how.delimiter,
        quotechar=how.quote or None,
        quoting=csv.QUOTE_MINIMAL if how.quote else csv.QUOTE_NONE,
        strict=True,
    )


def _quote_reason(error: Exception) -> str:
    if isinstance(error, _UnclosedQuoteError) or "unexpected end" in str(error):
        return "a quote is opened and not closed"
    if "expected after" in str(error):
        return "a quote ends inside its field: quotes in a quoted field are written twice"
    return f"the row can't be split into fields: {error}"


def _count_reason(found: int, how: Format) -> str:
    where = "the header" if how.has_header else "the first row"
    return f"{found:,} field{'' if found == 1 else 's'} where {where} has {len(how.columns):,}"


def read_json_lines(path: Path, how: Format, reject: Reject) -> Iterator[tuple[int, dict[str, str]]]:
    """The objects of a JSON-lines file, values as text: numbers as they were written, lists joined by |."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
    with path.open(encoding=how.encoding, errors=decoding_errors(how.encoding)) as file:
        lines = _Lines(file, reject)
        for line in lines:
            number = lines.take_record()
            if not line.strip():
                continue
            try:
                found = decoder.decode(line.rstrip())
            except json.JSONDecodeError as error:
                reject(number, f"not JSON: {error.msg} at character {error.pos + 1:,}")
            except RecursionError:
                reject(number, "JSON nested too deeply")
            else:
                if isinstance(found, dict):
                    yield number, {str(name): json_text(value) for name, value in found.items()}
                else:
                    reject(number, 'not a JSON object such as {"user_id": "u1"}')


def json_text(value: object) -> str:
    """A JSON value as the text of one field."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(part, (list, dict)) for part in value):
        return "|".join(json_text(part) for part in value)
    return json.dumps(value, ensure_ascii=False, default=str)
