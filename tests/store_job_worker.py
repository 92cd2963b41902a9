"""The worker that the tests of jobs start: one small function for each way in which a job can go."""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from recsys_core.errors import DataError
from recsys_core.store.records import JsonObject
from recsys_core.store.reporter import JobReporter, run_job
from recsys_core.store.workspace import Workspace

DEAF_CHILD = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def note_start(spec: JsonObject, reporter: JobReporter) -> dict[str, Any]:
    """Writes a line for each time it runs."""
    with Path(spec["file"]).open("a", encoding="utf-8") as file:
        file.write("started\n")
    reporter.event({"epoch": 1, "loss": float("nan")})
    reporter.progress(0.5, "half way")
    return {"answer": 42, "ndcg": float("nan")}


def wait_politely(_spec: JsonObject, reporter: JobReporter) -> dict[str, Any]:
    """Waits until it is cancelled."""
    while True:
        reporter.progress(0.25, "waiting")
        time.sleep(0.05)


def wait_deafly(spec: JsonObject, _reporter: JobReporter) -> dict[str, Any]:
    """Never looks whether it was cancelled, and has a child that ignores SIGTERM."""
    child = subprocess.Popen([sys.executable, "-c", DEAF_CHILD], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    Path(spec["file"]).write_text(str(child.pid), encoding="utf-8")
    time.sleep(60)
    return {}


def refuse(_spec: JsonObject, _reporter: JobReporter) -> dict[str, Any]:
    """Fails with a sentence for a person."""
    raise DataError("row 17: no item_id")


FUNCTIONS = {"note": note_start, "wait": wait_politely, "deaf": wait_deafly, "refuse": refuse}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("job_id")
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    sys.exit(run_job(Workspace.open(given.home), given.job_id, FUNCTIONS))
