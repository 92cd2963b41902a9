"""Safe files: what is written appears whole or not at all, and what is read is what was written.

Every write goes to a temporary file in the same folder, is flushed to the disk, and is renamed over
its name; then the folder itself is flushed, so that the rename survives a power cut too.
"""

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys_core.errors import StoreError


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, write: Callable[[Path], object]) -> str:
    """Runs `write` on a temporary path, then puts the result at `path`; returns its SHA-256.

    Raises:
        StoreError: the disk refused, in the words of the operating system; `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        write(temporary)
        _flush(temporary)
        digest = sha256_of(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"could not write {path.name}: {error.strerror or error}") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return digest


def write_json(path: Path, value: Any) -> str:
    """Writes JSON that any reader accepts (no NaN in it); returns the file's SHA-256."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    return write_atomically(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        StoreError: the file is missing or isn't JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path.name} can't be read: {error}") from error


def check_sha256(path: Path, expected: str) -> None:
    """Compares a file with the SHA-256 recorded when it was written.

    Raises:
        StoreError: the file is missing or its content has changed since.
    """
    if not path.is_file():
        raise StoreError(f"{path.name} is missing from the workspace")
    found = sha256_of(path)
    if found != expected:
        raise StoreError(
            f"{path.name} is damaged: its SHA-256 is {found[:12]}…, but {expected[:12]}… was recorded "
            "when it was written"
        )


@contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """A folder that appears at `path` when the block ends well, and not at all when it doesn't.

    Raises:
        StoreError: the disk refused, or `path` is a folder with something in it.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        yield temporary
        for file in temporary.rglob("*"):
            _flush(file)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise StoreError(f"could not write {path.name}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
