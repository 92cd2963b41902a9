"""Folders that are filled in hiding, and what killed processes leave of them."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from recsys_core.files import new_folder, sha256_of
from recsys_core.store import liveness
from recsys_core.store.names import ID_PATTERN

LEFTOVER_AGE_S = 3600.0
_HIDDEN = re.compile(r"\.(?P<host>[0-9a-f]{8})\.(?P<pid>\d+)\.tmp")


def hidden_beside(folder: Path) -> Path:
    """A path next to `folder` that says which process of which machine is filling it."""
    return folder.with_name(f".{folder.name}.{liveness.this_host()}.{os.getpid()}.tmp")


def fill(hidden: Path, write: Callable[[Path], object]) -> dict[str, str]:
    """Makes the folder `hidden`, whole and on the disk; returns the SHA-256 of its files.

    Raises:
        StoreError: the disk refused.
    """
    with new_folder(hidden) as folder:
        write(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def reveal(hidden: Path, folder: Path) -> None:
    """Gives the hidden folder its name, for good.

    Raises:
        OSError: the disk refused.
    """
    hidden.replace(folder)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def leftovers(parent: Path, now_s: float) -> list[Path]:
    """What writers that are gone left in `parent`: theirs by pid, or untouched for an hour."""
    hidden = (path for path in parent.iterdir() if path.name.startswith(".") and path.name.endswith(".tmp"))
    return [path for path in hidden if _is_abandoned(path, now_s)]


def named_folders(parent: Path) -> list[Path]:
    """The folders in `parent` that are named by an id of ours; nothing else there is touched."""
    return [path for path in parent.iterdir() if ID_PATTERN.fullmatch(path.name) and path.is_dir()]


def remove(path: Path) -> None:
    """Removes a file or folder as far as that is possible; the next sweep takes the rest."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def _is_abandoned(path: Path, now_s: float) -> bool:
    try:
        mark = _HIDDEN.search(path.name)
        if mark and mark["host"] == liveness.this_host():
            return not _is_writer_alive(int(mark["pid"]), path.stat().st_ctime)
        touched = [path.stat().st_mtime, *(inside.stat().st_mtime for inside in path.rglob("*"))]
    except FileNotFoundError:
        return False  # its writer has just finished
    return now_s - max(touched) > LEFTOVER_AGE_S


def _is_writer_alive(pid: int, changed_s: float) -> bool:
    """False if the process is gone, or was born after the folder was last changed."""
    try:
        born_s = liveness.birth_s(pid)
    except psutil.NoSuchProcess:
        return False
    return liveness.has_living(pid) and born_s <= changed_s + liveness.CLOCK_SLACK_S
