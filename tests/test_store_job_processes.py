"""Jobs in processes of their own: they run once, outlive the server, and go with all that they started."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from recsys_core.store import jobs, liveness
from recsys_core.store.records import JobRecord, JobState
from recsys_core.store.workspace import Workspace

WORKER = "store_job_worker"
pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    return Workspace.open(tmp_path / "home")


def submit(workspace: Workspace, kind: str, key: str | None = None) -> JobRecord:
    spec = {"file": str(workspace.home.parent / "note")}
    return jobs.submit(workspace, kind, spec, key, worker_module=WORKER)


def wait_for(workspace: Workspace, job_id: str, *states: JobState) -> JobRecord:
    for _ in range(600):
        job = jobs.show(workspace, job_id)
        if job.state in states:
            return job
        time.sleep(0.05)
    raise AssertionError(f"it never came to {states}: {jobs.log_tail(workspace, job_id)}")


def test_job_runs_in_its_own_process_to_its_result(workspace: Workspace):
    submitted = submit(workspace, "note")
    assert submitted.state == "queued"
    done = wait_for(workspace, submitted.id, "done", "failed", "lost")
    assert (done.state, done.result, done.progress, done.message) == (
        "done",
        {"answer": 42, "ndcg": None},
        1.0,
        "half way",
    )
    assert done.pid not in (None, os.getpid())
    assert done.started_at_s is not None
    assert done.finished_at_s is not None
    assert done.created_at_s <= done.started_at_s <= done.finished_at_s
    assert jobs.events(workspace, done.id) == [{"epoch": 1, "loss": None}]
    assert [job.id for job in jobs.list_jobs(workspace)] == [done.id]


def test_job_submitted_many_times_runs_once(workspace: Workspace):
    found: list[JobRecord] = []
    threads = [
        threading.Thread(target=lambda: found.append(submit(workspace, "note", "one click")))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.id for job in found}) == 1
    wait_for(workspace, found[0].id, "done")
    assert submit(workspace, "note", "one click").state == "done"
    assert len(jobs.list_jobs(workspace)) == 1
    assert (workspace.home.parent / "note").read_text() == "started\n"


def test_cancelled_job_stops_at_its_next_report(workspace: Workspace):
    for _ in range(3):
        job = submit(workspace, "wait")
        wait_for(workspace, job.id, "running")
        asked_at = time.monotonic()
        cancelled = jobs.cancel(workspace, job.id)
        assert time.monotonic() - asked_at < 2
        assert (cancelled.state, cancelled.error) == ("cancelled", None)
        assert not liveness.has_living(cancelled.pid or 0)


def test_cancelled_job_that_is_deaf_is_gone_with_its_children_in_5_s(workspace: Workspace):
    note = workspace.home.parent / "note"
    job = submit(workspace, "deaf")
    wait_for(workspace, job.id, "running")
    while not (note.exists() and note.read_text()):
        time.sleep(0.05)
    child_pid = int(note.read_text())
    assert psutil.pid_exists(child_pid)
    asked_at = time.monotonic()
    cancelled = jobs.cancel(workspace, job.id)
    assert time.monotonic() - asked_at < 5
    assert cancelled.state == "cancelled"
    assert not liveness.has_living(cancelled.pid or 0)
    assert not liveness.has_living(child_pid)


def test_job_cancelled_before_it_began_never_runs(workspace: Workspace):
    job = submit(workspace, "note")
    assert jobs.cancel(workspace, job.id).state == "cancelled"
    assert not psutil.pid_exists(workspace.resolve("job", job.id).pid or 0)
    assert not (workspace.home.parent / "note").exists()
    assert jobs.cancel(workspace, job.id).state == "cancelled"


def test_job_outlives_the_server_that_started_it(workspace: Workspace):
    script = f"""
import time
from pathlib import Path
from recsys_core.store import jobs
from recsys_core.store.workspace import Workspace
workspace = Workspace.open(Path({str(workspace.home)!r}))
print(jobs.submit(workspace, "wait", {{}}, None, {WORKER!r}).id, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        job_id = server.stdout.readline().strip()
        server.kill()
    running = wait_for(workspace, job_id, "running")
    assert running.pid is not None
    assert jobs.cancel(workspace, job_id).state == "cancelled"
    assert not liveness.has_living(running.pid)


def test_killed_worker_is_lost_and_its_children_are_ended(workspace: Workspace):
    note = workspace.home.parent / "note"
    job = submit(workspace, "deaf")
    pid = wait_for(workspace, job.id, "running").pid
    assert pid is not None
    while not (note.exists() and note.read_text()):
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    lost = wait_for(workspace, job.id, "lost")
    assert lost.error == "the job's process ended without a word; start it again"
    assert not liveness.has_living(int(note.read_text()))


def test_worker_that_dies_before_it_begins_is_lost(workspace: Workspace):
    job = jobs.submit(workspace, "note", {}, worker_module="no_such_module")
    lost = wait_for(workspace, job.id, "lost")
    assert lost.error == "the job's process ended before it began (its log may say why); start it again"
    assert "No module named no_such_module" in jobs.log_tail(workspace, job.id)


def test_failed_job_can_be_resumed_in_its_folder(workspace: Workspace):
    job = submit(workspace, "refuse")
    failed = wait_for(workspace, job.id, "failed")
    assert failed.error == "row 17: no item_id"
    (workspace.job_folder(job.id) / "checkpoint").write_text("x")
    resumed = jobs.resume(workspace, job.id, worker_module=WORKER)
    assert (resumed.id, resumed.error) == (job.id, None)
    assert wait_for(workspace, job.id, "failed").started_at_s != failed.started_at_s
    assert (workspace.job_folder(job.id) / "checkpoint").exists()
