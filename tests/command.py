"""The `reclens` command, run in this process: importing torch for each command would take seconds."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_core.cli import app


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Command:
    """`reclens` on one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def run(self, *words: str) -> Done:
        """Runs a command to its end."""
        stdout, stderr, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(stdout), redirect_stderr(stderr):
            try:
                app([*words, "--workspace", str(self.workspace)])
            except SystemExit as end:
                code = int(end.code or 0)
        return Done(code, stdout.getvalue(), stderr.getvalue())

    def json(self, *words: str) -> Any:
        """What a command that must succeed answers with `--json`; NaN is no JSON."""
        done = self.run(*words, "--json")
        assert (done.code, done.stderr) == (0, ""), done.stderr
        return json.loads(done.stdout, parse_constant=_refuse)

    def refusal(self, *words: str) -> str:
        """The one sentence of a command that must be refused as bad input."""
        done = self.run(*words)
        assert (done.code, done.stdout) == (2, ""), done.stderr
        assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
        return done.stderr


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
