"""Which member of a zip or folder holds the interactions, which the items, which the people."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from recsys_core.data.archives import Source
from recsys_core.data.mapping import Kind
from recsys_core.errors import DataError

_WORDS: dict[Kind, tuple[str, ...]] = {
    "interactions": (
        *(
            "interaction",
            "rating",
            "event",
            "transaction",
            "purchase",
            "click",
            "behavior",
            "behaviour",
            "inter",
        ),
        *("review", "order", "session", "log", "view", "train"),
    ),
    "items": (
        "item",
        "movie",
        "film",
        "product",
        "book",
        "article",
        "song",
        "track",
        "catalogue",
        "catalog",
        "news",
    ),
    "users": ("user", "customer", "household", "person", "people", "member", "demographic", "client"),
}
_DOCUMENTS = re.compile(
    r"(?i)(^|/)(readme|licen[cs]e|copying|changelog|manifest)\b|\.(md|pdf|html?|py|sh|pl|png|jpe?g)$"
)
_PACKED = re.compile(r"(?i)\.(gz|csv|tsv|txt|jsonl?|ndjson|parquet|dat)$")


@dataclass(frozen=True, slots=True)
class Members:
    """The names of the members that hold tables; None where there is none of that kind.

    Attributes:
        sample: `movielens-100k` or `movielens-1m` where the names are those of GroupLens' archives.
    """

    interactions: str
    items: str | None = None
    users: str | None = None
    sample: str | None = None

    def of(self, kind: Kind) -> str:
        """The member to read as a file of one kind: its own, or the only one there is."""
        return {"interactions": None, "items": self.items, "users": self.users}[kind] or self.interactions


def choose_members(source: Source, kind: Kind = "interactions") -> Members:
    """The members to read for files of one kind; a source of one file is that file, whatever its name.

    Raises:
        DataError: none of several files can be told to be the one asked for.
    """
    by_base = {PurePosixPath(name).name: name for name in source.names}
    known = _movielens(by_base)
    if known is not None:
        return known
    names = [name for name in source.names if not _DOCUMENTS.search(name)] or list(source.names)
    chosen = {of: _only_member(names, of) for of in _WORDS}
    wanted = names[0] if len(names) == 1 else chosen[kind]
    if wanted is None:
        raise DataError(
            f"{source.path.name} holds {_listed(names)}: which one has the {kind} can't be told; "
            f"name that file itself, or call it {kind}.csv"
        )
    if kind != "interactions":
        return Members(wanted)
    return Members(wanted, *(chosen[of] if chosen[of] != wanted else None for of in ("items", "users")))


def _movielens(by_base: dict[str, str]) -> Members | None:
    if {"u.data", "u.item"} <= by_base.keys():
        return Members(by_base["u.data"], by_base["u.item"], by_base.get("u.user"), "movielens-100k")
    for ratings in ("ratings.dat", "interactions_in_order.csv.gz", "interactions_in_order.csv"):
        if {"movies.dat", ratings} <= by_base.keys():
            return Members(by_base[ratings], by_base["movies.dat"], by_base.get("users.dat"), "movielens-1m")
    return None


def _only_member(names: list[str], kind: Kind) -> str | None:
    """The one member named after a kind: `users.csv`, `shop.user`, `user_events.csv` (by its last word)."""
    for test in (_is_called, _mentions):
        found = [name for name in names if test(name, kind)]
        if len(found) == 1:
            return found[0]
    return None


def _is_called(name: str, kind: Kind) -> bool:
    return any(
        word in _WORDS[kind] for part in _stem_and_ending(name) for word in (part, part.removesuffix("s"))
    )


def _mentions(name: str, kind: Kind) -> bool:
    words = re.findall(r"[a-z]+", " ".join(_stem_and_ending(name)))
    last = next((word for word in reversed(words) if _kind_of_word(word)), None)
    return last is not None and _kind_of_word(last) == kind


def _kind_of_word(word: str) -> Kind | None:
    return next(
        (kind for kind, words in _WORDS.items() if word in words or word.removesuffix("s") in words), None
    )


def _stem_and_ending(name: str) -> list[str]:
    """`ml-100k/ML.inter.gz` → [`ml`, `inter`]: the ending is a word where it isn't a file format's."""
    base = PurePosixPath(name).name.lower()
    while _PACKED.search(base):
        base = base[: base.rindex(".")]
    return base.split(".")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
