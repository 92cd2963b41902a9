"""Jobs, from outside: start one, see how it is doing, stop it. Inside its process: see `reporter`.

A job is a row and an operating-system process of its own, in a session of its own, so that it outlives
the server that started it and can be stopped with all that it started. Every change of the row is a
compare-and-set, so that two processes never both believe that a job is theirs.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sqlmodel import col, select

from recsys_core.errors import DataError, StoreError
from recsys_core.store import folders, leases, liveness
from recsys_core.store.names import new_id
from recsys_core.store.records import ACTIVE_STATES, JobRecord, JsonObject, job_record, json_text
from recsys_core.store.reporter import EVENTS_FILE, LOG_FILE
from recsys_core.store.rows import JobRow
from recsys_core.store.shelves import JOB_PREFIX, find_job
from recsys_core.store.workspace import Workspace

WORKER_MODULE = "recsys_core.worker"
SILENCE_S = 30.0  # without a heartbeat; then a job whose process can't be seen counts as lost
START_S = 60.0  # to get a process; then a queued job counts as lost
GRACE_S = 3.0  # for a job to stop by itself before its processes are ended
POLL_S = 0.1

LOST = "the job's process ended without a word; start it again"
NEVER_BEGAN = "the job's process ended before it began (its log may say why); start it again"


def submit(
    workspace: Workspace,
    kind: str,
    spec: Mapping[str, Any],
    submission_key: str | None = None,
    worker_module: str = WORKER_MODULE,
) -> JobRecord:
    """The job, queued, and its process started; for a key that was used before, the job of that time.

    Args:
        workspace: where the job's row and folder go.
        kind: which of the worker's functions runs.
        spec: what it is given; JSON.
        submission_key: the same for the same click, so that a second one starts nothing.
        worker_module: `python -m` this, with the job's id and `--home`.

    Raises:
        StoreError: the catalogue refused, or no process could be started; there is no such job then.
    """
    now_s = workspace.clock()
    row = JobRow(
        id=new_id(JOB_PREFIX),
        kind=kind,
        spec=json_text(spec),
        submission_key=submission_key,
        created_at_s=now_s,
        heartbeat_s=now_s,
    )
    with workspace.catalogue.write() as session:
        same_key = select(JobRow).where(col(JobRow.submission_key) == submission_key)
        earlier = session.exec(same_key).first() if submission_key is not None else None
        if earlier is not None:
            return job_record(earlier)
        session.add(row)
    try:
        _start(workspace, row.id, worker_module)
    except OSError as error:
        _forget(workspace, row.id)
        raise StoreError(f"the job could not be started: {error.strerror or error}") from error
    return workspace.resolve("job", row.id)


def resume(workspace: Workspace, job_id: str, worker_module: str = WORKER_MODULE) -> JobRecord:
    """The job, started once more in its folder, so that its function can go on from a checkpoint there.

    Raises:
        DataError: it is done, or under way.
        NotFoundError: there is no such job.
        StoreError: the catalogue refused, or no process could be started.
    """
    refresh(workspace)
    with workspace.catalogue.write() as session:
        row = find_job(session, job_id)
        if row.state not in ("failed", "cancelled", "lost"):
            raise DataError(f"job {job_id} is {row.state}; failed, cancelled and lost jobs can be resumed")
        leases.reopen(row, workspace.clock())
    try:
        _start(workspace, job_id, worker_module)
    except OSError as error:
        leases.end(workspace, job_id, "failed", f"the job could not be started: {error.strerror or error}")
    return workspace.resolve("job", job_id)


def cancel(workspace: Workspace, job_id: str) -> JobRecord:
    """The job as it is once its processes are gone, within 5 s; a finished one stays what it is.

    The job is asked first, and stops at its next report; after 3 s its processes are ended.

    Raises:
        NotFoundError: there is no such job.
    """
    with workspace.catalogue.write() as session:
        row = find_job(session, job_id)
        if row.state not in ACTIVE_STATES:
            return job_record(row)
        row.cancel_requested = True
        was_running = row.state == "running"
        if not was_running:
            row.state, row.finished_at_s = "cancelled", workspace.clock()
    if row.host == liveness.this_host() and row.pid is not None and row.process_created_s is not None:
        if was_running:
            _wait_for_end(row.pid, row.process_created_s)
        liveness.end_session(row.pid, row.process_created_s)
        leases.end(workspace, job_id, "cancelled", None)
    return workspace.resolve("job", job_id)


def refresh(workspace: Workspace) -> None:
    """Marks the jobs whose process is gone as lost, and ends what these processes had started.

    A job that was asked to stop isn't lost but cancelled, whoever sees first that it is gone.
    """
    with workspace.catalogue.read() as session:
        rows = session.exec(select(JobRow).where(col(JobRow.state).in_(ACTIVE_STATES))).all()
    for row in rows:
        if not _is_gone(row, workspace.clock()):
            continue
        if row.host == liveness.this_host() and row.pid is not None and row.process_created_s is not None:
            liveness.end_session(row.pid, row.process_created_s)
        if row.cancel_requested:
            leases.end(workspace, row.id, "cancelled", None, as_seen=row)
        else:
            sentence = LOST if row.state == "running" else NEVER_BEGAN
            leases.end(workspace, row.id, "lost", sentence, as_seen=row)


def list_jobs(workspace: Workspace) -> list[JobRecord]:
    """All jobs in their true state, newest first."""
    refresh(workspace)
    newest = select(JobRow).order_by(col(JobRow.created_at_s).desc(), col(JobRow.id))
    with workspace.catalogue.read() as session:
        return [job_record(row) for row in session.exec(newest)]


def show(workspace: Workspace, job_id: str) -> JobRecord:
    """The job in its true state.

    Raises:
        NotFoundError: there is no such job.
    """
    refresh(workspace)
    return workspace.resolve("job", job_id)


def events(workspace: Workspace, job_id: str) -> list[JsonObject]:
    """What the job reported for its live curves, oldest first; a line cut short by a crash is left out.

    Raises:
        NotFoundError: there is no such job.
    """
    workspace.resolve("job", job_id)
    file = workspace.job_folder(job_id) / EVENTS_FILE
    if not file.exists():
        return []
    found: list[JsonObject] = []
    for line in file.read_bytes().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def log_tail(workspace: Workspace, job_id: str, max_bytes: int = 8000) -> str:
    """The end of the job's log, in whole lines where it is cut; "" where there is none.

    Raises:
        NotFoundError: there is no such job.
    """
    workspace.resolve("job", job_id)
    file = workspace.job_folder(job_id) / LOG_FILE
    if not file.exists():
        return ""
    with file.open("rb") as log:
        start = max(log.seek(0, os.SEEK_END) - max_bytes, 0)
        log.seek(start)
        tail = log.read()
    whole = tail.partition(b"\n")[2] if start > 0 else tail
    return whole.decode("utf-8", "replace")


def delete(workspace: Workspace, job_id: str) -> None:
    """Removes a finished job, its log and its folder.

    Raises:
        DataError: it is under way.
        NotFoundError: there is no such job.
    """
    job = show(workspace, job_id)
    if job.is_active:
        raise DataError(f"job {job_id} is {job.state}; cancel it first")
    _forget(workspace, job_id)


def _start(workspace: Workspace, job_id: str, worker_module: str) -> None:
    """Starts the job's process, and notes which it is.

    Raises:
        OSError: the system refused.
    """
    folder = workspace.job_folder(job_id)
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads leave the cores to the dashboard
    if workspace.database_url is not None:  # not on the command line, where everybody could read it
        environment["RECLENS_DATABASE_URL"] = workspace.database_url
    with (folder / LOG_FILE).open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", worker_module, job_id, "--home", str(workspace.home)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    born_s = liveness.birth_s(child.pid)
    # Somebody has to wait for the child, or it would stay a zombie as long as this process lives.
    threading.Thread(target=child.wait, name=f"wait for {job_id}", daemon=True).start()
    with suppress(StoreError):  # the process will say so itself when it takes the job
        leases.note_process(workspace, job_id, child.pid, born_s)


def _forget(workspace: Workspace, job_id: str) -> None:
    with workspace.catalogue.write() as session:
        session.delete(find_job(session, job_id))
    folders.remove(workspace.job_folder(job_id))


def _wait_for_end(pid: int, born_s: float) -> None:
    asked_at = time.monotonic()
    while time.monotonic() - asked_at < GRACE_S and liveness.session_members(pid, born_s):
        time.sleep(POLL_S)


def _is_gone(row: JobRow, now_s: float) -> bool:
    silent_s = now_s - row.heartbeat_s
    if row.pid is None or row.process_created_s is None:
        return silent_s > START_S
    if row.host != liveness.this_host():
        return silent_s > SILENCE_S
    if liveness.is_running(row.pid, row.process_created_s):
        return False
    # A stranger may have the pid by now; or it is ours, and the machine's clock was set.
    return not liveness.has_living(row.pid) or silent_s > SILENCE_S
