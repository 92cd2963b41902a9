"""From files to tables: what a page and the command call. The reading itself happens in a child process."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import pandas as pd

from recsys_core.data.mapping import Kind, Mapping
from recsys_core.data.read_request import ERROR, PREVIEW, TOLD, WORK, ReadLimits, ReadRequest
from recsys_core.data.schema import Role, Tables
from recsys_core.data.validate import (
    INTERACTIONS,
    ITEMS,
    REJECTED,
    USERS,
    ValidationReport,
    read_own_parquet,
)
from recsys_core.errors import ConfigError, DataError, RecsysError, StoreError
from recsys_core.files import read_json, write_atomically

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # each reserves address space


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What was read, and the account of it."""

    tables: Tables
    report: ValidationReport


@dataclass(frozen=True, slots=True)
class Preview:
    """How a file looks before anything of it is kept.

    Attributes:
        label: the file's name; of a zip or folder with the member that would be read.
        columns: the names of its columns.
        rows: its first rows, 20 at most, as text under these names.
        format: `delimited text`, `JSON lines` or `Parquet`.
        encoding: of text; "" for Parquet.
        delimiter: between the fields of delimited text; else "".
        has_header: whether the first line names the columns.
        guess: the likely roles of its columns.
        warnings: what a person should know about the reading.
    """

    label: str
    columns: tuple[str, ...]
    rows: pd.DataFrame
    format: str
    encoding: str
    delimiter: str
    has_header: bool
    guess: Mapping
    warnings: tuple[str, ...]


def preview(path: Path, kind: Kind = "interactions", limits: ReadLimits | None = None) -> Preview:
    """The first rows of a file, zip or folder, and what its columns seem to be.

    Args:
        path: the file.
        kind: what it is taken for.
        limits: where reading is stopped; None = the defaults.

    Raises:
        DataError: it can't be read.
    """
    with _temporary_folder() as folder:
        _run_child(ReadRequest(path, None, None, Mapping(), None, None, kind, folder, limits or ReadLimits()))
        found = read_json(folder / PREVIEW)
    columns = tuple(found["columns"])
    return Preview(
        label=found["label"],
        columns=columns,
        rows=pd.DataFrame(found["rows"], columns=list(columns), dtype="str"),
        format=found["kind"],
        encoding=found["encoding"],
        delimiter=found["delimiter"],
        has_header=found["has_header"],
        guess=Mapping(tuple((Role(role), column) for role, column in found["guess"])),
        warnings=tuple(found["warnings"]),
    )


def read_tables(
    interactions: Path, items: Path | None, users: Path | None, mapping: Mapping, min_rating: float | None
) -> ReadResult:
    """The tables of one data set, and what was set aside on the way.

    Args:
        interactions: a CSV, TSV, JSON-lines or Parquet file, any of them in .gz, or a zip or folder of such.
        items: the same for the items; None = the one in `interactions`' zip or folder, if there is one.
        users: the same for the people.
        mapping: which column is what; what it leaves open is guessed.
        min_rating: interactions rated lower, or not rated, are left out; None = all stay.

    Raises:
        DataError: a file can't be read, lacks an id, or leaves no usable row.
        ConfigError: `min_rating` isn't a number, or nothing is rated.
    """
    return read_files(interactions, items, users, mapping, min_rating)


def read_files(
    interactions: Path,
    items: Path | None,
    users: Path | None,
    mapping: Mapping,
    min_rating: float | None,
    sample: str | None = None,
) -> ReadResult:
    """As `read_tables`, of files that must be one of the known samples where `sample` names it."""
    with _temporary_folder() as folder:
        report = import_files(interactions, items, users, mapping, min_rating, folder, sample=sample)
        return ReadResult(load_tables(folder), report)


def import_files(
    interactions: Path,
    items: Path | None,
    users: Path | None,
    mapping: Mapping,
    min_rating: float | None,
    folder: Path,
    sample: str | None = None,
    limits: ReadLimits | None = None,
) -> ValidationReport:
    """The account of an import whose tables lie in `folder`, as `load_tables` reads them.

    Nothing of the tables is held in memory, so that the files may be larger than it.

    Args:
        interactions: as in `read_tables`, like the next four.
        items: see there.
        users: see there.
        mapping: see there.
        min_rating: see there.
        folder: an existing folder that takes the tables and the report.
        sample: the MovieLens that `interactions` must be; None = anything.
        limits: where reading is stopped; None = the defaults.

    Raises:
        DataError: a file can't be read, lacks an id, or leaves no usable row.
        ConfigError: `min_rating` isn't a number, or nothing is rated.
    """
    if min_rating is not None and not isfinite(min_rating):
        raise ConfigError(f"the lowest rating must be a number, not {min_rating}")
    _run_child(
        ReadRequest(
            interactions, items, users, mapping, min_rating, sample, None, folder, limits or ReadLimits()
        )
    )
    return ValidationReport.load(folder)


@dataclass(frozen=True, slots=True)
class ReadItems:
    """Items of a catalogue's file, and the rows that were set aside.

    Attributes:
        items: as in `Tables`.
        rejected: `file`, `row`, `column` and `reason`.
    """

    items: pd.DataFrame
    rejected: pd.DataFrame


def read_items(path: Path, mapping: Mapping | None = None, limits: ReadLimits | None = None) -> ReadItems:
    """The items of a file, and nothing else.

    Raises:
        DataError: it can't be read, lacks the id, or leaves no usable row.
    """
    with _temporary_folder() as folder:
        said, where = mapping or Mapping(), limits or ReadLimits()
        _run_child(ReadRequest(path, None, None, said, None, None, None, folder, where, only_items=True))
        return ReadItems(read_own_parquet(folder / ITEMS), read_own_parquet(folder / REJECTED))


def write_tables(tables: Tables, folder: Path) -> None:
    """Writes the tables as Parquet into a folder, each whole or not at all.

    Raises:
        StoreError: the disk refused.
    """
    _write(tables.interactions, folder / INTERACTIONS)
    _write(tables.items, folder / ITEMS)
    _write(tables.users, folder / USERS)


def load_tables(folder: Path) -> Tables:
    """The tables that `write_tables` or `import_files` left in a folder.

    Raises:
        StoreError: one of them is missing or damaged.
    """
    return Tables(
        interactions=read_own_parquet(folder / INTERACTIONS),
        items=read_own_parquet(folder / ITEMS),
        users=read_own_parquet(folder / USERS),
    )


def _write(table: pd.DataFrame, path: Path) -> None:
    write_atomically(path, lambda temporary: table.to_parquet(temporary, index=False))


@contextmanager
def _temporary_folder() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="reclens-") as name:
        yield Path(name)


def _run_child(request: ReadRequest) -> None:
    """Has a child process do the request.

    Raises:
        RecsysError: what the child says is wrong; or that it died, and of what.
    """
    asked = request.folder / "request.json"
    asked.write_text(request.to_json(), encoding="utf-8")
    reading_end, writing_end = os.pipe()  # the child ends when ours is closed, even by our own death
    try:
        done = subprocess.run(
            [sys.executable, "-m", "recsys_core.data.read_child", str(asked)],
            stdin=reading_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60 + 2 * request.cpu_seconds(),
            env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "MALLOC_ARENA_MAX": "2"},
            check=False,
        )
        if done.returncode != 0:
            raise _child_error(request, done.returncode, done.stderr.decode(errors="replace"))
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{_being_read(request)} took longer to read than is allowed") from error
    finally:
        os.close(reading_end)
        os.close(writing_end)
        asked.unlink()
        shutil.rmtree(request.folder / WORK, ignore_errors=True)


def _child_error(request: ReadRequest, code: int, stderr: str) -> RecsysError:
    if code == TOLD:
        told = read_json(request.folder / ERROR)
        (request.folder / ERROR).unlink()
        kinds = {kind.__name__: kind for kind in (DataError, ConfigError, StoreError)}
        return kinds.get(told["kind"], DataError)(told["message"])
    name = _being_read(request)
    if -code == signal.SIGXCPU:
        return DataError(
            f"{name} took over {request.cpu_seconds():,} s of processor time to read, and was given up"
        )
    if "MemoryError" in stderr or -code == signal.SIGKILL:
        return DataError(f"{name} needs more memory than reading a file may take")
    how = f"signal {-code}" if code < 0 else (stderr.strip().splitlines() or ["no reason given"])[-1][:200]
    return DataError(  # a library that runs into the limit of memory may die of it without a word
        f"{name} could not be read: its reader stopped ({how}); the file may be damaged, or need more memory "
        "than reading a file may take"
    )


def _being_read(request: ReadRequest) -> str:
    path = request.folder / WORK / "reading"
    return path.read_text(encoding="utf-8") if path.exists() else request.interactions.name
