"""The reading child's work, in the order of the flow: files → text → judged tables → Parquet and a report."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recsys_core.data.archives import Source, open_source, unpack
from recsys_core.data.clean import (
    Cleaner,
    judge,
    move_rejected,
    set_duplicates_aside,
    set_repeated_ids_aside,
    write_interactions,
    write_items,
    write_users,
)
from recsys_core.data.counts import counts_of, warnings_of
from recsys_core.data.fields import (
    Field,
    attribute_fields,
    id_field,
    interaction_fields,
    item_fields,
    literal,
    names_of,
)
from recsys_core.data.mapping import Kind, Mapping, guess_mapping
from recsys_core.data.members import choose_members
from recsys_core.data.raw import RawTable, RejectWriter, read_raw
from recsys_core.data.read_request import ReadRequest
from recsys_core.data.schema import Role
from recsys_core.data.validate import INTERACTIONS, ITEMS, REJECTED, REJECTED_COLUMNS, USERS, write_counts
from recsys_core.errors import ConfigError, DataError

_SAMPLE_ROWS = 200
_MEMORY_PART = 8  # DuckDB may hold an eighth of the address space, and spills what is more to the disk
_EXPECTED = {
    "movielens-100k": "u.data, u.item and u.user",
    "movielens-1m": "movies.dat, users.dat and ratings.dat or interactions_in_order.csv.gz",
}


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file as text, and what its columns are."""

    kind: Kind
    raw: RawTable
    mapping: Mapping


def build_tables(request: ReadRequest, work: Path) -> None:
    """Writes the three tables and the report into the request's folder.

    Args:
        request: the files and what was said about them.
        work: an empty folder for what is needed on the way.

    Raises:
        DataError: a file can't be read, lacks an id, or leaves no usable row.
        ConfigError: a lowest rating is asked for where nothing is rated.
    """
    with closing(Cleaner(work, request.limits.memory_bytes // _MEMORY_PART)) as cleaner:
        _build(request, work, cleaner)


def build_items(request: ReadRequest, work: Path) -> None:
    """Writes the items of the file `request.interactions`, which is a catalogue, and the rows set aside.

    Raises:
        DataError: the file can't be read, lacks an id, or leaves no usable row.
    """
    source, rejects = open_source(request.interactions), RejectWriter(_rejects_path(work))
    raw = _read_member(source, choose_members(source, "items").of("items"), work, rejects)
    rejects.close()
    _check_named_columns(request.mapping, [raw])
    file = RawFile("items", raw, _mapping(request.mapping, raw, "items"))
    with closing(Cleaner(work, request.limits.memory_bytes // _MEMORY_PART)) as cleaner:
        _begin_rejected(cleaner, work)
        cleaner.run("CREATE TABLE interactions (row BIGINT, f1 VARCHAR, reason VARCHAR)")
        texts = _judge_side(cleaner, file, "items")
        if cleaner.count("FROM items_judged") == 0:
            raise DataError(_nothing_usable(cleaner, raw))
        write_items(cleaner, [], [], texts, request.folder / ITEMS)
        _write_rejected(cleaner, [file], request.folder / REJECTED)


def _begin_rejected(cleaner: Cleaner, work: Path) -> None:
    cleaner.run(f"CREATE TABLE rejected AS SELECT * FROM read_parquet({literal(str(_rejects_path(work)))})")


def _build(request: ReadRequest, work: Path, cleaner: Cleaner) -> None:
    files = _read_files(request, work)
    _begin_rejected(cleaner, work)
    main = files["interactions"]
    fields = interaction_fields(cleaner.db, main.raw, main.mapping)
    own_texts = item_fields(main.raw, main.mapping)
    judge(cleaner, main.raw, [*fields, *own_texts], "interactions")
    _check_times(cleaner, main.raw, fields)
    has_times = Role.TIMESTAMP_S in names_of(fields)
    n_duplicates = set_duplicates_aside(cleaner, main.raw, "interactions") if has_times else 0
    n_below = _leave_low_ratings_out(cleaner, main.raw, fields, request.min_rating)
    move_rejected(cleaner, main.raw, "interactions")
    _check_rows_are_left(cleaner, main.raw, n_below)

    item_texts = _judge_side(cleaner, files.get("items"), "items")
    attributes = _judge_side(cleaner, files.get("users"), "users")
    write_interactions(cleaner, fields, request.folder / INTERACTIONS)
    write_items(cleaner, fields, own_texts, item_texts, request.folder / ITEMS)
    write_users(cleaner, attributes, request.folder / USERS)
    _write_rejected(cleaner, list(files.values()), request.folder / REJECTED)
    counts = counts_of(cleaner, main.raw, fields, n_duplicates, n_below)
    made = {"interactions": [*fields, *own_texts], "items": item_texts, "users": attributes}
    warned = warnings_of(
        cleaner, [(file.raw, made[kind]) for kind, file in files.items()], counts["last_timestamp_s"]
    )
    write_counts(request.folder, {**counts, "warnings": warned})


def read_sample(request: ReadRequest, work: Path) -> RawFile:
    """The first rows of one file, and the guessed role of each column.

    Raises:
        DataError: the file can't be read.
    """
    kind = request.preview_as or "interactions"
    source = open_source(request.interactions)
    rejects = RejectWriter(_rejects_path(work))
    raw = _read_member(source, choose_members(source, kind).of(kind), work, rejects, max_rows=_SAMPLE_ROWS)
    rejects.close()
    return RawFile(kind, raw, guess_mapping(raw.columns, _sample(raw), kind))


def _read_files(request: ReadRequest, work: Path) -> dict[Kind, RawFile]:
    """Every file as text, the interactions first; items and people of the same zip or folder come along."""
    source = open_source(request.interactions)
    members = choose_members(source)
    if request.sample is not None and members.sample != request.sample:
        raise DataError(
            f"{request.interactions.name} isn't {request.sample}: it should hold "
            f"{_EXPECTED[request.sample]}, and holds {', '.join(source.names[:10])}"
        )
    rejects = RejectWriter(_rejects_path(work))
    raws: dict[Kind, RawTable] = {"interactions": _read_member(source, members.interactions, work, rejects)}
    sides: tuple[tuple[Kind, Path | None, str | None], ...] = (
        ("items", request.items, members.items),
        ("users", request.users, members.users),
    )
    for kind, path, member in sides:
        if path is not None:
            named = open_source(path)
            raws[kind] = _read_member(named, choose_members(named, kind).of(kind), work, rejects)
        elif member is not None:
            raws[kind] = _read_member(source, member, work, rejects)
    rejects.close()
    _check_named_columns(request.mapping, list(raws.values()))
    return {kind: RawFile(kind, raw, _mapping(request.mapping, raw, kind)) for kind, raw in raws.items()}


def _read_member(
    source: Source, name: str, work: Path, rejects: RejectWriter, max_rows: int | None = None
) -> RawTable:
    label = source.label(name)
    (work / "reading").write_text(label, encoding="utf-8", errors="replace")  # names the culprit of a crash
    target = work / f"raw_{len(list(work.glob('raw_*')))}.parquet"
    return read_raw(unpack(source, name, work), label, target, rejects, max_rows)


def _rejects_path(work: Path) -> Path:
    return work / "rejects.parquet"


def _check_named_columns(said: Mapping, raws: list[RawTable]) -> None:
    for role, column in said.pairs:
        if not any(column in raw.columns for raw in raws):
            found = "; ".join(f"{raw.label} has {', '.join(raw.columns)}" for raw in raws)
            raise DataError(f"no file has the column '{column}' that is to be the {role}: {found}")


def _mapping(said: Mapping, raw: RawTable, kind: Kind) -> Mapping:
    """What was said about a file's columns comes first; guesses fill the rest."""
    return said.within(raw.columns).completed_by(guess_mapping(raw.columns, _sample(raw), kind))


def _sample(raw: RawTable) -> pd.DataFrame:
    return pd.DataFrame(raw.sample(_SAMPLE_ROWS), columns=list(raw.columns), dtype="str")


def _judge_side(cleaner: Cleaner, file: RawFile | None, kind: Kind) -> list[Field]:
    """The fields, but the id, of the items' or users' file; its judged table is empty where there is none."""
    table = f"{kind}_judged"
    if file is None:
        cleaner.run(f"CREATE TABLE {table} (row BIGINT, f0 VARCHAR)")
        return []
    is_items = kind == "items"
    fields = item_fields(file.raw, file.mapping) if is_items else attribute_fields(file.raw, file.mapping)
    role = Role.ITEM_ID if is_items else Role.USER_ID
    judge(cleaner, file.raw, [id_field(file.raw, file.mapping, role), *fields], table)
    set_repeated_ids_aside(cleaner, table, "item" if is_items else "user")
    move_rejected(cleaner, file.raw, table)
    return fields


def _check_times(cleaner: Cleaner, raw: RawTable, fields: list[Field]) -> None:
    """Raises DataError when there is a time column in which nothing can be read."""
    index = next((index for index, field in enumerate(fields) if field.name == Role.TIMESTAMP_S), None)
    is_judged = cleaner.count("FROM interactions") > 0
    if index is None or not is_judged or cleaner.count(f"FROM interactions WHERE f{index} IS NOT NULL"):
        return
    row, reason = cleaner.row("SELECT row, reason FROM interactions ORDER BY row LIMIT 1")
    raise DataError(
        f"{raw.label}: no time can be read in the column '{fields[index].column}'; row {row}: {reason}; "
        "ISO 8601 (2024-05-31T10:00:00Z), YYYY-MM-DD and Unix seconds or milliseconds are allowed"
    )


def _leave_low_ratings_out(
    cleaner: Cleaner, raw: RawTable, fields: list[Field], min_rating: float | None
) -> int:
    if min_rating is None:
        return 0
    index = next((index for index, field in enumerate(fields) if field.name == Role.RATING), None)
    if index is None:
        raise ConfigError(
            f"a lowest rating of {min_rating:g} is asked for, but no column of {raw.label} is a rating; "
            f"its columns are {', '.join(raw.columns)}; name it with rating=COLUMN"
        )
    low = f"FROM interactions WHERE reason = '' AND NOT coalesce(f{index} >= {min_rating!r}, false)"
    n_below = cleaner.count(low)
    cleaner.run(f"DELETE {low}")
    return n_below


def _check_rows_are_left(cleaner: Cleaner, raw: RawTable, n_below: int) -> None:
    if cleaner.count("FROM interactions"):
        return
    if n_below:
        raise DataError(
            f"{raw.label}: no row is left; the rating of {n_below:,} is lower than asked for, or missing"
        )
    raise DataError(_nothing_usable(cleaner, raw))


def _nothing_usable(cleaner: Cleaner, raw: RawTable) -> str:
    found = cleaner.row("SELECT row, reason FROM rejected ORDER BY row LIMIT 1")
    if not found:
        return f"{raw.label} has no row"
    return f"{raw.label}: none of its {raw.n_read:,} rows can be used; the first, row {found[0]}: {found[1]}"


def _write_rejected(cleaner: Cleaner, files: list[RawFile], path: Path) -> None:
    order = " ".join(f"WHEN {literal(file.raw.label)} THEN {number}" for number, file in enumerate(files))
    cleaner.write(
        f'SELECT file, row, "column", reason FROM rejected ORDER BY CASE file {order} END, row',
        REJECTED_COLUMNS,
        path,
    )
