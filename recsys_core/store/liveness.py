"""Which processes are still there. A pid is used again, so a process is known by its birth as well."""

import hashlib
import os
import signal
import socket

import psutil

# The kernel counts births from the boot, whose wall-clock time is known to the second only.
CLOCK_SLACK_S = 2.0


def this_host() -> str:
    """Eight digits that stand for this machine: a pid means nothing on another one."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def birth_s(pid: int) -> float:
    """When the process with this pid was born, in Unix seconds.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    return psutil.Process(pid).create_time()


def has_living(pid: int) -> bool:
    """True if some process that isn't a zombie has this pid, whichever it is."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_running(pid: int, born_s: float) -> bool:
    """True if the process with this pid is the one born then, and isn't a zombie."""
    try:
        return abs(birth_s(pid) - born_s) <= CLOCK_SLACK_S and has_living(pid)
    except psutil.NoSuchProcess:
        return False


def session_members(leader_pid: int, born_s: float) -> list[psutil.Process]:
    """The leader of a session, all it started, and what is left of these when it is gone itself.

    This process is never among them, and where it is the leader, nobody is.
    """
    if leader_pid == os.getpid():
        return []
    members: list[psutil.Process] = []
    if is_running(leader_pid, born_s):
        members = _family(leader_pid)
    elif has_living(leader_pid):
        return []  # the pid went to a stranger, so nobody of that session was left
    known = {member.pid for member in members}
    for candidate in psutil.process_iter():
        if candidate.pid not in known and _is_in_session(candidate.pid, leader_pid):
            members.append(candidate)
    return [member for member in members if member.pid != os.getpid() and has_living(member.pid)]


def end_session(leader_pid: int, born_s: float, patience_s: float = 0.3) -> None:
    """Asks the session's processes to go, and kills those that are still there after `patience_s`."""
    for name in (signal.SIGTERM, signal.SIGKILL):
        members = session_members(leader_pid, born_s)
        for member in members:
            try:
                member.send_signal(name)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(members, timeout=patience_s)


def _family(pid: int) -> list[psutil.Process]:
    """The process and its descendants; none where it went in the meantime, whose heirs keep its session."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _is_in_session(pid: int, leader_pid: int) -> bool:
    try:
        return os.getsid(pid) == leader_pid
    except (ProcessLookupError, PermissionError):
        return False
