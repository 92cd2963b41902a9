"""Times of any usual notation as Unix seconds, in SQL: one reading for a whole column.

What a number means (seconds, milliseconds, a date such as 20240531) and whether 03/04/2024 begins with
the day can't be told from one value, so the column is looked at first.
"""

from dataclasses import dataclass
from itertools import product

import duckdb

_SAMPLE_ROWS = 10_000
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_ISO = (
    r"^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?))?"
    r"\s?(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$"
)
_BASIC_ISO = r"^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})"
_DAY_AND_MONTH = r"^(\d{1,2})([/-])(\d{1,2})[/-]\d{4}"
_DATES = (
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%m %d, %Y",
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_WHOLE = (
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a, %d %b %Y %H:%M:%S +0000",
    "%a %b %d %H:%M:%S +0000 %Y",
    "%a %b %d %H:%M:%S %Y",
)
_EARLIEST = "-2208988800"  # 1900-01-01
_LATEST = "4102444800"  # 2100-01-01


@dataclass(frozen=True, slots=True)
class TimeReading:
    """How the values of one column are to be read.

    Attributes:
        units_per_s: 1 for Unix seconds, 1,000 for milliseconds, and so on.
        numbers_are_dates: numbers are days such as 20240531.
        day_first: 03/04/2024 is the 3rd of April; None = nothing in the column tells.
    """

    units_per_s: int = 1
    numbers_are_dates: bool = False
    day_first: bool | None = None


def find_time_reading(db: duckdb.DuckDBPyConnection, table: str, value: str) -> TimeReading:
    """The reading that suits a column.

    Args:
        db: where the table is.
        table: its name, or anything that may follow FROM.
        value: SQL of the trimmed text.
    """
    numbers = (
        f"SELECT {value} AS v FROM {table} WHERE regexp_matches({value}, '{_NUMBER}') LIMIT {_SAMPLE_ROWS}"
    )
    dates = "regexp_matches(v, '^(19|20)\\d{6}$') AND try_strptime(v, '%Y%m%d') IS NOT NULL"
    middle, are_dates = _one_row(
        db, f"SELECT median(abs(try_cast(v AS DOUBLE))), bool_and({dates}) FROM ({numbers})"
    )
    size = 0.0 if middle is None else float(str(middle))
    units = next((units for units in (10**9, 10**6, 10**3) if size >= 1e8 * units), 1)
    return TimeReading(units, bool(are_dates), _day_first(db, table, value))


def _day_first(db: duckdb.DuckDBPyConnection, table: str, value: str) -> bool | None:
    first, second = (
        f"try_cast(regexp_extract({value}, '{_DAY_AND_MONTH}', {part}) AS INTEGER)" for part in (1, 3)
    )
    n_day_first, n_month_first = _one_row(
        db,
        f"SELECT count(*) FILTER ({first} > 12 AND {second} <= 12), "
        f"count(*) FILTER ({second} > 12 AND {first} <= 12) FROM {table}",
    )
    if bool(n_day_first) == bool(n_month_first):
        return None
    return bool(n_day_first)


def time_sql(value: str, reading: TimeReading) -> str:
    """SQL of the Unix seconds (DOUBLE) of a trimmed text; NULL = unreadable."""
    if reading.numbers_are_dates:
        number = f"epoch(try_strptime({value}, '%Y%m%d'))"
    else:
        number = f"try_cast({value} AS DOUBLE) / {reading.units_per_s}"
    formats = ", ".join(f"'{notation}'" for notation in _formats(reading.day_first))
    basic = f"regexp_replace({value}, '{_BASIC_ISO}', '\\1-\\2-\\3T\\4:\\5:\\6')"
    return (
        f"CASE WHEN regexp_matches({value}, '{_NUMBER}') THEN {number} "
        f"WHEN regexp_matches({value}, '{_ISO}') THEN {_iso_sql(value)} "
        f"WHEN regexp_matches({value}, '{_BASIC_ISO}') THEN {_iso_sql(basic)} "
        f"ELSE epoch(try_strptime({value}, [{formats}])) END"
    )


def time_problem_sql(value: str, quoted: str, seconds: str, reading: TimeReading) -> str:
    """SQL of what is wrong with a time; NULL = nothing.

    Args:
        value: SQL of the trimmed text.
        quoted: SQL of the text as a message shows it.
        seconds: SQL of what `time_sql` made of it.
        reading: how the column is read.
    """
    unclear = "false" if reading.day_first is not None else f"regexp_matches({value}, '{_DAY_AND_MONTH}')"
    return (
        f"CASE WHEN {value} = '' THEN 'no timestamp' "
        f"WHEN {seconds} BETWEEN {_EARLIEST} AND {_LATEST} THEN NULL "
        f"ELSE 'timestamp ' || {quoted} || CASE "
        f"WHEN {seconds} IS NOT NULL THEN ' is not between the years 1900 and 2100' "
        f"WHEN {unclear} THEN ' may begin with the day or the month; write YYYY-MM-DD' "
        f"ELSE ' is neither ISO 8601 nor Unix seconds' END END"
    )


def _formats(day_first: bool | None) -> list[str]:
    order = {None: (), True: ("%d/%m/%Y", "%d-%m-%Y"), False: ("%m/%d/%Y", "%m-%d-%Y")}[day_first]
    return [*(date + clock for date, clock in product((*_DATES, *order), _CLOCKS)), *_WHOLE]


def _iso_sql(value: str) -> str:
    """Seconds of an ISO text. The cast would read past an offset, so it is taken off here."""
    date, clock, offset = (f"regexp_extract({value}, '{_ISO}', {part})" for part in (1, 2, 3))
    clock = f"coalesce(nullif(replace({clock}, ',', '.'), ''), '00:00')"
    hours = f"try_cast(left({offset}, 3) AS INTEGER)"
    minutes = f"try_cast(left({offset}, 1) || right({offset}, 2) AS INTEGER)"
    minutes = f"CASE WHEN length({offset}) > 3 THEN {minutes} ELSE 0 END"
    shift = f"CASE WHEN left({offset}, 1) IN ('+', '-') THEN {hours} * 3600 + ({minutes}) * 60 ELSE 0 END"
    return f"epoch(try_cast({date} || ' ' || {clock} AS TIMESTAMP)) - ({shift})"


def _one_row(db: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...]:
    row = db.execute(query).fetchone()
    return () if row is None else tuple(row)
