"""The report of an audit: what it says, that it stands alone, and that hostile text stays text."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from recsys_core.fairness.result import AuditResult, AuditSettings, GapRow, GroupRow, NotComputed, Overall
from recsys_core.report.audit_html import Axis, ReportContext, audit_html, headline, number, p_value, sentence

CONTEXT = ReportContext(
    title="Who is served worse?",
    dataset="shop",
    dataset_sha256="d" * 64,
    model="transformer 1",
    model_sha256="e" * 64,
    command="reclens audit transformer --by gender --seed 7",
    versions={"reclens": "0.1.0", "fairlearn": "0.15.0"},
    created_at="2026-03-01T12:00:00Z",
    as_of="test",
)
GAP = GapRow("gender", "F", "M", -0.05, -0.07, -0.03, 0.0002, 0.0006, -0.21, 0.028, "disparity")
RESULT = AuditResult(
    overall=Overall(0.10, 1500, 0.09, 0.11),
    by_group=(
        GroupRow("gender", "F", 500, 0.07, 0.06, 0.08, suppressed=False),
        GroupRow("gender", "M", 990, 0.12, 0.11, 0.13, suppressed=False),
        GroupRow("job", "clerk", 15, 0.11, None, None, suppressed=False),
        GroupRow("job", "farmer", None, None, None, None, suppressed=True),
    ),
    gaps=(GAP,),
    not_computed=(
        NotComputed("job", "farmer", "hidden: too small"),
        NotComputed("overall", "overall", "insufficient data overall"),
    ),
    settings=AuditSettings(by=("gender", "job"), seed=7),
    margin=0.01,
    n_without_value=3,
)


class Page(HTMLParser):
    """Every tag with its attributes, and all the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(audit_html(RESULT, CONTEXT))


def test_page_asks_nothing_of_the_network_and_runs_nothing(page: Page):
    names = {tag for tag, _ in page.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "a", "form", "base"})
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert attributes.isdisjoint({"src", "href", "srcset", "action", "background", "xlink:href"})
    assert not any(name.startswith("on") for name in attributes)
    html = audit_html(RESULT, CONTEXT)
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_page_forbids_everything_but_its_own_style(page: Page):
    policies = [attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_page_has_a_dark_side(page: Page):
    assert "prefers-color-scheme: dark" in audit_html(RESULT, CONTEXT)
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in page.tags


def test_page_names_where_the_numbers_come_from(page: Page):
    for text in (
        "shop",
        "d" * 64,
        "transformer 1",
        "e" * 64,
        "reclens 0.1.0, fairlearn 0.15.0",
        CONTEXT.command,
    ):
        assert text in page.text
    assert "Associational, not causal" in page.text
    assert "2026-03-01T12:00:00Z" in page.text


def test_page_shows_every_group_with_n_and_interval(page: Page):
    for text in ("500", "0.0700", "0.0600 to 0.0800", "990", "0.1200", "0.1100 to 0.1300"):
        assert text in page.text


def test_page_says_hidden_and_no_interval_instead_of_numbers(page: Page):
    row = page.text.split("farmer")[1].split("Not computed")[0]
    assert row.replace("\n", "") == "hidden" * 3 + "to protect a small group"
    assert "no interval" in page.text.split("clerk")[1].split("farmer")[0]


def test_page_lists_what_was_not_computed_for_an_attribute_and_for_all(page: Page):
    assert "farmer: hidden: too small" in page.text
    assert "overall: insufficient data overall" in page.text


def test_chart_marks_lie_where_the_numbers_say(page: Page):
    # gap axis from −0.07 to 0.01: 92 % of the width, 4 % free at both ends
    circle = next(attrs for tag, attrs in page.tags if tag == "circle")
    assert circle["cx"] == "27.00%"  # (−0.05 + 0.07) / 0.08 · 92 + 4
    band = next(attrs for tag, attrs in page.tags if tag == "rect")
    assert (band["x"], band["width"]) == ("73.00%", "23.00%")


@pytest.mark.parametrize("field", ["title", "dataset", "model", "command", "as_of", "created_at"])
def test_markup_in_the_context_stays_text(field: str):
    hostile = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    page = Page(audit_html(RESULT, replace(CONTEXT, **{field: hostile})))
    assert {"script", "img"}.isdisjoint({tag for tag, _ in page.tags})
    assert hostile in page.text


def test_markup_in_groups_attributes_and_reasons_stays_text():
    hostile = "<script>alert(1)</script>{{ 7 + 777770 }}"
    result = replace(
        RESULT,
        by_group=(GroupRow(hostile, hostile, 500, 0.07, 0.06, 0.08, suppressed=False),),
        gaps=(replace(GAP, attribute=hostile, group=hostile, reference=hostile),),
        not_computed=(NotComputed(hostile, hostile, hostile),),
        settings=AuditSettings(by=(hostile,), metric=hostile, reference=hostile),
    )
    page = Page(audit_html(result, CONTEXT))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(hostile) >= 5
    assert "777777" not in page.text


def test_report_of_an_audit_without_any_gap_says_so():
    result = replace(RESULT, gaps=(), overall=Overall(0.0, 50, None, None), margin=0.0, by_group=())
    assert "No comparison could be made" in Page(audit_html(result, CONTEXT)).text


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["disparity", "equivalent"], "Disparities found: 1 of 2 comparisons."),
        (["disparity"], "Disparities found: 1 of 1 comparison."),
        (["equivalent"], "Equivalent within the margin: 1 of 1 comparison."),
        (["inconclusive", "equivalent"], "No disparity was established in 2 comparisons; "
         "that does not show that there is none."),
    ],
)  # fmt: skip
def test_headline(verdicts: list[str], expected: str):
    assert (
        headline(replace(RESULT, gaps=tuple(replace(GAP, verdict=verdict) for verdict in verdicts)))
        == expected
    )


def test_sentences_say_each_verdict_in_words():
    assert sentence(GAP, RESULT) == "NDCG@10 is 0.0500, 50 % of the overall value, lower than for M."
    inconclusive = sentence(replace(GAP, verdict="inconclusive"), RESULT)
    assert inconclusive == "Too little data: only gaps from 0.0280 on are found reliably here."
    equivalent = sentence(replace(GAP, verdict="equivalent", reference="rest"), RESULT)
    assert equivalent == "The difference from everyone else is within the margin."


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert [number(value) for value in (-0.05, -0.00001, 0.12345, 9.99999, 243.9024)] == [
        *("−0.0500", "0.0000", "0.1235", "10.0000", "243.90")
    ]


def test_small_p_values_are_bounds():
    assert (p_value(0.0002), p_value(0.0506)) == ("< 0.001", "0.051")


def test_axis_spans_the_width_between_its_margins():
    axis = Axis(-0.1, 0.1, (-0.1, 0.0, 0.1))
    assert (axis.x(-0.1), axis.x(0.0), axis.x(0.1)) == ("4.00%", "50.00%", "96.00%")
    assert axis.width(-0.05, 0.05) == "46.00%"
    assert [axis.tick(tick) for tick in axis.ticks] == ["−0.1", "0.0", "0.1"]
