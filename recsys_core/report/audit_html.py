"""An audit as one HTML file that opens anywhere: no script, no outside request, light and dark.

The template beside this file lays it out and draws the charts; in here are the words and the scales.
Every text that came from a data set is escaped by the template engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import ceil, floor, log10

from jinja2 import Environment, StrictUndefined

from recsys_core.fairness.result import AuditResult, GapRow, GroupRow, NotComputed

TICKS_WANTED = 4
EDGE_PERCENT = 4.0  # free space at both ends of an axis, so that no mark is cut off

VERDICT_WORDS = {
    "disparity": ("Disparity", "▲"),
    "equivalent": ("Equivalent", "＝"),
    "inconclusive": ("Inconclusive", "?"),
}


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
class Axis:
    """A horizontal scale, drawn in percent of the width."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def x(self, value: float) -> str:
        """Where a value lies, as an SVG length."""
        share = (value - self.low) / (self.high - self.low)
        return f"{EDGE_PERCENT + share * (100 - 2 * EDGE_PERCENT):.2f}%"

    def width(self, low: float, high: float) -> str:
        """How long a stretch of the scale is, as an SVG length."""
        return f"{(high - low) / (self.high - self.low) * (100 - 2 * EDGE_PERCENT):.2f}%"

    def tick(self, value: float) -> str:
        """A tick's label, with as many digits as the steps need."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        digits = max(0, -floor(log10(step) + 1e-9))
        return _minus(f"{value:.{digits}f}")


@dataclass(frozen=True, slots=True)
class AttributeView:
    """What the report says about one attribute."""

    name: str
    groups: tuple[GroupRow, ...]
    gaps: tuple[GapRow, ...]
    not_computed: tuple[NotComputed, ...]


def audit_html(result: AuditResult, context: ReportContext) -> str:
    """The audit as a self-contained HTML page."""
    template = files("recsys_core.report").joinpath("audit.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, effect=effect, p_value=p_value, whole=whole)
    return environment.from_string(template).render(
        result=result,
        settings=result.settings,
        context=context,
        attributes=_by_attribute(result),
        elsewhere=tuple(row for row in result.not_computed if row.attribute not in result.settings.by),
        counts={verdict: sum(gap.verdict == verdict for gap in result.gaps) for verdict in VERDICT_WORDS},
        verdict_words=VERDICT_WORDS,
        headline=headline(result),
        sentence=sentence,
        group_axis=_group_axis(result),
        gap_axis=_gap_axis(result),
    )


def _by_attribute(result: AuditResult) -> tuple[AttributeView, ...]:
    return tuple(
        AttributeView(
            name,
            tuple(row for row in result.by_group if row.attribute == name),
            tuple(row for row in result.gaps if row.attribute == name),
            tuple(row for row in result.not_computed if row.attribute == name),
        )
        for name in result.settings.by
    )


def headline(result: AuditResult) -> str:
    """What was found, in one sentence that claims no more than the data can."""
    n_gaps = len(result.gaps)
    n_found = sum(gap.verdict == "disparity" for gap in result.gaps)
    n_equivalent = sum(gap.verdict == "equivalent" for gap in result.gaps)
    if n_gaps == 0:
        return "No comparison could be made; the reasons are listed below."
    if n_found > 0:
        return f"Disparities found: {n_found} of {_comparisons(n_gaps)}."
    if n_equivalent == n_gaps:
        return f"Equivalent within the margin: {n_equivalent} of {_comparisons(n_gaps)}."
    return f"No disparity was established in {_comparisons(n_gaps)}; that does not show that there is none."


def _comparisons(count: int) -> str:
    return f"{count} comparison" if count == 1 else f"{count} comparisons"


def sentence(gap: GapRow, result: AuditResult) -> str:
    """One gap's verdict in words."""
    reference = "everyone else" if gap.reference == "rest" else gap.reference
    if gap.verdict == "inconclusive":
        return f"Too little data: only gaps from {number(gap.minimum_detectable)} on are found reliably here."
    if gap.verdict == "equivalent":
        return f"The difference from {reference} is within the margin."
    side = "lower" if gap.difference < 0 else "higher"
    overall = result.overall.value
    share = f", {abs(gap.difference / overall) * 100:.0f} % of the overall value," if overall else ""
    return f"{result.settings.metric} is {number(abs(gap.difference))}{share} {side} than for {reference}."


def number(value: float) -> str:
    """A metric value with four decimals and a true minus sign."""
    return _minus(f"{value:.4f}")


def effect(value: float) -> str:
    """A standardised difference with two decimals and a true minus sign."""
    return _minus(f"{value:.2f}")


def whole(value: int) -> str:
    """A count with thin groups of three digits."""
    return f"{value:,}".replace(",", "\u202f")


def p_value(value: float) -> str:
    """A probability with three decimals, "< 0.001" below that."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _minus(text: str) -> str:
    return text.replace("-", "−") if float(text) != 0 else text.lstrip("-")


def _group_axis(result: AuditResult) -> Axis:
    shown = [row for row in result.by_group if not row.suppressed]
    ends = [end for row in (result.overall, *shown) for end in (row.value, row.ci_low, row.ci_high)]
    return _axis([0.0, *(end for end in ends if end is not None)])


def _gap_axis(result: AuditResult) -> Axis:
    ends = [end for gap in result.gaps for end in (gap.ci_low, gap.ci_high)]
    return _axis([0.0, -result.margin, result.margin, *ends])


def _axis(values: Sequence[float]) -> Axis:
    """A scale that holds all values, with ticks at 1, 2 or 5 times a power of ten."""
    low, high = min(values), max(values)
    if high <= low:
        high = low + 1.0
    rough = (high - low) / TICKS_WANTED
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    ticks = tuple(place * step for place in range(ceil(low / step), floor(high / step) + 1))
    return Axis(low, high, ticks)
