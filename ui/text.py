"""Words: the translations of the interface, and text from a data set made harmless.

A catalogue is one small JSON file a page, `assets/locales/<language>/<page>.json`; the key `train.start`
is the entry `start` of `train.json`. With `n=1`, an entry `start_one` is preferred to `start`.
"""

import json
import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st

from ui.state import Language, context

LOCALES = Path(__file__).parent.parent / "assets" / "locales"

_PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
# Codes of emoji and icons, addresses and arrows are looked for after escapes are undone; a word joiner,
# which has no width, inside them keeps them from being found.
_LOOKED_FOR_LATER = re.compile(r"(?<=[:@])(?=\S)|(?<=www)(?=\\\.)|(?<=[<>~=-])(?=\\[<>=-])", re.IGNORECASE)
_JOINER = "\N{WORD JOINER}"
_CONTROLS = {"Cc", "Cf", "Zl", "Zp", "Co", "Cs", "Cn"}


def t(key: str, **values: object) -> str:
    """An entry in the person's language, with `values` put in; strings from data go through `safe` first.

    An entry that a translation lacks is taken from English.
    """
    page, _, entry = key.partition(".")
    for language in (context().lang, "en"):
        entries = catalogue(language, page)
        message = entries.get(f"{entry}_one") if values.get("n") == 1 else None
        message = message or entries.get(entry)
        if message is not None:
            return message.format(**values) if values else message
    raise KeyError(f"no catalogue has {key}")


def has(key: str) -> bool:
    """Whether there is such an entry, for keys that are made of what is in the data."""
    page, _, entry = key.partition(".")
    return entry in catalogue("en", page)


def catalogue(language: Language, page: str) -> dict[str, str]:
    """All entries of a page; none where the file isn't there."""
    path = LOCALES / language / f"{page}.json"
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else {}


def safe(text: object) -> str:
    """A text from a data set as markdown that shows it letter for letter.

    Markdown, directives, links, images, HTML and formulas are made inert; line breaks become spaces;
    characters that turn the writing direction or have no width are shown as their code points.
    """
    visible = "".join(_visible(letter) for letter in str(text))
    escaped = _PUNCTUATION.sub(r"\\\1", " ".join(visible.split()))
    return _LOOKED_FOR_LATER.sub(_JOINER, escaped)


def plain(text: object) -> str:
    """A text from a data set for places without markdown: what can't be seen as its code points."""
    return " ".join("".join(_visible(letter) for letter in str(text)).split())


def when(timestamp_s: float) -> str:
    """A moment in the person's own time zone: "2025-03-09 14:05"."""
    zone = st.context.timezone
    moment = datetime.fromtimestamp(timestamp_s, ZoneInfo(zone) if zone in available_timezones() else UTC)
    return moment.strftime("%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """A length of time in the person's language: "3 min 20 s"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return t("frame.seconds", s=whole if seconds >= 10 or seconds == whole else f"{seconds:.1f}")
    if whole < 3600:
        return t("frame.minutes", m=whole // 60, s=whole % 60)
    return t("frame.hours", h=whole // 3600, m=whole % 3600 // 60)


def about(seconds: float) -> str:
    """A length of time as an estimate may say it: steps of 5 s below a minute, then whole minutes."""
    if seconds < 57.5:
        return duration(max(5, 5 * round(seconds / 5)))
    return t("frame.about_minutes", m=round(seconds / 60)) if seconds < 5400 else duration(seconds)


def _visible(letter: str) -> str:
    if letter in "\n\r\t\v\f\x85\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}":
        return " "
    return f"U+{ord(letter):04X}" if unicodedata.category(letter) in _CONTROLS else letter


@lru_cache(maxsize=64)
def _read(path: Path, _mtime_ns: int) -> dict[str, str]:
    return json.loads(path.read_text(encoding="utf-8"))
