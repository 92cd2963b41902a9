"""The words that some encoders want in front of a text: other ones in a search than in what is found."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from recsys_core.files import read_json

_QUERY_KEYS = ("query",)
_TEXT_KEYS = ("document", "passage", "corpus")


@dataclass(frozen=True, slots=True)
class Prompts:
    """What goes in front of an item's text, and of a typed wish."""

    text: str = ""
    query: str = ""

    def before(self, texts: list[str], as_query: bool) -> list[str]:
        """The texts with the prompt in front."""
        prompt = self.query if as_query else self.text
        return [prompt + text for text in texts] if prompt else texts


# From the model cards; the instruct models want a task in front of queries, which depends on the use.
_FAMILIES = (
    (re.compile(r"(^|[-_/])e5[-_](?!mistral)(?!.*instruct)"), Prompts("passage: ", "query: ")),
    (
        re.compile(r"(^|[-_/])bge-(small|base|large)-en"),
        Prompts("", "Represent this sentence for searching relevant passages: "),
    ),
    (
        re.compile(r"(^|[-_/])bge-(small|base|large)-zh"),
        Prompts("", "为这个句子生成表示以用于检索相关文章："),
    ),
)


def read_prompts(folder: Path, name: str) -> Prompts:
    """The prompts that a folder's sentence-transformers config names, else those known of its family.

    The family is told by the name that was asked for, or by the one that the model was saved under.

    Raises:
        StoreError: a config that isn't JSON.
    """
    kept = _json(folder / "config_sentence_transformers.json")
    named: dict[str, str] = kept.get("prompts") or {}
    default = named.get(str(kept.get("default_prompt_name")), "")
    text, query = (
        next((named[key] for key in keys if key in named), default) for keys in (_TEXT_KEYS, _QUERY_KEYS)
    )
    if text or query:
        return Prompts(text, query)
    names = f"{name} {_json(folder / 'config.json').get('_name_or_path', '')}".lower()
    return next((prompts for family, prompts in _FAMILIES if family.search(names)), Prompts())


def _json(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", read_json(path)) if path.is_file() else {}
