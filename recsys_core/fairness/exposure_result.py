"""What the item side of an audit was asked and what it found, and the JSON of it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from recsys_core.errors import ConfigError, StoreError
from recsys_core.fairness.result import FEWEST_DRAWS, MOST_DRAWS, NotComputed
from recsys_core.fairness.suppression import SMALLEST_GROUP

GroupMeasure = Literal[
    "exposure_share",
    "merit_share",
    "exposure_per_merit",
    "recommendation_rate",
    "found_rate",
    "pairwise_inter",
    "pairwise_intra",
]
AttributeMeasure = Literal[
    "ee_d",
    "ee_r",
    "ee_l",
    "awrf_catalogue",
    "awrf_merit",
    "rsp",
    "reo",
    "gini",
    "entropy",
    "min_max_ratio",
    "poorest_half",
]
GROUP_MEASURES: tuple[GroupMeasure, ...] = get_args(GroupMeasure)
ATTRIBUTE_MEASURES: tuple[AttributeMeasure, ...] = get_args(AttributeMeasure)


@dataclass(frozen=True, slots=True)
class ItemAuditSettings:
    """By what items are grouped, and how.

    Attributes:
        by: columns of the items' table, or "popularity".
        k: how many places of each list count.
        draws: resamples of the people.
        seed: of the resampling.
        minimum_group: smallest number of people whose choices are shown.

    Raises:
        ConfigError: a value is out of bounds.
    """

    by: tuple[str, ...]
    k: int = 10
    draws: int = 1000
    seed: int = 0
    minimum_group: int = SMALLEST_GROUP

    def __post_init__(self) -> None:
        """Checks every value."""
        if not self.by or len(set(self.by)) < len(self.by):
            raise ConfigError(
                f"items are grouped by {', '.join(self.by) or 'nothing'}; name each attribute once"
            )
        if self.k < 1:
            raise ConfigError(f"k is {self.k}; a list has at least 1 item")
        if not FEWEST_DRAWS <= self.draws <= MOST_DRAWS:
            raise ConfigError(f"draws is {self.draws}; allowed are {FEWEST_DRAWS} to {MOST_DRAWS}")
        if self.minimum_group < SMALLEST_GROUP:
            raise ConfigError(f"minimum_group is {self.minimum_group}; it must be {SMALLEST_GROUP} or more")


@dataclass(frozen=True, slots=True)
class ItemGroupRow:
    """One group of items, and how many people are behind its figures.

    Attributes:
        attribute: what the groups are made of.
        group: the group.
        n_items: items that have a part in it.
        catalogue_share: its part of the catalogue.
        n_reached: people on whose list it is; None where there are some, but fewer than `minimum_group`.
        n_merited: people who have a held-out item of it; None likewise, and where it would give such away.
    """

    attribute: str
    group: str
    n_items: int
    catalogue_share: float
    n_reached: int | None
    n_merited: int | None


@dataclass(frozen=True, slots=True)
class ItemFigure:
    """One figure with its 95 % interval over resampled people; None where there are too few of them.

    Attributes:
        attribute: what the groups are made of.
        group: the group; "" = of all groups of the attribute together.
        measure: one of GROUP_MEASURES or ATTRIBUTE_MEASURES.
        value: the figure.
        ci_low: low end of the interval.
        ci_high: high end of it.
    """

    attribute: str
    group: str
    measure: GroupMeasure | AttributeMeasure
    value: float
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, slots=True)
class ItemAudit:
    """Everything that the item side found.

    Attributes:
        settings: what was asked.
        n_people: people with a list and a held-out item, over whom all figures are.
        n_left_out: all other people.
        groups: every group of every attribute.
        figures: every figure that could be computed.
        not_computed: every one that couldn't, with its reason.
    """

    settings: ItemAuditSettings
    n_people: int
    n_left_out: int
    groups: tuple[ItemGroupRow, ...]
    figures: tuple[ItemFigure, ...]
    not_computed: tuple[NotComputed, ...]

    def figure(self, attribute: str, group: str, measure: str) -> ItemFigure | None:
        """One figure; None where it wasn't computed. The group "" stands for the whole attribute."""
        asked = (attribute, group, measure)
        return next((row for row in self.figures if (row.attribute, row.group, row.measure) == asked), None)

    def to_json(self) -> dict[str, Any]:
        """The section "items" of `reclens audit --json`."""
        return {
            "k": self.settings.k,
            "n_people": self.n_people,
            "n_left_out": self.n_left_out,
            "groups": [asdict(row) for row in self.groups],
            "figures": [asdict(row) for row in self.figures],
            "not_computed": [asdict(row) for row in self.not_computed],
        }

    def to_record(self) -> dict[str, Any]:
        """All of it as plain JSON, for keeping; `from_record` reads it back."""
        return _RECORD.dump_python(self, mode="json")

    @staticmethod
    def from_record(record: object) -> "ItemAudit":
        """What `to_record` wrote.

        Raises:
            StoreError: the record isn't one of an item audit.
        """
        try:
            return _RECORD.validate_python(record)
        except (ValidationError, ConfigError) as error:
            raise StoreError(f"the kept item side of an audit can't be read: {error}") from error


_RECORD = TypeAdapter(ItemAudit)
