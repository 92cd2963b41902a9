"""The workspace: a folder with everything that RecLens keeps, and the catalogue that knows what is in it.

A data set, model or audit is a folder named by an opaque id, and a row with the SHA-256 of its files. The
folder is filled in hiding; it gets its name and its row under the catalogue's lock, the row last. So a
crash leaves the whole thing or none of it, and a folder without a row is rubbish that the next `open`
sweeps away.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, overload

from sqlalchemy import URL
from sqlmodel import Session, col, select

from recsys_core.errors import DataError, NotFoundError, StoreError
from recsys_core.files import check_sha256, write_atomically
from recsys_core.store import folders, opening
from recsys_core.store.catalogue import Catalogue
from recsys_core.store.names import checked_name, new_id
from recsys_core.store.records import (
    AuditRecord,
    DatasetRecord,
    JobRecord,
    JsonObject,
    Kind,
    ModelRecord,
    NamedRecord,
    job_record,
    json_text,
)
from recsys_core.store.rows import DatasetRow, ModelRow
from recsys_core.store.shelves import (
    AUDITS,
    DATASETS,
    JOB_FOLDER,
    MODELS,
    SHELVES,
    Record,
    Row,
    Shelf,
    find,
    find_job,
    refuse_taken,
)

NamedKind = Literal["dataset", "model", "audit"]
Write = Callable[[Path], object]
Clock = Callable[[], float]

CATALOGUE_FILE = "catalogue.db"
CACHE_FOLDER = "cache"


class Workspace:
    """A folder and its catalogue, open.

    Attributes:
        home: the folder, absolute.
        catalogue: what is in it; sessions for whoever keeps rows of their own there.
        database_url: the catalogue's address, where it isn't the file in the folder.
        clock: the time in Unix seconds.
    """

    def __init__(self, home: Path, catalogue: Catalogue, database_url: str | None, clock: Clock) -> None:
        """Takes what `open` has looked over."""
        self.home = home
        self.catalogue = catalogue
        self.database_url = database_url
        self.clock = clock
        self._checked_files: set[tuple[Path, int, int]] = set()  # (path, mtime_ns, size)

    @classmethod
    def open(cls, home: Path, database_url: str | None = None, clock: Clock = time.time) -> "Workspace":
        """The workspace in the folder `home`, made if it isn't there, rid of what crashes left behind.

        Raises:
            ConfigError: the database URL can't be used.
            StoreError: the folder can't be used, or the catalogue is damaged, of a later version, or
                another workspace's.
        """
        home = home.expanduser().absolute()
        opening.make_folders(home)
        catalogue = Catalogue(database_url or URL.create("sqlite", database=str(home / CATALOGUE_FILE)))
        opening.match_identity(home, catalogue, clock())
        opening.sweep(home, catalogue, clock())
        return cls(home, catalogue, database_url, clock)

    def add_dataset(self, name: str, details: JsonObject, write: Write) -> DatasetRecord:
        """The new data set, whose files `write` puts into the folder that it is given.

        Raises:
            DataError: the name can't be used, or is taken.
            StoreError: the disk or the catalogue refused; nothing was kept.
        """
        return self._add(DATASETS, name, details, write)

    def add_model(self, name: str, dataset_id: str, details: JsonObject, write: Write) -> ModelRecord:
        """The new model, learnt from a data set (its id or name); otherwise like `add_dataset`.

        Raises:
            DataError: the name can't be used, or is taken.
            NotFoundError: there is no such data set.
            StoreError: the disk or the catalogue refused; nothing was kept.
        """
        dataset = self.resolve("dataset", dataset_id)
        return self._add(MODELS, name, details, write, dataset_id=dataset.id)

    def add_audit(self, name: str, details: JsonObject, write: Write) -> AuditRecord:
        """The new audit; like `add_dataset`.

        Raises:
            DataError: the name can't be used, or is taken.
            StoreError: the disk or the catalogue refused; nothing was kept.
        """
        return self._add(AUDITS, name, details, write)

    def restore(self, kind: NamedKind, record: NamedRecord, write: Write) -> None:
        """Adds what was in another workspace, under the id that it had there; otherwise like `add_dataset`.

        Raises:
            DataError: the name can't be used, or the name or the id is taken.
            NotFoundError: the data set of a model isn't here.
            StoreError: the disk or the catalogue refused; nothing was kept.
        """
        links = {"dataset_id": record.dataset_id} if isinstance(record, ModelRecord) else {}
        identity = record.id, record.created_at_s
        self._add(SHELVES[kind], record.name, record.details, write, identity, **links)

    def datasets(self) -> list[DatasetRecord]:
        """All data sets, newest first."""
        return self._all(DATASETS)

    def models(self) -> list[ModelRecord]:
        """All models, newest first."""
        return self._all(MODELS)

    def audits(self) -> list[AuditRecord]:
        """All audits, newest first."""
        return self._all(AUDITS)

    @overload
    def resolve(self, kind: Literal["dataset"], id_or_name: str) -> DatasetRecord: ...
    @overload
    def resolve(self, kind: Literal["model"], id_or_name: str) -> ModelRecord: ...
    @overload
    def resolve(self, kind: Literal["audit"], id_or_name: str) -> AuditRecord: ...
    @overload
    def resolve(self, kind: Literal["job"], id_or_name: str) -> JobRecord: ...
    def resolve(self, kind: Kind, id_or_name: str) -> NamedRecord | JobRecord:
        """What has that id, or else that name (a job has an id only).

        Raises:
            NotFoundError: nothing has it; the sentence lists up to five names that there are.
        """
        with self.catalogue.read() as session:
            if kind == "job":
                return job_record(find_job(session, id_or_name))
            shelf = SHELVES[kind]
            return shelf.record(find(session, shelf, id_or_name))

    def check_free(self, kind: NamedKind, name: str) -> None:
        """Refuses a name that can't be used or is taken, before work is spent on it.

        Raises:
            DataError: as `add_dataset`.
        """
        with self.catalogue.read() as session:
            refuse_taken(session, SHELVES[kind], checked_name(name))

    def rename(self, kind: NamedKind, id_or_name: str, new_name: str) -> None:
        """Gives it another name; its id and its folder stay.

        Raises:
            DataError: the new name can't be used, or is taken.
            NotFoundError: nothing has that id or name.
        """
        name = checked_name(new_name)
        with self.catalogue.write() as session:
            row = find(session, SHELVES[kind], id_or_name)
            if row.name != name:
                refuse_taken(session, SHELVES[kind], name)
                row.name = name

    def update_details(
        self, kind: NamedKind, id_or_name: str, change: Callable[[JsonObject], JsonObject]
    ) -> None:
        """Replaces the details by what `change` makes of them, with nobody writing in between.

        Raises:
            NotFoundError: nothing has that id or name.
        """
        with self.catalogue.write() as session:
            shelf = SHELVES[kind]
            row = find(session, shelf, id_or_name)
            row.details = json_text(change(shelf.record(row).details))

    def add_file(self, kind: NamedKind, id_or_name: str, file_name: str, write: Write) -> None:
        """Puts one more file into its folder, by `write`, which is given the path; none is ever replaced.

        Raises:
            DataError: it has a file of that name.
            NotFoundError: nothing has that id or name.
            StoreError: the disk refused; the file isn't among those that are kept.
        """
        shelf = SHELVES[kind]
        with self.catalogue.write() as session:
            row = find(session, shelf, id_or_name)
            kept = shelf.record(row).folder_sha256
            if file_name in kept:
                raise DataError(f"'{row.name}' has a file {file_name!r} already")
            path = self.home / shelf.folder / row.id / file_name
            row.folder_sha256 = json_text(kept | {file_name: write_atomically(path, write)})

    def delete(self, kind: NamedKind, id_or_name: str) -> None:
        """Removes it for good, the row first.

        Raises:
            DataError: it is a data set that models were learnt from.
            NotFoundError: nothing has that id or name.
        """
        shelf = SHELVES[kind]
        with self.catalogue.write() as session:
            row = find(session, shelf, id_or_name)
            if kind == "dataset":
                _refuse_in_use(session, row)
            folder = self.home / shelf.folder / row.id
            session.delete(row)
        folders.remove(folder)

    def folder(self, record: NamedRecord) -> Path:
        """The folder with the record's files; nothing is to be changed in it."""
        shelf = next(shelf for shelf in SHELVES.values() if record.id.startswith(shelf.prefix))
        return self.home / shelf.folder / record.id

    def checked_folder(self, record: NamedRecord) -> Path:
        """The record's folder, once every file in it has the content that was recorded.

        Raises:
            StoreError: a file is missing or damaged.
        """
        for file_name in record.folder_sha256:
            self.open_file(record, file_name)
        return self.folder(record)

    @property
    def cache(self) -> Path:
        """The folder for what can be computed again; anything in it may be deleted."""
        return self.home / CACHE_FOLDER

    def job_folder(self, job_id: str) -> Path:
        """The folder with a job's log and events, where a job may keep checkpoints as well."""
        return self.home / JOB_FOLDER / job_id

    def open_file(self, record: NamedRecord, file_name: str) -> Path:
        """The path of one of the record's files, its SHA-256 checked since it was last touched.

        Raises:
            NotFoundError: the record has no such file.
            StoreError: the file is missing or damaged.
        """
        if file_name not in record.folder_sha256:
            raise NotFoundError(
                f"'{record.name}' has no file {file_name!r}; it has {sorted(record.folder_sha256)}"
            )
        path = self.folder(record) / file_name
        mark = _mark_of(path)
        if mark is None or mark not in self._checked_files:
            check_sha256(path, record.folder_sha256[file_name])
            self._checked_files |= {mark} if mark else set()
        return path

    def _add(
        self,
        shelf: Shelf[Row, Record],
        name: str,
        details: JsonObject,
        write: Write,
        identity: tuple[str, float] | None = None,
        **links: str,
    ) -> Record:
        name = checked_name(name)
        record_id, created_at_s = identity or (new_id(shelf.prefix), None)
        with self.catalogue.read() as session:
            refuse_taken(session, shelf, name)
            _refuse_known(session, shelf, record_id)
        folder = self.home / shelf.folder / record_id
        hidden = folders.hidden_beside(folder)
        try:
            hashes = folders.fill(hidden, write)
            row = shelf.row(
                id=folder.name,
                name=name,
                created_at_s=self.clock() if created_at_s is None else created_at_s,
                details=json_text(details),
                folder_sha256=json_text(hashes),
                **links,
            )
            with self.catalogue.write() as session:
                refuse_taken(session, shelf, name)
                _refuse_known(session, shelf, record_id)
                _refuse_unlinked(session, links)
                folders.reveal(hidden, folder)
                session.add(row)
        except BaseException as error:
            self._discard(shelf, hidden, folder)
            _raise_in_words(error, f"the {shelf.words} '{name}'")
            raise
        return shelf.record(row)

    def _all(self, shelf: Shelf[Row, Record]) -> list[Record]:
        newest = select(shelf.row).order_by(col(shelf.row.created_at_s).desc(), col(shelf.row.id))
        with self.catalogue.read() as session:
            return [shelf.record(row) for row in session.exec(newest)]

    def _discard(self, shelf: Shelf[Any, Any], hidden: Path, folder: Path) -> None:
        folders.remove(hidden)
        if not folder.exists():
            return
        try:
            with self.catalogue.write() as session:
                is_kept = session.get(shelf.row, folder.name) is not None
        except StoreError:
            return  # the next open sweeps it away
        if not is_kept:
            folders.remove(folder)


def _refuse_in_use(session: Session, dataset: DatasetRow) -> None:
    users = session.exec(select(ModelRow.name).where(col(ModelRow.dataset_id) == dataset.id)).all()
    if users:
        raise DataError(
            f"the data set '{dataset.name}' can't be deleted, for models were learnt from it: "
            f"{', '.join(users)}; delete these first"
        )


def _refuse_known(session: Session, shelf: Shelf[Any, Any], record_id: str) -> None:
    if session.get(shelf.row, record_id) is not None:
        raise DataError(f"there is a {shelf.words} of the id {record_id} already")


def _refuse_unlinked(session: Session, links: dict[str, str]) -> None:
    if "dataset_id" in links:
        find(session, DATASETS, links["dataset_id"])


def _raise_in_words(error: BaseException, what: str) -> None:
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(error, OSError | StoreError) and isinstance(cause, OSError):
        raise StoreError(f"could not write {what}: {cause.strerror or cause}; nothing was kept") from cause


def _mark_of(path: Path) -> tuple[Path, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return path, stat.st_mtime_ns, stat.st_size
