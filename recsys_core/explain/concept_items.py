"""Concepts from a catalogue: its categories, and the items whose text has certain words."""

import re
from collections.abc import Sequence

import numpy as np

from recsys_core.data.dataset import Dataset
from recsys_core.data.schema import CATEGORY_SEPARATOR
from recsys_core.errors import ConfigError
from recsys_core.explain.concepts import Concept


def category_concepts(dataset: Dataset) -> list[Concept]:
    """A concept for each category of the catalogue, by name."""
    own = [set(filter(None, text.split(CATEGORY_SEPARATOR))) for text in dataset.items["category"]]
    names = sorted(set().union(*own))
    return [Concept(name, 1 + np.flatnonzero([name in categories for categories in own])) for name in names]


def words_concept(dataset: Dataset, name: str, words: Sequence[str]) -> Concept:
    """The items in whose title or description any of the words occurs, in upper or lower case.

    A word of Latin, Greek or Cyrillic letters must stand by itself; in scripts without spaces it may be
    part of a longer run.

    Raises:
        ConfigError: there is no word.
    """
    wanted = [word.strip().casefold() for word in words if word.strip()]
    if not wanted:
        raise ConfigError(f"the concept '{name}' has no word; write name=word,word")
    pattern = re.compile("|".join(_pattern(word) for word in wanted))
    texts = (dataset.items["title"] + "\n" + dataset.items["text"]).str.casefold()
    return Concept(name, 1 + np.flatnonzero([bool(pattern.search(text)) for text in texts]))


def _pattern(word: str) -> str:
    """A word by itself, where letters around it would belong to it."""
    inside = re.escape(word)
    before = r"(?<!\w)" if _is_spaced(word[0]) else ""
    behind = r"(?!\w)" if _is_spaced(word[-1]) else ""
    return before + inside + behind


def _is_spaced(letter: str) -> bool:
    """Whether its script puts spaces between words: all below the scripts of East Asia."""
    return letter.isalnum() and ord(letter) < 0x2E80
