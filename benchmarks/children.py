"""Benchmarks run in processes of their own, so that each has its own memory peak and leaves nothing behind.

A child prints one line of JSON last; a parent compares children and prints Markdown.
"""

import json
import os
import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

PEERS_PYTHON = Path(os.environ.get("RECLENS_PEERS", ".venv-peers")) / "bin" / "python"
PEER_SCRIPTS = Path(__file__).parent / "peers"

Figures = dict[str, Any]  # a line of JSON: what it holds is the business of the script that printed it


def run_own(module: str, *arguments: object) -> Figures:
    """The figures that a module of `benchmarks` prints."""
    return _run([sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)], dict(os.environ))


def run_peer(script: str, *arguments: object) -> Figures:
    """The figures that a script of `benchmarks/peers` prints.

    Waiting threads do as the peer's libraries have them do, not as ours (OMP_WAIT_POLICY).
    """
    if not PEERS_PYTHON.exists():
        raise ChildFailed(f"{PEERS_PYTHON} is missing: `make peers` makes it")
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    return _run([str(PEERS_PYTHON), str(PEER_SCRIPTS / script), *map(str, arguments)], environment)


def print_figures(**figures: object) -> None:
    """A child's last line: its figures, and the memory peak of it and its own children."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"peak_memory_bytes": peak * 1024, **figures}), flush=True)


def machine() -> str:
    """Where and with what this was measured, and how busy the machine was."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy"))
    return (
        f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}, "
        f"load average {os.getloadavg()[0]:.1f}"
    )


def spread(values: list[float], form: str = "{:,.0f}") -> str:
    """Median and range, as one cell of a table."""
    if len(values) == 1:
        return form.format(values[0])
    low, high = form.format(min(values)), form.format(max(values))
    return f"{form.format(float(np.median(values)))} ({low}–{high})"


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    for cells in (columns, ["---"] * len(columns), *rows):
        print("| " + " | ".join(cells) + " |", flush=True)


class ChildFailed(Exception):
    """A child ended without figures: its command and the end of what it said."""


def _run(command: list[str], environment: dict[str, str]) -> Figures:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildFailed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
