"""What is known of an event beside its item: of what kind it was, how strong, when, and where.

None of it has to be known: 0 stands for an unknown code, NaN for an unknown number.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.schema import CONTEXT_PREFIX, Role

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MAX_CODES = 32  # values of one column; rarer ones are unknown
STRENGTHS = (Role.RATING, Role.QUANTITY, Role.DWELL_S)  # the first of them that the data have
WEAK_TO_STRONG = (  # kinds of events by how much they say about a wish, in the words that files use
    ("impression", "exposure", "show", "曝光"),
    ("view", "pageview", "read", "open", "浏览"),
    ("search", "query", "搜索"),
    ("click", "detail", "点击"),
    ("play", "watch", "listen", "stream", "播放"),
    ("like", "favorite", "favourite", "save", "wishlist", "share", "comment", "review", "收藏", "喜欢"),
    ("cart", "addtocart", "add_to_cart", "basket", "加购"),
    ("purchase", "buy", "order", "transaction", "checkout", "购买", "下单"),
)


@dataclass(frozen=True, slots=True)
class Codes:
    """A column of words as numbers: code 1 is the first of `values`, 0 is unknown."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventContext:
    """Arrays beside item numbers, all of the items' shape (…), [n_events] or [n, length].

    Attributes:
        types: code of the kind of event; a higher one says more about what a person wants.
        strengths: rating, quantity or seconds, whichever the data have; NaN = unknown.
        timestamps_s: Unix seconds; NaN = unknown.
        dwell_s: seconds that were spent; NaN = unknown.
        contexts: (…, c) codes of the c context columns (device, place, …).
        texts: number of what was written at the event (`EventColumns.written`); 0 = nothing.
    """

    types: IntArray
    strengths: FloatArray
    timestamps_s: FloatArray
    dwell_s: FloatArray
    contexts: IntArray
    texts: IntArray

    def at(self, where: Any) -> "EventContext":
        """The context of the events that `where` picks, as numpy indexes arrays."""
        return EventContext(
            self.types[where],
            self.strengths[where],
            self.timestamps_s[where],
            self.dwell_s[where],
            self.contexts[where],
            self.texts[where],
        )

    def hidden(self, gone: BoolArray) -> "EventContext":
        """The same, with nothing known of the events that are gone."""
        return EventContext(
            np.where(gone, 0, self.types),
            np.where(gone, np.nan, self.strengths),
            np.where(gone, np.nan, self.timestamps_s),
            np.where(gone, np.nan, self.dwell_s),
            np.where(gone[..., None], 0, self.contexts),
            np.where(gone, 0, self.texts),
        )

    def merged(self, starts: IntArray) -> "EventContext":
        """[len(starts)] runs of events as one each: `starts` says where runs begin, the first at 0.

        A run is of the strongest type and the largest strength and dwell time in it, was when and where it
        began, and says the last text that was written in it.
        """
        if len(starts) == 0:
            return self
        place = np.maximum.reduceat(np.where(self.texts > 0, np.arange(len(self.texts)), 0), starts)
        return EventContext(
            np.maximum.reduceat(self.types, starts),
            np.fmax.reduceat(self.strengths, starts),
            self.timestamps_s[starts],
            np.fmax.reduceat(self.dwell_s, starts),
            self.contexts[starts],
            self.texts[np.maximum(place, starts)],  # without a text, that of its start, which is none
        )

    def widened(self, n: int) -> "EventContext":
        """[rows, length + n] the same [rows, length] with n unknown events behind each row."""
        rows, length = self.types.shape
        columns = np.arange(length + n)
        return self.at((slice(None), np.minimum(columns, length - 1))).hidden(
            np.broadcast_to(columns >= length, (rows, length + n))
        )

    @staticmethod
    def unknown(shape: tuple[int, ...], n_contexts: int) -> "EventContext":
        """The context of events of which nothing is known."""
        types, contexts, texts = (
            np.zeros(size, dtype=np.int64) for size in (shape, (*shape, n_contexts), shape)
        )
        strengths, timestamps_s, dwell_s = (np.full(shape, np.nan) for _ in range(3))
        return EventContext(types, strengths, timestamps_s, dwell_s, contexts, texts)

    @staticmethod
    def joined(parts: list["EventContext"]) -> "EventContext":
        """Contexts [n_events] of one data set, end to end."""
        return EventContext(
            np.concatenate([part.types for part in parts]),
            np.concatenate([part.strengths for part in parts]),
            np.concatenate([part.timestamps_s for part in parts]),
            np.concatenate([part.dwell_s for part in parts]),
            np.concatenate([part.contexts for part in parts]),
            np.concatenate([part.texts for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Askers:
    """Who asks for what follows each of n histories, and when.

    Attributes:
        attributes: [n, a] codes of the person's attributes; a ranker reads those that its settings name.
        time_s: [n] Unix seconds of the request; NaN = unknown.
    """

    attributes: IntArray
    time_s: FloatArray

    def take(self, rows: IntArray) -> "Askers":
        """Those of the histories `rows`, in that order."""
        return Askers(self.attributes[rows], self.time_s[rows])

    @staticmethod
    def joined(parts: list["Askers"]) -> "Askers":
        """Askers of one data set, one after the other."""
        return Askers(
            np.concatenate([part.attributes for part in parts]),
            np.concatenate([part.time_s for part in parts]),
        )

    @staticmethod
    def unknown(n: int, n_attributes: int) -> "Askers":
        """n people of whom nothing is known."""
        return Askers(np.zeros((n, n_attributes), dtype=np.int64), np.full(n, np.nan))


@dataclass(frozen=True, slots=True)
class EventColumns:
    """The events of a table with what its numbers mean.

    Attributes:
        context: one entry a row of the table; None where the table has nothing beside ids.
        types: the kinds of events, weakest first.
        strength: the column behind the strengths; "" where there is none.
        contexts: the context columns.
        written: the different texts that were written at events, in the order in which they first come.
    """

    context: EventContext | None
    types: Codes
    strength: str
    contexts: tuple[Codes, ...]
    written: tuple[str, ...]


def read_event_columns(interactions: pd.DataFrame) -> EventColumns:
    """What a table of interactions says about each of its events."""
    types, type_codes = _types(interactions)
    timestamps_s, dwell_s = (number_column(interactions, name) for name in (Role.TIMESTAMP_S, Role.DWELL_S))
    given = [name for name in STRENGTHS if not np.isnan(number_column(interactions, name)).all()]
    strengths = number_column(interactions, given[0] if given else "")
    names = [name for name in interactions.columns if name.startswith(CONTEXT_PREFIX)]
    coded = [coded_column(interactions[name], name.removeprefix(CONTEXT_PREFIX)) for name in names]
    contexts = np.zeros((len(interactions), len(coded)), dtype=np.int64)
    for column, (_, codes) in enumerate(coded):
        contexts[:, column] = codes
    written, texts = _written(interactions)
    known = type_codes.any() or bool(given) or not np.isnan(timestamps_s).all() or contexts.any()
    context = EventContext(type_codes, strengths, timestamps_s, dwell_s, contexts, texts)
    return EventColumns(
        context if known or bool(written) else None,
        types,
        str(given[0]) if given else "",
        tuple(codes for codes, _ in coded),
        written,
    )


def coded_column(column: "pd.Series[str]", name: str) -> tuple[Codes, IntArray]:
    """A column of words as codes: the most frequent word is 1, equals go by name, "" and rare ones are 0."""
    counts = column[column != ""].value_counts()
    frequent = sorted(counts.index, key=lambda word: (-int(counts[word]), str(word)))[:MAX_CODES]
    values = tuple(str(word) for word in frequent)
    return Codes(name, values), _codes(column, values)


def number_column(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column of numbers; NaN in every row where there is no such column."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=np.float64)


def _types(interactions: pd.DataFrame) -> tuple[Codes, IntArray]:
    """Kinds of events, weakest first. Unknown words are weaker than known ones, rare ones stronger."""
    if Role.EVENT not in interactions:
        return Codes(Role.EVENT, ()), np.zeros(len(interactions), dtype=np.int64)
    column = interactions[Role.EVENT]
    frequent, _ = coded_column(column, Role.EVENT)
    values = tuple(sorted(frequent.values, key=_strength_of_word))  # of one level the rarest last
    return Codes(Role.EVENT, values), _codes(column, values)


def _written(interactions: pd.DataFrame) -> tuple[tuple[str, ...], IntArray]:
    """Each different text once, and its number at each event; one without a letter says nothing."""
    if Role.REVIEW_TEXT not in interactions:
        return (), np.zeros(len(interactions), dtype=np.int64)
    column = interactions[Role.REVIEW_TEXT].str.strip()
    says_something = [any(map(str.isalpha, str(text))) for text in column]
    codes, texts = pd.factorize(column.where(pd.Series(says_something, index=column.index)))
    return tuple(str(text) for text in texts), codes.astype(np.int64) + 1


def _strength_of_word(word: str) -> int:
    plain = word.casefold()
    return next((level for level, words in enumerate(WEAK_TO_STRONG, start=1) if plain in words), 0)


def _codes(column: "pd.Series[str]", values: tuple[str, ...]) -> IntArray:
    return pd.Index(values, dtype="str").get_indexer(pd.Index(column)).astype(np.int64) + 1
