"""Any readable file as Parquet of our own: every field as text, and the number of the row it came from.

Only this module and what it calls touch bytes that a stranger wrote. It runs in the reading child.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.data.movielens import layout_of
from recsys_core.data.parquet_rows import parquet_columns, read_parquet_rows
from recsys_core.data.records import Record, Reject, read_delimited, read_json_lines
from recsys_core.data.sniff import MAX_COLUMNS, FileKind, Format, clean_names, sniff
from recsys_core.errors import DataError

BATCH_ROWS = 20_000
BATCH_CHARS = 8 * 2**20
_JSON_SAMPLE = 10_000  # objects that are asked for the names of the columns

ROW = "row"
REJECT_SCHEMA = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("column", pa.string()), ("reason", pa.string())]
)


@dataclass(frozen=True, slots=True)
class RawTable:
    """A file that was read, kept as Parquet with the columns `row`, `c0`, `c1`, … (text, never null).

    Attributes:
        label: the file's name, as messages say it.
        path: of the Parquet.
        how: the format it was read by; its `columns` name `c0`, `c1`, …
        n_read: rows in the file, those set aside included.
        warnings: what a person should know about the reading.
    """

    label: str
    path: Path
    how: Format
    n_read: int
    warnings: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The file's own names of `c0`, `c1`, …"""
        return self.how.columns

    def sample(self, n_rows: int) -> list[list[str]]:
        """The first rows, as lists of text."""
        with pq.ParquetFile(self.path) as file:
            batch = next(file.iter_batches(n_rows), None)
        if batch is None:
            return []
        return [list(row) for row in zip(*(column.to_pylist() for column in batch.columns[1:]), strict=True)]


class RejectWriter:
    """Keeps rows that were set aside, however many, on the disk."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, REJECT_SCHEMA)
        self._rows: list[tuple[str, int, str, str]] = []
        self.n_rows = 0

    def add(self, label: str, row: int, reason: str, column: str = "") -> None:
        """Sets one row aside."""
        self._rows.append((label, row, column, reason))
        self.n_rows += 1
        if len(self._rows) >= BATCH_ROWS:
            self._flush()

    def close(self) -> None:
        """Writes what is left."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = list(zip(*self._rows, strict=True))
            self._writer.write_table(pa.table(columns, schema=REJECT_SCHEMA))
            self._rows.clear()


def read_raw(
    path: Path, label: str, target: Path, rejects: RejectWriter, max_rows: int | None = None
) -> RawTable:
    """Reads one file of any format.

    Args:
        path: the file, out of its zip or gzip.
        label: what messages call it.
        target: where the Parquet goes.
        rejects: takes the rows that can't be read.
        max_rows: stop after so many; None = read all.

    Raises:
        DataError: the file as a whole can't be read, or holds no row.
    """
    layout = layout_of(path)
    how = layout.how if layout else sniff(path, label)
    already = rejects.n_rows
    warnings: tuple[str, ...] = how.warnings
    match how.kind:
        case FileKind.PARQUET:
            columns, warnings = clean_names(parquet_columns(path, label), label)
            how = Format(FileKind.PARQUET, columns=columns)
            records = read_parquet_rows(path, label)
        case FileKind.JSON_LINES:
            keys = _json_keys(path, how, label)
            columns, renamed = clean_names(keys, label)
            how, warnings = replace(how, columns=columns), (*how.warnings, *renamed)
            records = _json_records(path, how, keys, lambda row, reason: rejects.add(label, row, reason))
        case FileKind.DELIMITED:
            records = read_delimited(path, how, lambda row, reason: rejects.add(label, row, reason))
    if layout:
        how, records = replace(how, columns=layout.columns), layout.rearranged(records)
    n_kept = _write(itertools.islice(records, max_rows), how, target, label, rejects)
    n_read = n_kept + rejects.n_rows - already
    if n_read == 0:
        what = "a header, but no row" if how.has_header else "no row"
        raise DataError(f"{label} has {what}; its columns are {', '.join(how.columns)}")
    return RawTable(label, target, how, n_read, warnings)


def _json_keys(path: Path, how: Format, label: str) -> list[str]:
    found: dict[str, None] = {}
    for _, fields in itertools.islice(read_json_lines(path, how, lambda row, reason: None), _JSON_SAMPLE):
        found.update(dict.fromkeys(fields))
    if not found:
        raise DataError(f"{label} has no columns: no line is a JSON object with a key")
    if len(found) > MAX_COLUMNS:
        raise DataError(f"{label} has {len(found):,} columns; at most {MAX_COLUMNS:,} can be read")
    return list(found)


def _json_records(path: Path, how: Format, keys: list[str], reject: Reject) -> Iterator[Record]:
    for row, fields in read_json_lines(path, how, reject):
        yield row, [fields.get(key, "") for key in keys]


def _write(records: Iterable[Record], how: Format, target: Path, label: str, rejects: RejectWriter) -> int:
    """Writes the records in batches; returns how many there were."""
    schema = pa.schema(
        [(ROW, pa.int64()), *((f"c{index}", pa.string()) for index in range(len(how.columns)))]
    )
    n_kept = 0
    with pq.ParquetWriter(target, schema) as writer:
        for batch in _batches(records):
            try:
                table = _table(batch, schema)
            except UnicodeEncodeError:
                table = _table(list(_decodable(batch, how, label, rejects)), schema)
            writer.write_table(table)
            n_kept += table.num_rows
    return n_kept


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    n_chars = 0
    for record in records:
        batch.append(record)
        n_chars += sum(map(len, record[1]))
        if len(batch) >= BATCH_ROWS or n_chars >= BATCH_CHARS:
            yield batch
            batch, n_chars = [], 0
    if batch:
        yield batch


def _table(batch: list[Record], schema: pa.Schema) -> pa.Table:  # pyright: ignore[reportUnknownParameterType]
    fields = zip(*(fields for _, fields in batch), strict=True) if batch else ([] for _ in schema.names[1:])
    columns = [
        pa.array([row for row, _ in batch], pa.int64()),
        *(pa.array(column, pa.string()) for column in fields),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _decodable(batch: list[Record], how: Format, label: str, rejects: RejectWriter) -> Iterator[Record]:
    """The records without a byte that isn't of the encoding; the others are set aside."""
    for row, fields in batch:
        broken = next((index for index, field in enumerate(fields) if not _is_unicode(field)), None)
        if broken is None:
            yield row, fields
        else:
            stray = next(letter for letter in fields[broken] if "\ud800" <= letter <= "\udfff")
            byte = f"byte 0x{ord(stray) - 0xDC00:02x}" if ord(stray) >= 0xDC80 else "half a surrogate pair"
            rejects.add(
                label, row, f"{byte} isn't {(how.encoding or 'utf-8').upper()} text", how.columns[broken]
            )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
