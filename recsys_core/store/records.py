"""What the store hands out: frozen records, made from the catalogue's rows."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from recsys_core.store.rows import AuditRow, DatasetRow, JobRow, ModelRow

Kind = Literal["dataset", "model", "audit", "job"]
JobState = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
JsonObject = dict[str, Any]

ACTIVE_STATES: tuple[JobState, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """A data set, model or audit.

    Attributes:
        id: opaque; it names the folder.
        name: whatever a person called it: hostile text, to be made safe wherever it is shown.
        created_at_s: Unix seconds.
        details: JSON that whoever added it wanted kept beside it.
        folder_sha256: the SHA-256 of every file in its folder, by relative path.
    """

    id: str
    name: str
    created_at_s: float
    details: JsonObject
    folder_sha256: dict[str, str]


@dataclass(frozen=True, slots=True)
class DatasetRecord(NamedRecord):
    """A data set in the workspace."""


@dataclass(frozen=True, slots=True)
class AuditRecord(NamedRecord):
    """An audit in the workspace."""


@dataclass(frozen=True, slots=True)
class ModelRecord(NamedRecord):
    """A model in the workspace, and the id of the data set it learnt from."""

    dataset_id: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the catalogue had it at one moment.

    Attributes:
        id: opaque; it names the folder with the log and the events.
        kind: which function the worker runs.
        spec: what that function is given.
        state: queued and running are under way; the other four are final.
        submission_key: the same key never starts a second job.
        created_at_s: Unix seconds, as are all times here.
        started_at_s: when a process took it.
        finished_at_s: when it came to its final state.
        pid: of the process that has it, or had it.
        heartbeat_s: last sign of life.
        progress: share of the work that is done, 0 to 1.
        message: what it is doing.
        cancel_requested: a person asked it to stop.
        result: what the function returned, once the job is done.
        error: one sentence, where the job failed, was stopped or was lost.
    """

    id: str
    kind: str
    spec: JsonObject
    state: JobState
    submission_key: str | None
    created_at_s: float
    started_at_s: float | None
    finished_at_s: float | None
    pid: int | None
    heartbeat_s: float
    progress: float
    message: str
    cancel_requested: bool
    result: JsonObject | None
    error: str | None

    @property
    def is_active(self) -> bool:
        """True while it is queued or running."""
        return self.state in ACTIVE_STATES


def dataset_record(row: DatasetRow) -> DatasetRecord:
    """The data set that a row describes."""
    return DatasetRecord(
        row.id, row.name, row.created_at_s, json.loads(row.details), json.loads(row.folder_sha256)
    )


def model_record(row: ModelRow) -> ModelRecord:
    """The model that a row describes."""
    details, hashes = json.loads(row.details), json.loads(row.folder_sha256)
    return ModelRecord(row.id, row.name, row.created_at_s, details, hashes, row.dataset_id)


def audit_record(row: AuditRow) -> AuditRecord:
    """The audit that a row describes."""
    return AuditRecord(
        row.id, row.name, row.created_at_s, json.loads(row.details), json.loads(row.folder_sha256)
    )


def job_record(row: JobRow) -> JobRecord:
    """The job that a row describes."""
    return JobRecord(
        id=row.id,
        kind=row.kind,
        spec=json.loads(row.spec),
        state=cast(JobState, row.state),
        submission_key=row.submission_key,
        created_at_s=row.created_at_s,
        started_at_s=row.started_at_s,
        finished_at_s=row.finished_at_s,
        pid=row.pid,
        heartbeat_s=row.heartbeat_s,
        progress=row.progress,
        message=row.message,
        cancel_requested=row.cancel_requested,
        result=None if row.result is None else json.loads(row.result),
        error=row.error,
    )


def json_text(value: Mapping[str, Any]) -> str:
    """One line of JSON that every reader and every database accepts: ASCII, and null for NaN."""
    return json.dumps(_without_nan(value), allow_nan=False)


def storable_text(text: str, limit: int) -> str:
    """The text without what a database refuses (NUL, halves of characters), cut at `limit`."""
    encodable = text.encode("utf-8", "replace").decode().replace("\x00", "�")
    return encodable if len(encodable) <= limit else encodable[: limit - 1] + "…"


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in cast(list[Any], value)]
    return value
