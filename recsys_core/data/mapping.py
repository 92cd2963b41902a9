"""Which column is what: said by a person, or guessed from the names and the first rows."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from recsys_core.data.column_words import OWN_ID_WORDS, OWN_TITLE_WORDS, WORDS, plain
from recsys_core.data.schema import INTERACTION_ROLES, ITEM_ROLES, Role
from recsys_core.errors import ConfigError

Kind = Literal["interactions", "items", "users"]

_IN_INTERACTIONS = (*INTERACTION_ROLES, Role.TITLE, Role.CATEGORY, Role.PROVIDER, Role.IMAGE)
_NUMBERS = (Role.ORDER, Role.RATING, Role.DWELL_S, Role.QUANTITY)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(
    r"\d{4}[-/.]\d|\d{1,2}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ,]+\d{4}|[A-Za-z]{3,9} \d{1,2}, \d{4}"
)
_UNNAMED = re.compile(r"column_\d+")
_SMALLEST_CLOCK = 1e8  # a headerless number above this (1973 in Unix seconds) is a time, not a rating


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which column plays which role. Several columns may be `context`; every other role has one."""

    pairs: tuple[tuple[Role, str], ...] = ()

    def column(self, role: Role) -> str | None:
        """The column of a role; None where there is none."""
        return next((column for known, column in self.pairs if known is role), None)

    @property
    def context(self) -> tuple[str, ...]:
        """The context columns, in the order they were named."""
        return tuple(column for role, column in self.pairs if role is Role.CONTEXT)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that has a role."""
        return tuple(column for _, column in self.pairs)

    def within(self, columns: Collection[str]) -> "Mapping":
        """What of this map a file of these columns can follow."""
        return Mapping(tuple(pair for pair in self.pairs if pair[1] in columns))

    def completed_by(self, guess: "Mapping") -> "Mapping":
        """This map, and of the guess only what contradicts nothing in it."""
        roles, columns = {role for role, _ in self.pairs}, set(self.columns)
        free = tuple(
            (role, column) for role, column in guess.pairs if role not in roles and column not in columns
        )
        return Mapping(self.pairs + free)


def parse_mapping(options: Sequence[str]) -> Mapping:
    """The map of `--map` options such as `user_id=userID,item_id=movieID` (a column's name holds no comma).

    Raises:
        ConfigError: a piece isn't `role=column`, the role isn't known, or a role is named twice.
    """
    pairs: list[tuple[Role, str]] = []
    for piece in (piece.strip() for option in options for piece in option.split(",")):
        name, equals, column = (part.strip() for part in piece.partition("="))
        if not (name and equals and column):
            raise ConfigError(f"--map: '{piece}' isn't role=column; {_allowed_roles()}")
        if name not in set(Role):
            raise ConfigError(f"--map: '{name}' isn't a role; {_allowed_roles()}")
        role = Role(name)
        taken = Mapping(tuple(pairs)).column(role)
        if taken is not None and role is not Role.CONTEXT:
            raise ConfigError(
                f"--map: {role} is named twice, as '{taken}' and as '{column}'; only context may be"
            )
        pairs.append((role, column))
    return Mapping(tuple(pairs))


def _allowed_roles() -> str:
    return f"the roles are {', '.join(Role)}"


def guess_mapping(columns: Sequence[str], sample: pd.DataFrame, kind: Kind) -> Mapping:
    """The likely role of each column of a file.

    Args:
        columns: the file's columns, in its order.
        sample: its first rows as text, with these columns; a column called `rating` that holds no
            numbers isn't taken for a rating.
        kind: what the file is. An `id` or `name` belongs to whatever the file is about.
    """
    if columns and all(_UNNAMED.fullmatch(column) for column in columns):
        return Mapping(tuple(_guess_by_position(columns, sample, kind)))
    pairs: list[tuple[Role, str]] = []
    for role in {"interactions": _IN_INTERACTIONS, "items": ITEM_ROLES, "users": (Role.USER_ID,)}[kind]:
        taken = {column for _, column in pairs}
        free = [column for column in columns if column not in taken]
        found = _columns_called(_words(role, kind), free)
        fitting = [column for column in found if _fits(role, sample[column])]
        if role is Role.CONTEXT:
            pairs += [(role, column) for column in fitting]
        elif role is Role.TIMESTAMP_S and found:
            pairs.append(
                (role, (fitting or found)[0])
            )  # unreadable times are an error to be told, not passed over
        elif fitting:
            pairs.append((role, fitting[0]))
    return Mapping(tuple(pairs))


def _words(role: Role, kind: Kind) -> tuple[str, ...]:
    if role is {"items": Role.ITEM_ID, "users": Role.USER_ID}.get(kind):
        return OWN_ID_WORDS[kind]
    return OWN_TITLE_WORDS if role is Role.TITLE and kind == "items" else WORDS[role]


def _columns_called(words: Iterable[str], columns: Sequence[str]) -> list[str]:
    """The columns that bear one of the words, best word first; then those that end in `<word>id`."""
    by_name: dict[str, list[str]] = {}
    for column in columns:
        by_name.setdefault(plain(column), []).append(column)
    exact = [column for word in words for column in by_name.get(word, ())]
    endings = tuple(word for word in words if len(word) > len("id") and word.endswith("id"))
    ending = [
        column for name, same in by_name.items() if endings and name.endswith(endings) for column in same
    ]
    return exact + [column for column in ending if column not in exact]


def _fits(role: Role, values: "pd.Series[str]") -> bool:
    if role in _NUMBERS:
        return _share(values, _NUMBER.fullmatch) >= 0.5
    if role is Role.TIMESTAMP_S:
        return _share(values, lambda text: _NUMBER.fullmatch(text) or _DATE.match(text)) >= 0.5
    return True


def _share(values: "pd.Series[str]", test: Callable[[str], object]) -> float:
    """The share of the values given that pass; 1 when none is given."""
    given = [text for text in (str(value).strip() for value in values) if text]
    return sum(bool(test(text)) for text in given) / len(given) if given else 1.0


def _guess_by_position(
    columns: Sequence[str], sample: pd.DataFrame, kind: Kind
) -> Iterator[tuple[Role, str]]:
    """Roles for a file without a header, by the field's custom: person, item, then rating and time."""
    if kind == "users":
        yield Role.USER_ID, columns[0]
        return
    if kind == "items":
        yield Role.ITEM_ID, columns[0]
        texts = [column for column in columns[1:] if _share(sample[column], _NUMBER.fullmatch) < 0.5]
        yield from zip((Role.TITLE, Role.CATEGORY), texts, strict=False)
        return
    yield from zip((Role.USER_ID, Role.ITEM_ID), columns, strict=False)
    free = {Role.RATING, Role.TIMESTAMP_S}
    for column in columns[2:]:
        role = Role.TIMESTAMP_S if _is_clock(sample[column]) else Role.RATING
        if role in free and _fits(role, sample[column]):
            free.remove(role)
            yield role, column


def _is_clock(values: "pd.Series[str]") -> bool:
    if _share(values, _DATE.match) >= 0.5:
        return True
    numbers = [float(text) for text in (str(value).strip() for value in values) if _NUMBER.fullmatch(text)]
    return bool(numbers) and sorted(numbers)[len(numbers) // 2] >= _SMALLEST_CLOCK
