"""Words: translations are complete, and text from data is shown letter for letter."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from recsys_core.config import SETTINGS
from recsys_core.errors import DataError
from recsys_core.presets import PRESETS
from ui.components import metric_name, sentence
from ui.text import LOCALES, catalogue, plain, safe

ROOT = LOCALES.parent.parent
PAGES = sorted(path.stem for path in (LOCALES / "en").glob("*.json"))
CALL = re.compile(r"""\b(?:t|page_header|empty_state|has)\(\s*"([a-z_]+\.[\w-]+)\"""")


def entries() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for entry in catalogue("en", page):
            yield page, entry


def placeholders(message: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(message) if name is not None}


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_entries(page: str) -> None:
    assert catalogue("en", page).keys() == catalogue("zh", page).keys()


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_placeholders(page: str) -> None:
    chinese = catalogue("zh", page)
    differing = [
        entry
        for entry, message in catalogue("en", page).items()
        if placeholders(message) != placeholders(chinese[entry])
        and not entry.endswith("_one")
        and page != "messages"  # English endings are values there; see test_messages
    ]
    assert differing == []


@pytest.mark.parametrize("page", PAGES)
def test_chinese_is_written_in_chinese_signs(page: str) -> None:
    half_width = re.compile(r"[\u4e00-\u9fff][,;:?!]|[,;:?!][\u4e00-\u9fff]")
    assert [message for message in catalogue("zh", page).values() if half_width.search(message)] == []


def test_every_entry_that_a_page_names_is_there() -> None:
    files = [ROOT / "app.py", *(ROOT / "ui").glob("*.py"), *(ROOT / "pages").glob("*.py")]
    named = {key for file in files for key in CALL.findall(file.read_text(encoding="utf-8"))}
    known = {f"{page}.{entry}" for page, entry in entries()}
    assert len(named) > 100
    assert named - known == set()


def test_every_ranker_preset_and_setting_has_words() -> None:
    rankers, train = catalogue("en", "rankers"), catalogue("en", "train")
    wanted = [name for ranker in SETTINGS for name in (ranker, f"{ranker}_why")]
    wanted += [name for preset in PRESETS for name in (f"preset_{preset}", f"preset_{preset}_why")]
    assert [name for name in wanted if name not in rankers] == []
    settings = {name for kind in SETTINGS.values() for name in kind.model_fields}
    assert [name for name in settings if not {f"set_{name}", f"set_{name}_help"} <= train.keys()] == []


def test_catalogues_are_one_level_of_texts() -> None:
    for file in LOCALES.rglob("*.json"):
        values = json.loads(Path(file).read_text(encoding="utf-8")).values()
        assert all(isinstance(value, str) and value for value in values), file


def test_markdown_is_escaped() -> None:
    assert safe("**b** [a](b) <i> `c` $x$") == r"\*\*b\*\* \[a\]\(b\) \<i\> \`c\` \$x\$"


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (":material/delete:", r"\:" + "\u2060" + "material"),
        ("http://evil.example", "http" + r"\:" + "\u2060"),
        ("www.evil.example", "www\u2060"),
        ("me@evil.example", r"\@" + "\u2060"),
        ("a -> b", r"\-" + "\u2060" + r"\>"),
    ],
)
def test_what_is_looked_for_after_escapes_is_broken_up(text: str, broken: str) -> None:
    assert broken in safe(text)


def test_plain_words_stay_as_they_are() -> None:
    assert safe("Léon 电影 2001") == "Léon 电影 2001"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\N{RIGHT-TO-LEFT OVERRIDE}evil", "U+202Eevil"),
        ("a\N{ZERO WIDTH SPACE}b", "aU+200Bb"),
        ("a\x00b", "aU+0000b"),
        ("\ufeffa", "U+FEFFa"),
    ],
)
def test_what_cannot_be_seen_is_shown_as_its_code_point(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_lines_become_one() -> None:
    assert plain("a\n\n# b\tc\u2028d ") == "a # b c d"


def test_unknown_metric_is_shown_by_its_own_name() -> None:
    assert (metric_name("ndcg@5"), metric_name("tea@5")) == ("NDCG@5", "tea@5")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("row 17: no id", "Row 17: no id."),
        ("log.csv is empty", "log.csv is empty."),
        ("n_heads is 0", "n_heads is 0."),
        ("Done!", "Done!"),
    ],
)
def test_error_becomes_a_sentence(message: str, shown: str) -> None:
    assert sentence(DataError(message)) == shown
