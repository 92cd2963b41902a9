"""Things of a workspace in one file: a zip of their files and a list of what they are, with every SHA-256.

Only the list is believed: no path is made of a name in the zip that it doesn't have, and a file whose content
isn't the listed one is refused. Nothing in a bundle is a pickle or is ever run.
"""

import json
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys_core.data.archives import open_source, unpack
from recsys_core.errors import DataError
from recsys_core.files import sha256_of, write_atomically
from recsys_core.store.records import ModelRecord, NamedRecord
from recsys_core.store.shelves import SHELVES
from recsys_core.store.workspace import NamedKind, Workspace

FORMAT: Literal["reclens-bundle"] = "reclens-bundle"
VERSION = 1
LIST_FILE = "bundle.json"
MAX_LIST_BYTES = 64 * 2**20
_TIME = (1980, 1, 1, 0, 0, 0)  # the same things make the same file
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(parquet|safetensors|json|csv)")


class Entry(BaseModel):
    """One thing of a bundle, as its record had it, and its files with their SHA-256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: NamedKind
    id: str = Field(pattern=r"^(ds|md|au)_[0-9a-f]{12}$")
    name: str = Field(min_length=1, max_length=100)
    created_at_s: float = Field(allow_inf_nan=False, ge=0)
    details: dict[str, Any]
    dataset_id: str | None = Field(default=None, pattern=r"^ds_[0-9a-f]{12}$")
    files: dict[str, str]

    @property
    def folder(self) -> str:
        """Where its files lie in the bundle."""
        return f"{SHELVES[self.kind].folder}/{self.id}"


class Contents(BaseModel):
    """The list of a bundle: things in the order in which they can be added, and what was shown of people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["reclens-bundle"] = FORMAT
    version: Literal[1] = VERSION
    entries: tuple[Entry, ...] = Field(min_length=1, max_length=1_000)
    shown: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)


def pack(
    workspace: Workspace,
    records: Sequence[NamedRecord],
    shown: Mapping[str, list[dict[str, Any]]],
    out: Path,
) -> str:
    """Writes the records and their checked files into one file; its SHA-256.

    Args:
        workspace: where they are.
        records: in an order in which they can be added again: data sets, models, audits.
        shown: what was shown of the people of each data set that goes along, by its id and kind of figure.
        out: the file.

    Raises:
        StoreError: a file of theirs is damaged, or the bundle can't be written.
    """
    entries = tuple(entry_of(record) for record in records)
    folders = [workspace.checked_folder(record) for record in records]
    contents = Contents(entries=entries, shown=dict(shown))

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as bundle:
            listed = json.dumps(contents.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)
            bundle.writestr(zipfile.ZipInfo(LIST_FILE, _TIME), listed)
            for entry, folder in zip(entries, folders, strict=True):
                for name in sorted(entry.files):
                    info = zipfile.ZipInfo(f"{entry.folder}/{name}", _TIME)
                    with (
                        (folder / name).open("rb") as file,
                        bundle.open(info, "w", force_zip64=True) as member,
                    ):
                        shutil.copyfileobj(file, member)

    return write_atomically(out, write)


def entry_of(record: NamedRecord) -> Entry:
    """A record as a bundle lists it."""
    kind = next(kind for kind, shelf in SHELVES.items() if record.id.startswith(f"{shelf.prefix}_"))
    return Entry.model_validate(
        {
            "kind": kind,
            "id": record.id,
            "name": record.name,
            "created_at_s": record.created_at_s,
            "details": record.details,
            "dataset_id": record.dataset_id if isinstance(record, ModelRecord) else None,
            "files": record.folder_sha256,
        }
    )


def unpack_all(path: Path, folder: Path) -> Contents:
    """Lays every file of a bundle into `folder`, a folder for each thing by its id; the list of them.

    Raises:
        DataError: it isn't a bundle, is of another version, is made to do harm, or a file isn't the one
            that is listed.
    """
    source = open_source(path)
    if source.kind != "zip" or LIST_FILE not in source.names:
        raise DataError(f"{path.name} is not a bundle of RecLens, which is a zip with a {LIST_FILE} in it")
    work = folder / "packed"
    work.mkdir(parents=True)
    contents = _contents(path, unpack(source, LIST_FILE, work))
    wanted = {f"{entry.folder}/{name}" for entry in contents.entries for name in entry.files}
    if wanted != set(source.names) - {LIST_FILE}:
        odd = sorted(wanted ^ (set(source.names) - {LIST_FILE}))[0]
        raise DataError(f"{path.name}: '{odd[:80]}' is in the zip or in its list, and not in both")
    for entry in contents.entries:
        (folder / entry.id).mkdir()
        for name, sha256 in entry.files.items():
            unpacked = unpack(source, f"{entry.folder}/{name}", work)
            if sha256_of(unpacked) != sha256:
                raise DataError(
                    f"{path.name}: {name} of the {SHELVES[entry.kind].words} '{entry.name}' isn't what was "
                    f"exported: its SHA-256 should be {sha256[:12]}…; copy the bundle again"
                )
            unpacked.replace(folder / entry.id / name)
    shutil.rmtree(work)
    return contents


def _contents(path: Path, listed: Path) -> Contents:
    """The list, checked.

    Raises:
        DataError: it can't be read, or is of another version.
    """
    if listed.stat().st_size > MAX_LIST_BYTES:
        raise DataError(f"{path.name}: its {LIST_FILE} is over {MAX_LIST_BYTES:,} bytes")
    try:
        found = json.loads(listed.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: its {LIST_FILE} is damaged") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DataError(f"{path.name} is not a bundle of RecLens")
    if found.get("version") != VERSION:
        raise DataError(
            f"{path.name} is a bundle of version {str(found.get('version'))[:20]}, and this RecLens reads "
            f"version {VERSION}; export it again with this RecLens"
        )
    try:
        contents = Contents.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path.name}: its {LIST_FILE} is damaged at {where[:80]}: {first['msg']}") from error
    _check_entries(path, contents)
    return contents


def _check_entries(path: Path, contents: Contents) -> None:
    ids = [entry.id for entry in contents.entries]
    if len(set(ids)) < len(ids):
        raise DataError(f"{path.name}: its {LIST_FILE} has the same thing twice")
    for entry in contents.entries:
        if not entry.id.startswith(f"{SHELVES[entry.kind].prefix}_"):
            raise DataError(f"{path.name}: {entry.id} is no id of a {SHELVES[entry.kind].words}")
        if (entry.kind == "model") != (entry.dataset_id is not None):
            raise DataError(f"{path.name}: a model, and nothing else, has a data set; {entry.id} is wrong")
        for name, sha256 in entry.files.items():
            if not FILE_NAME.fullmatch(name) or not re.fullmatch(r"[0-9a-f]{64}", sha256):
                raise DataError(
                    f"{path.name}: '{name[:80]}' isn't a file of a bundle; those are Parquet, safetensors, "
                    "JSON and CSV, each with its SHA-256"
                )
