"""A file, a folder or a zip as named members, of which only those asked for are unpacked.

A zip is judged by its directory before a byte of it is written, and no path is ever made of a member's
name: what is unpacked lies in the child's own folder under a number.
"""

import gzip
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from recsys_core.errors import DataError

MAX_MEMBERS = 10_000
MAX_UNPACKED_BYTES = 64 * 2**30
MAX_RATIO = 200  # tables pack to a tenth, rarely to a fiftieth; bombs to a thousandth
RATIO_FREE_BYTES = 32 * 2**20  # below this size even a bomb does no harm
_CHUNK = 2**20
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, OSError)
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Source:
    """Where tables lie.

    Attributes:
        path: of the file, folder or zip.
        kind: which of the three it is.
        names: the members' names, in order; of a single file just its own name.
    """

    path: Path
    kind: Literal["file", "folder", "zip"]
    names: tuple[str, ...]

    def label(self, name: str) -> str:
        """A member as messages call it: `ratings.zip/ratings.csv`."""
        text = name if self.kind == "file" else f"{self.path.name}/{name}"
        return text.encode(errors="replace").decode()  # a file system's names may be no text at all


def open_source(path: Path) -> Source:
    """The members of a file, folder or zip; what is hidden, or a system's rubbish, is passed over.

    Raises:
        DataError: there is no such file, or the zip is damaged, locked, or made to do harm.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink())
        names = _visible(file.relative_to(path).as_posix() for file in files[:MAX_MEMBERS])
        return Source(path, "folder", _some(names, f"the folder {path.name}"))
    if not path.is_file():
        raise DataError(f"{path.name}: there is no such file or folder")
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty")
    if _starts_with(path, b"PK\x03\x04") or _starts_with(path, b"PK\x05\x06"):
        return Source(path, "zip", _zip_names(path))
    return Source(path, "file", (path.name,))


def unpack(source: Source, name: str, folder: Path) -> Path:
    """A plain file with the content of one member, out of its zip and its gzip.

    Raises:
        DataError: it is damaged, or grows beyond what its size allows.
    """
    match source.kind:
        case "folder":
            path = source.path / name
        case "file":
            path = source.path
        case "zip":
            path = _unzip(source.path, name, _free_path(folder))
    return _gunzip(path, source.label(name), _free_path(folder)) if _starts_with(path, _GZIP) else path


def _zip_names(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise DataError(f"{path.name} is a damaged zip: {error}") from error
    _check_directory(path, members)
    if any(member.filename == "xl/workbook.xml" for member in members):
        raise DataError(f"{path.name} is an Excel workbook, which can't be read; save its sheet as CSV")
    return _some(_visible(member.filename for member in members if not member.is_dir()), path.name)


def _some(names: Iterable[str], label: str) -> tuple[str, ...]:
    found = tuple(names)
    if not found:
        raise DataError(f"{label} holds no file")
    return found


def _check_directory(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuses a zip whose directory shows that it isn't what it says.

    Raises:
        DataError: too many or repeated members, a name that leads outside, a link, a lock, a bomb.
    """
    if len(members) > MAX_MEMBERS:
        raise DataError(f"{path.name} holds {len(members):,} members; at most {MAX_MEMBERS:,} are allowed")
    if len({member.filename for member in members}) < len(members):
        raise DataError(f"{path.name} holds two members of one name")
    for member in members:
        _check_member(path, member)
    packed = sum(member.compress_size for member in members)
    unpacked = sum(member.file_size for member in members)
    if packed > path.stat().st_size:
        raise DataError(
            f"{path.name}: its members overlap ({packed:,} bytes in a file of {path.stat().st_size:,})"
        )
    _check_growth(path.name, packed, unpacked)


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if (
        name.startswith(("/", "\\"))
        or ":" in name[:3]
        or ".." in PurePosixPath(name.replace("\\", "/")).parts
    ):
        raise DataError(f"{path.name}: the member '{name[:80]}' leads outside the zip")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DataError(
            f"{path.name}: the member '{name[:80]}' is a link or a device; only files are allowed"
        )
    if member.flag_bits & 0x1:
        raise DataError(f"{path.name}: the member '{name[:80]}' is locked by a password")
    _check_growth(f"{path.name}/{name[:80]}", member.compress_size, member.file_size)


def _check_growth(label: str, packed: int, unpacked: int) -> None:
    if unpacked > MAX_UNPACKED_BYTES:
        raise DataError(f"{label} unpacks to {unpacked:,} bytes; at most {MAX_UNPACKED_BYTES:,} are allowed")
    if unpacked > max(RATIO_FREE_BYTES, MAX_RATIO * packed):
        raise DataError(f"{label} unpacks to over {MAX_RATIO} times its size, as a zip bomb does")


def _unzip(path: Path, name: str, target: Path) -> Path:
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(name)
            with archive.open(member) as packed:
                written = _copy(packed, target, member.file_size, f"{path.name}/{name}")
    except (*_DAMAGED, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path.name}/{name} can't be unpacked: {error}") from error
    if written != member.file_size:
        raise DataError(f"{path.name}/{name} says {member.file_size:,} bytes and unpacks to {written:,}")
    return target


def _gunzip(path: Path, label: str, target: Path) -> Path:
    try:
        with gzip.GzipFile(path) as packed:
            _copy(packed, target, max(RATIO_FREE_BYTES, MAX_RATIO * path.stat().st_size), label)
    except _DAMAGED as error:
        raise DataError(f"{label} can't be unpacked: {error}") from error
    if target.stat().st_size == 0:
        raise DataError(f"{label} is empty")
    return target


def _copy(packed: IO[bytes] | gzip.GzipFile, target: Path, limit: int, label: str) -> int:
    written = 0
    with target.open("wb") as file:
        while chunk := packed.read(_CHUNK):
            written += len(chunk)
            if written > min(limit, MAX_UNPACKED_BYTES):
                raise DataError(f"{label} unpacks to more than the {limit:,} bytes that its size allows")
            file.write(chunk)
    return written


def _visible(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if not any(part.startswith((".", "__MACOSX")) for part in name.split("/")):
            yield name


def _free_path(folder: Path) -> Path:
    return folder / f"unpacked_{len(list(folder.glob('unpacked_*')))}"


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
