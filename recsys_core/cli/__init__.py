"""The `reclens` command: its JSON is a contract, its errors are one sentence on stderr.

Exit code 0: done. 2: bad input. 1: a failure. Results go to stdout and nothing else does.

Commands import what they call when they are called: torch takes seconds, and `reclens list` shouldn't.
"""

from recsys_core.cli import (
    causes,
    comparisons,
    data,
    explanation_parity,
    leakage,
    lists,
    membership,
    mitigation,
    models,
    robustness,
    searches,
    serving,
    workspace,
)
from recsys_core.cli.output import app

__all__ = [
    "app",
    "causes",
    "comparisons",
    "data",
    "explanation_parity",
    "leakage",
    "lists",
    "main",
    "membership",
    "mitigation",
    "models",
    "robustness",
    "searches",
    "serving",
    "workspace",
]


def main() -> None:
    """Runs the command."""
    app()
