"""What audits, plans and other group figures have shown of each data set's people, kept in the workspace.

There is a record for each kind of figure, because only figures of one kind can be subtracted from each
other: of people's lists (on test items, or on validation items), of the attack on a model's memory, of
explanations, of what a whole model goes by, of concepts, of tests of explanations, of attribution mass.
Halves of people, of whom subgroups and mitigations tell, and the sizes of the groups of all people have
records of their own too: beside a whole audit, what a half leaves is as large as a half.
"""

from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
Decided = Sequence[tuple[About, Sequence[Shown]]]
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


def held_against(workspace: Workspace | None, dataset_id: str, about: About = "lists") -> tuple[Shown, ...]:
    """What an answer about a data set's people is held against: all that was shown of its kind, oldest first.

    Beside figures of lists these are the sizes of groups too, because nearly the same people have lists.

    Raises:
        StoreError: as `shown_before`.
    """
    if workspace is None:
        return ()
    figures = shown_before(workspace, dataset_id, about)
    if about != "lists":
        return figures
    sizes = shown_before(workspace, dataset_id, "sizes")
    return (*figures, *(replace(one, only_sizes=True) for one in sizes))


def keep_shown(workspace: Workspace, dataset_id: str, shown: Sequence[Shown], about: About = "lists") -> None:
    """Adds to the record; what is in it already is not written again.

    Raises:
        StoreError: the record can't be read or written.
    """
    with workspace.catalogue.write():
        _add(workspace, dataset_id, shown, about)


def keep_decided(workspace: Workspace | None, dataset_id: str, decide: Callable[[], Decided]) -> None:
    """Keeps what somebody decides to show, once nothing was shown between the decision and this.

    Jobs run beside each other, and a decision can take a while. So it is made without the lock, and made
    again if the records have grown meanwhile.

    Args:
        workspace: whose records; None = there are none, and one decision is enough.
        dataset_id: whose people.
        decide: reads the records and says what may be shown; what it raises leaves them as they are.

    Raises:
        StoreError: a record can't be read or written.
    """
    while True:
        before = None if workspace is None else _all_shown(workspace, dataset_id)
        decided = decide()
        if workspace is None:
            return
        with workspace.catalogue.write():
            if _all_shown(workspace, dataset_id) == before:
                for about, shown in decided:
                    _add(workspace, dataset_id, shown, about)
                return


def _all_shown(workspace: Workspace, dataset_id: str) -> list[tuple[Shown, ...]]:
    return [shown_before(workspace, dataset_id, about) for about in RECORDS]


def _add(workspace: Workspace, dataset_id: str, shown: Sequence[Shown], about: About) -> None:
    """Adds to the record, for whoever has the lock of the catalogue, whatever the process or the machine."""
    before = shown_before(workspace, dataset_id, about)
    together = tuple(dict.fromkeys([*before, *shown]))
    if len(together) > len(before):
        path = _path(workspace, dataset_id, about)
        path.parent.mkdir(exist_ok=True)
        write_json(path, _RECORD.dump_python(together, mode="json"))


def refuse_more(given: Mapping[str, frozenset[str]], now: Mapping[str, frozenset[str]], minimum: int) -> None:
    """Refuses an answer that hides less than it would have to by now.

    Args:
        given: the groups of each attribute that the answer hides.
        now: those that it would have to hide.
        minimum: fewest people that may be shown.

    Raises:
        DataError: something else was shown while the answer was worked out.
    """
    if any(now[name] - given[name] for name in now):
        raise DataError(
            "while this was worked out, another answer was shown, beside which it would tell of fewer than "
            f"{minimum} people. Ask again"
        )


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
