"""A job's row: who may take it, what it says while it runs, and how each ending is told."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from recsys_core.errors import CancelledError, DataError, NotFoundError, StoreError
from recsys_core.store import jobs, leases, liveness
from recsys_core.store.records import JobRecord, JsonObject
from recsys_core.store.reporter import OUT_OF_MEMORY, JobReporter, run_job
from recsys_core.store.rows import JobRow
from recsys_core.store.workspace import Workspace

JOB_ID = "jb_0123456789ab"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def queue(workspace: Workspace, **values: Any) -> str:
    """A row without a process."""
    known: dict[str, Any] = {
        "id": JOB_ID,
        "kind": "work",
        "spec": "{}",
        "created_at_s": 1.0,
        "heartbeat_s": time.time(),
    }
    with workspace.catalogue.write() as session:
        session.add(JobRow(**(known | values)))
    return JOB_ID


def run_here(workspace: Workspace, work: Callable[[JsonObject, JobReporter], dict[str, Any]]) -> JobRecord:
    """A job that runs in this process."""
    run_job(workspace, queue(workspace), {"work": work})
    return workspace.resolve("job", JOB_ID)


def raising(error: BaseException) -> Callable[[JsonObject, JobReporter], dict[str, Any]]:
    def work(_spec: JsonObject, _reporter: JobReporter) -> dict[str, Any]:
        raise error

    return work


def test_job_that_cannot_be_started_was_never_there(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(StoreError, match="the job could not be started: No such file or directory"):
        jobs.submit(workspace, "note", {}, "key")
    assert jobs.list_jobs(workspace) == []
    assert list((workspace.home / "jobs").iterdir()) == []


def test_job_is_taken_by_one_process_only(workspace: Workspace):
    queue(workspace)
    leased = [leases.take(workspace, JOB_ID) for _ in range(3)]
    assert [lease is not None for lease in leased] == [True, False, False]
    assert run_job(workspace, JOB_ID, {}) == 1
    assert run_job(workspace, "jb_000000000000", {}) == 1


def test_finished_work_of_a_stranger_changes_nothing(workspace: Workspace):
    queue(workspace)
    lease = leases.take(workspace, JOB_ID)
    assert lease is not None
    stranger = leases.Lease(JOB_ID, lease.host, lease.pid, lease.born_s - 100)
    leases.finish(workspace, stranger, "done", "{}", None)
    leases.beat(workspace, stranger, 0.9, "mine")
    assert leases.must_stop(workspace, stranger)
    job = workspace.resolve("job", JOB_ID)
    assert (job.state, job.progress, job.message) == ("running", 0.0, "")
    assert not leases.must_stop(workspace, lease)


def test_expected_failure_is_told_in_its_own_sentence(workspace: Workspace):
    job = run_here(workspace, raising(DataError("row 17: no item_id")))
    assert (job.state, job.error) == ("failed", "row 17: no item_id")
    assert jobs.log_tail(workspace, JOB_ID) == ""


def test_unexpected_failure_is_told_without_its_traceback(workspace: Workspace):
    job = run_here(workspace, raising(KeyError("user_id")))
    assert job.state == "failed"
    assert job.error == "the job stopped unexpectedly: KeyError: 'user_id'; its log has the details"
    assert "Traceback (most recent call last)" in jobs.log_tail(workspace, JOB_ID)


def test_exit_inside_a_job_is_a_failure(workspace: Workspace):
    assert run_here(workspace, raising(SystemExit(0))).state == "failed"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 TB"),
    ],
)
def test_lack_of_memory_says_what_to_lower(workspace: Workspace, error: Exception):
    job = run_here(workspace, raising(error))
    assert (job.state, job.error) == ("failed", OUT_OF_MEMORY)
    assert "lower batch_size" in OUT_OF_MEMORY


def test_cancelled_error_is_no_failure(workspace: Workspace):
    job = run_here(workspace, raising(CancelledError("stopped")))
    assert (job.state, job.error) == ("cancelled", None)


def test_unstorable_words_of_a_failure_are_stored_as_far_as_possible(workspace: Workspace):
    job = run_here(workspace, raising(DataError("bad \ud800 \x00 " + "x" * 5000)))
    assert job.error is not None
    assert job.error.startswith("bad ? � xxx")
    assert len(job.error) == leases.MAX_ERROR_LENGTH


def test_result_that_is_not_json_is_a_failure(workspace: Workspace):
    job = run_here(workspace, lambda spec, reporter: {"path": Path("x")})
    assert job.state == "failed"
    assert "PosixPath is not JSON serializable" in (job.error or "")


def test_unknown_kind_is_a_failure_that_names_the_known(workspace: Workspace):
    run_job(
        workspace, queue(workspace, kind="bake"), {"train": raising(KeyError()), "audit": raising(KeyError())}
    )
    job = workspace.resolve("job", JOB_ID)
    assert job.error == "this worker knows no jobs of kind 'bake'; it knows audit, train"


def test_progress_and_heartbeat_are_seen_while_the_job_runs(workspace: Workspace):
    seen: list[JobRecord] = []

    def work(_spec: JsonObject, reporter: JobReporter) -> dict[str, Any]:
        reporter.progress(0.5, "epoch 5 of 10")
        reporter.progress(float("nan"), "epoch 6 of 10")
        time.sleep(0.8)
        seen.append(jobs.show(workspace, JOB_ID))
        reporter.progress(1.7, "almost there")
        return {}

    run_job(workspace, queue(workspace, heartbeat_s=1.0), {"work": work})
    assert (seen[0].state, seen[0].progress, seen[0].message) == ("running", 0.5, "epoch 6 of 10")
    assert seen[0].heartbeat_s > time.time() - 10


def test_request_to_stop_is_heard_at_the_next_report(workspace: Workspace):
    def work(_spec: JsonObject, reporter: JobReporter) -> dict[str, Any]:
        with workspace.catalogue.write() as session:
            row = session.get(JobRow, JOB_ID)
            assert row is not None
            row.cancel_requested = True
        asked_at = time.monotonic()
        while time.monotonic() - asked_at < 5:
            reporter.event({"step": 1})
            time.sleep(0.02)
        return {}

    started_at = time.monotonic()
    assert run_here(workspace, work).state == "cancelled"
    assert time.monotonic() - started_at < 2


def test_missed_heartbeats_do_not_stop_the_work(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    def refuse(*given: object) -> None:
        raise StoreError("the disk is full")

    def work(_spec: JsonObject, _reporter: JobReporter) -> dict[str, Any]:
        time.sleep(0.7)
        return {"answer": 42}

    monkeypatch.setattr("recsys_core.store.leases.beat", refuse)
    monkeypatch.setattr("recsys_core.store.reporter.HEARTBEAT_S", 0.1)
    assert run_here(workspace, work).result == {"answer": 42}
    assert "heartbeat missed: the disk is full" in jobs.log_tail(workspace, JOB_ID)


def gone_pid() -> int:
    child = psutil.Popen(["true"])
    child.wait()
    return child.pid


def test_process_that_goes_between_two_looks_leaves_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(liveness, "is_running", lambda _pid, _born_s: True)
    assert liveness.session_members(gone_pid(), 0.0) == []


@pytest.mark.parametrize(
    ("state", "pid", "host", "silent_s", "expected"),
    [
        ("running", "mine", "here", 100, "running"),  # a machine that slept: the process is there
        ("running", "gone", "here", 0, "lost"),
        ("running", "reused", "here", 10, "running"),  # or the clock was set: wait for silence
        ("running", "reused", "here", 31, "lost"),
        ("running", "gone", "elsewhere", 29, "running"),
        ("running", "gone", "elsewhere", 31, "lost"),
        ("queued", None, None, 59, "queued"),
        ("queued", None, None, 61, "lost"),
        ("queued", "mine", "here", 100, "queued"),
        ("queued", "gone", "here", 0, "lost"),
        ("done", "gone", "here", 100, "done"),
    ],
)
def test_true_state_is_found(
    tmp_path: Path, state: str, pid: str | None, host: str | None, silent_s: float, expected: str
):
    workspace = Workspace.open(tmp_path, clock=lambda: 1000.0)
    born_s = liveness.birth_s(os.getpid())
    pids = {"mine": (os.getpid(), born_s), "gone": (gone_pid(), born_s), "reused": (os.getpid(), born_s - 99)}
    known_pid, known_birth = pids[pid] if pid else (None, None)
    queue(
        workspace,
        state=state,
        pid=known_pid,
        process_created_s=known_birth,
        host=liveness.this_host() if host == "here" else host,
        heartbeat_s=1000.0 - silent_s,
    )
    assert jobs.show(workspace, JOB_ID).state == expected


def test_job_that_was_asked_to_stop_and_is_gone_is_cancelled(workspace: Workspace):
    values = {"state": "running", "pid": gone_pid(), "process_created_s": 1.0, "cancel_requested": True}
    queue(workspace, host=liveness.this_host(), **values)
    job = jobs.show(workspace, JOB_ID)
    assert (job.state, job.error) == ("cancelled", None)


@pytest.mark.parametrize("change", ["it ended", "it was resumed", "it gave a sign"])
def test_job_that_changed_meanwhile_is_not_called_lost(workspace: Workspace, change: str):
    queue(workspace, state="running", pid=gone_pid(), process_created_s=1.0, host=liveness.this_host())
    with workspace.catalogue.read() as session:
        seen = session.get(JobRow, JOB_ID)
    with workspace.catalogue.write() as session:
        row = session.get(JobRow, JOB_ID)
        assert row is not None
        if change == "it ended":
            row.state = "done"
        elif change == "it was resumed":
            leases.reopen(row, now_s=2.0)
        else:
            row.heartbeat_s = 3.0
    leases.end(workspace, JOB_ID, "lost", "gone", as_seen=seen)
    expected = {"it ended": "done", "it was resumed": "queued", "it gave a sign": "running"}
    assert workspace.resolve("job", JOB_ID).state == expected[change]


def test_active_job_is_neither_deleted_nor_resumed(workspace: Workspace):
    queue(workspace)
    with pytest.raises(DataError, match="is queued; cancel it first"):
        jobs.delete(workspace, JOB_ID)
    with pytest.raises(DataError, match="is queued; failed, cancelled and lost jobs can be resumed"):
        jobs.resume(workspace, JOB_ID)
    assert jobs.cancel(workspace, JOB_ID).state == "cancelled"
    jobs.delete(workspace, JOB_ID)
    with pytest.raises(NotFoundError, match="there are no jobs here yet"):
        jobs.show(workspace, JOB_ID)


def test_torn_event_is_left_out_and_log_is_cut_at_a_line(workspace: Workspace):
    queue(workspace)
    assert jobs.events(workspace, JOB_ID) == []
    assert jobs.log_tail(workspace, JOB_ID) == ""
    folder = workspace.job_folder(JOB_ID)
    folder.mkdir()
    (folder / "events.jsonl").write_bytes(b'{"epoch": 1}\n{"epoch": 2}\n{"epo')
    (folder / "log.txt").write_bytes(b"first line\nsecond line\nthird \xff\n")
    assert jobs.events(workspace, JOB_ID) == [{"epoch": 1}, {"epoch": 2}]
    assert jobs.log_tail(workspace, JOB_ID, max_bytes=15) == "third �\n"
    assert jobs.log_tail(workspace, JOB_ID).startswith("first line\n")


def test_job_folder_without_a_row_is_swept_and_one_with_a_row_stays(workspace: Workspace):
    workspace.job_folder(queue(workspace)).mkdir()
    workspace.job_folder("jb_000000000000").mkdir()
    Workspace.open(workspace.home)
    assert [path.name for path in (workspace.home / "jobs").iterdir()] == [JOB_ID]
