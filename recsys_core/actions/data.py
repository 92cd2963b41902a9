"""Bringing data in, and opening what was brought in."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from recsys_core.data.complete_journey import read_complete_journey
from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.leakage import Leakage, find_leakage
from recsys_core.data.mapping import Mapping
from recsys_core.data.readers import import_files, load_tables, write_tables
from recsys_core.data.simulate import simulate_shop, write_shop
from recsys_core.data.split import Split, leave_one_out, split_tables
from recsys_core.data.split_time import global_time, time_boundaries
from recsys_core.data.validate import ValidationReport
from recsys_core.errors import ConfigError, StoreError
from recsys_core.files import read_json, write_atomically, write_json
from recsys_core.store.records import DatasetRecord
from recsys_core.store.workspace import Workspace

SAMPLES = ("simulated", "complete-journey", "movielens-100k", "movielens-1m")
SPLIT_FILE, REJECTED_FILE, TRUTH_FILE = "split.json", "rejected.csv", "truth.json"
INTERACTIONS_CSV, ITEMS_CSV, USERS_CSV = "interactions.csv", "items.csv", "users.csv"
SHOWN_REJECTED = 100

Import = Callable[[Path], ValidationReport]
SplitKind = Literal["leave-one-out", "time"]
SPLIT_KINDS: tuple[SplitKind, ...] = ("leave-one-out", "time")


@dataclass(frozen=True, slots=True)
class LoadedDataset:
    """A data set, ready for use.

    Attributes:
        split_kind: how its test and validation items were chosen.
        n_added: the last so many items aren't of the data set: a model was given them later.
    """

    record: DatasetRecord
    dataset: Dataset
    split: Split
    split_kind: SplitKind = "leave-one-out"
    n_added: int = 0

    @property
    def attributes(self) -> list[str]:
        """What an audit may compare people by."""
        return [column for column in self.dataset.users.columns if column != "user_id"]


@dataclass(frozen=True, slots=True)
class Ingested:
    """A data set that was brought in, the account of it, and where the rejected rows are."""

    record: DatasetRecord
    report: ValidationReport
    warnings: tuple[str, ...]
    rejected_file: Path | None


def ingest(
    workspace: Workspace,
    name: str,
    interactions: Path,
    items: Path | None = None,
    users: Path | None = None,
    mapping: Mapping | None = None,
    min_rating: float | None = None,
    seed: int = 0,
    split: str = "leave-one-out",
) -> Ingested:
    """Reads files, checks every row, and keeps the usable ones as a data set: all of it or nothing.

    Raises:
        DataError: the name is taken, there is nothing usable in the files, or they can't be split like that.
        ConfigError: a rating bound for data without ratings, or no such split.
        StoreError: the workspace can't be written.
    """

    def read(folder: Path) -> ValidationReport:
        return import_files(interactions, items, users, mapping or Mapping(), min_rating, folder)

    return _keep(workspace, name, read, interactions.name, seed, split)


def ingest_sample(
    workspace: Workspace,
    name: str,
    sample: str,
    path: Path | None = None,
    seed: int = 0,
    split: str = "leave-one-out",
) -> Ingested:
    """Brings in a sample: the simulated shop, The Complete Journey, or MovieLens from a folder or zip.

    Raises:
        ConfigError: no such sample, or a MovieLens sample without a path.
        DataError: the path doesn't hold that sample, or its package isn't installed.
    """
    if sample not in SAMPLES:
        raise ConfigError(f"there is no sample '{sample}'; samples are {', '.join(SAMPLES)}")
    if sample == "simulated":
        return _keep(workspace, name, lambda folder: _simulate(folder, seed), sample, seed, split)
    if sample == "complete-journey":
        return _keep(workspace, name, _import_complete_journey, sample, seed, split)
    if path is None:
        raise ConfigError(
            f"'{sample}' may not be passed on, so it isn't part of RecLens; name your copy of it with --path"
        )

    def read(folder: Path) -> ValidationReport:
        return import_files(path, None, None, Mapping(), None, folder, sample=sample)

    return _keep(workspace, name, read, sample, seed, split)


def ingest_shop(workspace: Workspace, name: str, folder: Path) -> Ingested:
    """Brings in a simulated shop that was written before, with what was planted in it."""
    return _keep(workspace, name, lambda into: _import_shop(folder, into), "simulated", 0)


def open_dataset(workspace: Workspace, dataset: str) -> LoadedDataset:
    """A data set by id or name, with its split.

    Raises:
        NotFoundError: there is none of that id or name.
        StoreError: a file of it is damaged.
    """
    record = workspace.resolve("dataset", dataset)
    folder = workspace.checked_folder(record)
    built, kept = build_dataset(load_tables(folder)), read_json(folder / SPLIT_FILE)
    kind = checked_split(kept.get("kind", SPLIT_KINDS[0]))
    return LoadedDataset(record, built, _split(built, kind, int(kept["seed"])), kind)


def split_kind_of(workspace: Workspace, dataset: str) -> SplitKind:
    """How the test and validation items of a data set were chosen, without opening all of it.

    Raises:
        NotFoundError: there is none of that id or name.
        StoreError: its file is damaged.
    """
    kept = read_json(workspace.open_file(workspace.resolve("dataset", dataset), SPLIT_FILE))
    return checked_split(kept.get("kind", SPLIT_KINDS[0]))


def split_again(workspace: Workspace, dataset: str, name: str, split: str, seed: int = 0) -> DatasetRecord:
    """The same data set under another name, its test and validation items chosen in another way.

    Models belong to the split that they learned from, so those of the first one stay with it.

    Raises:
        ConfigError: there is no such split.
        DataError: the name is taken, or the data can't be split like that.
        NotFoundError: there is no such data set.
    """
    kind, record = checked_split(split), workspace.resolve("dataset", dataset)
    workspace.check_free("dataset", name)
    folder = workspace.checked_folder(record)
    made = _split(build_dataset(load_tables(folder)), kind, seed)
    warnings = [*ValidationReport.load(folder).warnings, *made.warnings]

    def write(into: Path) -> None:
        shutil.copytree(folder, into, dirs_exist_ok=True)
        write_json(into / SPLIT_FILE, {"seed": seed, "kind": kind})

    return workspace.add_dataset(name, record.details | {"held_out": kind, "warnings": warnings}, write)


def with_added_items(data: LoadedDataset, items: pd.DataFrame) -> LoadedDataset:
    """The data set with more items behind its own, of which nothing has happened yet."""
    columns = data.dataset.items.columns
    table = pd.concat([data.dataset.items, items.reindex(columns=columns)], ignore_index=True)
    return replace(data, dataset=replace(data.dataset, items=table), n_added=data.n_added + len(items))


def open_report(workspace: Workspace, record: DatasetRecord) -> ValidationReport:
    """The account of an import, with every row that was set aside."""
    return ValidationReport.load(workspace.checked_folder(record))


def write_split(workspace: Workspace, dataset: str, out: Path) -> dict[str, Path]:
    """Writes train.parquet, valid.parquet and test.parquet: the split that training uses.

    Raises:
        StoreError: the folder can't be written.
    """
    loaded = open_dataset(workspace, dataset)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"could not make the folder {out}: {error.strerror or error}") from error
    written: dict[str, Path] = {}
    for part, table in split_tables(loaded.dataset, loaded.split).items():
        written[part] = out / f"{part}.parquet"
        write_atomically(written[part], lambda path, table=table: table.to_parquet(path, index=False))
    return written


def check_split(workspace: Workspace, dataset: str) -> Leakage:
    """Whether anything held out can be seen in training or in a history, event by event."""
    loaded = open_dataset(workspace, dataset)
    return find_leakage(loaded.dataset, loaded.split)


def checked_split(value: str) -> SplitKind:
    """`leave-one-out` or `time`.

    Raises:
        ConfigError: anything else.
    """
    for kind in SPLIT_KINDS:
        if value == kind:
            return kind
    raise ConfigError(f"there is no split '{value}'; splits are {', '.join(SPLIT_KINDS)}")


def ingest_json(done: Ingested) -> dict[str, Any]:
    """The contract of `reclens ingest --json`: the first 100 rejected rows, all of them in a file."""
    report = done.report
    first = report.rejected.head(SHOWN_REJECTED).astype(object)
    return {
        "dataset": done.record.id,
        "name": done.record.name,
        "n_interactions": report.n_interactions,
        "n_users": report.n_users,
        "n_items": report.n_items,
        "n_rejected": report.n_rejected,
        "rejected": first.where(first.notna(), None).to_dict("records"),
        "rejected_file": str(done.rejected_file) if done.rejected_file else None,
        "held_out": done.record.details["held_out"],
        "warnings": list(done.warnings),
    }


def _keep(
    workspace: Workspace, name: str, read: Import, source: str, seed: int, split_kind: str = "leave-one-out"
) -> Ingested:
    """Reads into a folder outside the workspace, and moves it in once everything is known to be good."""
    kind = checked_split(split_kind)
    workspace.check_free("dataset", name)
    with tempfile.TemporaryDirectory(prefix="reclens-import-") as temporary:
        folder = Path(temporary)
        report = read(folder)
        split = _split(build_dataset(load_tables(folder)), kind, seed)
        write_json(folder / SPLIT_FILE, {"seed": seed, "kind": kind})
        write_atomically(
            folder / REJECTED_FILE,
            lambda path: report.rejected.to_csv(path, index=False, encoding="utf-8-sig"),
        )
        warnings = (*report.warnings, *split.warnings)
        details = {
            "source": source,
            "n_interactions": report.n_interactions,
            "n_users": report.n_users,
            "n_items": report.n_items,
            "n_rejected": report.n_rejected,
            "held_out": kind,
            "warnings": list(warnings),
        }
        record = workspace.add_dataset(
            name, details, lambda into: shutil.copytree(folder, into, dirs_exist_ok=True)
        )
    rejected = workspace.folder(record) / REJECTED_FILE if report.n_rejected else None
    return Ingested(record, report, warnings, rejected)


def _split(dataset: Dataset, kind: SplitKind, seed: int) -> Split:
    if kind == "time":
        return global_time(dataset, *time_boundaries(dataset))
    return leave_one_out(dataset, seed)


def _simulate(folder: Path, seed: int) -> ValidationReport:
    with tempfile.TemporaryDirectory(prefix="reclens-shop-") as temporary:
        write_shop(simulate_shop(seed), Path(temporary))
        return _import_shop(Path(temporary), folder)


def _import_shop(shop: Path, folder: Path) -> ValidationReport:
    packed = shop / f"{INTERACTIONS_CSV}.gz"
    interactions = packed if packed.is_file() else shop / INTERACTIONS_CSV
    report = import_files(interactions, shop / ITEMS_CSV, shop / USERS_CSV, Mapping(), None, folder)
    write_json(folder / TRUTH_FILE, read_json(shop / TRUTH_FILE))
    return report


def _import_complete_journey(folder: Path) -> ValidationReport:
    found = read_complete_journey()
    write_tables(found.tables, folder)
    found.report.save(folder)
    return found.report
