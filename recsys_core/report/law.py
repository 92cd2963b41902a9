"""What rules ask for, and which part of a report supports evidence for it. No report shows compliance."""

from dataclasses import dataclass

from recsys_core.report.contents import Evidence


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


def clauses(evidence: Evidence, has_items: bool) -> tuple[Clause, ...]:
    """The table of rules for one report."""
    has_rates, has_run = bool(evidence.extras.rates), len(evidence.extras.no_profiling) > 0
    return (
        Clause(
            "Digital Services Act, Regulation (EU) 2022/2065, Article 27",
            "platforms tell in their terms, in plain words, the main parameters of their recommender "
            "systems and how people can change them",
            "the model card: what the recommender reads and how it was trained",
            "the wording of the terms, and the choices that people are offered",
        ),
        Clause(
            "Digital Services Act, Regulation (EU) 2022/2065, Article 38",
            "very large platforms offer at least one option of each recommender system that isn't based on "
            "profiling",
            "the run without profiles: the same people ranked without their data, and what changes for "
            "each group"
            if has_run
            else "",
            "whether such an option is offered, and can be found",
        ),
        Clause(
            "New York City, Local Law 144 of 2021 and 6 RCNY § 5-300 to 5-304",
            "an independent bias audit of automated employment decision tools: scoring rates and impact "
            "ratios by sex, by race or ethnicity, and by their intersections",
            "scoring rates above the median, impact ratios, categories under 2 % and people whose category "
            "isn't known"
            if has_rates
            else "",
            "that the attributes are those that the law names, and that the auditor is independent",
        ),
        Clause(
            "AI Act, Regulation (EU) 2024/1689, Article 10",
            "data of high-risk systems are governed, and examined for possible biases and gaps",
            "the data card with its exclusions, sizes of groups, people without the attribute"
            + (", exposure of groups of items" if has_items else ""),
            "how the data were collected, and what was done about what was found",
        ),
        Clause(
            "AI Act, Regulation (EU) 2024/1689, Article 13",
            "deployers are told of accuracy, limits, and performance for the groups that the system is used "
            "on",
            "figures by group with intervals, verdicts in words, and the limits",
            "the instructions for use that these figures belong into",
        ),
        Clause(
            "AI Act, Regulation (EU) 2024/1689, Article 15",
            "levels of accuracy and the metrics for them are declared; systems are accurate, robust and "
            "secure",
            "the metric with its interval, and the command that gives the same figures again",
            "robustness and cybersecurity, which this audit doesn't look at",
        ),
    )
