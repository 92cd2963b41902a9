"""What the core says has words in every language, and is told in the language of the page."""

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from core_messages import core_messages, core_texts

from recsys_core.config import SETTINGS, bounds
from recsys_core.data.mapping import Mapping
from recsys_core.data.readers import import_files
from recsys_core.errors import DataError
from ui import messages
from ui.components import sentence
from ui.messages import in_words
from ui.state import Context
from ui.text import catalogue

NO_MESSAGES = {  # texts beside messages: what a database calls an error, a type, file names
    "disk is full",
    "not a database",
    "can't allocate memory",
    "int | None",
    "u.data, u.item and u.user",
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
PLURAL = re.compile(r"[a-z]\{(\d+)\}")  # a value that is the ending of an English word


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is in Chinese."""
    monkeypatch.setattr(messages, "context", lambda: Context(lang="zh"))


def test_every_message_of_the_core_has_chinese_words() -> None:
    """A new one is entered in `assets/locales/{en,zh}/messages.json`, with `{0}`, `{1}`, … for its values."""
    known = {bare(message) for message in catalogue("en", "messages").values()}
    lacking = {text: place for text, place in core_messages().items() if text not in known | NO_MESSAGES}
    assert lacking == {}


def test_no_entry_is_of_a_message_that_the_core_has_not() -> None:
    """What is allowed for a setting is put together word by word, as reasons of rows are by the database."""
    texts, source = core_texts()
    source += "".join(bounds(kind, key) for kind in SETTINGS.values() for key in kind.model_fields)
    stale = [
        message
        for message in catalogue("en", "messages").values()
        if bare(message) not in texts and not all(part in source for part in literal_parts(message))
    ]
    assert stale == []


def test_no_value_gets_lost_on_the_way() -> None:
    chinese = catalogue("zh", "messages")
    for key, message in catalogue("en", "messages").items():
        plural = set(PLURAL.findall(message))
        assert numbers(message) - plural <= numbers(chinese[key]) <= numbers(message), key


def test_messages_are_told_in_chinese() -> None:
    told = catalogue("zh", "messages")
    assert [key for key, message in told.items() if not CHINESE.search(message)] == []


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("key", sorted(catalogue("en", "messages")))
def test_message_is_recognised_with_its_values(key: str) -> None:
    """Whatever else is known, none of it is taken for this one."""
    message = catalogue("en", "messages")[key]
    values = [f"<{letter}>" for letter, _ in zip("abcdefghij", sorted(numbers(message)), strict=False)]
    assert in_words(message.format(*values)) == catalogue("zh", "messages")[key].format(*values)


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("there is no method 'x'; methods are a, b", "没有方法“x”；可用的方法有 a, b"),
        (
            "there is no method 'the wish is empty; type a few words'; methods are a",
            "没有方法“the wish is empty; type a few words”；可用的方法有 a",
        ),
        (
            "lstm: n_blocks is 0, but it must be a whole number from 1; rate is 2, but it must be a number",
            "lstm: n_blocks 是 0，但必须是从 1 起的整数；rate 是 2，但必须是数字",
        ),
        ("log.csv: row 3: no timestamp", "log.csv：row 3：没有时间"),
        (
            "there is no user 'u9' among the 3 of this data set (ids are like a, b)",
            "此数据集的 3 个 id 中没有用户“u9”（id 形如 a, b）",
        ),
        ("a tree fell over", "a tree fell over"),
        ("", ""),
    ],
)
def test_message_inside_of_a_message(message: str, shown: str) -> None:
    """What stands in quotes is somebody's own word; what isn't known stays as it is."""
    assert in_words(message) == shown


@pytest.mark.usefixtures("chinese")
def test_what_is_allowed_for_a_setting_is_told_in_chinese() -> None:
    allowed = {bounds(kind, key) for kind in SETTINGS.values() for key in kind.model_fields}
    untold = [words for words in allowed if re.search(r"must|number|from|above|below", in_words(words))]
    assert untold == []


@pytest.mark.usefixtures("chinese")
def test_error_ends_with_a_full_stop_of_its_language() -> None:
    assert sentence(DataError("the wish is empty; type a few words")) == "愿望是空的；请输入几个词。"
    assert sentence(DataError("something new")) == "Something new."


def test_english_stays_as_it_is() -> None:
    assert in_words("the wish is empty; type a few words") == "the wish is empty; type a few words"


@pytest.mark.usefixtures("chinese")
def test_reasons_of_rows_that_were_set_aside_are_told_in_chinese(tmp_path: Path) -> None:
    rows = [
        "user_id,item_id,timestamp,dwell_seconds",
        "a,x,2024-01-01,5",
        "a,x,2024-01-01,5",
        ",x,2024-01-02,5",
        "b,,2024-01-02,5",
        "b,x,soon,5",
        "b,x,,5",
        "b,x,1700-01-01,5",
        "b,x,2024-01-03,-4",
        f"{'c' * 500},x,2024-01-03,4",
        "b,x",
        "b,y,2024-01-04,5",
    ]
    (tmp_path / "out").mkdir()
    (tmp_path / "log.csv").write_text("\n".join(rows), encoding="utf-8")
    report = import_files(tmp_path / "log.csv", None, None, Mapping(), None, tmp_path / "out")
    reasons = list(report.rejected["reason"])
    assert len(reasons) >= 8
    assert [reason for reason in reasons if not CHINESE.search(in_words(reason))] == []


def bare(message: str) -> str:
    """A message as it is found in the source: `{}` for each value."""
    return "".join(text + ("" if name is None else "{}") for text, name, _, _ in Formatter().parse(message))


def literal_parts(message: str) -> Iterator[str]:
    for text, _, _, _ in Formatter().parse(message):
        yield text.strip(" '")


def numbers(message: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(message) if name is not None}
