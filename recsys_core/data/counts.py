"""The counts and warnings of an import, taken from its judged tables."""

from collections.abc import Sequence
from typing import Any

from recsys_core.data.clean import Cleaner
from recsys_core.data.fields import MAX_TEXT, Field, scan, text_sql
from recsys_core.data.raw import RawTable
from recsys_core.data.schema import NUMBER_ROLES, Role

_EARLIEST_CLOCK = 1e8  # 1973: times before it are most likely counters, not Unix seconds
_NO_IDS = ("nan", "null", "none", "n/a", "na", "undefined")


def counts_of(
    cleaner: Cleaner, raw: RawTable, fields: Sequence[Field], n_duplicates: int, n_below_min_rating: int
) -> dict[str, Any]:
    """The figures of a `ValidationReport`, by its names, without `warnings` and `rejected`."""
    n_users, n_cold_users = _sizes(cleaner, "users")
    n_items, n_cold_items = _sizes(cleaner, "items")
    n_pairs = cleaner.count("FROM (SELECT DISTINCT f0, f1 FROM interactions)")
    first, last = _time_range(cleaner, fields)
    return {
        "n_read": raw.n_read,
        "n_interactions": cleaner.count("FROM interactions"),
        "n_users": n_users,
        "n_items": n_items,
        "n_cold_users": n_cold_users,
        "n_cold_items": n_cold_items,
        "n_rejected": cleaner.count("FROM rejected"),
        "n_duplicates": n_duplicates,
        "n_below_min_rating": n_below_min_rating,
        "first_timestamp_s": first,
        "last_timestamp_s": last,
        "sparsity": 1 - n_pairs / (n_users * n_items),
    }


def warnings_of(
    cleaner: Cleaner, files: Sequence[tuple[RawTable, Sequence[Field]]], last_timestamp_s: float | None
) -> list[str]:
    """Sentences about what was kept but may not be what was meant.

    Args:
        cleaner: where the judged tables are.
        files: what was read, the interactions first, each with the fields made of it.
        last_timestamp_s: the latest time kept; None without times.
    """
    interactions, fields = files[0]
    warnings = [warning for raw, _ in files for warning in raw.warnings]
    warnings += [warning for raw, made in files for warning in _cut_texts(cleaner, raw, made)]
    names = {field.name for field in fields}
    if not names & {Role.TIMESTAMP_S, Role.ORDER}:
        warnings.append(
            f"{interactions.label} has neither a time nor an order, so what came last can't be told: "
            "targets will be drawn by chance"
        )
    if last_timestamp_s is not None and abs(last_timestamp_s) < _EARLIEST_CLOCK:
        warnings.append(
            f"every time in {interactions.label} is a number below 100,000,000, read as seconds after 1970: "
            "their order means something, their dates don't"
        )
    for kind, column in (("user", "f0"), ("item", "f1")):
        warnings += _suspicious_ids(cleaner, interactions, kind, column)
        warnings += _unknown_ids(cleaner, interactions, kind)
    return warnings


def _sizes(cleaner: Cleaner, kind: str) -> tuple[int, int]:
    """How many there are in all, and how many of them have no interaction."""
    joined = f"FROM {kind}_judged FULL JOIN {kind}_seen ON f0 = id"
    return cleaner.count(joined), cleaner.count(f"{joined} WHERE id IS NULL")


def _time_range(cleaner: Cleaner, fields: Sequence[Field]) -> tuple[float | None, float | None]:
    index = next((index for index, field in enumerate(fields) if field.name == Role.TIMESTAMP_S), None)
    if index is None:
        return None, None
    first, last = cleaner.row(f"SELECT min(f{index}), max(f{index}) FROM interactions")
    return float(str(first)), float(str(last))


def _cut_texts(cleaner: Cleaner, raw: RawTable, fields: Sequence[Field]) -> list[str]:
    texts = [field.column for field in fields if field.problem == "NULL" and field.name not in NUMBER_ROLES]
    if not texts:
        return []
    lengths = ", ".join(f"count(*) FILTER (length({text_sql(raw, column)}) > {MAX_TEXT})" for column in texts)
    n_cut = cleaner.row(f"SELECT {lengths} FROM {scan(raw)}")
    return [
        f"{raw.label}: {n} value{'' if n == 1 else 's'} of '{column}' cut off after {MAX_TEXT:,} characters"
        for column, n in zip(texts, n_cut, strict=True)
        if n
    ]


def _suspicious_ids(cleaner: Cleaner, raw: RawTable, kind: str, column: str) -> list[str]:
    words = ", ".join(f"'{word}'" for word in _NO_IDS)
    n_rows = cleaner.count(f"FROM interactions WHERE lower({column}) IN ({words})")
    if not n_rows:
        return []
    example = cleaner.row(f"SELECT min({column}) FROM interactions WHERE lower({column}) IN ({words})")[0]
    return [
        f"{raw.label}: {n_rows:,} row{'' if n_rows == 1 else 's'} with the {kind} id '{example}': "
        "is it a real one?"
    ]


def _unknown_ids(cleaner: Cleaner, raw: RawTable, kind: str) -> list[str]:
    """A warning where there is a file about the people or items and it doesn't know all of them."""
    if not cleaner.count(f"FROM {kind}s_judged"):
        return []
    n_all = cleaner.count(f"FROM {kind}s_seen")
    n_unknown = cleaner.count(f"FROM {kind}s_seen LEFT JOIN {kind}s_judged ON f0 = id WHERE f0 IS NULL")
    if not n_unknown:
        return []
    return [f"{n_unknown:,} of the {n_all:,} {kind}s in {raw.label} aren't in the {kind}s file"]
