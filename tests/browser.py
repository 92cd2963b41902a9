"""The dashboard in a real browser: its server, a page in Chromium, and a written file opened offline."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, Request, expect, sync_playwright
from playwright.sync_api import TimeoutError as BrowserTimeout

from recsys_core.actions.jobs import cancel_job, list_jobs
from recsys_core.store.workspace import Workspace

CHROMIUM = shutil.which("chromium") or ""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 180_000  # one action on a machine that does other things as well

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium on the PATH")


@contextmanager
def dashboard(home: Path, log: Path) -> Generator[str]:
    """The address of the dashboard on a workspace, started by its own command, while the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "recsys_core.cli", "serve", "--port", str(port)]
    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, "--workspace", str(home)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LANG": "C.UTF-8"},
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)
            _end_jobs(home)


@contextmanager
def chromium_page(address: str, last_seen: Path) -> Generator[Page]:
    """A page in Chromium; a request to any other host fails, and what it saw last is kept as a picture."""
    own = (address, "data:", "blob:", address.replace("http", "ws"))
    with _watched_page(lambda url: url.startswith(own)) as page:
        try:
            yield page
        finally:
            page.screenshot(path=last_seen, full_page=True)


@contextmanager
def offline_page(file: Path) -> Generator[Page]:
    """A file as it opens for whoever was handed it, without a network; it may ask for nothing else."""
    address = file.resolve().as_uri()
    with _watched_page(lambda url: url == address or url.startswith("data:")) as page:
        page.context.set_offline(True)
        page.goto(address)
        yield page


def press(page: Page, what: Locator) -> None:
    """A click once the page is drawn to its end: one that comes while it is being drawn may get lost."""
    _drawn(page, what).click()


def switch_on(page: Page, key: str) -> None:
    """Turns a switch on, and again where a page that was drawn anew has put it back."""
    switch = page.locator(f".st-key-{key} input")
    for _ in range(10):
        press(page, page.locator(f".st-key-{key} label").first)
        try:
            expect(switch).to_be_checked(timeout=5_000)
            page.wait_for_timeout(1_000)
            expect(switch).to_be_checked(timeout=5_000)
        except AssertionError:
            continue
        return
    expect(switch).to_be_checked()


def downloaded(page: Page, key: str) -> Path:
    """The file that a download button hands over, asked for again where a click got lost."""
    button = page.locator(f".st-key-{key} button")
    for patience_ms in (20_000, 20_000, PATIENCE_MS):
        _drawn(page, button)
        try:
            with page.expect_download(timeout=patience_ms) as download:
                button.click()
        except BrowserTimeout:
            continue
        return Path(download.value.path())
    raise AssertionError(f"nothing came of the button {key}")


def downloaded_table(page: Page, key: str) -> pd.DataFrame:
    """The table whose CSV stands under it, as it was downloaded."""
    return pd.read_csv(downloaded(page, f"{key}_csv"))


def _drawn(page: Page, what: Locator) -> Locator:
    """What is to be clicked, once the page around it is drawn to its end."""
    expect(what).to_be_visible()
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached()
    return what


@contextmanager
def _watched_page(is_own: Callable[[str], bool]) -> Generator[Page]:
    elsewhere: list[str] = []

    def note(request: Request) -> None:
        if not is_own(request.url):
            elsewhere.append(request.url)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(locale="en-GB", viewport={"width": 1440, "height": 1200})
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.on("request", note)
        yield page
        browser.close()
    assert elsewhere == []


def _end_jobs(home: Path) -> None:
    """A job outlives the server that started it, as it should; not the test, though."""
    workspace = Workspace.open(home)
    for job in list_jobs(workspace):
        if job.is_active:
            cancel_job(workspace, job.id)


def _wait_for(url: str, server: subprocess.Popen[bytes], patience_s: float = 120) -> None:
    end = time.monotonic() + patience_s
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"the dashboard did not answer; exit code {server.poll()}")
