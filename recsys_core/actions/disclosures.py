"""What audits and plans have shown of each data set's people, kept in the workspace."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from recsys_core.errors import StoreError
from recsys_core.fairness.disclosure import Shown
from recsys_core.files import read_json, write_json
from recsys_core.store.workspace import Workspace

FOLDER = "shown"
_RECORD = TypeAdapter(tuple[Shown, ...])


def shown_before(workspace: Workspace, dataset_id: str) -> tuple[Shown, ...]:
    """Everything that was shown of a data set's people, by any model and metric, oldest first.

    Raises:
        StoreError: the record is damaged; nothing more is shown until it is mended.
    """
    path = _path(workspace, dataset_id)
    if not path.exists():
        return ()
    try:
        return _RECORD.validate_python(read_json(path))
    except ValidationError as error:
        raise StoreError(f"the record of what was shown can't be read: {error}") from error


def keep_shown(workspace: Workspace, dataset_id: str, shown: Sequence[Shown]) -> None:
    """Adds to the record; what is in it already is not written again.

    Raises:
        StoreError: the record can't be read or written.
    """
    before = shown_before(workspace, dataset_id)
    together = tuple(dict.fromkeys([*before, *shown]))
    if len(together) > len(before):
        path = _path(workspace, dataset_id)
        path.parent.mkdir(exist_ok=True)
        write_json(path, _RECORD.dump_python(together, mode="json"))


def _path(workspace: Workspace, dataset_id: str) -> Path:
    return workspace.home / FOLDER / f"{dataset_id}.json"
