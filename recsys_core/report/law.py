"""What rules ask for, and which part of a report supports evidence for it. No report shows compliance."""

from dataclasses import dataclass

from recsys_core.report.contents import Evidence
from recsys_core.report.words import Words

RULES = ("dsa27", "dsa38", "ll144", "ai10", "ai13", "ai15")
ENGLISH = Words("en")


@dataclass(frozen=True, slots=True)
class Clause:
    """One row: a rule, what it is about in our words, what the report holds for it, and what it doesn't.

    Attributes:
        rule: name and article.
        about: what it asks for.
        supports: the part of the report that supports evidence for it; "" = none in this report.
        open: what somebody must add.
    """

    rule: str
    about: str
    supports: str
    open: str


def clauses(evidence: Evidence, has_items: bool, w: Words = ENGLISH) -> tuple[Clause, ...]:
    """The table of rules for one report."""
    there = {"dsa38": len(evidence.extras.no_profiling) > 0, "ll144": bool(evidence.extras.rates)}
    supports = {"ai10": "ai10_supports_items"} if has_items else {}
    return tuple(
        Clause(
            str(w(f"{rule}_rule")),
            str(w(f"{rule}_about")),
            str(w(supports.get(rule, f"{rule}_supports"))) if there.get(rule, True) else "",
            str(w(f"{rule}_open")),
        )
        for rule in RULES
    )
