"""An audit as one HTML file that opens anywhere: no script, no outside request, light and dark.

The template beside this file lays it out and draws the charts, `words` says it in a language; in here are the
sentences that depend on what was found, and the scales. Every text that came from a data set is escaped by
the template engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, cast

from jinja2 import Environment, FunctionLoader, StrictUndefined

from recsys_core.fairness.result import AuditResult, GapRow, GroupRow
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
from recsys_core.report.law import ENGLISH, clauses
from recsys_core.report.left_open import LeftOpen, left_open
from recsys_core.report.words import Language, Words

SIGNS = {"disparity": "▲", "equivalent": "＝", "inconclusive": "?"}


@dataclass(frozen=True, slots=True)
class AttributeView:
    """What the report says about one attribute."""

    name: str
    groups: tuple[GroupRow, ...]
    gaps: tuple[GapRow, ...]
    not_computed: tuple[LeftOpen, ...]


def audit_html(
    result: AuditResult,
    context: ReportContext,
    extras: Extras | None = None,
    sections: Sequence[Section] = SECTIONS,
    notes: str = "",
    language: Language = "en",
) -> str:
    """The audit as a self-contained HTML page.

    Args:
        result: what was found.
        context: where the numbers come from.
        extras: what else there is to tell; None = nothing.
        sections: which parts are shown; limits and the way to the same numbers always are.
        notes: of whoever hands the report over, shown as they were written.
        language: of everything that isn't a name or a text from the data.
    """
    w, extras = Words(language), extras or Extras()
    evidence = Evidence(context, extras)
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_template),
    )
    environment.filters.update(number=number, effect=effect, p_value=p_value, whole=whole, percent=percent)
    environment.filters["fact_words"] = cast(Any, w.fact)  # its declared type knows jinja2's own alone
    return environment.get_template("audit.html.j2").render(
        w=w,
        title=w.title(evidence),
        question=w.question(evidence, result.settings.by, result.settings.metric),
        model=w.model(context.model),
        as_of=w.moment(context.as_of),
        made=w.made(context.created_at),
        result=result,
        settings=result.settings,
        metric=w.metric(result.settings.metric),
        context=context,
        extras=extras,
        sections=sections,
        paragraphs=[line for line in notes.splitlines() if line.strip()],
        items=item_views(extras.items, w) if extras.items is not None else (),
        clauses=clauses(evidence, extras.items is not None, w),
        attributes=_by_attribute(result),
        elsewhere=left_open([row for row in result.not_computed if row.attribute not in result.settings.by]),
        counts={verdict: sum(gap.verdict == verdict for gap in result.gaps) for verdict in SIGNS},
        signs=SIGNS,
        headline=headline(result, w),
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
            left_open([row for row in result.not_computed if row.attribute == name]),
        )
        for name in result.settings.by
    )


def headline(result: AuditResult, w: Words = ENGLISH) -> str:
    """What was found, in one sentence that claims no more than the data can."""
    n_gaps = len(result.gaps)
    n_found = sum(gap.verdict == "disparity" for gap in result.gaps)
    n_equivalent = sum(gap.verdict == "equivalent" for gap in result.gaps)
    if n_gaps == 0:
        return w("headline_none")
    if n_found > 0:
        return w.counted("headline_disparity", n_gaps, found=n_found)
    if n_equivalent == n_gaps:
        return w.counted("headline_equivalent", n_gaps, found=n_equivalent)
    return w.counted("headline_open", n_gaps)


def sentence(gap: GapRow, result: AuditResult, w: Words = ENGLISH) -> str:
    """One gap's verdict in words."""
    reference = w.group(gap.reference)
    if gap.verdict == "inconclusive":
        return w("says_inconclusive", detectable=number(gap.minimum_detectable))
    if gap.verdict == "equivalent":
        return w("says_equivalent", reference=reference)
    side, size = "lower" if gap.difference < 0 else "higher", number(abs(gap.difference))
    metric, overall = w.metric(result.settings.metric), result.overall.value
    if not overall:
        return w(f"says_{side}", metric=metric, size=size, reference=reference)
    share = f"{abs(gap.difference / overall) * 100:.0f}"
    return w(f"says_{side}_share", metric=metric, size=size, share=share, reference=reference)


def _group_axis(result: AuditResult) -> Axis:
    shown = [row for row in result.by_group if not row.suppressed]
    ends = [end for row in (result.overall, *shown) for end in (row.value, row.ci_low, row.ci_high)]
    return axis_of([0.0, *(end for end in ends if end is not None)])


def _gap_axis(result: AuditResult) -> Axis:
    ends = [end for gap in result.gaps for end in (gap.ci_low, gap.ci_high)]
    return axis_of([0.0, -result.margin, result.margin, *ends])
