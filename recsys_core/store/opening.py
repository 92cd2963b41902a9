"""What is looked at when a workspace is opened: its folders, whose catalogue it is, what crashes left."""

import os
from pathlib import Path
from typing import cast

from sqlmodel import select

from recsys_core.errors import StoreError
from recsys_core.files import read_json, write_json
from recsys_core.store import folders
from recsys_core.store.catalogue import Catalogue
from recsys_core.store.rows import JobRow
from recsys_core.store.shelves import JOB_FOLDER, SHELVES

IDENTITY_FILE = "workspace.json"


def make_folders(home: Path) -> None:
    """Makes the folders that are missing.

    Raises:
        StoreError: `home` isn't a folder, or this person may not write there.
    """
    if home.exists() and not home.is_dir():
        raise StoreError(f"the workspace {home} is a file; name a folder, or one that can be made")
    try:
        for name in (*(shelf.folder for shelf in SHELVES.values()), JOB_FOLDER):
            (home / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the workspace {home} can't be made: {error.strerror or error}") from error
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(f"the workspace {home} can't be written: the folder is read-only for this person")


def match_identity(home: Path, catalogue: Catalogue, now_s: float) -> None:
    """Sees to it that folder and catalogue belong together, for the sweep removes what has no row.

    Raises:
        StoreError: the catalogue is empty though the folder isn't new, or is another workspace's.
    """
    file = home / IDENTITY_FILE
    known = _id_in(file) if file.exists() else None
    found = catalogue.identity(new_at_s=now_s if known is None else None)
    if known is None:
        write_json(file, {"id": found})
    elif found is None:
        raise StoreError(
            f"the catalogue of the workspace {home} is gone or empty, and nothing was touched; "
            "put a copy of the catalogue back, or choose another folder"
        )
    elif found != known:
        raise StoreError(f"the catalogue is that of workspace {found}, but the folder {home} is {known}")


def sweep(home: Path, catalogue: Catalogue, now_s: float) -> None:
    """Removes the hidden folders of dead writers, and the folders that have no row."""
    abandoned = folders.leftovers(home, now_s)
    with catalogue.write() as session:  # nobody is between naming a folder and adding its row
        for name, row in _kept_in():
            ids = set(session.exec(select(row.id)))
            abandoned += folders.leftovers(home / name, now_s)
            abandoned += [path for path in folders.named_folders(home / name) if path.name not in ids]
    for path in abandoned:
        folders.remove(path)


def _id_in(file: Path) -> str:
    value = read_json(file)
    if not isinstance(value, dict) or "id" not in value:
        raise StoreError(f"{file.name} is damaged: it has no id; remove it, and it is written anew")
    return cast(str, value["id"])


def _kept_in() -> list[tuple[str, type[JobRow]]]:
    return [(shelf.folder, shelf.row) for shelf in SHELVES.values()] + [(JOB_FOLDER, JobRow)]
