"""Killed, refused by the disk, or many at once: what is in the workspace is whole, and nothing is lost.

A twentieth of what RELIABILITY asks for; the soak runs the rest of it.
"""

import io
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from recsys_core.errors import StoreError
from recsys_core.store.workspace import Workspace

ADD_FOREVER = """
import sys
from pathlib import Path
from recsys_core.store.workspace import Workspace

def write(folder):
    for number in range(3):
        (folder / f"part{number}").write_bytes(bytes([number]) * 50_000)

workspace = Workspace.open(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(10_000):
    print(workspace.add_dataset(f"{sys.argv[2]} {number}", {}, write).id, flush=True)
"""

CHANGE_TOGETHER = """
import sys
from pathlib import Path
from recsys_core.store.workspace import Workspace

def count(details):
    return {"n": details["n"] + 1}

def write(folder):
    (folder / "file").write_bytes(b"x")

workspace = Workspace.open(Path(sys.argv[1]))
for number in range(10):
    for _ in range(10):
        workspace.update_details("dataset", "counter", count)
    audit = workspace.add_audit(f"{sys.argv[2]} {number}", {}, write)
    workspace.rename("audit", audit.id, f"{sys.argv[2]} {number} kept")
    if number % 2:
        workspace.delete("audit", audit.id)
"""


def write_one_file(folder: Path) -> None:
    (folder / "weights").write_bytes(b"weights")


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, bufsize=1
    )


def assert_whole(workspace: Workspace, hidden_is_allowed: bool = False) -> None:
    """Every row has its folder with the files that were recorded, and nothing else lies there."""
    for folder, records in (("datasets", workspace.datasets()), ("audits", workspace.audits())):
        on_disk = {path.name for path in (workspace.home / folder).iterdir()}
        if hidden_is_allowed:
            on_disk = {name for name in on_disk if not name.startswith(".")}
        assert on_disk == {record.id for record in records}
        for record in records:
            for name in record.folder_sha256:
                workspace.open_file(record, name)


@pytest.mark.slow
def test_killed_import_leaves_all_or_nothing_and_loses_nothing_acknowledged(tmp_path: Path):
    generator = random.Random(7)
    acknowledged: list[str] = []
    for attempt in range(5):
        with start(ADD_FOREVER, str(tmp_path), str(attempt)) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(generator.uniform(0, 0.15))
            os.kill(child.pid, signal.SIGKILL)
            acknowledged += child.stdout.read().split()
        workspace = Workspace.open(tmp_path)
        assert_whole(workspace)
        found = {record.id for record in workspace.datasets()}
        assert set(acknowledged) <= found
        assert len(found) - len(acknowledged) <= attempt + 1  # kept, but killed before it could say so
        workspace.add_dataset(f"after {attempt}", {}, write_one_file)
        acknowledged.append(workspace.resolve("dataset", f"after {attempt}").id)


@pytest.mark.parametrize("moment", ["named", "added"])
def test_process_killed_between_name_and_row_leaves_nothing(tmp_path: Path, moment: str):
    patch = {"named": "folders.reveal", "added": "Session.commit"}[moment]
    script = f"""
import os, sys
from pathlib import Path
from sqlmodel import Session
from recsys_core.store import folders
from recsys_core.store.workspace import Workspace

workspace = Workspace.open(Path(sys.argv[1]))
whole = {patch}
def kill(*given):
    if "{moment}" == "named":
        whole(*given)
    os.kill(os.getpid(), 9)
{patch} = kill
workspace.add_dataset("x", {{}}, lambda folder: (folder / "weights").write_bytes(b"w"))
"""
    with start(script, str(tmp_path)) as child:
        assert child.wait() == -signal.SIGKILL
    assert len(list((tmp_path / "datasets").iterdir())) == 1
    workspace = Workspace.open(tmp_path)
    assert_whole(workspace)
    assert workspace.datasets() == []
    workspace.add_dataset("x", {}, write_one_file)


def test_process_killed_between_deleting_row_and_folder_leaves_nothing(tmp_path: Path):
    workspace = Workspace.open(tmp_path)
    record = workspace.add_dataset("x", {}, write_one_file)
    folder = workspace.folder(record)
    workspace.delete("dataset", "x")
    folder.mkdir()  # as if the process had been killed here
    assert_whole(Workspace.open(tmp_path))


def test_hidden_folder_is_swept_when_its_writer_is_gone(tmp_path: Path):
    home = Workspace.open(tmp_path).home
    with start("print()") as child:
        pass
    host = hidden_name_of_this_process(tmp_path).split(".")[2]
    of_the_dead = home / "datasets" / f".ds_0123456789ab.{host}.{child.pid}.tmp"
    of_the_living = home / "datasets" / f".ds_0123456789ab.{host}.{os.getpid()}.tmp"
    elsewhere_new = home / "datasets" / ".ds_0123456789ab.00000000.1.tmp"
    elsewhere_old = home / "datasets" / ".ds_ba9876543210.00000000.1.tmp"
    not_ours = home / "datasets" / "notes"
    for folder in (of_the_dead, of_the_living, elsewhere_new, elsewhere_old, not_ours):
        folder.mkdir()
        (folder / "file").write_text("x")
    an_hour_ago = time.time() - 3700
    os.utime(elsewhere_old / "file", (an_hour_ago, an_hour_ago))
    os.utime(elsewhere_old, (an_hour_ago, an_hour_ago))
    Workspace.open(tmp_path)
    left = {path.name for path in (home / "datasets").iterdir()}
    assert left == {of_the_living.name, elsewhere_new.name, not_ours.name}


def hidden_name_of_this_process(home: Path) -> str:
    seen: list[str] = []
    workspace = Workspace.open(home)
    workspace.add_dataset("look", {}, lambda folder: seen.append(folder.name.lstrip(".")))
    workspace.delete("dataset", "look")
    return f".{seen[0]}"


class Faults:
    """Lets the n-th operation fail, or all from the n-th on, and counts them; 0 lets all pass."""

    def __init__(self, are_lasting: bool) -> None:
        self.are_lasting = are_lasting
        self.fail_at = 0
        self.n_seen = 0
        self.n_struck = 0

    def strike(self) -> bool:
        self.n_seen += 1
        strikes = 0 < self.fail_at <= self.n_seen if self.are_lasting else self.n_seen == self.fail_at
        self.n_struck += strikes
        return strikes

    def arm(self, fail_at: int) -> None:
        self.fail_at, self.n_seen, self.n_struck = fail_at, 0, 0


@contextmanager
def faulty_files(monkeypatch: pytest.MonkeyPatch, are_lasting: bool) -> Generator[Faults]:
    faults = Faults(are_lasting)

    def failing(original: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            if faults.strike():
                raise OSError(5, "Input/output error")
            return original(*given, **named)

        return call

    with monkeypatch.context() as patch:
        for module, name in (
            (os, "open"),
            (os, "fsync"),
            (os, "replace"),
            (os, "rename"),
            (os, "mkdir"),
            (os, "listdir"),
            (io, "open"),
        ):
            patch.setattr(module, name, failing(getattr(module, name)))
        yield faults


@contextmanager
def faulty_catalogue(workspace: Workspace, are_lasting: bool) -> Generator[Faults]:
    faults = Faults(are_lasting)
    engine = workspace.catalogue.engine

    def strike(*given: object) -> None:
        if faults.strike():
            raise OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))

    listened = ("before_cursor_execute", "commit")
    for name in listened:
        event.listen(engine, name, strike)
    yield faults
    for name in listened:
        event.remove(engine, name, strike)


def try_with_every_fault(workspace: Workspace, faults: Faults, complaint: str) -> int:
    """How many operations there are; the fault hit each of them, and the second try worked."""
    for fail_at in range(1, 200):
        name = f"x{fail_at}"
        faults.arm(fail_at)
        is_kept = True  # making a folder that is there already may fail, for instance
        try:
            workspace.add_audit(name, {}, write_one_file)
        except StoreError as error:
            assert complaint in str(error)
            is_kept = False
        if faults.n_struck == 0:
            return fail_at - 1
        faults.arm(0)
        reopened = Workspace.open(workspace.home)
        assert_whole(reopened, hidden_is_allowed=faults.are_lasting)
        assert is_kept == (name in [record.name for record in reopened.audits()])
        workspace.add_audit(f"{name} again" if is_kept else name, {}, write_one_file)
    raise AssertionError("there was no end of operations")


@pytest.mark.parametrize("are_lasting", [False, True])
def test_every_failing_file_operation_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, are_lasting: bool
):
    workspace = Workspace.open(tmp_path)
    with faulty_files(monkeypatch, are_lasting) as faults:
        n_operations = try_with_every_fault(workspace, faults, "could not write the audit")
    assert n_operations >= 8  # make, write, hash, flush the file, the folder and its parent, name, flush


@pytest.mark.parametrize("are_lasting", [False, True])
def test_every_failing_statement_is_survived(tmp_path: Path, are_lasting: bool):
    workspace = Workspace.open(tmp_path)
    with faulty_catalogue(workspace, are_lasting) as faults:
        n_statements = try_with_every_fault(workspace, faults, "the catalogue can't be used: disk I/O error")
    assert n_statements >= 5  # begin, look for the name; begin, look again, insert, commit


def test_full_disk_refuses_writes_in_words_and_goes_on_reading(tmp_path: Path):
    workspace = Workspace.open(tmp_path)
    workspace.add_dataset("kept", {}, write_one_file)
    engine = workspace.catalogue.engine

    def fill_the_disk(connection: sqlite3.Connection, _record: object) -> None:
        n_pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {n_pages}")

    event.listen(engine, "connect", fill_the_disk)
    with pytest.raises(StoreError, match="the disk is full: nothing was changed"):
        workspace.add_dataset("large", {"text": "x" * 100_000}, write_one_file)
    assert [record.name for record in workspace.datasets()] == ["kept"]
    assert_whole(workspace)


def test_busy_catalogue_is_said_to_be_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("recsys_core.store.connection.BUSY_TIMEOUT_S", 0.1)
    workspace = Workspace.open(tmp_path)
    other = sqlite3.connect(tmp_path / "catalogue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="the catalogue is busy"):
        workspace.add_dataset("x", {}, write_one_file)
    assert workspace.datasets() == []  # reading goes on
    other.close()
    assert_whole(workspace)


@pytest.mark.slow
def test_many_writers_lose_no_update(tmp_path: Path):
    workspace = Workspace.open(tmp_path)
    workspace.add_dataset("counter", {"n": 0}, write_one_file)
    writers = [start(CHANGE_TOGETHER, str(tmp_path), f"writer {number}") for number in range(4)]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * 4
    assert workspace.resolve("dataset", "counter").details == {"n": 400}
    names = {record.name for record in workspace.audits()}
    assert names == {f"writer {n} {i} kept" for n in range(4) for i in range(0, 10, 2)}
    assert_whole(workspace)


@pytest.mark.slow
def test_many_processes_may_open_a_new_workspace_at_once(tmp_path: Path):
    script = "import sys; from pathlib import Path; from recsys_core.store.workspace import Workspace as W; "
    script += "W.open(Path(sys.argv[1]))"
    openers = [start(script, str(tmp_path / "home")) for _ in range(3)]
    for opener in openers:
        opener.communicate()
    assert [opener.returncode for opener in openers] == [0] * 3
    assert_whole(Workspace.open(tmp_path / "home"))
