"""The kinds of things that are kept: where each lies, what it is called, and how one is found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlmodel import Session, col, select

from recsys_core.errors import DataError, NotFoundError
from recsys_core.store.names import ID_PATTERN, MAX_NAME_LENGTH, checked_name
from recsys_core.store.records import (
    AuditRecord,
    DatasetRecord,
    Kind,
    ModelRecord,
    NamedRecord,
    audit_record,
    dataset_record,
    model_record,
)
from recsys_core.store.rows import AuditRow, DatasetRow, JobRow, ModelRow, NamedRow

Row = TypeVar("Row", bound=NamedRow)
Record = TypeVar("Record", bound=NamedRecord)

JOB_PREFIX, JOB_FOLDER = "jb", "jobs"
MAX_NAMES_LISTED = 5


@dataclass(frozen=True, slots=True)
class Shelf(Generic[Row, Record]):
    """Where one kind of thing is kept, and what it is called."""

    prefix: str
    words: str
    folder: str
    row: type[Row]
    record: Callable[[Row], Record]


DATASETS: Shelf[DatasetRow, DatasetRecord] = Shelf("ds", "data set", "datasets", DatasetRow, dataset_record)
MODELS: Shelf[ModelRow, ModelRecord] = Shelf("md", "model", "models", ModelRow, model_record)
AUDITS: Shelf[AuditRow, AuditRecord] = Shelf("au", "audit", "audits", AuditRow, audit_record)
SHELVES: dict[Kind, Shelf[Any, Any]] = {"dataset": DATASETS, "model": MODELS, "audit": AUDITS}


def find(session: Session, shelf: Shelf[Row, Any], id_or_name: str) -> Row:
    """The row of that id, or else of that name.

    Raises:
        NotFoundError: there is none; the sentence lists the newest names that there are.
    """
    row = _find(session, shelf, id_or_name)
    if row is None:
        newest = select(shelf.row.name).order_by(col(shelf.row.created_at_s).desc())
        raise not_found(shelf.words, id_or_name, session.exec(newest).all())
    return row


def find_job(session: Session, job_id: str) -> JobRow:
    """The row of a job.

    Raises:
        NotFoundError: there is none; the sentence lists the newest jobs.
    """
    row = session.get(JobRow, job_id) if ID_PATTERN.fullmatch(job_id) else None
    if row is None:
        newest = select(JobRow.id).order_by(col(JobRow.created_at_s).desc())
        raise not_found("job", job_id, session.exec(newest).all())
    return row


def refuse_taken(session: Session, shelf: Shelf[Any, Any], name: str) -> None:
    """Sees to it that nothing of that kind has the name.

    Raises:
        DataError: something has it.
    """
    if _find(session, shelf, name) is not None:
        raise DataError(f"a {shelf.words} named '{name}' already exists; choose another name")


def not_found(words: str, asked: str, labels: Sequence[str]) -> NotFoundError:
    """What to say when nothing of that kind has the id or name."""
    shown = asked if len(asked) <= MAX_NAME_LENGTH else asked[:MAX_NAME_LENGTH] + "…"
    if not labels:
        return NotFoundError(f"there is no {words} {shown!r}; there are no {words}s here yet")
    listed = ", ".join(labels[:MAX_NAMES_LISTED])
    more = f" and {len(labels) - MAX_NAMES_LISTED} more" if len(labels) > MAX_NAMES_LISTED else ""
    return NotFoundError(f"there is no {words} {shown!r}; {words}s here: {listed}{more}")


def _find(session: Session, shelf: Shelf[Row, Any], id_or_name: str) -> Row | None:
    asked = id_or_name.strip()
    if ID_PATTERN.fullmatch(asked):
        return session.get(shelf.row, asked)
    try:
        name = checked_name(asked)
    except DataError:
        return None  # nothing can have that name
    return session.exec(select(shelf.row).where(col(shelf.row.name) == name)).first()
