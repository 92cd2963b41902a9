"""Files that a person hands in: where they lie for the moment, how they look, and what would come of them.

What is uploaded is in the server's memory; it goes to a temporary folder only while it is read.
"""

import re
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from recsys_core.actions.data import Ingested, SplitKind, ingest
from recsys_core.data.mapping import Kind
from recsys_core.data.mapping import Mapping as ColumnMapping
from recsys_core.data.readers import Preview, import_files, preview
from recsys_core.data.validate import ValidationReport
from recsys_core.errors import DataError
from ui import cache

KINDS: tuple[Kind, ...] = ("interactions", "items", "users")
IMPORT_FOLDER = "imports"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_UNUSABLE = re.compile(r"[^\w .()+\-]")


@dataclass(frozen=True, slots=True)
class Given:
    """A file that was handed in.

    Attributes:
        mark: the same as long as it is the same file, for caches.
        source: its content, or where it lies on the server.
    """

    mark: str
    source: UploadedFile | Path


def given_upload(upload: UploadedFile | None) -> Given | None:
    """An upload; None where there is none."""
    return None if upload is None else Given(f"upload:{upload.file_id}", upload)


def given_path(text: str) -> Given | None:
    """A path on the server; None where none was typed.

    Raises:
        DataError: there is nothing, or it lies where files may not be read from.
    """
    if not text.strip():
        return None
    path = Path(text.strip()).expanduser().resolve()
    allowed = import_folder()
    if allowed is not None and not path.is_relative_to(allowed):
        raise DataError(f"files are read from {allowed} only, and {path} isn't in it")
    if not (path.is_file() or path.is_dir()):
        raise DataError(f"there is no file or folder {path} on the server")
    stat = path.stat()
    return Given(f"path:{path}:{stat.st_mtime_ns}:{stat.st_size}", path)


def import_folder() -> Path | None:
    """The only folder from which files may be named; None = any, where the person sits at the server."""
    if str(st.get_option("server.address")) in _LOCAL:
        return None
    return (cache.workspace().home / IMPORT_FOLDER).resolve()


def look_at(kind: Kind, given: Given) -> Preview:
    """The first rows of a file and what its columns seem to be.

    Raises:
        DataError: it can't be read.
    """

    def look() -> Preview:
        with on_disk({kind: given}) as paths:
            return preview(paths[kind], kind)

    return cache.preview_of(given.mark, kind, look)


def check(given: Mapping[Kind, Given], mapping: ColumnMapping, min_rating: float | None) -> ValidationReport:
    """What would come of the files; nothing is kept.

    Raises:
        DataError: there is nothing usable in them.
        ConfigError: a lowest rating for data without ratings.
    """

    def read() -> ValidationReport:
        with on_disk(given) as paths, tempfile.TemporaryDirectory(prefix="reclens-check-") as folder:
            return import_files(
                paths["interactions"],
                paths.get("items"),
                paths.get("users"),
                mapping,
                min_rating,
                Path(folder),
            )

    return cache.check_of(mark_of(given, mapping, min_rating), read)


def keep(
    name: str, given: Mapping[Kind, Given], mapping: ColumnMapping, min_rating: float | None, split: SplitKind
) -> Ingested:
    """Brings the files in as a data set, with its test and validation items held out as `split` says.

    Raises:
        DataError: as `check`, the name is taken, or the data can't be split like that.
        ConfigError: as `check`.
        StoreError: the workspace can't be written.
    """
    with on_disk(given) as paths:
        return ingest(
            cache.workspace(),
            name,
            paths["interactions"],
            paths.get("items"),
            paths.get("users"),
            mapping,
            min_rating,
            split=split,
        )


def mark_of(given: Mapping[Kind, Given], mapping: ColumnMapping, min_rating: float | None) -> str:
    """The same for the same files with the same said about them."""
    files = {kind: one.mark for kind, one in given.items()}
    return repr((sorted(files.items()), mapping.pairs, min_rating))


@contextmanager
def on_disk(given: Mapping[Kind, Given]) -> Generator[dict[Kind, Path]]:
    """The files as paths, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="reclens-upload-") as folder:
        yield {kind: _path_of(one, Path(folder) / kind) for kind, one in given.items()}


def name_on_disk(name: str) -> str:
    """A file name made of an upload's: recognisable in messages, and unable to leave its folder."""
    last = _UNUSABLE.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    return last[-100:] or "upload"


def _path_of(given: Given, folder: Path) -> Path:
    if isinstance(given.source, Path):
        return given.source
    folder.mkdir()
    path = folder / name_on_disk(given.source.name)
    path.write_bytes(given.source.getbuffer())
    return path
