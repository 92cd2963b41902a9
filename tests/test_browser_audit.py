"""Fairness and Report in a real browser: what is planted is reported, and what is written says the same."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from browser import chromium_page, dashboard, downloaded, needs_chromium, offline_page
from playwright.sync_api import Page, expect

from recsys_core.actions.samples import SAMPLE_FOLDER, SHOP_FOLDER
from recsys_core.data.simulate_truth import read_truth

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

VERDICTS = ("disparity", "equivalent", "inconclusive")
ROWS_TOLD = """rows => rows.map(row => ({
  attribute: row.closest("section").querySelector("h2 bdi").innerText,
  group: row.querySelector(".name bdi").innerText,
  verdict: row.querySelector(".verdict").innerText,
}))"""
Verdicts = dict[tuple[str, str], str]  # (attribute, group) → verdict


def test_the_planted_gap_of_the_shop_is_the_one_disparity_on_the_page_and_in_the_report(tmp_path: Path):
    planted = read_truth(SAMPLE_FOLDER / SHOP_FOLDER / "truth.json").shorter_history_group
    with (
        dashboard(tmp_path / "home", tmp_path / "server.txt") as address,
        chromium_page(address, tmp_path / "last.png") as page,
    ):
        page.goto(f"{address}/?lang=en")
        page.locator(".st-key-open_sample button").click()
        expect(page.locator(".st-key-person")).to_be_visible()
        told = audited(page, ("age_band", "gender", "region"))
        report = handed_over(page, tmp_path / "report.html")
    found = {gap for gap, verdict in told.items() if verdict == "disparity"}
    assert found == {(planted.attribute, planted.group)}
    assert verdicts_in(report) == told
    assert_the_written_report_tells(tmp_path / "report.html", told)


def audited(page: Page, by: Sequence[str]) -> Verdicts:
    """Runs an audit on Fairness; its verdicts, which the page's figures and sentences are held against."""
    page.get_by_role("link", name="Fairness").click()
    choose_attributes(page, by)
    page.locator(".st-key-fairness_run button:enabled").click()
    found = verdicts_in(json.loads(downloaded(page, "fairness_json").read_text(encoding="utf-8")))
    counts = Counter(found.values())
    for verdict in VERDICTS:
        figure = page.locator("[data-testid=stMetric]").filter(has_text=verdict.capitalize())
        expect(figure.locator("[data-testid=stMetricValue]")).to_have_text(str(counts[verdict]))
    for attribute in by:
        if len(by) > 1:
            page.locator(".st-key-fairness_attribute button").get_by_text(attribute, exact=True).click()
        expect_told(page, {group: verdict for (name, group), verdict in found.items() if name == attribute})
    return found


def expect_told(page: Page, verdicts: dict[str, str]) -> None:
    """The sentences about an attribute: a sentence for every verdict that decides, and for two that don't."""
    decided = [(group, verdict) for group, verdict in verdicts.items() if verdict != "inconclusive"]
    still_open = [(group, verdict) for group, verdict in verdicts.items() if verdict == "inconclusive"]
    told = page.locator("[data-testid=stMarkdown] li").filter(has_text=re.compile("^[▲＝?] "))
    for group, verdict in (*decided, *still_open[:2]):
        expect(told.filter(has_text=f"{verdict.capitalize()} · {group} against")).to_have_count(1)
    expect(told).to_have_count(len(decided) + len(still_open[:2]))


def handed_over(page: Page, file: Path) -> dict[str, Any]:
    """Writes the newest audit's report from the Report page to a file; its figures, as its JSON has them."""
    page.get_by_role("link", name="Report").click()
    expect(page.frame_locator("iframe").locator(".headline")).to_be_visible()  # the preview
    file.write_bytes(downloaded(page, "report_html").read_bytes())
    return json.loads(downloaded(page, "report_json").read_text(encoding="utf-8"))["audit"]


def assert_the_written_report_tells(file: Path, verdicts: Verdicts) -> None:
    """The file, opened without a network, has one row a gap with the same verdict, and the same counts."""
    with offline_page(file) as page:
        counts = Counter(verdicts.values())
        for verdict in VERDICTS:
            tile = page.locator(".tile").filter(has_text=verdict)
            assert tile.locator("b").inner_text() == str(counts[verdict])
        rows = page.locator("table.gaps tbody tr").evaluate_all(ROWS_TOLD)
    assert [(row["attribute"], row["group"]) for row in rows] == list(verdicts)
    assert [row["verdict"].split()[-1].lower() for row in rows] == list(verdicts.values())


def verdicts_in(figures: dict[str, Any]) -> Verdicts:
    """Every gap's verdict in what `reclens audit --json` would print."""
    return {(gap["attribute"], gap["group"]): gap["verdict"] for gap in figures["gaps"]}


def choose_attributes(page: Page, by: Sequence[str]) -> None:
    """Chooses exactly these attributes on Fairness."""
    field = page.locator(".st-key-fairness_by [role=group]").filter(has=page.get_by_role("combobox"))
    expect(field.get_by_role("combobox")).to_be_visible()
    chosen = {tag.inner_text() for tag in field.locator("[data-tag]").all()}
    for attribute in chosen - set(by):
        field.get_by_role("button", name=f"Remove {attribute}", exact=True).click()
        expect(field.locator("[data-tag]", has_text=attribute)).to_have_count(0)
    for attribute in [attribute for attribute in by if attribute not in chosen]:
        field.get_by_role("combobox").fill(attribute)
        page.get_by_role("option", name=attribute, exact=True).click()
        expect(field.locator(f"[data-tag][aria-label='{attribute}']")).to_be_visible()
    field.get_by_role("combobox").press("Escape")
