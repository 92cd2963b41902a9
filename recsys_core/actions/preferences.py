"""What a workspace is set to, what it takes on the disk, and what it runs on."""

import shutil
import sys
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys_core.errors import ConfigError, StoreError
from recsys_core.fairness.result import AuditSettings
from recsys_core.fairness.suppression import SMALLEST_GROUP
from recsys_core.files import read_json, write_json
from recsys_core.store.jobs import list_jobs
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.device import choose_device

PREFERENCES_FILE = "preferences.json"
LARGEST_THRESHOLD = 1_000
FOLDERS = ("datasets", "models", "audits", "jobs", "cache")
PACKAGES = ("reclens", "streamlit", "torch", "transformers", "captum", "fairlearn", "pandas", "numpy")


class Preferences(BaseModel):
    """What a person sets for a workspace.

    Attributes:
        minimum_group: groups of fewer people show nothing; 11 and upwards.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum_group: int = Field(default=SMALLEST_GROUP, ge=SMALLEST_GROUP, le=LARGEST_THRESHOLD)


@dataclass(frozen=True, slots=True)
class FolderUse:
    """What one folder of the workspace takes."""

    name: str
    n_files: int
    n_bytes: int


def preferences(workspace: Workspace) -> Preferences:
    """What the workspace is set to; what nobody has set is as it comes.

    Raises:
        StoreError: the file can't be read; nothing is shown by a threshold that isn't known.
    """
    path = workspace.home / PREFERENCES_FILE
    if not path.exists():
        return Preferences()
    try:
        return Preferences.model_validate(read_json(path))
    except ValidationError as error:
        raise StoreError(f"{PREFERENCES_FILE} of the workspace can't be used: {error}") from error


def set_minimum_group(workspace: Workspace, minimum_group: int) -> Preferences:
    """Sets the privacy threshold: groups of fewer people show nothing from now on.

    Raises:
        ConfigError: it is under 11 or over 1,000.
        StoreError: it can't be written.
    """
    try:
        wanted = Preferences(minimum_group=minimum_group)
    except ValidationError as error:
        raise ConfigError(
            f"the privacy threshold is {minimum_group}; {SMALLEST_GROUP} to {LARGEST_THRESHOLD:,} are allowed"
        ) from error
    write_json(workspace.home / PREFERENCES_FILE, wanted.model_dump(mode="json"))
    return wanted


def minimum_group(workspace: Workspace | None) -> int:
    """The fewest people that may be shown; 11 where there is no workspace."""
    return SMALLEST_GROUP if workspace is None else preferences(workspace).minimum_group


def with_threshold(settings: AuditSettings, workspace: Workspace | None) -> AuditSettings:
    """The settings under the workspace's privacy threshold, or under a higher one of their own."""
    least = max(settings.minimum_group, minimum_group(workspace))
    return settings if least == settings.minimum_group else replace(settings, minimum_group=least)


def storage_use(workspace: Workspace) -> tuple[FolderUse, ...]:
    """What data sets, models, audits, jobs and caches take on the disk."""
    return tuple(_use(workspace.home / name) for name in FOLDERS)


def clear_caches(workspace: Workspace) -> int:
    """Removes what can be worked out again, such as vectors of texts; how many bytes that freed.

    Raises:
        ConfigError: a job is running, which may be using them.
    """
    n_active = sum(job.is_active for job in list_jobs(workspace))
    if n_active:
        raise ConfigError(f"{n_active} jobs are running and may use the caches; wait, or cancel them first")
    before = _use(workspace.cache).n_bytes
    for path in list(workspace.cache.iterdir()) if workspace.cache.is_dir() else []:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return before - _use(workspace.cache).n_bytes


def versions() -> dict[str, str]:
    """Name and version of what answers depend on."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def device_name() -> str:
    """What models are trained and asked on."""
    return str(choose_device())


def preferences_json(workspace: Workspace) -> dict[str, Any]:
    """The contract of `reclens settings --json`."""
    return {
        "workspace": str(workspace.home),
        "minimum_group": preferences(workspace).minimum_group,
        "storage": [
            {"folder": own.name, "files": own.n_files, "bytes": own.n_bytes} for own in storage_use(workspace)
        ],
        "versions": versions(),
        "device": device_name(),
    }


def _use(folder: Path) -> FolderUse:
    sizes = list[int]()
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                sizes.append(path.stat().st_size)
        except OSError:  # it went while we looked
            continue
    return FolderUse(folder.name, len(sizes), sum(sizes))
