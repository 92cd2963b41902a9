"""What attributes, groups, references and verdicts of an audit are called on the screen."""

from collections.abc import Sequence
from functools import reduce
from itertools import combinations

from recsys_core.actions.audit_questions import DERIVED
from recsys_core.actions.data import LoadedDataset
from recsys_core.errors import DataError
from recsys_core.fairness.groups import UNKNOWN, group_labels
from recsys_core.fairness.suppression import SMALLEST_GROUP
from ui import answers
from ui.text import plain, t

REST, BEST, OVERALL = "rest", "best", "overall"
MARKS = {"disparity": "▲", "equivalent": "＝", "inconclusive": "?"}


def usable_attributes(data: LoadedDataset, derived: bool = True) -> list[str]:
    """The attributes that can form groups, with or without those that follow from histories."""
    further = DERIVED if derived and data.dataset.n_users >= 2 * SMALLEST_GROUP else ()
    named = list(dict.fromkeys([*data.attributes, *further]))
    return [attribute for attribute in named if _groups(data, attribute)]


def crossings(attributes: Sequence[str]) -> list[str]:
    """Every pair of attributes, as an audit names it."""
    return [f"{first}*{second}" for first, second in combinations(attributes, 2)]


def attribute_name(by: str) -> str:
    """An attribute or intersection as people read it, as plain text."""
    return " × ".join(
        t(f"fairness.attribute_{part}") if part in DERIVED else plain(part) for part in by.split("*")
    )


def references(data: LoadedDataset, by: Sequence[str]) -> list[str]:
    """What a group may be held against: everybody else, the best group, or a group by name."""
    named = dict.fromkeys(group for attribute in by for group in _groups(data, attribute))
    return [REST, BEST, *(group for group in named if group not in (REST, BEST, UNKNOWN))]


def reference_name(reference: str) -> str:
    """What a reference is called on the screen."""
    return t(f"fairness.reference_{reference}") if reference in (REST, BEST) else plain(reference)


def group_name(group: str) -> str:
    """A group's label; those without a value say so."""
    return t("fairness.unknown") if group == UNKNOWN else plain(group)


def verdict_name(verdict: str) -> str:
    """A verdict's word with its mark."""
    return f"{MARKS[verdict]} {t(f'fairness.{verdict}')}"


def in_a_row(sentences: Sequence[str]) -> str:
    """Sentences one after the other, with the space between them that the language has."""
    return reduce(lambda before, one: t("reasons.two_sentences", first=before, second=one), sentences)


def _groups(data: LoadedDataset, by: str) -> list[str]:
    try:
        return [str(group) for group in group_labels(answers.audited_people(data), by).cat.categories]
    except DataError:
        return []
