"""The words of an explanation: a text shaded by what its words add, and how far each level adds up.

A word's sign is told by colour and, for who sees none, by the line under it and a number behind it. The
colours let the page's own text colour and background through, so that the contrast holds in light and dark.
"""

from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.explain.attributions import SMALLEST_DIFFERENCE
from recsys_core.explain.text_words import TextReasons, Word
from recsys_core.explain.words import ItemReasons, WordChain
from ui.text import plain, t

MORE, LESS = "0, 114, 178", "213, 94, 0"  # of the palette of Okabe and Ito, as the charts have them
DARKEST = 0.45  # opacity; beyond it dark text would be hard to read
NUMBERED = 0.3  # share of the strongest word from which a word has its number beside it
UNSHADED = 0.02


def shaded(reasons: TextReasons) -> str:
    """The text as HTML in which nothing of the text works, with each word shaded by what it adds."""
    strongest = max((abs(word.value) for word in reasons.words), default=0.0) or 1.0
    parts, at = list[str](), 0
    for word in reasons.words:
        parts += [_inert(reasons.text[at : word.start]), _shaded(word, strongest)]
        at = word.stop
    rest = reasons.text[at:]
    parts.append(f'<span style="opacity: 0.6">{_inert(rest)}</span>' if rest.strip() else "")
    return f'<p style="line-height: 2.1; overflow-wrap: anywhere; margin: 0">{"".join(parts)}</p>'


def words_table(reasons: TextReasons) -> pd.DataFrame:
    """One row a word in the order of the text: `word`, `attribution`."""
    rows = [(plain(word.text), word.value) for word in reasons.words]
    return pd.DataFrame(rows, columns=["word", "attribution"])


def levels_table(chain: WordChain, titles: NDArray[np.object_]) -> pd.DataFrame:
    """How far each level adds up: `level`, `explained`, `sum`, `delta`, `relative_delta`.

    Args:
        chain: both levels.
        titles: [n_items + 1] of the items.
    """
    found = chain.attributions
    explained = found.score - found.baseline_score
    rows = [(t("words.level_items"), explained, explained + found.delta, found.delta)]
    rows += [
        (
            t("words.level_words", item=plain(titles[own.item_number])),
            own.by_text,
            own.by_text + own.text_delta,
            own.text_delta,
        )
        for own in (*chain.history, chain.explained)
    ]
    table = pd.DataFrame(rows, columns=["level", "explained", "sum", "delta"])
    least = table["explained"].abs().clip(lower=SMALLEST_DIFFERENCE)
    return table.assign(relative_delta=table["delta"].abs() / least)


def parts_sentence(own: ItemReasons, item: str) -> str:
    """What an item adds, and of what that is the sum; `item` is its name as markdown."""
    values = {"by_id": own.by_id, "by_text": own.by_text, "by_rest": own.by_rest, "any_text": own.by_any_text}
    numbers = {name: f"{round(value, 4) + 0.0:+.4f}" for name, value in values.items()}
    key = "words.of_explained" if own.position is None else "words.of_history"
    return t(key, item=item, value=f"{own.value:+.4f}", **numbers)


def _shaded(word: Word, strongest: float) -> str:
    share = abs(word.value) / strongest
    if share < UNSHADED:
        return _inert(word.text)
    colour, line = (MORE, "solid") if word.value > 0 else (LESS, "dashed")
    style = (
        f"background-color: rgba({colour}, {DARKEST * share:.2f}); border-radius: 3px; padding: 1px 2px; "
        f"border-bottom: 2px {line} rgb({colour})"
    )
    number = f"{word.value:+.3f}"
    beside = f'<sub style="font-size: 0.7em">{number}</sub>' if share >= NUMBERED else ""
    return f'<span style="{style}" title="{number}">{_inert(word.text)}{beside}</span>'


def _inert(text: str) -> str:
    """A text in which no tag works and what can't be seen is shown; its outer spaces stay."""
    before, behind = (" " if text[:1].isspace() else "", " " if text[-1:].isspace() else "")
    inner = escape(plain(text))
    return f"{before}{inner}{behind}" if inner else before
