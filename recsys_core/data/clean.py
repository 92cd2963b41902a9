"""Judged tables: every row is kept or set aside with its reason, and what is kept goes out as Parquet.

All of it is SQL over Parquet in DuckDB, which spills to the disk, so that memory doesn't grow with the file.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.data.fields import ITEM_TEXTS, Field, literal, names_of, quoted_sql, scan
from recsys_core.data.raw import RawTable
from recsys_core.data.schema import NUMBER_ROLES, Role


class Cleaner:
    """The database in which one import is cleaned."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self.db = duckdb.connect(
            config={
                "temp_directory": str(folder),
                "memory_limit": f"{memory_bytes // 2**20}MiB",
                "threads": 2,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )

    def close(self) -> None:
        """Lets go of the database."""
        self.db.close()

    def run(self, query: str) -> None:
        """Runs one statement."""
        self.db.execute(query)

    def row(self, query: str) -> tuple[object, ...]:
        """The first row of a result."""
        return self.db.execute(query).fetchone() or ()

    def count(self, query: str) -> int:
        """The number of rows of `FROM …`."""
        return int(str(self.row(f"SELECT count(*) {query}")[0]))

    def write(self, query: str, names: Sequence[str], path: Path) -> None:
        """Writes a result as Parquet under any names whatever."""
        reader = self.db.sql(query).to_arrow_reader(50_000)
        schema = pa.schema([pa.field(name, old.type) for name, old in zip(names, reader.schema, strict=True)])
        with pq.ParquetWriter(path, schema) as writer:
            for batch in reader:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


def judge(cleaner: Cleaner, raw: RawTable, fields: Sequence[Field], table: str) -> None:
    """Makes a table of `row`, `f0`, `f1`, … (the fields), `bad_column` and `reason` ("" = kept)."""
    values = ", ".join(f"{field.sql} AS f{index}" for index, field in enumerate(fields))
    judged = [(index, field) for index, field in enumerate(fields) if field.problem != "NULL"]
    problems = ", ".join(f"{field.problem} AS p{index}" for index, field in judged)
    reason = ", ".join(f"p{index}" for index, _ in judged)
    column = ", ".join(
        f"CASE WHEN p{index} IS NOT NULL THEN {literal(field.column)} END" for index, field in judged
    )
    kept = ", ".join(f"f{index}" for index in range(len(fields)))
    cleaner.run(
        f"CREATE TABLE {table} AS SELECT row, {kept}, concat_ws('; ', {reason}) AS reason, "
        f"concat_ws(', ', {column}) AS bad_column "
        f"FROM (SELECT row, {values}, {problems} FROM {scan(raw)})"
    )


def set_duplicates_aside(cleaner: Cleaner, raw: RawTable, table: str) -> int:
    """Gives every later one of exactly identical rows its reason; returns how many there were.

    Rows are found by a 64-bit hash and then compared field by field.
    """
    names = [f"c{index}" for index in range(len(raw.columns))]
    same = " AND ".join(f"later.{name} = first.{name}" for name in names)
    key = f"hash({', '.join(names)})"
    cleaner.run(
        f"CREATE TABLE twins AS SELECT {key} AS key, min(row) AS first FROM {scan(raw)} "
        f"GROUP BY 1 HAVING count(*) > 1"
    )
    cleaner.run(
        f"CREATE TABLE duplicates AS SELECT later.row AS row, first.row AS first "
        f"FROM (SELECT *, {key} AS key FROM {scan(raw)}) later JOIN twins ON later.key = twins.key "
        f"JOIN {scan(raw)} first ON first.row = twins.first WHERE later.row > first.row AND {same}"
    )
    n_before = cleaner.count(f"FROM {table} WHERE reason <> ''")
    cleaner.run(
        f"UPDATE {table} SET reason = 'duplicate of row ' || duplicates.first FROM duplicates "
        f"WHERE {table}.row = duplicates.row AND reason = ''"
    )
    return cleaner.count(f"FROM {table} WHERE reason <> ''") - n_before


def set_repeated_ids_aside(cleaner: Cleaner, table: str, name: str) -> None:
    """Keeps the first row of each id (`f0`) of a table of items or people."""
    cleaner.run(
        f"UPDATE {table} SET bad_column = '', "
        f"reason = '{name} id ' || {quoted_sql(table + '.f0')} || ' is already in row ' || first.row "
        f"FROM (SELECT f0, min(row) AS row FROM {table} WHERE reason = '' GROUP BY 1) first "
        f"WHERE {table}.f0 = first.f0 AND {table}.row > first.row AND {table}.reason = ''"
    )


def move_rejected(cleaner: Cleaner, raw: RawTable, table: str) -> None:
    """Takes the rows that have a reason out of a judged table, into `rejected`."""
    cleaner.run(
        f"INSERT INTO rejected SELECT {literal(raw.label)}, row, bad_column, reason "
        f"FROM {table} WHERE reason <> ''"
    )
    cleaner.run(f"DELETE FROM {table} WHERE reason <> ''")


def write_interactions(cleaner: Cleaner, fields: Sequence[Field], path: Path) -> None:
    """Writes the interactions that are left, in the file's order."""
    values = [
        f"f{index}" if field.name in NUMBER_ROLES else f"coalesce(f{index}, '')"
        for index, field in enumerate(fields)
    ]
    cleaner.write(f"SELECT {', '.join(values)} FROM interactions ORDER BY row", names_of(fields), path)


def write_items(
    cleaner: Cleaner,
    fields: Sequence[Field],
    own_texts: Sequence[Field],
    file_texts: Sequence[Field],
    path: Path,
) -> None:
    """Writes one row an item: those of `items_judged`, then those that only the interactions name.

    Args:
        cleaner: where the judged tables are.
        fields: of the interactions, before `own_texts`.
        own_texts: texts of items that stand in the interactions; an item's first one counts.
        file_texts: texts of the items' own file, which come before those.
        path: where the Parquet goes.
    """
    in_rows = {field.name: f"f{index}" for index, field in enumerate(own_texts, start=len(fields))}
    in_file = {field.name: f"f{index}" for index, field in enumerate(file_texts, start=1)}
    seen = [f"arg_min({column}, row) FILTER ({column} <> '') AS {name}" for name, column in in_rows.items()]
    cleaner.run(
        f"CREATE TABLE items_seen AS SELECT {', '.join(['f1 AS id', 'min(row) AS row', *seen])} "
        "FROM interactions GROUP BY 1"
    )
    seen_names = {role: f"items_seen.{role}" for role in in_rows}
    values = [
        f"coalesce(nullif({in_file.get(role, 'NULL')}, ''), {seen_names.get(role, 'NULL')}, '')"
        for role in ITEM_TEXTS
    ]
    cleaner.write(_everyone("items", values), [Role.ITEM_ID, *ITEM_TEXTS], path)


def write_users(cleaner: Cleaner, attributes: Sequence[Field], path: Path) -> None:
    """Writes one row a person: those of `users_judged`, then those that only the interactions name."""
    cleaner.run("CREATE TABLE users_seen AS SELECT f0 AS id, min(row) AS row FROM interactions GROUP BY 1")
    values = [f"coalesce(f{index}, '')" for index in range(1, len(attributes) + 1)]
    cleaner.write(_everyone("users", values), [Role.USER_ID, *names_of(attributes)], path)


def _everyone(kind: str, values: Sequence[str]) -> str:
    return (
        f"SELECT {', '.join(['coalesce(f0, id)', *values])} "
        f"FROM {kind}_judged FULL JOIN {kind}_seen ON f0 = id "
        f"ORDER BY {kind}_judged.row NULLS LAST, {kind}_seen.row"
    )
