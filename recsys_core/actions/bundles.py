"""Moving work: data sets, models and audits of one workspace in one file, and into another workspace."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_core.actions.audits import open_audit
from recsys_core.actions.data import open_dataset
from recsys_core.actions.disclosures import RECORDS, About, keep_shown, shown_before, shown_from, shown_record
from recsys_core.actions.models import open_model
from recsys_core.data.read_request import TOLD
from recsys_core.errors import ConfigError, DataError, NotFoundError, RecsysError
from recsys_core.store.bundles import Contents, Entry, pack, unpack_all
from recsys_core.store.records import AuditRecord, DatasetRecord, ModelRecord, NamedRecord
from recsys_core.store.shelves import SHELVES
from recsys_core.store.workspace import NamedKind, Workspace

KINDS: tuple[NamedKind, ...] = ("model", "dataset", "audit")
CHECK_S = 330  # more than the processor time that the child may take


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written."""

    path: Path
    sha256: str
    records: tuple[NamedRecord, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came out of a bundle: what is new here, and what was here before."""

    added: tuple[NamedRecord, ...]
    known: tuple[NamedRecord, ...]


def export_bundle(
    workspace: Workspace, what: str, out: Path, kind: NamedKind | None = None, with_data: bool = False
) -> Exported:
    """Writes a model, data set or audit into one file; the same things always make the same file.

    Args:
        workspace: where it is.
        what: its id or name.
        out: the file, replaced if it is there.
        kind: what it is, where a name could mean several things.
        with_data: a model goes with its data set, an audit with its model and that model's data set.

    Raises:
        NotFoundError: nothing has that id or name.
        ConfigError: several things have that name.
        StoreError: a file is damaged, or the bundle can't be written.
    """
    record = _find(workspace, what, kind)
    records = (*_beneath(workspace, record), record) if with_data else (record,)
    datasets = [own.id for own in records if isinstance(own, DatasetRecord)]
    shown = {
        f"{own}.{about}": shown_record(found)
        for own in datasets
        for about in RECORDS
        if (found := shown_before(workspace, own, about))
    }
    return Exported(out, pack(workspace, records, shown, out), records)


def import_bundle(workspace: Workspace, path: Path) -> Imported:
    """Brings everything of a bundle in under the ids that it had: all of it, or nothing.

    What is here already stays as it is. What was shown of a data set's people comes along, so that moving it
    makes no small group visible.

    Raises:
        DataError: it isn't a bundle, was changed or damaged, is of another version, lacks the data set of a
            model, or a name is taken here.
        StoreError: the workspace can't be written; nothing was kept.
    """
    with tempfile.TemporaryDirectory(prefix="reclens-bundle-") as temporary:
        folder = Path(temporary)
        contents = unpack_all(path, folder)
        _look_into(path, folder)
        known = {entry.id: here for entry in contents.entries if (here := _here(workspace, path, entry))}
        new = [entry for entry in contents.entries if entry.id not in known]
        _refuse_unfit(workspace, path, new, known)
        added = _add_all(workspace, path, new, folder)
    try:
        _keep_shown(workspace, path, contents)
    except RecsysError:
        _take_back(workspace, new)
        raise
    return Imported(tuple(added), tuple(known.values()))


def exported_json(done: Exported) -> dict[str, Any]:
    """The contract of `reclens export --json`."""
    return {
        "file": str(done.path),
        "sha256": done.sha256,
        "bytes": done.path.stat().st_size,
        "things": [_named(record) for record in done.records],
    }


def imported_json(done: Imported) -> dict[str, Any]:
    """The contract of `reclens import --json`."""
    return {"added": [_named(record) for record in done.added], "known": [_named(own) for own in done.known]}


def checked_kind(word: str | None) -> NamedKind | None:
    """`model`, `dataset` or `audit`, or nothing.

    Raises:
        ConfigError: anything else.
    """
    for kind in KINDS:
        if word == kind:
            return kind
    if word is None:
        return None
    raise ConfigError(f"there is no kind '{word}'; kinds are {', '.join(KINDS)}")


def _find(workspace: Workspace, what: str, kind: NamedKind | None) -> NamedRecord:
    if kind is not None:
        return workspace.resolve(kind, what)
    found = list[tuple[NamedKind, NamedRecord]]()
    for one in KINDS:
        try:
            found.append((one, workspace.resolve(one, what)))
        except NotFoundError:
            continue
    if not found:
        raise NotFoundError(f"there is no model, data set or audit '{what[:100]}'; see `reclens list models`")
    if len(found) > 1:
        raise ConfigError(
            f"'{what}' is the name of a {' and of a '.join(one for one, _ in found)}; say which with --kind"
        )
    return found[0][1]


def _beneath(workspace: Workspace, record: NamedRecord) -> tuple[NamedRecord, ...]:
    """What a record can't be used without, in the order in which it can be added."""
    if isinstance(record, ModelRecord):
        return (workspace.resolve("dataset", record.dataset_id),)
    if isinstance(record, AuditRecord):
        model = workspace.resolve("model", str(record.details.get("model")))
        return (*_beneath(workspace, model), model)
    return ()


def _look_into(path: Path, folder: Path) -> None:
    """Has a child process read every file, which may be crafted.

    Raises:
        DataError: one of them isn't what its name says.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "recsys_core.data.check_child", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=CHECK_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{path.name}: looking into its files takes over {CHECK_S} s") from error
    if done.returncode == TOLD:
        raise DataError(f"{path.name}: {done.stderr.decode(errors='replace').strip()}")
    if done.returncode != 0:
        raise DataError(f"{path.name}: reading its files failed; it may be made to do harm")


def _here(workspace: Workspace, path: Path, entry: Entry) -> NamedRecord | None:
    """The record of that id, if it is here with the same content.

    Raises:
        DataError: it is here with other content.
    """
    try:
        record: NamedRecord = workspace.resolve(entry.kind, entry.id)
    except NotFoundError:
        return None
    shared = set(entry.files) & set(record.folder_sha256)
    if not shared or any(entry.files[name] != record.folder_sha256[name] for name in shared):
        words = SHELVES[entry.kind].words
        raise DataError(
            f"{path.name}: the {words} {entry.id} is here as '{record.name}', and its content is another"
        )
    return record


def _refuse_unfit(
    workspace: Workspace, path: Path, new: Sequence[Entry], known: dict[str, NamedRecord]
) -> None:
    """Refuses names that are taken and models without their data, before anything is added.

    Raises:
        DataError: with the name.
    """
    coming = {entry.id for entry in new} | set(known)
    for entry in new:
        try:
            workspace.check_free(entry.kind, entry.name)
        except DataError as error:
            what = str(error).partition(";")[0]
            raise DataError(
                f"{path.name}: {what}; give the one that is here another name (`reclens rename`)"
            ) from error
        if entry.dataset_id is None or entry.dataset_id in coming:
            continue
        try:
            workspace.resolve("dataset", entry.dataset_id)
        except NotFoundError as error:
            raise DataError(
                f"{path.name}: the data set of the model '{entry.name}' is neither here nor in the bundle; "
                "export it with --with-data, or import that data set first"
            ) from error


def _add_all(workspace: Workspace, path: Path, new: Sequence[Entry], folder: Path) -> list[NamedRecord]:
    """Adds everything, and opens it; takes all of it back if one thing can't be used."""
    done = list[Entry]()
    try:
        for entry in new:
            workspace.restore(
                entry.kind, _record_of(entry), lambda into, own=entry: _copy(folder / own.id, into)
            )
            done.append(entry)
        for entry in new:
            _open(workspace, entry)
    except (RecsysError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        _take_back(workspace, done)
        words = str(error) if isinstance(error, RecsysError) else "its content can't be used"
        raise DataError(f"{path.name}: {words}") from error
    except BaseException:
        _take_back(workspace, done)
        raise
    return [workspace.resolve(entry.kind, entry.id) for entry in new]


def _take_back(workspace: Workspace, added: Sequence[Entry]) -> None:
    for entry in reversed(added):
        workspace.delete(entry.kind, entry.id)


def _copy(source: Path, into: Path) -> None:
    shutil.copytree(source, into, dirs_exist_ok=True)


def _open(workspace: Workspace, entry: Entry) -> None:
    """Opens a thing as a person would; what it raises says why it can't be used."""
    match entry.kind:
        case "dataset":
            open_dataset(workspace, entry.id)
            _read = str(entry.details["source"]), list(entry.details["warnings"])
        case "model":
            open_model(workspace, entry.id)
            dict(entry.details["test"])
        case "audit":
            open_audit(workspace, entry.id)


def _record_of(entry: Entry) -> NamedRecord:
    common = (entry.id, entry.name, entry.created_at_s, entry.details, entry.files)
    if entry.dataset_id is not None:
        return ModelRecord(*common, entry.dataset_id)
    return NamedRecord(*common)


def _keep_shown(workspace: Workspace, path: Path, contents: Contents) -> None:
    """Adds what was shown in the other workspace to what was shown here.

    Raises:
        DataError: it isn't about the bundle's own data sets.
    """
    coming = {entry.id for entry in contents.entries if entry.kind == "dataset"}
    for key, record in contents.shown.items():
        dataset_id, _, named = key.partition(".")
        about: About | None = next((own for own in RECORDS if own == named), None)
        if dataset_id not in coming or about is None:
            raise DataError(f"{path.name}: it tells what was shown of a data set that isn't in it")
        n_users = open_dataset(workspace, dataset_id).dataset.n_users
        try:
            shown = shown_from(record, n_users)
        except DataError as error:
            raise DataError(f"{path.name}: {error}") from error
        keep_shown(workspace, dataset_id, shown, about)


def _named(record: NamedRecord) -> dict[str, str]:
    kind = next(kind for kind, shelf in SHELVES.items() if record.id.startswith(f"{shelf.prefix}_"))
    return {"kind": kind, "id": record.id, "name": record.name}
