"""MovieLens-100K and -1M as GroupLens packs them, each file known by how its first line looks.

GroupLens forbids passing the data on, so it never lies in this project: a person fetches it and names
the folder or zip. The zip codes of people aren't read: with age and occupation they tell who somebody is.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recsys_core.data.mapping import Mapping
from recsys_core.data.readers import ReadResult, read_files
from recsys_core.data.records import Record
from recsys_core.data.sniff import FileKind, Format

_GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *(
        "Fantasy",
        "Film-Noir",
        "Horror",
        "Musical",
        "Mystery",
        "Romance",
        "Sci-Fi",
        "Thriller",
        "War",
        "Western",
    ),
)
_AGES_1M = {
    "1": "Under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56+",
}
_OCCUPATIONS_1M = (
    *("other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service"),
    *(
        "doctor/health care",
        "executive/managerial",
        "farmer",
        "homemaker",
        "K-12 student",
        "lawyer",
        "programmer",
    ),
    *(
        "retired",
        "sales/marketing",
        "scientist",
        "self-employed",
        "technician/engineer",
        "tradesman/craftsman",
    ),
    *("unemployed", "writer"),
)
_ITEM_COLUMNS = ("item_id", "title", "text", "category")
_USER_COLUMNS = ("user_id", "gender", "age", "occupation")


@dataclass(frozen=True, slots=True)
class Layout:
    """One of GroupLens' files.

    Attributes:
        first_line: what its first line looks like.
        how: how its fields are parted.
        columns: what we make of them.
        rearrange: the fields of a row → the values of `columns`.
    """

    first_line: re.Pattern[bytes]
    how: Format
    columns: tuple[str, ...]
    rearrange: Callable[[list[str]], list[str]]

    def rearranged(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records under our columns."""
        for row, fields in records:
            yield row, self.rearrange(fields)


def load_movielens(path: Path, sample: Literal["movielens-100k", "movielens-1m"]) -> ReadResult:
    """The tables of a MovieLens folder or zip; users have `gender`, `age` and `occupation`.

    The year of a film, told by its title, is also the item's text; its genres are its categories.
    Where 1M comes as `interactions_in_order.csv.gz`, there is an `order` in place of times and ratings.

    Raises:
        DataError: `path` isn't a folder or zip of that set.
    """
    return read_files(path, None, None, Mapping(), min_rating=None, sample=sample)


def layout_of(path: Path) -> Layout | None:
    """The layout of a file of films or people as GroupLens writes them; None for any other file."""
    with path.open("rb") as file:
        first_line = file.readline(1000)
    return next((layout for layout in _LAYOUTS if layout.first_line.fullmatch(first_line)), None)


def _item_100k(fields: list[str]) -> list[str]:
    item_id, title, *_ = fields
    flags = fields[-len(_GENRES_100K) :]
    genres = [genre for genre, flag in zip(_GENRES_100K, flags, strict=True) if flag == "1"]
    return [item_id, title, _year(title), "|".join(genres)]


def _item_1m(fields: list[str]) -> list[str]:
    item_id, title, genres = fields
    return [item_id, title, _year(title), genres]


def _year(title: str) -> str:
    found = re.search(r"\((\d{4})\)\s*$", title)
    return found[1] if found else ""


def _user_100k(fields: list[str]) -> list[str]:
    user_id, age, gender, occupation, _ = fields
    return [user_id, gender, age, occupation]


def _user_1m(fields: list[str]) -> list[str]:
    user_id, gender, age, occupation, _ = fields
    is_known = occupation.isdecimal() and int(occupation) < len(_OCCUPATIONS_1M)
    return [
        user_id,
        gender,
        _AGES_1M.get(age, age),
        _OCCUPATIONS_1M[int(occupation)] if is_known else occupation,
    ]


def _format(delimiter: str, n_fields: int) -> Format:
    columns = tuple(f"column_{number}" for number in range(1, n_fields + 1))
    return Format(FileKind.DELIMITED, "latin-1", delimiter, quote="", has_header=False, columns=columns)


_LAYOUTS = (
    Layout(
        re.compile(rb"\d+\|[^|]+\|[^|]*\|[^|]*\|[^|]*(\|[01]){19}\s*"),
        _format("|", 24),
        _ITEM_COLUMNS,
        _item_100k,
    ),
    Layout(re.compile(rb"\d+\|\d+\|[MF]\|[a-z]+\|\w+\s*"), _format("|", 5), _USER_COLUMNS, _user_100k),
    Layout(re.compile(rb"\d+::[^:].*\(\d{4}\)::[^:]+\s*"), _format("::", 3), _ITEM_COLUMNS, _item_1m),
    Layout(re.compile(rb"\d+::[MF]::\d+::\d+::[\w-]+\s*"), _format("::", 5), _USER_COLUMNS, _user_1m),
)
