"""What the core says, in the person's language: its refusals, its warnings, and what a job is doing.

The core speaks English. `assets/locales/en/messages.json` has each of its sentences with `{0}`, `{1}`, … for
the values, the other languages have the same in their words. A sentence is recognised by what stands between
its values.
"""

from dataclasses import dataclass
from functools import lru_cache
from string import Formatter

from ui.state import Language, context
from ui.text import catalogue

MAX_LENGTH = 4_000  # characters; no message is longer, and nothing longer is looked at
MAX_DEPTH = 4  # of messages inside of messages
BETWEEN, BEFORE = "; ", ": "  # of two messages, and of what one is about


def in_words(message: object) -> str:
    """A message of the core in the person's language; English where it isn't known."""
    text, language = str(message), context().lang
    return text if language == "en" or len(text) > MAX_LENGTH else _translated(text, language)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A message as its texts and the values between them, one text more than values."""

    key: str
    texts: tuple[str, ...]

    def values(self, message: str) -> tuple[str, ...] | None:
        """The values of a message of this pattern; None for any other.

        A text in the middle is taken where it comes first, so that this takes one pass over the message.
        """
        if len(self.texts) == 1:
            return () if message == self.texts[0] else None
        first, *middle, last = self.texts
        end = len(message) - len(last)
        if not message.startswith(first) or not message.endswith(last) or end < len(first):
            return None
        found, start = list[str](), len(first)
        for text in middle:
            place = message.find(text, start, end)
            if place < 0:
                return None
            found.append(message[start:place])
            start = place + len(text)
        return (*found, message[start:end])

    def is_quoted(self, number: int) -> bool:
        """Whether a value stands in quotes: then it is somebody's own word, and stays as it is."""
        return self.texts[number].endswith("'")


def _translated(message: str, language: Language, depth: int = 0) -> str:
    """The message in a language; of several in one, or of one about something, what is known of them."""
    if depth > MAX_DEPTH:
        return message
    parts = message.split(BETWEEN)
    if len(parts) > 1:
        found = [_filled(part, language, depth) or _about(part, language, depth) for part in parts]
        if None not in found:
            return "；".join(map(str, found))
    return _filled(message, language, depth) or _about(message, language, depth) or message


def _filled(message: str, language: Language, depth: int) -> str | None:
    """The message by its pattern; None where it has none."""
    for pattern in _patterns():
        values = pattern.values(message)
        if values is not None:
            words = [
                value if pattern.is_quoted(number) else _translated(value, language, depth + 1)
                for number, value in enumerate(values)
            ]
            return catalogue(language, "messages")[pattern.key].format(*words)
    return None


def _about(message: str, language: Language, depth: int) -> str | None:
    """A message behind what it is about, such as a file's name; None where it is none that is known."""
    about, found, tail = message.partition(BEFORE)
    words = _translated(tail, language, depth + 1) if found else tail
    return None if words == tail else f"{about}：{words}"


@lru_cache(maxsize=1)
def _patterns() -> tuple[_Pattern, ...]:
    """All messages, those with the most text of their own first."""
    found = [_Pattern(key, _texts(message)) for key, message in catalogue("en", "messages").items()]
    return tuple(sorted(found, key=lambda pattern: -sum(map(len, pattern.texts))))


def _texts(message: str) -> tuple[str, ...]:
    """What stands before, between and behind the values of a message."""
    texts: list[str] = [""]
    for text, name, _, _ in Formatter().parse(message):
        texts[-1] += text
        if name is not None:
            texts.append("")
    return tuple(texts)
