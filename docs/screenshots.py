"""Takes the pictures of the dashboard for the README, on the sample, in light and dark.

Run `.venv/bin/python docs/screenshots.py --out docs/images`; it needs Chromium, and no network. The
dashboard is started on a workspace of its own, which is gone afterwards.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

from recsys_core.actions.audits import audit_model, keep_audit
from recsys_core.actions.item_audits import audit_with
from recsys_core.actions.jobs import cancel_job, job_events, show_job, submit_training
from recsys_core.actions.models import list_for_user, open_model
from recsys_core.actions.samples import open_sample
from recsys_core.fairness.result import AuditSettings
from recsys_core.store.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("home", "data", "train", "explore", "explain", "fairness", "compare", "report", "jobs")
THEMES = ("light", "dark")
RIVALS = {"popularity": "Everybody's favourites", "item-knn": "Touched together"}
LIVE = ("epochs=100", "patience=100", "encoder=none", "embedding_size=16", "n_blocks=1", "batch_size=128")
LIVE_EPOCHS = 12
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)
TALL = ("data", "train", "explain", "fairness", "compare", "report")
MAX_HEIGHT = 2_000
MAX_BYTES = 300_000
IS_IDLE = "!document.querySelector('[data-testid=\"stStatusWidget\"]')"
PATIENCE_MS = 240_000


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked on the command line."""

    out: Path
    pages: tuple[str, ...]
    language: str
    width: int
    height: int


def main() -> int:
    """Takes the pictures; 1 if one of them came out too large, with its name."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reclens-screenshots-") as home:
        query = _prepare(Path(home)) | {"lang": options.language}
        with (
            _live_training(Path(home), query["dataset"]),
            _dashboard(Path(home)) as address,
            sync_playwright() as playwright,
        ):
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            taken = [path for theme in THEMES for path in _take(browser, address, query, theme, options)]
            browser.close()
    large = [path for path in taken if path.stat().st_size > MAX_BYTES]
    for path in large:
        print(f"{path} has {path.stat().st_size:,} bytes, over the {MAX_BYTES:,} that are allowed")
    return 1 if large else 0


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder for the PNG files")
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES, help="only these pages")
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--height", type=int, default=1000)
    given = parser.parse_args()
    return Options(given.out, tuple(given.pages), given.language, given.width, given.height)


def _prepare(home: Path) -> dict[str, str]:
    """Fills the workspace, and says what the pages are to show."""
    workspace = Workspace.open(home)
    dataset, record = open_sample(workspace)
    for ranker, name in RIVALS.items():
        job = submit_training(workspace, dataset.id, ranker, name, "quick")
        _wait_until(lambda job=job: not show_job(workspace, job.id).is_active, "a rival was not trained")
    model = open_model(workspace, record.id)
    held_out = model.data.split.test_row >= 0
    user = str(model.data.dataset.users["user_id"].to_numpy()[held_out][0])
    settings = AuditSettings(("gender", "age_band"))
    keep_audit(workspace, model, audit_model(model, settings), audit_with(model, settings, ("provider",)))
    item = str(list_for_user(model, user, 1)["item_id"].iloc[0])
    return {"dataset": dataset.id, "model": record.id, "user": user, "item": item}


@contextmanager
def _live_training(home: Path, dataset: str) -> Generator[None]:
    """A training that is under way while pictures are taken, some epochs in."""
    workspace = Workspace.open(home)
    job = submit_training(workspace, dataset, "transformer", "Ids alone", "quick", changes=LIVE)
    try:
        _wait_until(
            lambda: len(job_events(workspace, job.id)) >= LIVE_EPOCHS, "the live training came to nothing"
        )
        yield
    finally:
        cancel_job(workspace, job.id)


def _wait_until(is_so: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + PATIENCE_MS / 1_000
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(otherwise)
        time.sleep(0.5)


@contextmanager
def _dashboard(home: Path) -> Generator[str]:
    """The address of a dashboard that runs on the workspace for as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    server = subprocess.Popen(
        [*command, "--server.headless", "true", "--server.address", "127.0.0.1"],
        cwd=ROOT,
        env={**os.environ, "RECLENS_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until(
            lambda: _answers(f"http://127.0.0.1:{port}/_stcore/health"), "the dashboard did not start"
        )
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except OSError:
        return False


def _take(
    browser: Browser, address: str, query: dict[str, str], theme: str, options: Options
) -> Generator[Path]:
    context = browser.new_context(
        viewport={"width": options.width, "height": options.height},
        color_scheme="dark" if theme == "dark" else "light",
        locale="zh-CN" if options.language == "zh" else "en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    for name in options.pages:
        path = "" if name == "home" else name
        page.set_viewport_size({"width": options.width, "height": options.height})
        page.goto(f"{address}/{path}?{urlencode(query)}")
        _settle(page)
        if name in ACTIONS:
            ACTIONS[name](page)
            _settle(page)
        if name in TALL:
            _unfold(page, options)
        suffix = "" if options.language == "en" else f"-{options.language}"
        file = options.out / f"{name}-{theme}{suffix}.png"
        page.wait_for_function(IS_IDLE)  # live parts run again every second
        page.screenshot(path=file)
        print(file)
        yield file
    context.close()


def _settle(page: Page) -> None:
    """Waits until the page's script has run to its end and its charts are drawn."""
    page.wait_for_selector("h1")
    page.wait_for_timeout(600)
    page.wait_for_function(IS_IDLE)
    page.wait_for_function("!document.querySelector('[data-testid=\"stSpinner\"]')")
    page.wait_for_timeout(1_500)


def _unfold(page: Page, options: Options) -> None:
    """Makes the window as high as the page, within reason."""
    script = "document.querySelector('[data-testid=\"stMainBlockContainer\"]').scrollHeight"
    height = max(options.height, min(int(page.evaluate(script)), MAX_HEIGHT))
    page.set_viewport_size({"width": options.width, "height": height})
    page.wait_for_timeout(1_500)


def _run_audit(page: Page) -> None:
    page.locator(".st-key-fairness_run button").click()


ACTIONS: dict[str, Callable[[Page], None]] = {"fairness": _run_audit}

if __name__ == "__main__":
    sys.exit(main())
