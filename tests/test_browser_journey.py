"""One journey in a real browser: upload → map → train → a person → why → audit → download."""

import json
from collections.abc import Generator
from pathlib import Path

import pandas as pd
import pytest
from browser import chromium_page, dashboard, downloaded, needs_chromium
from playwright.sync_api import Page, expect

from recsys_core.data.simulate import ShopSize, simulate_shop

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The dashboard on an empty workspace."""
    home, log = tmp_path_factory.mktemp("home with a space"), tmp_path_factory.mktemp("log") / "server.txt"
    with dashboard(home, log) as address:
        yield address


@pytest.fixture
def page(address: str, tmp_path: Path) -> Generator[Page]:
    """A page in Chromium that asks nobody but the dashboard."""
    with chromium_page(address, tmp_path / "last.png") as page:
        yield page


def test_from_upload_to_downloaded_audit(page: Page, address: str, tmp_path: Path) -> None:
    files = _ratings_like_movielens(tmp_path)
    page.goto(f"{address}/data?lang=en")
    _upload_with_one_column_mapped_by_hand(page, files)
    _train(page, "Journey")
    _read_a_list_and_ask_why(page)
    report, figures = _audit_by_gender(page)
    assert "Content-Security-Policy" in report and "Journey" in report
    assert {row["attribute"] for row in figures["by_group"]} == {"gender"}


def test_wrong_upload_is_one_sentence_and_keeps_nothing(page: Page, address: str, tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_bytes(b"\x00\x01\x02" * 500)
    page.goto(f"{address}/data?lang=en")
    page.locator(".st-key-data_view button, .st-key-upload_interactions").first.wait_for()
    bring = page.locator(".st-key-data_view button", has_text="Bring")
    if bring.count():  # another test has brought data in
        bring.click()
    page.locator(".st-key-upload_interactions input[type=file]").set_input_files(tmp_path / "broken.csv")
    alert = page.locator("[data-testid=stAlert]").first
    expect(alert).to_contain_text("broken.csv")
    assert "Traceback" not in page.content()


def _upload_with_one_column_mapped_by_hand(page: Page, files: dict[str, Path]) -> None:
    page.locator(".st-key-upload_interactions input[type=file]").wait_for(state="attached")
    for kind, path in files.items():
        page.locator(f".st-key-upload_{kind} input[type=file]").set_input_files(path)
        expect(page.locator(f".st-key-upload_{kind}")).to_contain_text(path.name)
    page.locator(".st-key-role_timestamp_s input").click()
    page.get_by_role("option", name="moment", exact=True).click()
    _type(page, "data_name", "Journey films")
    page.locator(".st-key-check_files button").click()
    page.locator(".st-key-keep_files button:enabled").click()
    expect(page.locator(".st-key-train_on_it")).to_be_visible()


def _train(page: Page, name: str) -> None:
    page.locator(".st-key-train_on_it button").click()
    page.locator(".st-key-preset button", has_text="Quick").click()
    _type(page, "model_name", name)
    page.locator(".st-key-start_training button").click()
    page.locator(".st-key-open_trained button").click()


def _read_a_list_and_ask_why(page: Page) -> None:
    expect(page.locator(".st-key-person")).to_be_visible()
    expect(page.locator("[data-testid=stDataFrame]").first).to_be_visible()
    page.locator(".st-key-explore_why button").click()
    expect(page.locator(".st-key-explain_sentence")).to_contain_text("erified")  # Verified, or Not verified
    expect(page.locator(".st-key-explain_sentence")).to_contain_text("Tested on 160 people")


def _audit_by_gender(page: Page) -> tuple[str, dict[str, list[dict[str, object]]]]:
    page.get_by_role("link", name="Fairness").click()
    expect(page.locator(".st-key-fairness_by")).to_contain_text("gender")
    page.locator(".st-key-fairness_run button:enabled").click()
    texts = [
        downloaded(page, key).read_text(encoding="utf-8") for key in ("fairness_report", "fairness_json")
    ]
    return texts[0], json.loads(texts[1])


def _ratings_like_movielens(folder: Path) -> dict[str, Path]:
    """Ratings, films and people with MovieLens' columns; nobody could guess what the column `moment` is."""
    shop = simulate_shop(3, ShopSize(n_users=160, n_items=120, n_events=4_800))
    ratings = shop.interactions.drop_duplicates(["user_id", "item_id"])
    ratings = pd.DataFrame(
        {
            "userId": ratings["user_id"],
            "movieId": ratings["item_id"],
            "rating": 3 + ratings["event"].isin(["like", "purchase"]).astype(int),
            "moment": ratings["timestamp_s"],
        }
    )
    movies = shop.items.rename(columns={"item_id": "movieId", "category": "genres"})
    users = shop.users.rename(columns={"user_id": "userId"})[["userId", "gender", "age_band"]]
    files = {
        "interactions": folder / "ratings.csv",
        "items": folder / "movies.csv",
        "users": folder / "users.csv",
    }
    for path, table in zip(
        files.values(), (ratings, movies[["movieId", "title", "genres"]], users), strict=True
    ):
        table.to_csv(path, index=False)
    return files


def _type(page: Page, key: str, text: str) -> None:
    box = page.locator(f".st-key-{key} input")
    box.fill(text)
    box.press("Enter")
