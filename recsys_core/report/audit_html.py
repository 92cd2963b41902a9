"""An audit as one HTML file that opens anywhere: no script, no outside request, light and dark.

The template beside this file lays it out and draws the charts; in here are the words and the scales.
Every text that came from a data set is escaped by the template engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from recsys_core.fairness.result import AuditResult, GapRow, GroupRow, NotComputed
from recsys_core.report.axis import (
    Axis,
    axis_of,
    effect,
    number,
    p_value,
    percent,
    whole,
)
from recsys_core.report.contents import SECTIONS, Evidence, Extras, ReportContext, Section
from recsys_core.report.item_views import item_views
from recsys_core.report.law import clauses

VERDICT_WORDS = {
    "disparity": ("Disparity", "▲"),
    "equivalent": ("Equivalent", "＝"),
    "inconclusive": ("Inconclusive", "?"),
}


@dataclass(frozen=True, slots=True)
class AttributeView:
    """What the report says about one attribute."""

    name: str
    groups: tuple[GroupRow, ...]
    gaps: tuple[GapRow, ...]
    not_computed: tuple[NotComputed, ...]


def audit_html(
    result: AuditResult,
    context: ReportContext,
    extras: Extras | None = None,
    sections: Sequence[Section] = SECTIONS,
    notes: str = "",
) -> str:
    """The audit as a self-contained HTML page.

    Args:
        result: what was found.
        context: where the numbers come from.
        extras: what else there is to tell; None = nothing.
        sections: which parts are shown; limits and the way to the same numbers always are.
        notes: of whoever hands the report over, shown as they were written.
    """
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_template),
    )
    environment.filters.update(number=number, effect=effect, p_value=p_value, whole=whole, percent=percent)
    extras = extras or Extras()
    return environment.get_template("audit.html.j2").render(
        result=result,
        settings=result.settings,
        context=context,
        extras=extras,
        sections=sections,
        paragraphs=[line for line in notes.splitlines() if line.strip()],
        items=item_views(extras.items) if extras.items is not None else (),
        clauses=clauses(Evidence(context, extras), extras.items is not None),
        attributes=_by_attribute(result),
        elsewhere=tuple(row for row in result.not_computed if row.attribute not in result.settings.by),
        counts={verdict: sum(gap.verdict == verdict for gap in result.gaps) for verdict in VERDICT_WORDS},
        verdict_words=VERDICT_WORDS,
        headline=headline(result),
        sentence=sentence,
        group_axis=_group_axis(result),
        gap_axis=_gap_axis(result),
    )


def _template(name: str) -> str:
    return files("recsys_core.report").joinpath(name).read_text(encoding="utf-8")


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


def _group_axis(result: AuditResult) -> Axis:
    shown = [row for row in result.by_group if not row.suppressed]
    ends = [end for row in (result.overall, *shown) for end in (row.value, row.ci_low, row.ci_high)]
    return axis_of([0.0, *(end for end in ends if end is not None)])


def _gap_axis(result: AuditResult) -> Axis:
    ends = [end for gap in result.gaps for end in (gap.ci_low, gap.ci_high)]
    return axis_of([0.0, -result.margin, result.margin, *ends])
