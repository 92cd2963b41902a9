"""What a report holds beside the audit itself: cards of data and model, rates, the run without profiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from recsys_core.errors import StoreError
from recsys_core.fairness.exposure_result import ItemAudit

Section = Literal["groups", "items", "rates", "no_profiling", "rules", "data", "model"]
SECTIONS: tuple[Section, ...] = ("groups", "items", "rates", "no_profiling", "rules", "data", "model")


@dataclass(frozen=True, slots=True)
class ReportContext:
    """Where the numbers come from, as text: what another person needs to get them again.

    Attributes:
        title: of the report.
        dataset: its name.
        dataset_sha256: of the data as stored.
        model: name of the model or of the imported lists.
        model_sha256: of its weights or lists.
        command: that makes this audit again.
        versions: name and version of everything that took part.
        created_at: ISO 8601.
        as_of: "test" or "now": which history the lists were made from.
    """

    title: str
    dataset: str
    dataset_sha256: str
    model: str
    model_sha256: str
    command: str
    versions: Mapping[str, str]
    created_at: str
    as_of: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a card."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class RateRow:
    """How many people of a group are served above the median; None where the group is suppressed.

    Attributes:
        attribute: what the groups are made of.
        group: the group; "unknown" = people without the attribute.
        n: people.
        share: their part of everybody, 0 to 1.
        rate: share of them whose value is above the median of everybody.
        impact_ratio: rate / highest rate among the known groups of the attribute that are at least 2 %.
        is_small: under 2 % of everybody.
    """

    attribute: str
    group: str
    n: int | None
    share: float | None
    rate: float | None
    impact_ratio: float | None
    is_small: bool


@dataclass(frozen=True, slots=True)
class NoProfilingRow:
    """A group's mean with the model and with the same list for everybody; None where it is suppressed."""

    attribute: str
    group: str
    n: int | None
    value: float | None
    value_without: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, slots=True)
class Extras:
    """All that a report may tell beside the groups of people and their gaps.

    Attributes:
        question: what was asked, in a sentence.
        data: the card of the data set, exclusions included.
        model: the card of the model.
        items: the item side, where it was asked for.
        rates: shares of people above the median.
        no_profiling: the model beside a ranking that knows nobody.
    """

    question: str = ""
    data: tuple[Fact, ...] = ()
    model: tuple[Fact, ...] = ()
    items: ItemAudit | None = None
    rates: tuple[RateRow, ...] = ()
    no_profiling: tuple[NoProfilingRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is kept beside an audit, so that its report can be made again when the model is long gone."""

    context: ReportContext
    extras: Extras

    def to_record(self) -> dict[str, Any]:
        """All of it as plain JSON; `from_record` reads it back."""
        return _RECORD.dump_python(self, mode="json")

    @staticmethod
    def from_record(record: object) -> "Evidence":
        """What `to_record` wrote.

        Raises:
            StoreError: the record isn't one.
        """
        try:
            return _RECORD.validate_python(record)
        except ValidationError as error:
            raise StoreError(f"what was kept for the report can't be read: {error}") from error


_RECORD = TypeAdapter(Evidence)
