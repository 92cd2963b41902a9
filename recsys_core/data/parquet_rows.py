"""Rows of a Parquet file that somebody else wrote, as text.

Arrow promises safety with untrusted files only after `validate(full=True)`; and the whole runs in the
reading child, where a crash costs nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys_core.data.records import Record, json_text
from recsys_core.data.sniff import MAX_COLUMNS
from recsys_core.errors import DataError

_BATCH_ROWS = 20_000
_BOMB_ROWS = 10_000_000
_ROWS_PER_BYTE = 50  # two constant columns pack about so well; nothing that people did does
_WHOLE = 2.0**53  # above it a float no longer tells neighbouring integers apart


def parquet_columns(path: Path, label: str) -> list[str]:
    """The columns' names.

    Raises:
        DataError: the file is damaged, too wide, or claims more rows than its size can hold.
    """
    try:
        with pq.ParquetFile(path) as file:
            names, n_rows = file.schema_arrow.names, file.metadata.num_rows
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(label, error) from error
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{label} has {len(names):,} columns; at most {MAX_COLUMNS:,} can be read")
    if n_rows > max(_BOMB_ROWS, _ROWS_PER_BYTE * path.stat().st_size):
        raise DataError(f"{label} claims {n_rows:,} rows in {path.stat().st_size:,} bytes, as a bomb does")
    return names


def read_parquet_rows(path: Path, label: str) -> Iterator[Record]:
    """The rows, numbered from 1, every value as text ("" = null).

    Raises:
        DataError: the file isn't what its schema says.
    """
    row = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                batch.validate(full=True)
                columns = [_as_text(column) for column in batch.columns]
                for fields in zip(*columns, strict=True):
                    row += 1
                    yield row, list(fields)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(label, error) from error


def _damaged(label: str, error: Exception) -> DataError:
    return DataError(f"{label} is a damaged Parquet file: {' '.join(str(error).split())[:200]}")


def _as_text(values: pa.Array) -> list[str]:  # pyright: ignore[reportUnknownParameterType]
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        return _numbers_as_text(values)
    try:
        text = values.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return [
            _bytes_text(value) if isinstance(value, bytes) else json_text(value)
            for value in values.to_pylist()
        ]
    return pc.fill_null(text, "").to_pylist()


def _numbers_as_text(values: pa.Array) -> list[str]:  # pyright: ignore[reportUnknownParameterType]
    """Whole numbers without a point: ids that passed through a float are ids again."""
    return ["" if value is None else _number_text(value) for value in values.to_pylist()]


def _number_text(value: float) -> str:
    return str(int(value)) if abs(value) < _WHOLE and value == int(value) else repr(value)


def _bytes_text(value: bytes) -> str:
    return value.decode("utf-8", errors="surrogateescape")
