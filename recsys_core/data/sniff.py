"""What a file is, told by its content: never by its name."""

import codecs
import csv
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from recsys_core.errors import DataError

MAX_COLUMNS = 1_000
MAX_LINE = 16 * 2**20  # characters; a longer line is no row
MAX_NAME = 200  # characters of a column's name
TWO_COLONS = "\x1f"  # csv takes one character only: `::` becomes this one before it is split
READABLE = "CSV, TSV, JSON lines, Parquet, or a zip or .gz of these can be read"

_SAMPLE_LINES = 50
_SAMPLE_CHARS = 2 * 2**20
_DELIMITERS = (",", "\t", ";", "|", "::", " ")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_TYPED = re.compile(r"(.+):(token|token_seq|float|float_seq)")  # RecBole's atomic files
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1e]")
_GB2312 = re.compile(rb"([\xa1-\xf7][\xa1-\xfe])+")
_FOREIGN = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"PK\x03\x04", "a zip inside another archive"),
    (b"\x1f\x8b", "a .gz inside a .gz"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x7fELF", "a program"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class FileKind(StrEnum):
    """The ways in which rows are written down."""

    DELIMITED = "delimited text"
    JSON_LINES = "JSON lines"
    PARQUET = "Parquet"


@dataclass(frozen=True, slots=True)
class Format:
    """How to read a file.

    Attributes:
        kind: how its rows are written down.
        encoding: Python's name of the text's encoding; "" for Parquet.
        delimiter: what stands between two fields of delimited text.
        quote: what stands around a field; "" = nothing does.
        has_header: whether the first line names the columns.
        columns: their names, unique; `column_1` … where the file has no header. Of JSON lines and Parquet
            they are found later.
        sequences: columns that RecBole declares to be several words.
        warnings: what a person should know about the above.
    """

    kind: FileKind
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    has_header: bool = False
    columns: tuple[str, ...] = ()
    sequences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def sniff(path: Path, label: str) -> Format:
    """How to read a file, from its first lines.

    Args:
        path: the file, out of its zip or gzip.
        label: what messages call it.

    Raises:
        DataError: the file is empty, isn't text, or has over 1,000 columns.
    """
    with path.open("rb") as file:
        start = file.read(65536)
    if not start.strip():
        raise DataError(f"{label} is empty")
    if start.startswith(b"PAR1"):
        return Format(FileKind.PARQUET)
    for magic, what in _FOREIGN:
        if start.startswith(magic):
            raise DataError(f"{label} is {what}, not a table; {READABLE}")
    encoding = _encoding(path, start)
    if not encoding.startswith(("utf-16", "utf-32")):
        _refuse_binary(start, label)
    lines = _first_lines(path, encoding, label)
    found = _json_format(lines, label) or _delimited_format(lines, label)
    return replace(found, encoding=encoding, warnings=(*found.warnings, *_encoding_warnings(encoding, label)))


def _encoding(path: Path, start: bytes) -> str:
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    sample = start[: len(start) // 2 * 2]
    half = len(sample) / 2
    if half and sample[1::2].count(0) > 0.4 * half and sample[::2].count(0) < 0.05 * half:
        return "utf-16-le"
    if half and sample[::2].count(0) > 0.4 * half and sample[1::2].count(0) < 0.05 * half:
        return "utf-16-be"
    damaged = _first_block_that_is_not_utf8(path)
    if damaged is None:
        return "utf-8"
    text = damaged.decode("utf-8", errors="surrogateescape")
    stray = sum("\udc80" <= letter <= "\udcff" for letter in text)
    letters = sum(letter > "\x7f" for letter in text) - stray
    if letters > stray:
        return "utf-8"
    return "gb18030" if _is_chinese(damaged) else "cp1252"


def _is_chinese(text: bytes) -> bool:
    """Whether nearly all letters beyond ASCII come in GB 2312's pairs; an accent of Latin-1 stands alone."""
    runs = re.findall(rb"[\x80-\xff]+", text)
    return sum(bool(_GB2312.fullmatch(run)) for run in runs) >= 0.9 * len(runs)


def _first_block_that_is_not_utf8(path: Path) -> bytes | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(2**20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return block
    return None


def _encoding_warnings(encoding: str, label: str) -> tuple[str, ...]:
    guessed = {"cp1252": "Windows-1252 (Latin-1)", "gb18030": "GB 18030 (Chinese)"}.get(encoding)
    if guessed is None:
        return ()
    return (f"{label} isn't UTF-8 and was read as {guessed}: check that its letters look right",)


def _refuse_binary(start: bytes, label: str) -> None:
    lines = start.split(b"\n")
    first = _CONTROLS.search(lines[0])
    with_nul = sum(b"\x00" in line for line in lines)
    if first is None and with_nul * 2 <= len(lines):
        return
    offset = first.start() if first else start.index(b"\x00")
    raise DataError(f"{label} is not text: byte 0x{start[offset]:02x} at offset {offset}; {READABLE}")


def _first_lines(path: Path, encoding: str, label: str) -> list[str]:
    lines: list[str] = []
    with path.open(encoding=encoding, errors=decoding_errors(encoding)) as file:
        while len(lines) < _SAMPLE_LINES and sum(map(len, lines)) < _SAMPLE_CHARS:
            line = file.readline(MAX_LINE)
            if not line:
                break
            if len(line) >= MAX_LINE and not lines:
                raise DataError(f"{label}: row 1 is longer than {MAX_LINE:,} characters; {READABLE}")
            if len(line) > _SAMPLE_CHARS and lines:
                break
            if line.strip():
                lines.append(line.rstrip("\n"))
    if not lines:
        raise DataError(f"{label} is empty")
    return lines


def decoding_errors(encoding: str) -> str:
    """How to mark bytes that aren't of the encoding, so that their row can be set aside."""
    return "replace" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def _json_format(lines: list[str], label: str) -> Format | None:
    start = lines[0].lstrip()
    if re.match(r"\[\s*(\{|$)", start):
        raise DataError(f"{label} is one JSON list; write one object a line (JSON lines), without [ and ]")
    return Format(FileKind.JSON_LINES, has_header=False) if start.startswith("{") else None


def _delimited_format(lines: list[str], label: str) -> Format:
    quote = _quote(lines)
    delimiter = _delimiter(lines, quote)
    names = split_line(lines[0], delimiter, quote)
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{label} has {len(names):,} columns; at most {MAX_COLUMNS:,} can be read")
    if any(_NUMBER.fullmatch(name) for name in names):
        columns = tuple(f"column_{number}" for number in range(1, len(names) + 1))
        return Format(FileKind.DELIMITED, delimiter=delimiter, quote=quote, columns=columns)
    typed = [_TYPED.fullmatch(name.strip()) for name in names]
    sequences: tuple[str, ...] = ()
    if all(typed):
        names = [match[1] for match in typed if match]
        sequences = tuple(match[1] for match in typed if match and match[2] == "token_seq")
    columns, warnings = clean_names(names, label)
    return Format(
        FileKind.DELIMITED,
        delimiter=delimiter,
        quote=quote,
        has_header=True,
        columns=columns,
        sequences=sequences,
        warnings=warnings,
    )


def _quote(lines: list[str]) -> str:
    """`"`, unless it occurs nowhere and most lines have fields in single quotes."""
    if any('"' in line for line in lines):
        return '"'
    single = sum(bool(re.search(r"(^|[,;\t|])'[^']*'([,;\t|]|$)", line)) for line in lines)
    return "'" if single * 2 > len(lines) else '"'


def _delimiter(lines: list[str], quote: str) -> str:
    """The delimiter by which most lines have as many fields as the first; then the one with more fields."""
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        counts = [len(split_line(line, delimiter, quote)) for line in lines]
        if counts[0] < 2 or (delimiter == " " and best_score[0] > 0.5):
            continue
        score = (counts.count(counts[0]) / len(counts), counts[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def split_line(line: str, delimiter: str, quote: str) -> list[str]:
    """The fields of one line."""
    if delimiter == "::":
        line, delimiter = line.replace("::", TWO_COLONS), TWO_COLONS
    csv.field_size_limit(2 * MAX_LINE)
    quoting = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    return next(csv.reader([line], delimiter=delimiter, quotechar=quote or None, quoting=quoting), [])


def clean_names(names: list[str], label: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Column names that are there, short and unique; and a warning for each that had to be made so."""
    columns: list[str] = []
    warnings: list[str] = []
    for number, name in enumerate(names, start=1):
        wanted = name.strip()[:MAX_NAME] or f"column_{number}"
        unique, copy = wanted, 2
        while unique in columns:
            unique, copy = f"{wanted}_{copy}", copy + 1
        if unique != wanted:
            warnings.append(
                f"{label} has several columns called '{wanted}'; column {number} is now '{unique}'"
            )
        columns.append(unique)
    return tuple(columns), tuple(warnings)
