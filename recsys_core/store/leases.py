"""A job's row and who may change it: every change names the holder or the state that it expects.

queued → running → done | failed | cancelled          by the process that holds the lease
queued → cancelled, running → cancelled | lost        by whoever found or made the process gone
failed | cancelled | lost → queued                    by resuming
"""

import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import col, select, update

from recsys_core.store import liveness
from recsys_core.store.records import ACTIVE_STATES, JobState, storable_text
from recsys_core.store.rows import JobRow
from recsys_core.store.workspace import Workspace

MAX_MESSAGE_LENGTH, MAX_ERROR_LENGTH = 500, 1000


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one process to change one job's row."""

    job_id: str
    host: str
    pid: int
    born_s: float

    def holds(self) -> list[ColumnElement[bool]]:
        """The condition under which the row is still ours."""
        return [
            col(JobRow.id) == self.job_id,
            col(JobRow.state) == "running",
            col(JobRow.host) == self.host,
            col(JobRow.pid) == self.pid,
            col(JobRow.process_created_s) == self.born_s,
        ]


def take(workspace: Workspace, job_id: str) -> Lease | None:
    """This process's lease on a queued job; None if the job isn't queued, or isn't there."""
    lease = Lease(job_id, liveness.this_host(), os.getpid(), liveness.birth_s(os.getpid()))
    now_s = workspace.clock()
    is_queued = [col(JobRow.id) == job_id, col(JobRow.state) == "queued"]
    taken = _change(
        workspace,
        is_queued,
        state="running",
        host=lease.host,
        pid=lease.pid,
        process_created_s=lease.born_s,
        started_at_s=now_s,
        heartbeat_s=now_s,
    )
    return lease if taken else None


def note_process(workspace: Workspace, job_id: str, pid: int, born_s: float) -> None:
    """Writes down which process was started for a queued job, lest it die before it takes the job."""
    is_queued = [col(JobRow.id) == job_id, col(JobRow.state) == "queued"]
    _change(workspace, is_queued, host=liveness.this_host(), pid=pid, process_created_s=born_s)


def beat(workspace: Workspace, lease: Lease, progress: float, message: str) -> None:
    """A sign of life, and how far the job is."""
    text = storable_text(message, MAX_MESSAGE_LENGTH)
    _change(workspace, lease.holds(), heartbeat_s=workspace.clock(), progress=progress, message=text)


def must_stop(workspace: Workspace, lease: Lease) -> bool:
    """True if a person asked the job to stop, or it isn't this process's any more."""
    wanted = select(JobRow.id).where(*lease.holds(), col(JobRow.cancel_requested).is_(False))
    with workspace.catalogue.read() as session:
        return session.exec(wanted).first() is None


def finish(
    workspace: Workspace, lease: Lease, state: JobState, result: str | None, error: str | None
) -> None:
    """The job's final state, by its holder; `result` is JSON."""
    values: dict[str, Any] = {"state": state, "result": result}
    if state == "done":
        values["progress"] = 1.0
    if error is not None:
        values["error"] = storable_text(error, MAX_ERROR_LENGTH)
    now_s = workspace.clock()
    _change(workspace, lease.holds(), finished_at_s=now_s, heartbeat_s=now_s, **values)


def end(
    workspace: Workspace, job_id: str, state: JobState, error: str | None, as_seen: JobRow | None = None
) -> None:
    """The final state of a job whose process is gone, unless the job has come to an end itself.

    Args:
        workspace: where the row is.
        job_id: the job.
        state: its final state.
        error: the sentence for a person.
        as_seen: the row must still be as it was then: same state, process and heartbeat.
    """
    conditions = [col(JobRow.id) == job_id, col(JobRow.state).in_(ACTIVE_STATES)]
    if as_seen is not None:
        conditions += [
            col(JobRow.state) == as_seen.state,
            col(JobRow.pid).is_not_distinct_from(as_seen.pid),
            col(JobRow.heartbeat_s) == as_seen.heartbeat_s,
        ]
    _change(workspace, conditions, state=state, error=error, finished_at_s=workspace.clock())


def reopen(row: JobRow, now_s: float) -> None:
    """Makes a finished row queued again, as if nothing had run."""
    row.state, row.heartbeat_s, row.progress, row.message = "queued", now_s, 0.0, ""
    row.host = row.pid = row.process_created_s = row.started_at_s = row.finished_at_s = None
    row.cancel_requested, row.result, row.error = False, None, None


def _change(workspace: Workspace, conditions: list[ColumnElement[bool]], **values: Any) -> bool:
    with workspace.catalogue.write() as session:
        return session.exec(update(JobRow).where(*conditions).values(**values)).rowcount == 1
