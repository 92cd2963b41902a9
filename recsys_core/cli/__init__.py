"""The `reclens` command: its JSON is a contract, its errors are one sentence on stderr.

Exit code 0: done. 2: bad input. 1: a failure. Results go to stdout and nothing else does.

Commands import what they call when they are called: torch takes seconds, and `reclens list` shouldn't.
"""

from recsys_core.cli import (
    added_items,
    audit_checks,
    bundles,
    causes,
    cohorts,
    comparisons,
    concepts,
    counterfactuals,
    data,
    descriptions,
    explanation_parity,
    imported,
    influences,
    leakage,
    lists,
    membership,
    mitigation,
    models,
    preferences,
    rating_gaps,
    reasons,
    reports,
    robustness,
    searches,
    serving,
    surrogates,
    verifications,
    words,
    workspace,
)
from recsys_core.cli.output import app

__all__ = [
    "added_items",
    "app",
    "audit_checks",
    "bundles",
    "causes",
    "cohorts",
    "comparisons",
    "concepts",
    "counterfactuals",
    "data",
    "descriptions",
    "explanation_parity",
    "imported",
    "influences",
    "leakage",
    "lists",
    "main",
    "membership",
    "mitigation",
    "models",
    "preferences",
    "rating_gaps",
    "reasons",
    "reports",
    "robustness",
    "searches",
    "serving",
    "surrogates",
    "verifications",
    "words",
    "workspace",
]


def main() -> None:
    """Runs the command."""
    app()
