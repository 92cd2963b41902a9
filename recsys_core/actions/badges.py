"""The badges that a model has earned, or not, since it was trained: files beside its weights."""

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter

from recsys_core.explain.faithfulness import Verification
from recsys_core.files import read_json, write_json
from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace

PREFIX = "verification-"
BADGES_VERSION = 1

_BADGES: TypeAdapter[tuple[Verification, ...]] = TypeAdapter(tuple[Verification, ...])


def read_badges(record: ModelRecord, folder: Path) -> tuple[Verification, ...]:
    """What was found out of a model's explanations, oldest first.

    Args:
        record: the model.
        folder: its folder, whose files have been checked.
    """
    kept = [read_json(folder / name) for name in record.folder_sha256 if name.startswith(PREFIX)]
    known = [own for own in kept if own.get("version") == BADGES_VERSION]
    in_order = sorted(known, key=lambda own: float(own["created_at_s"]))
    return tuple(badge for own in in_order for badge in _BADGES.validate_python(own["badges"]))


def keep_badges(
    workspace: Workspace, model_id: str, badges: tuple[Verification, ...], figures: dict[str, Any]
) -> None:
    """Keeps badges, and the figures of the leaderboard that they come from, with the model."""
    value = {
        "version": BADGES_VERSION,
        "created_at_s": time.time(),
        "badges": _BADGES.dump_python(badges, mode="json"),
        "figures": figures,
    }
    name = f"{PREFIX}{uuid4().hex[:12]}.json"
    workspace.add_file("model", model_id, name, lambda path: write_json(path, value))
