"""The context in the URL: what is read, what is refused, what is written."""

import re
from pathlib import Path

import pytest

from ui.state import Context, language_of, read_url, url_parameters

BEFORE = Context(dataset="ds_1", model="md_1", user="u1", k=20, as_of="now", lang="zh")


def test_silent_url_leaves_everything() -> None:
    assert read_url({}, BEFORE) == BEFORE


def test_url_wins_over_the_session() -> None:
    asked = {"dataset": "ds_2", "user": "u 2", "k": "5", "as_of": "test", "lang": "en"}
    assert read_url(asked, BEFORE) == Context("ds_2", "md_1", "u 2", None, 5, "test", "en")


@pytest.mark.parametrize("k", ["0", "-1", "101", "ten", "1e9", "", "9" * 5000, "²", "1.5"])
def test_impossible_k_is_passed_over(k: str) -> None:
    assert read_url({"k": k}, BEFORE).k == 20


@pytest.mark.parametrize("name", ["dataset", "model", "user", "item"])
def test_endless_id_is_passed_over(name: str) -> None:
    assert read_url({name: "x" * 401}, BEFORE) == BEFORE


def test_unknown_language_and_moment_are_passed_over() -> None:
    assert read_url({"lang": "tlh", "as_of": "tomorrow"}, BEFORE) == BEFORE


def test_parameters_say_what_differs_and_the_language() -> None:
    assert url_parameters(Context(model="md_1", k=10)) == {"model": "md_1", "lang": "en"}


def test_parameters_read_back_give_the_context() -> None:
    assert read_url(url_parameters(BEFORE), Context()) == BEFORE


@pytest.mark.parametrize(
    ("locale", "language"), [("zh-CN", "zh"), ("zh", "zh"), ("ZH-tw", "zh"), ("en-GB", "en"), ("", "en")]
)
def test_language_follows_the_browser(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_language_without_a_browser_is_english() -> None:
    assert language_of(None) == "en"


def test_what_is_kept_is_kept_where_architecture_says() -> None:
    root = Path(__file__).resolve().parents[1]
    keeping = {
        path.relative_to(root).as_posix()
        for path in (root / "app.py", *root.glob("pages/*.py"), *root.glob("ui/*.py"))
        if re.search(r"st\.cache_(resource|data)\(", path.read_text(encoding="utf-8"))
    }
    assert keeping == {"ui/answers.py", "ui/audit_answers.py", "ui/cache.py"}
