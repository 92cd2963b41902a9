"""Reads files as the child does, but in the test's own process, where it takes a tenth of the time."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import pyarrow.parquet as pq

from recsys_core.data import read_child
from recsys_core.data.mapping import parse_mapping
from recsys_core.data.raw import RawTable, RejectWriter, read_raw
from recsys_core.data.read_request import ReadLimits, ReadRequest
from recsys_core.data.readers import ReadResult, load_tables
from recsys_core.data.validate import ValidationReport

HEADER = b"user_id,item_id,rating,timestamp\n"
ROWS = b"u1,i1,5,1600000000\nu2,i2,4,1600000001\n"


def read_here(
    folder: Path,
    interactions: Path | bytes,
    items: Path | bytes | None = None,
    users: Path | bytes | None = None,
    mapping: Sequence[str] = (),
    min_rating: float | None = None,
) -> ReadResult:
    """The tables and the report of files, given as paths or as their content."""
    out = Path(mkdtemp(dir=folder))
    paths = [
        file if file is None or isinstance(file, Path) else put(folder, name, file)
        for name, file in (("interactions.csv", interactions), ("items.csv", items), ("users.csv", users))
    ]
    assert paths[0] is not None
    said = parse_mapping(mapping)
    read_child.run(ReadRequest(paths[0], paths[1], paths[2], said, min_rating, None, None, out, ReadLimits()))
    return ReadResult(load_tables(out), ValidationReport.load(out))


def read_text_here(folder: Path, content: bytes) -> tuple[RawTable, list[list[str]], list[tuple[int, str]]]:
    """One file as it is read before anything is judged: its rows, and (row, reason) of those set aside."""
    path = put(folder, "x.csv", content)
    rejects = RejectWriter(folder / "rejects.parquet")
    raw = read_raw(path, "x.csv", folder / "raw.parquet", rejects)
    rejects.close()
    aside = pq.read_table(folder / "rejects.parquet").to_pylist()
    return raw, raw.sample(10_000), [(row["row"], row["reason"]) for row in aside]


def put(folder: Path, name: str, content: bytes) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content)
    return path
