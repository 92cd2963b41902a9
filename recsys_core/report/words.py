"""The words of a report, by language: one JSON file a language beside this one, the same keys in each.

What an audit keeps is in English: names of facts, reasons, the question. It is put into another language when
the report is made, from the same files; what none of them knows, such as an import's warning, stays English.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from markupsafe import Markup

from recsys_core.errors import ConfigError
from recsys_core.report.contents import Evidence, Fact

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_TITLE = re.compile(r"Audit of (?P<model>.*)", re.DOTALL)
_KIND = re.compile(r"(?P<name>.*) \((?:imported lists|(?P<ranker>[^()]*), seed (?P<seed>\d+))\)", re.DOTALL)
_READS = re.compile(r"the items of a person's history and the items' texts by (?P<encoder>.*)", re.DOTALL)
_REASONS = (
    (re.compile(r"hidden: it has fewer than (?P<least>\d+) people, or would .*"), "reason_hidden"),
    (
        re.compile(
            r"insufficient data: (?P<subject>.*)fewer than (?P<least>\d+) people with a non-zero "
            r"(?P<metric>.*)"
        ),
        "reason_insufficient",
    ),
    (re.compile(r"missing attribute: (?P<n>[\d,]+) people, left out of every gap"), "reason_missing"),
    (re.compile(r"missing attribute, left out of every gap"), "reason_missing_hidden"),
    (re.compile(r"no other group with enough people to compare with"), "reason_alone"),
    (re.compile(r"insufficient data for (?P<name>[a-z_]+)"), "reason_data_for"),
    (
        re.compile(r"insufficient data: the held-out items .* fewer than (?P<least>\d+) people"),
        "reason_merit",
    ),
    (re.compile(r"insufficient data: nobody's held-out item is of this group, .*"), "reason_no_merit"),
    (re.compile(r"left out with a group of few people, .*"), "reason_with_few"),
)
_ACRONYMS = ("ndcg", "dcg", "hr", "mrr", "map", "f1", "auc")
_METRIC, _PEOPLE = re.compile(r"(?<=non-zero )\S+"), re.compile(r"\d{4,}(?= people)")
_REFERENCE = re.compile(r"the reference, (?P<reference>.*), has ")


def checked_language(word: str) -> Language:
    """`en` or `zh`.

    Raises:
        ConfigError: anything else.
    """
    for language in LANGUAGES:
        if word == language:
            return language
    raise ConfigError(f"there is no report in the language '{word}'; languages are {', '.join(LANGUAGES)}")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    language: Language

    def __call__(self, key: str, **values: object) -> Markup:
        """An entry with its values put in; they are escaped, the entry's own tags are kept."""
        return Markup(catalogue(self.language)[key]).format(**values)

    def counted(self, key: str, n: int, **values: object) -> Markup:
        """As a call, with `{key}_one` for one."""
        return self(f"{key}_one" if n == 1 else key, n=n, **values)

    def attribute(self, name: str) -> str:
        """An attribute's name, or those of an intersection, as people call them."""
        parts = [part.strip() for part in name.split("*")]
        return " × ".join(self._known("attribute", part, part.replace("_", " ")) for part in parts)

    def metric(self, name: str) -> str:
        """A metric as people write it: "NDCG@10" for "ndcg@10"."""
        word, at, k = name.partition("@")
        return f"{word.upper() if word in _ACRONYMS else word}{at}{k}"

    def group(self, name: str) -> str:
        """A group's label; who has no value, and everybody, in the reader's language."""
        known = {"unknown": "unknown", "everybody": "everybody", "rest": "rest", "overall": "overall_group"}
        return str(self(known[name])) if name in known else name

    def fact(self, fact: Fact) -> tuple[str, str]:
        """A line of a card: its name and its value."""
        reads = _READS.fullmatch(fact.value)
        value = self._filled("reads_text", **reads.groupdict()) if reads else self._known("value", fact.value)
        return self._known("fact", fact.name), value

    def moment(self, as_of: str) -> str:
        """Which history the lists were made from."""
        return self._known("as_of", as_of)

    def made(self, created_at: str) -> str:
        """When the report was made, to the minute."""
        date, _, time = created_at.partition("T")
        return f"{date} {time[:5]} UTC" if time.endswith("+00:00") else created_at

    def reason(self, reason: str) -> str:
        """Why something wasn't computed."""
        reason = _METRIC.sub(lambda found: self.metric(found[0]), reason)
        reason = _PEOPLE.sub(lambda found: f"{int(found[0]):,}", reason)
        if self.language == "en":
            return reason
        return "；".join(self._one_reason(part) for part in reason.split("; "))

    def title(self, evidence: Evidence) -> str:
        """The report's title."""
        found = _TITLE.fullmatch(evidence.context.title)
        return self._filled("title", **found.groupdict()) if found else evidence.context.title

    def question(self, evidence: Evidence, by: tuple[str, ...], metric: str) -> str:
        """What was asked, in a sentence; "" where that wasn't kept."""
        found, items = _TITLE.fullmatch(evidence.context.title), evidence.extras.items
        if not found or not evidence.extras.question:
            return evidence.extras.question
        comma, said = str(self("comma")), self.metric(metric)
        values = {"model": found["model"], "by": comma.join(map(self.attribute, by)), "metric": said}
        if items is None:
            return self._filled("question", **values)
        return self._filled(
            "question_items", items=comma.join(map(self.attribute, items.settings.by)), **values
        )

    def model(self, written: str) -> str:
        """The model and what kind of one it is."""
        found = _KIND.fullmatch(written)
        if not found or self.language == "en":
            return written
        parts = found.groupdict()
        if parts["ranker"] is None:
            return self._filled("kind_lists", name=parts["name"])
        return self._filled("kind_ranker", **parts)

    def _one_reason(self, reason: str) -> str:
        for pattern, key in _REASONS:
            if found := pattern.fullmatch(reason):
                values = found.groupdict()
                if reference := _REFERENCE.fullmatch(values.get("subject") or ""):
                    who = self.group(reference["reference"])
                    values["subject"] = self._filled("reason_reference", reference=who)
                return self._filled(key, **values)
        return reason

    def _filled(self, key: str, **values: str) -> str:
        return catalogue(self.language)[key].format(**values)

    def _known(self, kind: str, word: str, otherwise: str | None = None) -> str:
        return catalogue(self.language).get(f"{kind} {word}", word if otherwise is None else otherwise)


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: Language) -> dict[str, str]:
    """All entries of a language."""
    text = files("recsys_core.report").joinpath(f"locales/{language}.json").read_text(encoding="utf-8")
    return json.loads(text)
