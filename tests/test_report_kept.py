"""Reports of kept audits: the same numbers again, what rules ask for, every format, and no request at all."""

import csv
import io
import json
import re
import shlex
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_workspace import BuiltWorkspace
from command import Command
from playwright.sync_api import sync_playwright

from recsys_core.errors import ConfigError, StoreError
from recsys_core.fairness.result import AuditResult, AuditSettings, GroupRow, Overall
from recsys_core.report import formats
from recsys_core.report.audit_html import audit_html
from recsys_core.report.contents import Evidence, Extras, RateRow, ReportContext
from recsys_core.report.formats import csv_bytes, pdf_bytes, report_bytes, report_json, report_table
from recsys_core.report.law import clauses
from recsys_core.report.rates import no_profiling, scoring_rates

ASKED = ("--by", "gender", "--by", "age_band", "--items-by", "provider", "--items-by", "popularity")
CONTEXT = ReportContext(
    "t", "d", "0" * 64, "m", "1" * 64, "reclens audit m --by g", {"python": "3"}, "now", "test"
)


@pytest.fixture(scope="module")
def reclens(kept_shop: BuiltWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Command:
    home = tmp_path_factory.mktemp("reports") / "home"
    shutil.copytree(kept_shop.home, home)
    return Command(home)


@pytest.fixture(scope="module")
def audited(reclens: Command, kept_shop: BuiltWorkspace) -> dict[str, object]:
    """What an audit with its item side answers; it is the only one that is kept."""
    return reclens.json("audit", kept_shop.item_knn, *ASKED, "--draws", "200", "--seed", "3")


@pytest.fixture(scope="module")
def page(reclens: Command, audited: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of that audit."""
    (kept,) = reclens.json("list", "audits")["audits"]
    out = tmp_path_factory.mktemp("out") / "report.html"
    reclens.json("report", kept["id"], "--out", str(out), "--notes", "Seen by <b>us</b>")
    return out


def test_the_printed_command_gives_the_same_numbers_again(
    reclens: Command, audited: dict[str, object], page: Path
) -> None:
    (printed,) = re.findall(r"<pre><code>(.*?)</code></pre>", page.read_text(), re.DOTALL)
    program, *words = shlex.split(unescape(printed))
    assert program == "reclens"
    assert reclens.json(*words) | {"audit": audited["audit"]} == audited


def test_the_report_is_the_same_when_it_is_made_again(reclens: Command, page: Path, tmp_path: Path) -> None:
    kept = reclens.json("list", "audits")["audits"][-1]
    reclens.json(
        "report", kept["name"], "--out", str(tmp_path / "again.html"), "--notes", "Seen by <b>us</b>"
    )
    assert (tmp_path / "again.html").read_text() == page.read_text()


def test_the_report_names_data_model_seed_exclusions_and_limits(page: Path) -> None:
    text = page.read_text()
    for words in ("SHA-256 of the data", "People left out", "Rows set aside at import", "item-knn", "Limits"):
        assert words in text
    assert "Seen by &lt;b&gt;us&lt;/b&gt;" in text
    assert "Items by <bdi>provider</bdi>" in text and "Items by <bdi>popularity</bdi>" in text


def test_the_report_supports_evidence_and_never_says_that_a_rule_is_met(page: Path) -> None:
    text = page.read_text()
    for rule in ("Article 27", "Article 38", "Local Law 144", "Article 10", "Article 13", "Article 15"):
        assert rule in text
    assert "Supports evidence for" in text
    assert not re.search(r"compl(y|ies|iant|iance)", text, re.IGNORECASE)


def test_the_report_holds_no_id_of_a_person_or_an_item(
    reclens: Command, kept_shop: BuiltWorkspace, page: Path, tmp_path: Path
) -> None:
    reclens.json(
        "recommend", kept_shop.item_knn, "--all", "--k", "3", "--out", str(tmp_path / "lists.parquet")
    )
    lists = pd.read_parquet(tmp_path / "lists.parquet")
    words = set(re.findall(r"\w+", page.read_text()))
    assert words.isdisjoint(lists["user_id"]) and words.isdisjoint(lists["item_id"])


def test_only_the_chosen_sections_are_shown_and_limits_always(
    reclens: Command, tmp_path: Path, page: Path
) -> None:
    kept = reclens.json("list", "audits")["audits"][-1]
    out = tmp_path / "short.html"
    reclens.json("report", kept["id"], "--out", str(out), "--section", "rules")
    text = out.read_text()
    assert "What this report supports" in text and "Limits" in text and "reclens audit" in text
    assert "Items by" not in text and "Without profiles" not in text and "The model" not in text


@pytest.mark.parametrize("form", ["json", "csv"])
def test_other_formats_hold_the_same_figures(
    reclens: Command, audited: dict[str, object], tmp_path: Path, page: Path, form: str
) -> None:
    kept = reclens.json("list", "audits")["audits"][-1]
    out = tmp_path / f"report.{form}"
    reclens.json("report", kept["id"], "--out", str(out))
    if form == "json":
        found = json.loads(out.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert found["audit"] == {
            name: part for name, part in audited.items() if name not in ("items", "audit")
        }
        assert found["items"] == audited["items"]
        return
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    (overall,) = [row for row in rows if row["section"] == "overall"]
    assert float(overall["value"]) == audited["overall"]["value"]  # pyright: ignore[reportIndexIssue, reportCallIssue, reportArgumentType]
    assert {row["section"] for row in rows} >= {"groups", "gaps", "items", "rates", "no_profiling"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["report", "nothing", "--out", "x.html"], "there is no audit 'nothing'"),
        (["report", "nothing", "--out", "x.docx"], "no report in the format 'docx'"),
        (["report", "nothing", "--out", "x.html", "--section", "poems"], "no section poems"),
    ],
)
def test_what_cannot_be_reported_is_one_sentence(reclens: Command, words: list[str], sentence: str) -> None:
    assert sentence in reclens.refusal(*words)


def test_items_that_cannot_be_grouped_are_refused_before_anything_is_kept(
    reclens: Command, kept_shop: BuiltWorkspace, page: Path
) -> None:
    before = reclens.json("list", "audits")
    told = reclens.refusal("audit", kept_shop.item_knn, "--by", "gender", "--items-by", "colour")
    assert "'colour' is not an attribute of the items" in told and reclens.json("list", "audits") == before


def test_an_audit_of_an_earlier_version_gets_its_report_from_its_model(
    reclens: Command, kept_shop: BuiltWorkspace, tmp_path: Path
) -> None:
    from recsys_core.files import write_json
    from recsys_core.store.workspace import Workspace

    workspace = Workspace.open(reclens.workspace)
    details = {"model": kept_shop.item_knn, "metric": "ndcg@10", "by": ["gender"]}
    workspace.add_audit(
        "old", details, lambda folder: write_json(folder / "audit.json", result().to_record())
    )
    reclens.json("report", "old", "--out", str(tmp_path / "old.html"))
    assert "Test item-knn" in (tmp_path / "old.html").read_text()
    workspace.delete("audit", "old")


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_opens_offline_and_asks_for_nothing(page: Path) -> None:
    from browser import CHROMIUM, FLAGS

    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(offline=True)
        shown = context.new_page()
        shown.on("request", lambda request: asked.append(request.url))
        problems: list[str] = []
        shown.on("console", lambda message: problems.append(message.text))
        shown.goto(page.as_uri())
        assert shown.get_by_role("heading", name="What this report supports").is_visible()
        assert shown.locator("svg circle").count() > 4
        shown.set_viewport_size({"width": 390, "height": 800})
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    assert asked == [page.as_uri()] and problems == []


def result() -> AuditResult:
    """Three groups, one of which is hidden; 100 people."""
    return AuditResult(
        overall=Overall(0.5, 100, 0.4, 0.6),
        by_group=(
            GroupRow("g", "a", 60, 0.5, 0.4, 0.6, suppressed=False),
            GroupRow("g", "b", 30, 0.5, 0.4, 0.6, suppressed=False),
            GroupRow("g", "=c", None, None, None, None, suppressed=True),
        ),
        gaps=(),
        not_computed=(),
        settings=AuditSettings(by=("g",), draws=200),
        margin=0.05,
        n_without_value=0,
    )


def people(groups: str) -> pd.DataFrame:
    """One person a letter."""
    return pd.DataFrame({"user_id": [f"u{n}" for n in range(len(groups))], "g": list(groups)})


def test_scoring_rates_are_shares_above_the_median_over_the_highest() -> None:
    users = people("a" * 60 + "b" * 30 + "c" * 10)
    values = pd.Series([1.0] * 30 + [0.0] * 30 + [1.0] * 10 + [0.0] * 20 + [0.0] * 10, index=users["user_id"])
    a, b, hidden = scoring_rates(values, users, result())
    assert (a.n, a.rate, a.impact_ratio) == (60, 0.5, 1.0)
    assert (b.n, b.rate, b.impact_ratio) == (30, pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert (hidden.n, hidden.rate, hidden.share, hidden.impact_ratio) == (None, None, None, None)


def test_small_and_unknown_groups_have_a_rate_but_no_ratio() -> None:
    users = people("a" * 900 + "b" * 15 + " " * 85)
    rows = (
        GroupRow("g", "a", 900, 0.5, None, None, suppressed=False),
        GroupRow("g", "b", 15, 0.5, None, None, suppressed=False),
        GroupRow("g", "unknown", 85, 0.5, None, None, suppressed=False),
    )
    values = pd.Series([1.0] * 300 + [0.0] * 600 + [1.0] * 15 + [0.0] * 85, index=users["user_id"])
    a, b, unknown = scoring_rates(values, users, replace(result(), by_group=rows))
    assert a.impact_ratio == 1.0  # the small group's rate of 1 isn't what others are held against
    assert b == RateRow("g", "b", 15, 0.015, 1.0, None, is_small=True)
    assert unknown == RateRow("g", "unknown", 85, 0.085, 0.0, None, is_small=False)


def test_the_run_without_profiles_is_paired_and_hides_what_the_audit_hides() -> None:
    users = people("a" * 60 + "b" * 30 + "c" * 10)
    values = pd.Series(np.tile([1.0, 0.0], 50), index=users["user_id"])
    everybody, a, b, hidden = no_profiling(
        values, values.where(users.index.to_numpy() < 60, 0.0), users, result()
    )
    assert (everybody.n, everybody.value, everybody.difference) == (100, 0.5, pytest.approx(0.2))
    assert (a.difference, a.ci_low, a.ci_high) == (0, 0, 0)
    assert everybody.ci_low is not None and 0.1 < everybody.ci_low < 0.2
    assert b.value_without == 0 and b.difference == 0.5
    assert b.ci_low is None and b.ci_high is None  # 15 people above 0 are too few for an interval
    assert (hidden.group, hidden.n, hidden.value) == ("=c", None, None)


def test_formulas_in_a_csv_are_inert() -> None:
    extras = Extras(rates=(RateRow("g", "=HYPERLINK(1)", 11, 0.1, 0.2, 1.0, is_small=False),))
    text = csv_bytes(report_table(result(), Evidence(CONTEXT, extras))).decode("utf-8-sig")
    assert "'=HYPERLINK(1)" in text and "'=c" in text
    assert not re.search(r"(^|,)=", text, re.MULTILINE)


def test_a_rule_that_the_report_has_nothing_for_says_so() -> None:
    empty = clauses(Evidence(CONTEXT, Extras()), has_items=False)
    assert [clause.supports == "" for clause in empty] == [False, True, True, False, False, False]
    assert "nothing in this report" in audit_html(result(), CONTEXT)


def test_evidence_comes_back_from_its_record() -> None:
    evidence = Evidence(CONTEXT, Extras("q", rates=(RateRow("g", "a", 11, 0.1, 0.2, None, is_small=True),)))
    assert Evidence.from_record(json.loads(json.dumps(evidence.to_record()))) == evidence
    with pytest.raises(StoreError, match="can't be read"):
        Evidence.from_record({"context": 1})


def test_json_has_only_the_chosen_sections() -> None:
    found = report_json(result(), Evidence(CONTEXT, Extras()), ("data",), "mine")
    assert set(found) == {"context", "question", "notes", "settings", "margin", "data"}


def test_a_pdf_without_its_library_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(formats, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'reclens\[pdf\]'"):
        pdf_bytes("<p>")


def test_a_pdf_without_a_library_of_the_system_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(name: str) -> None:
        raise OSError("cannot load library 'libpango'")

    monkeypatch.setattr(formats, "import_module", broken)
    with pytest.raises(ConfigError, match="install Pango"):
        pdf_bytes("<p>")


def test_a_pdf_is_what_weasyprint_writes_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    class Html:
        def __init__(self, string: str) -> None:
            self.string = string

        def write_pdf(self) -> bytes:
            return b"%PDF " + str("Without profiles" in self.string).encode()

    monkeypatch.setattr(formats, "import_module", lambda name: type("weasyprint", (), {"HTML": Html}))
    assert report_bytes(result(), Evidence(CONTEXT, Extras()), "pdf") == b"%PDF False"
