"""The catalogue: short transactions on the tables, one writer at a time, errors as sentences."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlmodel import Session, select

from recsys_core.store.connection import WRITES, connect, create_tables, sentences
from recsys_core.store.names import new_id
from recsys_core.store.rows import WorkspaceRow


class Catalogue:
    """The database that knows what is in the workspace.

    Attributes:
        engine: its connections; sessions come from `read` and `write`.
    """

    def __init__(self, url: URL | str) -> None:
        """Opens the catalogue at `url` and makes what is missing.

        Raises:
            ConfigError: the URL can't be used.
            StoreError: the database is damaged, of a later version, or out of reach.
        """
        self.engine = connect(url)
        self._writing_engine = self.engine.execution_options(**{WRITES: True})
        create_tables(self.engine)

    @contextmanager
    def read(self) -> Generator[Session]:
        """A session that sees one state of the catalogue.

        Raises:
            StoreError: the database refused.
        """
        with sentences(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Generator[Session]:
        """A session that nobody writes beside; committed when the block ends well, else undone.

        Raises:
            StoreError: the database refused; nothing was changed.
        """
        with sentences(), Session(self._writing_engine, expire_on_commit=False) as session:
            # SQLite has taken its write lock already; on other databases this row is the lock.
            session.exec(select(WorkspaceRow).with_for_update()).first()
            yield session
            session.commit()

    def identity(self, new_at_s: float | None) -> str | None:
        """The id of the workspace that this catalogue belongs to.

        Args:
            new_at_s: the time, where an empty catalogue may become a new workspace's; None where it
                may not, and an empty catalogue has no id.
        """
        with self.write() as session:
            row = session.exec(select(WorkspaceRow)).first()
            if row is None and new_at_s is not None:
                row = WorkspaceRow(id=new_id("ws"), created_at_s=new_at_s)
                session.add(row)
            return None if row is None else row.id
