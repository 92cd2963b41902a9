"""The item side as the report lays it out: a row a group with its bar of exposure per merit, and words."""

from dataclasses import dataclass

from recsys_core.fairness.exposure_result import AttributeMeasure, ItemAudit, ItemFigure, ItemGroupRow
from recsys_core.report.axis import Axis, axis_of
from recsys_core.report.left_open import LeftOpen, left_open
from recsys_core.report.words import Words

MEASURES: tuple[AttributeMeasure, ...] = (
    "awrf_catalogue",
    "awrf_merit",
    "ee_l",
    "ee_d",
    "ee_r",
    "rsp",
    "reo",
    "gini",
    "entropy",
    "min_max_ratio",
    "poorest_half",
)


@dataclass(frozen=True, slots=True)
class ItemLine:
    """One group of items.

    Attributes:
        group: who, and how many people are behind it.
        exposure: its share of people's attention.
        merit: its share of what they chose; None where it isn't known.
        ratio: exposure per merit; None likewise.
        inter: how often its chosen items are ranked before candidates of other groups; None likewise.
        intra: … before candidates of the same group.
    """

    group: ItemGroupRow
    exposure: ItemFigure | None
    merit: ItemFigure | None
    ratio: ItemFigure | None
    inter: ItemFigure | None
    intra: ItemFigure | None

    @property
    def says_nothing(self) -> bool:
        """Whether nothing is known of it but how much it is shown."""
        return self.merit is None and self.ratio is None and self.inter is None and self.intra is None

    @property
    def nobody_chose_it(self) -> bool:
        """Whether it is known to have no merit; None people behind it are some, but too few to be told of."""
        return self.group.n_merited == 0


@dataclass(frozen=True, slots=True)
class ItemView:
    """One attribute of items.

    Attributes:
        name: of the attribute.
        lines: its groups, the most exposed first.
        measures: name, figure and meaning of what is said of all groups together.
        not_computed: what couldn't be said.
        axis: of the ratios.
    """

    name: str
    lines: tuple[ItemLine, ...]
    measures: tuple[tuple[str, ItemFigure, str], ...]
    not_computed: tuple[LeftOpen, ...]
    axis: Axis


def item_views(audit: ItemAudit, w: Words) -> tuple[ItemView, ...]:
    """What the report says about each attribute of items."""
    return tuple(_view(audit, by, w) for by in audit.settings.by)


def _view(audit: ItemAudit, by: str, w: Words) -> ItemView:
    lines = [_line(audit, row) for row in audit.groups if row.attribute == by]
    lines.sort(key=lambda line: -line.exposure.value if line.exposure else 0.0)
    ends = [
        end for line in lines if (ratio := line.ratio) for end in (ratio.value, ratio.ci_low, ratio.ci_high)
    ]
    measures = [(name, audit.figure(by, "", name)) for name in MEASURES]
    return ItemView(
        by,
        tuple(lines),
        tuple(
            (str(w(f"measure_{name}")), figure, str(w(f"measure_{name}_means")))
            for name, figure in measures
            if figure is not None
        ),
        left_open([row for row in audit.not_computed if row.attribute == by]),
        axis_of([0.0, 1.0, *(end for end in ends if end is not None)]),
    )


def _line(audit: ItemAudit, row: ItemGroupRow) -> ItemLine:
    names = "exposure_share", "merit_share", "exposure_per_merit", "pairwise_inter", "pairwise_intra"
    return ItemLine(row, *(audit.figure(row.attribute, row.group, name) for name in names))
