"""What audits, plans and other group figures have shown of each data set's people, kept in the workspace.

There is a record for each kind of figure, because only figures of one kind can be subtracted from each
other: of people's lists (on test items, or on validation items), of the attack on a model's memory, of
explanations, of what a whole model goes by, of concepts, of tests of explanations, of attribution mass.
Halves of people, of whom subgroups and mitigations tell, and the sizes of the groups of all people have
records of their own too: beside a whole audit, what a half leaves is as large as a half.
"""

from binascii import Error as Base64Error
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from recsys_core.errors import DataError, StoreError
from recsys_core.fairness.disclosure import Shown
from recsys_core.files import read_json, write_json
from recsys_core.store.workspace import Workspace

FOLDER = "shown"
About = Literal[
    "lists",
    "validation",
    "membership",
    "explanations",
    "descriptions",
    "concepts",
    "verifications",
    "subgroups",
    "mitigations",
    "sizes",
    "attributions",
]
RECORDS: tuple[About, ...] = get_args(About)
_RECORD = TypeAdapter(tuple[Shown, ...])


def shown_before(workspace: Workspace, dataset_id: str, about: About = "lists") -> tuple[Shown, ...]:
    """Everything that was shown of a data set's people, by any model and metric, oldest first.

    Raises:
        StoreError: the record is damaged; nothing more is shown until it is mended.
    """
    path = _path(workspace, dataset_id, about)
    if not path.exists():
        return ()
    try:
        return _RECORD.validate_python(read_json(path))
    except ValidationError as error:
        raise StoreError(f"the record of what was shown can't be read: {error}") from error


def keep_shown(workspace: Workspace, dataset_id: str, shown: Sequence[Shown], about: About = "lists") -> None:
    """Adds to the record; what is in it already is not written again.

    Raises:
        StoreError: the record can't be read or written.
    """
    before = shown_before(workspace, dataset_id, about)
    together = tuple(dict.fromkeys([*before, *shown]))
    if len(together) > len(before):
        path = _path(workspace, dataset_id, about)
        path.parent.mkdir(exist_ok=True)
        write_json(path, _RECORD.dump_python(together, mode="json"))


def shown_record(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """What was shown as plain JSON, for a bundle; `shown_from` reads it back."""
    return _RECORD.dump_python(tuple(shown), mode="json")


def shown_from(record: object, n_users: int) -> tuple[Shown, ...]:
    """What `shown_record` wrote of a data set with so many people.

    Raises:
        DataError: it isn't that, or is about another number of people.
    """
    try:
        shown = _RECORD.validate_python(record)
        for one in shown:
            if one.n_rows != n_users or len(one.members & one.among) != n_users:
                raise DataError(f"what was shown is of {one.n_rows} people, and the data set has {n_users}")
    except (ValidationError, Base64Error, ValueError) as error:
        raise DataError("the record of what was shown is damaged") from error
    return shown


def _path(workspace: Workspace, dataset_id: str, about: About) -> Path:
    name = dataset_id if about == "lists" else f"{dataset_id}.{about}"
    return workspace.home / FOLDER / f"{name}.json"
