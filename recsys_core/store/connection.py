"""The connection to the catalogue's database; what is special about SQLite is here and nowhere else.

SQLite 3.7.0–3.51.2 can corrupt a file in WAL mode, so the journal is a rollback journal, every commit
is flushed to the disk, and a writer takes its lock at the beginning, so that it waits instead of failing.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from recsys_core.errors import ConfigError, StoreError
from recsys_core.store.rows import WorkspaceRow

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 30.0
WRITES = "reclens_writes"  # the execution option of a connection that is going to write

_DAMAGED = (
    "the catalogue is damaged or isn't RecLens's ({}); put a copy of it back, or choose another workspace"
)
_SENTENCES = (
    ("locked", f"the catalogue is busy: others have been writing for {BUSY_TIMEOUT_S:.0f} s; try again"),
    ("disk is full", "the disk is full: nothing was changed; make room and try again"),
    ("readonly", "the catalogue can't be written: the file or its folder is read-only"),
    ("not a database", _DAMAGED.format("it is no SQLite file")),
    ("malformed", _DAMAGED.format("its pages are malformed")),
)


def connect(url: URL | str) -> Engine:
    """An engine for the catalogue at `url`.

    Raises:
        ConfigError: the address can't be read, or the driver that it needs isn't installed.
    """
    try:
        engine = create_engine(url, **_engine_options(str(url)))
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError("the database URL can't be used: no such kind of database, or no URL") from error
    except ModuleNotFoundError as error:
        raise ConfigError(f"the database URL needs '{error.name}', which isn't installed") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def create_tables(engine: Engine) -> None:
    """Makes the tables where they are missing, and looks whether what is there can be trusted.

    Raises:
        StoreError: the file is damaged, isn't a catalogue, or was written by a later version.
    """
    with sentences():
        if engine.dialect.name == "sqlite" and _sqlite_is_ready(engine):
            return
        with engine.execution_options(**{WRITES: True}).begin() as connection:
            WorkspaceRow.metadata.create_all(connection)
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextmanager
def sentences() -> Generator[None]:
    """Turns what the database says in this block into a sentence for a person.

    Raises:
        StoreError: in place of any error of the database.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        words = str(getattr(error, "orig", None) or error)
        known = (sentence for mark, sentence in _SENTENCES if mark in words)
        raise StoreError(next(known, f"the catalogue can't be used: {words}")) from error


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        # A connection for each session: nothing is shared between threads, or open while nobody asks.
        return {"poolclass": NullPool, "connect_args": {"timeout": BUSY_TIMEOUT_S}}
    return {"pool_pre_ping": True}


def _set_up_sqlite(connection: sqlite3.Connection, _pool_record: object) -> None:
    connection.isolation_level = None  # transactions begin in _begin_sqlite, not behind our back
    for setting in ("journal_mode = DELETE", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _sqlite_is_ready(engine: Engine) -> bool:
    """True if the file has our tables, False if it has none.

    Raises:
        StoreError: it is damaged, another program's, or of a later version.
    """
    with engine.connect() as connection:
        findings = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        is_empty = not inspect(connection).get_table_names()
    if findings != "ok":
        raise StoreError(_DAMAGED.format(findings))
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the catalogue is of version {version}, and this RecLens reads up to {SCHEMA_VERSION}; "
            "use the RecLens that wrote it, or a later one"
        )
    if version == 0 and not is_empty:
        raise StoreError(_DAMAGED.format("it holds another program's tables"))
    return version > 0
