"""A job from inside its process: take it, run its function, say how it goes, write down how it ended."""

import math
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from recsys_core.errors import CancelledError, RecsysError, StoreError
from recsys_core.store import leases
from recsys_core.store.records import JobState, JsonObject, json_text
from recsys_core.store.workspace import Workspace

LOG_FILE, EVENTS_FILE = "log.txt", "events.jsonl"
HEARTBEAT_S = 2.0
POLL_S = 0.5  # how often it looks whether it was cancelled, and writes progress that is new
OUT_OF_MEMORY = (
    "the job ran out of memory; lower batch_size, max_length or embedding_size, "
    "or take fewer interactions, or a machine with more memory"
)

JobFunction = Callable[[JsonObject, "JobReporter"], Mapping[str, Any]]


class JobReporter:
    """What a job's function says to the world; entered, it beats until it is left.

    Progress costs no disk access where it is reported: a thread writes the latest twice a second.
    """

    def __init__(self, workspace: Workspace, lease: leases.Lease) -> None:
        """Reports for the job that is leased."""
        self.folder: Path = workspace.job_folder(lease.job_id)
        self._workspace = workspace
        self._lease = lease
        self._progress = (0.0, "")
        self._written = (self._progress, time.monotonic())
        self._cancelled = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Begins to beat."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops beating."""
        self._left.set()
        self._thread.join()
        self._try_to_report()

    def progress(self, fraction: float, message: str = "") -> None:
        """Says how far the job is (0 to 1) and what it is doing.

        Raises:
            CancelledError: a person asked the job to stop.
        """
        known = self._progress[0] if math.isnan(fraction) else min(max(fraction, 0.0), 1.0)
        self._progress = (known, message)
        self.check_cancelled()

    def event(self, values: Mapping[str, Any]) -> None:
        """Adds a point to the job's live curves: a small JSON object.

        Raises:
            CancelledError: a person asked the job to stop.
            StoreError: the disk refused.
        """
        try:
            with (self.folder / EVENTS_FILE).open("a", encoding="ascii") as file:
                file.write(json_text(values) + "\n")
        except OSError as error:
            raise StoreError(f"could not write {EVENTS_FILE}: {error.strerror or error}") from error
        self.check_cancelled()

    def check_cancelled(self) -> None:
        """Goes on, or not.

        Raises:
            CancelledError: a person asked the job to stop, or the job isn't this process's any more.
        """
        if self._cancelled.is_set():
            raise CancelledError("the job was cancelled")

    def _beat(self) -> None:
        while not self._left.wait(POLL_S):
            self._try_to_report()

    def _try_to_report(self) -> None:
        try:
            self._report()
        except StoreError as error:  # busy or full for a while; the work itself need not stop
            _write_log(self.folder, f"heartbeat missed: {error}\n")

    def _report(self) -> None:
        if leases.must_stop(self._workspace, self._lease):
            self._cancelled.set()
        progress, now_s = self._progress, time.monotonic()
        if progress != self._written[0] or now_s - self._written[1] >= HEARTBEAT_S:
            leases.beat(self._workspace, self._lease, *progress)
            self._written = (progress, now_s)


@dataclass(frozen=True, slots=True)
class _Outcome:
    state: JobState
    result: str | None = None  # JSON
    error: str | None = None


def run_job(workspace: Workspace, job_id: str, functions: Mapping[str, JobFunction]) -> int:
    """The exit code of the process: 0 if the job was done, 1 if not, or if it wasn't this process's to do.

    Args:
        workspace: where the job's row and folder are.
        job_id: a queued job.
        functions: what to run for each kind; what it returns is the job's result.
    """
    lease = leases.take(workspace, job_id)
    if lease is None:
        return 1
    job = workspace.resolve("job", job_id)
    with JobReporter(workspace, lease) as reporter:
        outcome = _outcome(functions, job.kind, job.spec, reporter)
    leases.finish(workspace, lease, outcome.state, outcome.result, outcome.error)
    return 0 if outcome.state == "done" else 1


def _outcome(
    functions: Mapping[str, JobFunction], kind: str, spec: JsonObject, reporter: JobReporter
) -> _Outcome:
    if kind not in functions:
        known = ", ".join(sorted(functions))
        return _Outcome("failed", error=f"this worker knows no jobs of kind {kind!r}; it knows {known}")
    try:
        return _Outcome("done", result=json_text(functions[kind](spec, reporter)))
    except CancelledError:
        return _Outcome("cancelled")
    except RecsysError as error:
        return _Outcome("failed", error=str(error))
    except BaseException as error:  # whatever it is, a person gets a sentence and the log the rest
        _write_log(reporter.folder, "".join(traceback.format_exception(error)))
        return _Outcome("failed", error=OUT_OF_MEMORY if _is_out_of_memory(error) else _unexpected(error))


def _is_out_of_memory(error: BaseException) -> bool:
    # torch has a class of its own for its devices, and a plain RuntimeError for the computer's memory.
    is_torch = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or is_torch


def _unexpected(error: BaseException) -> str:
    words = (str(error).strip() or "no words").splitlines()[0][:200]
    return f"the job stopped unexpectedly: {type(error).__name__}: {words}; its log has the details"


def _write_log(folder: Path, text: str) -> None:
    with suppress(OSError), (folder / LOG_FILE).open("a", encoding="utf-8", errors="replace") as log:
        log.write(text)
