"""What becomes of each column of a file: its value in SQL, and what is wrong with a value that can't be kept.

Names that a stranger chose never enter the SQL: columns are `c0`, `c1`, … until they are written.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from recsys_core.data.mapping import Mapping
from recsys_core.data.raw import RawTable
from recsys_core.data.schema import CATEGORY_SEPARATOR, CONTEXT_PREFIX, Role
from recsys_core.data.times import find_time_reading, time_problem_sql, time_sql
from recsys_core.errors import DataError

MAX_ID = 1_000  # characters
MAX_TEXT = 10_000  # characters
ITEM_TEXTS = (Role.TITLE, Role.TEXT, Role.CATEGORY, Role.PROVIDER, Role.IMAGE)

_TEXTS = (Role.EVENT, Role.SEARCH_TEXT, Role.REVIEW_TEXT)
_NUMBERS = {
    Role.RATING: "rating",
    Role.DWELL_S: "dwell time",
    Role.QUANTITY: "quantity",
}
_SPACES = " \t\n\r\v\f\xa0\u3000"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_LARGEST = "1.7976931348623157e308"
_LARGEST_ORDER = 2**53  # above it a float no longer tells neighbours apart


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a cleaned table.

    Attributes:
        name: what it is called when it is written.
        sql: its value.
        column: the file's own name for it.
        problem: SQL of what is wrong with a value; NULL = nothing.
    """

    name: str
    sql: str
    column: str = ""
    problem: str = "NULL"


def text_sql(raw: RawTable, column: str) -> str:
    """SQL of a column's text without the spaces around it."""
    return f"trim(c{raw.columns.index(column)}, '{_SPACES}')"


def interaction_fields(db: duckdb.DuckDBPyConnection, raw: RawTable, mapping: Mapping) -> list[Field]:
    """The columns that the interactions get: always both ids, then whatever the file has.

    Raises:
        DataError: no column is the person's or the item's id.
    """
    fields = [id_field(raw, mapping, Role.USER_ID), id_field(raw, mapping, Role.ITEM_ID)]
    time = mapping.column(Role.TIMESTAMP_S)
    if time is not None:
        fields.append(_time_field(db, raw, time))
    order = mapping.column(Role.ORDER)
    if order is not None:
        fields.append(_order_field(raw, order, is_needed=time is None))
    fields += [
        _number_field(raw, column, role) for role in _NUMBERS if (column := mapping.column(role)) is not None
    ]
    fields += [
        _text_field(raw, column, role) for role in _TEXTS if (column := mapping.column(role)) is not None
    ]
    fields += [_text_field(raw, column, CONTEXT_PREFIX + column) for column in mapping.context]
    return fields


def id_field(raw: RawTable, mapping: Mapping, role: Role) -> Field:
    """The field of an id.

    Raises:
        DataError: no column is that id.
    """
    column = mapping.column(role)
    whose = {Role.USER_ID: "person", Role.ITEM_ID: "item"}[role]
    if column is None:
        raise DataError(
            f"{raw.label}: no column looks like the {whose}'s id; its columns are {', '.join(raw.columns)}; "
            f"name it with {role}=COLUMN"
        )
    value = text_sql(raw, column)
    name = {Role.USER_ID: "user", Role.ITEM_ID: "item"}[role]
    problem = (
        f"CASE WHEN {value} = '' THEN 'no {name} id' WHEN length({value}) > {MAX_ID} "
        f"THEN '{name} id of ' || length({value}) || ' characters; at most {MAX_ID:,} are allowed' END"
    )
    return Field(role, value, column, problem)


def item_fields(raw: RawTable, mapping: Mapping) -> list[Field]:
    """The texts of items that a file has, any file."""
    return [
        _text_field(raw, column, role) for role in ITEM_TEXTS if (column := mapping.column(role)) is not None
    ]


def attribute_fields(raw: RawTable, mapping: Mapping) -> list[Field]:
    """Every column of the users' file but the id."""
    taken = {mapping.column(Role.USER_ID), Role.USER_ID.value}
    return [_text_field(raw, column, column) for column in raw.columns if column not in taken]


def scan(raw: RawTable) -> str:
    """What follows FROM to read a raw table."""
    return f"read_parquet({literal(str(raw.path))})"


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted_sql(value: str) -> str:
    """SQL of a value as a message shows it: in quotes, and not longer than 80 characters."""
    return f"('''' || left({value}, 80) || CASE WHEN length({value}) > 80 THEN '…' ELSE '' END || '''')"


def names_of(fields: Iterable[Field]) -> list[str]:
    """The names under which fields are written."""
    return [field.name for field in fields]


def _text_field(raw: RawTable, column: str, name: str) -> Field:
    value = text_sql(raw, column)
    if name == Role.CATEGORY and column in raw.how.sequences:
        value = f"replace({value}, ' ', '{CATEGORY_SEPARATOR}')"
    return Field(name, f"left({value}, {MAX_TEXT})", column)


def _time_field(db: duckdb.DuckDBPyConnection, raw: RawTable, column: str) -> Field:
    value = text_sql(raw, column)
    reading = find_time_reading(db, scan(raw), value)
    seconds = time_sql(value, reading)
    return Field(
        Role.TIMESTAMP_S, seconds, column, time_problem_sql(value, quoted_sql(value), f"({seconds})", reading)
    )


def _number_field(raw: RawTable, column: str, role: Role) -> Field:
    value = text_sql(raw, column)
    number = _number_sql(value)
    problem = (
        f"CASE WHEN {value} <> '' AND NOT coalesce({number} BETWEEN 0 AND {_LARGEST}, false) "
        f"THEN '{_NUMBERS[role]} ' || {quoted_sql(value)} || ' is not a number of 0 or more' END"
    )
    return Field(role, number, column, problem)


def _order_field(raw: RawTable, column: str, is_needed: bool) -> Field:
    value = text_sql(raw, column)
    number = _number_sql(value)
    missing = "'no order'" if is_needed else "NULL"
    problem = (
        f"CASE WHEN {value} = '' THEN {missing} WHEN NOT coalesce(abs({number}) <= {_LARGEST_ORDER}, false) "
        f"THEN 'order ' || {quoted_sql(value)} || ' is not a number up to {_LARGEST_ORDER:,}' END"
    )
    return Field(Role.ORDER, number, column, problem)


def _number_sql(value: str) -> str:
    return f"CASE WHEN regexp_matches({value}, '{_NUMBER}') THEN try_cast({value} AS DOUBLE) END"
