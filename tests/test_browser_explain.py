"""Explain in a real browser: all methods side by side, badge with reason, a change that comes true."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from browser import chromium_page, dashboard, downloaded_table, needs_chromium, press, switch_on
from playwright.sync_api import Page, expect

from recsys_core.actions.models import LoadedModel, list_for_user, open_model, train
from recsys_core.actions.samples import open_sample
from recsys_core.explain.history import methods_of
from recsys_core.store.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

SAID = re.compile(
    r"Without .+ in the history, (?P<item>.+) would be number (?P<after>[\d,]+) "
    r"instead of (?P<before>\d+), and no longer among the first 10\."
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A workspace with the sample, its model, and a counting model of the same shop."""

    home: Path
    model: LoadedModel
    counting: str

    @property
    def user(self) -> str:
        """The first person."""
        return str(self.model.data.dataset.users["user_id"].iloc[0])


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Opened as anybody opens it."""
    home = tmp_path_factory.mktemp("home")
    workspace = Workspace.open(home)
    dataset, record = open_sample(workspace)
    counting = train(workspace, dataset.id, "item-knn", "Counting", "quick")
    return Sample(home, open_model(workspace, record.id), counting.id)


@pytest.fixture(scope="module")
def address(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The dashboard on that workspace."""
    with dashboard(sample.home, tmp_path_factory.mktemp("log") / "server.txt") as address:
        yield address


@pytest.fixture
def page(address: str, tmp_path: Path) -> Generator[Page]:
    """A page in Chromium."""
    with chromium_page(address, tmp_path / "last.png") as page:
        yield page


def test_one_item_by_all_methods_and_a_change_that_comes_true(
    page: Page, address: str, sample: Sample
) -> None:
    item = list_for_user(sample.model, sample.user, 2)["item_id"].iloc[1]
    page.goto(f"{address}/explain?lang=en&model={sample.model.record.id}&user={sample.user}&item={item}")
    _badge_is(page, "Not verified", "did not surely beat the latest items first, so the badge is withheld.")
    _all_methods_stand_side_by_side(page, sample.model)
    _change_moves_the_list_as_it_said(page, sample)
    assert page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0


def test_badge_that_is_earned_says_by_what(page: Page, address: str, sample: Sample) -> None:
    page.goto(f"{address}/explain?lang=en&model={sample.counting}&user={sample.user}")
    _badge_is(page, "Verified", "Over 200 people, the exact sum beat a random order, the latest items first,")
    expect(page.locator(".st-key-explain_sentence")).to_contain_text("is on this list mainly because of")
    press(page, page.locator(".st-key-explain_how_decided summary"))
    expect(page.get_by_role("region", name="How the badge was decided")).to_be_visible()
    gains = downloaded_table(page, "explain_gains")
    assert len(gains) == 4 * 2 * 2  # rivals, figures, kinds of removal
    assert (gains["ci_low"] > 0).all() and (gains["n"] == 200).all()


def _badge_is(page: Page, word: str, reason: str) -> None:
    sentence = page.locator(".st-key-explain_sentence")
    expect(sentence.locator("[data-testid=stMarkdownBadge], .stMarkdownBadge").first).to_contain_text(word)
    expect(sentence).to_contain_text(reason)


def _all_methods_stand_side_by_side(page: Page, model: LoadedModel) -> None:
    """Each in a column of its own, or, for exact Shapley values of a long history, the reason why not."""
    press(page, page.locator(".st-key-explain_side_by_side summary"))
    switch_on(page, "explain_all_methods")
    expect(page.get_by_role("region", name="All methods and baselines side by side")).to_be_visible()
    table = downloaded_table(page, "explain_methods")
    assert table.columns.tolist()[1:] == [
        "Integrated gradients",
        "Leave-one-out",
        "Shapley values, sampled",
        "GradientShap",
        "Gradient × input",
        "Attention roll-out",
    ]
    n_refused = 1  # exact Shapley values, for which the history is too long
    assert table.columns.size - 1 == len(methods_of(model.ranker)) - n_refused
    expect(page.locator(".st-key-explain_side_by_side")).to_contain_text(
        "go through all subsets of at most 12"
    )
    assert table.notna().all().all() and table["title"].is_unique
    trust = downloaded_table(page, "explain_trust").set_index("way")
    assert trust.index.tolist() == table.columns.tolist()[1:]
    assert trust["badge"].eq("Not verified").all()
    assert trust["reason"].str.contains("badge is withheld").all()
    assert trust["relative_delta"]["Integrated gradients"] < 0.01


def _change_moves_the_list_as_it_said(page: Page, sample: Sample) -> None:
    """The list after the change is the one that ranking again without these items gives."""
    press(page, page.locator(".st-key-explain_goal_leave button").first)
    sentence = page.locator("p", has_text="in the history, ").filter(has_text="would be number")
    expect(sentence).to_be_visible()
    said = SAID.search(sentence.inner_text())
    assert said is not None, sentence.inner_text()
    switch_on(page, "explain_apply_leave")
    expect(page.get_by_role("region", name="The list with the change")).to_be_visible()
    before, after = (downloaded_table(page, f"explain_{name}") for name in ("before", "after"))
    number = int(said["after"].replace(",", ""))
    assert _marked(before) == (int(said["before"]), said["item"]) and int(said["before"]) == 2
    assert _marked(after) == (number, said["item"]) and number > 10

    dataset = sample.model.data.dataset
    titles = dict(zip(dataset.titles, dataset.item_ids, strict=True))
    gone = [str(titles[title]) for title in sentence.locator("em").all_inner_texts()]
    assert gone
    ranked_again = list_for_user(sample.model, sample.user, 10, "test", gone)
    assert after["title"].head(10).tolist() == ranked_again["title"].tolist()
    assert said["item"] not in ranked_again["title"].tolist()
    places = dict(zip(before["title"], before["rank"], strict=True))
    for title, rank, change in zip(after["title"], after["rank"], after["change"], strict=True):
        if title in places:
            moved = places[title] - rank
            assert change == ("＝" if moved == 0 else f"▲ {moved}" if moved > 0 else f"▼ {-moved}")


def _marked(table: pd.DataFrame) -> tuple[int, str]:
    """Place and title of the row that is marked as the explained item."""
    row = table[table["mark"] == "▶"].iloc[0]
    return int(row["rank"]), str(row["title"])
