"""The workspace keeps what it is given, whole, under any name, and says clearly what it can't do."""

import os
import sqlite3
from pathlib import Path

import pytest

from recsys_core.errors import ConfigError, DataError, NotFoundError, StoreError
from recsys_core.store.workspace import Workspace

# printf items | sha256sum
ITEMS_SHA256 = "5f3c4f8580d392e422e7c2f6802674ac27966c98d95c39696e4b2490168e5488"
HOSTILE_NAMES = (
    "../../etc/passwd",
    "a/b\\c",
    "'; DROP TABLE datasets; --",
    '"quoted"',
    "100 % _like_",
    "<script>alert(1)</script>",
    "=1+1",
    "推荐系统",
    "👩‍👩‍👧",
    "\u202ereversed",
    ".",
    "x" * 100,
)


def write_two_files(folder: Path) -> None:
    (folder / "events.parquet").write_bytes(b"events")
    (folder / "more").mkdir()
    (folder / "more" / "items.parquet").write_bytes(b"items")


def write_one_file(folder: Path) -> None:
    (folder / "weights").write_bytes(bytes(range(256)))


def write_bad_row(_folder: Path) -> None:
    raise DataError("row 17: no item")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def test_dataset_comes_back_as_it_was_added(workspace: Workspace):
    added = workspace.add_dataset(" shop ", {"n_users": 3, "share": float("nan")}, write_two_files)
    found = Workspace.open(workspace.home).resolve("dataset", "shop")
    assert (found.id, found.name, found.details) == (added.id, "shop", {"n_users": 3, "share": None})
    assert sorted(found.folder_sha256) == ["events.parquet", "more/items.parquet"]
    assert found.folder_sha256["more/items.parquet"] == ITEMS_SHA256
    assert workspace.open_file(found, "more/items.parquet").read_bytes() == b"items"


def test_hostile_names_are_kept_and_never_become_paths(workspace: Workspace):
    ids = [workspace.add_dataset(name, {}, write_one_file).id for name in HOSTILE_NAMES]
    assert [workspace.resolve("dataset", name).id for name in HOSTILE_NAMES] == ids
    on_disk = {path.relative_to(workspace.home).as_posix() for path in workspace.home.rglob("*")}
    expected = {"catalogue.db", "workspace.json", "datasets", "models", "audits", "jobs"}
    expected |= {f"datasets/{id_}" for id_ in ids} | {f"datasets/{id_}/weights" for id_ in ids}
    assert on_disk == expected
    assert {path.name for path in workspace.home.parent.iterdir()} == {"home"}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "0 characters; 1 to 100"),
        ("  \n ", "0 characters; 1 to 100"),
        ("x" * 101, "101 characters; 1 to 100"),
        ("a\x00b", r"control character U\+0000 at place 2"),
        ("a\nb", r"U\+000A"),
        ("\ud800", r"U\+D800"),
        ("ds_0123456789ab", "looks like an id"),
    ],
)
def test_unusable_name_is_refused(workspace: Workspace, name: str, complaint: str):
    with pytest.raises(DataError, match=complaint):
        workspace.add_dataset(name, {}, write_one_file)
    with pytest.raises(NotFoundError, match="no data sets here yet"):
        workspace.resolve("dataset", name)


def test_taken_name_is_refused_before_the_work_and_after_it(workspace: Workspace):
    workspace.add_dataset("x", {}, write_one_file)
    with pytest.raises(DataError, match="a data set named 'x' already exists"):
        workspace.add_dataset("x", {}, lambda folder: pytest.fail("the work was done for nothing"))

    def write_while_another_takes_the_name(folder: Path) -> None:
        write_one_file(folder)
        Workspace.open(workspace.home).add_dataset("y", {}, write_one_file)

    with pytest.raises(DataError, match="'y' already exists"):
        workspace.add_dataset("y", {}, write_while_another_takes_the_name)
    assert len(list((workspace.home / "datasets").iterdir())) == 2


def test_models_may_share_a_name_with_data_sets_but_not_with_models(workspace: Workspace):
    dataset = workspace.add_dataset("x", {}, write_one_file)
    model = workspace.add_model("x", "x", {"ranker": "ease"}, write_one_file)
    assert model.dataset_id == dataset.id
    assert workspace.models() == [model]
    with pytest.raises(DataError, match="a model named 'x' already exists"):
        workspace.add_model("x", dataset.id, {}, write_one_file)
    with pytest.raises(NotFoundError, match=r"there is no data set 'z'; data sets here: x$"):
        workspace.add_model("y", "z", {}, write_one_file)


def test_not_found_lists_five_names_at_most(workspace: Workspace):
    for name in "abcdefg":
        workspace.add_audit(name, {}, write_one_file)
    with pytest.raises(NotFoundError, match=r"there is no audit 'x'; audits here: g, f, e, d, c and 2 more"):
        workspace.resolve("audit", "x")
    with pytest.raises(NotFoundError, match="there is no job 'jb_000000000000'; there are no jobs here yet"):
        workspace.resolve("job", "jb_000000000000")


def test_rename_keeps_id_and_files(workspace: Workspace):
    first = workspace.add_dataset("first", {}, write_one_file)
    workspace.add_dataset("second", {}, write_one_file)
    with pytest.raises(DataError, match="'second' already exists"):
        workspace.rename("dataset", "first", "second")
    workspace.rename("dataset", "first", "third")
    workspace.rename("dataset", "third", "third")
    found = workspace.resolve("dataset", "third")
    assert found.id == first.id
    assert workspace.open_file(found, "weights").exists()
    with pytest.raises(NotFoundError):
        workspace.resolve("dataset", "first")


def test_dataset_with_models_is_deleted_after_them(workspace: Workspace):
    dataset = workspace.add_dataset("shop", {}, write_one_file)
    workspace.add_model("m1", "shop", {}, write_one_file)
    with pytest.raises(DataError, match="models were learnt from it: m1; delete these first"):
        workspace.delete("dataset", "shop")
    workspace.delete("model", "m1")
    workspace.delete("dataset", dataset.id)
    assert workspace.datasets() == []
    assert list((workspace.home / "datasets").iterdir()) == []


def test_details_are_changed_in_place(workspace: Workspace):
    workspace.add_audit("a", {"n": 1}, write_one_file)
    workspace.update_details("audit", "a", lambda details: {**details, "verdict": "gap"})
    assert workspace.resolve("audit", "a").details == {"n": 1, "verdict": "gap"}


def test_file_that_was_not_recorded_is_not_opened(workspace: Workspace):
    record = workspace.add_dataset("x", {}, write_one_file)
    for name in ("../../catalogue.db", "/etc/passwd", "other"):
        with pytest.raises(NotFoundError, match=r"'x' has no file .*; it has \['weights'\]"):
            workspace.open_file(record, name)


def test_flipped_bit_is_found_wherever_it_is(workspace: Workspace):
    record = workspace.add_dataset("x", {}, write_one_file)
    path = workspace.open_file(record, "weights")
    whole = path.read_bytes()
    for bit in range(0, 256 * 8, 41):  # 50 places
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match="weights is damaged: its SHA-256"):
            Workspace.open(workspace.home).open_file(record, "weights")
    path.write_bytes(whole)
    assert workspace.open_file(record, "weights") == path
    path.unlink()
    with pytest.raises(StoreError, match="weights is missing"):
        workspace.open_file(record, "weights")


def test_file_is_hashed_once_until_it_is_touched(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    record = workspace.add_dataset("x", {}, write_one_file)
    hashed: list[Path] = []
    monkeypatch.setattr(
        "recsys_core.store.workspace.check_sha256", lambda path, expected: hashed.append(path)
    )
    for _ in range(3):
        workspace.open_file(record, "weights")
    assert len(hashed) == 1
    os.utime(workspace.folder(record) / "weights", ns=(1, 1))
    workspace.open_file(record, "weights")
    assert len(hashed) == 2


def test_failing_write_keeps_nothing_and_says_why(workspace: Workspace):
    def write_on_full_disk(folder: Path) -> None:
        write_one_file(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(
        StoreError, match=r"^could not write the data set 'x': No space left on device; nothing"
    ):
        workspace.add_dataset("x", {}, write_on_full_disk)
    with pytest.raises(DataError, match="row 17"):
        workspace.add_dataset("x", {}, write_bad_row)
    assert list((workspace.home / "datasets").iterdir()) == []
    assert workspace.add_dataset("x", {}, write_one_file).name == "x"


def test_home_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file; name a folder"):
        Workspace.open(tmp_path / "file")
    with pytest.raises(StoreError, match="can't be made: Not a directory"):
        Workspace.open(tmp_path / "file" / "home")


def test_home_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(StoreError, match="read-only for this person"):
        Workspace.open(tmp_path)


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough" * 40, b"SQLite format 3\x00" + b"\xff" * 4080]
)
def test_catalogue_that_is_no_catalogue_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "catalogue.db").write_bytes(content)
    with pytest.raises(StoreError, match="catalogue is damaged or isn't RecLens's"):
        Workspace.open(tmp_path)
    assert (tmp_path / "catalogue.db").read_bytes() == content


def test_catalogue_with_overwritten_pages_is_refused(workspace: Workspace):
    workspace.add_dataset("x", {}, write_one_file)
    file = workspace.home / "catalogue.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(StoreError, match="catalogue is damaged"):
        Workspace.open(workspace.home)
    assert len(list((workspace.home / "datasets").iterdir())) == 1


def test_another_programs_database_is_refused(tmp_path: Path):
    with sqlite3.connect(tmp_path / "catalogue.db") as connection:
        connection.execute("CREATE TABLE photos (id)")
    connection.close()
    with pytest.raises(StoreError, match="another program's tables"):
        Workspace.open(tmp_path)


def test_catalogue_of_a_later_version_is_refused(workspace: Workspace):
    with sqlite3.connect(workspace.home / "catalogue.db") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(StoreError, match="is of version 7, and this RecLens reads up to 1"):
        Workspace.open(workspace.home)


def test_lost_catalogue_never_sweeps_the_data_away(workspace: Workspace):
    workspace.add_dataset("x", {}, write_one_file)
    (workspace.home / "catalogue.db").unlink()
    for _ in range(2):
        with pytest.raises(StoreError, match="is gone or empty, and nothing was touched"):
            Workspace.open(workspace.home)
    assert len(list((workspace.home / "datasets").iterdir())) == 1


def test_catalogue_of_another_workspace_never_sweeps_the_data_away(workspace: Workspace, tmp_path: Path):
    workspace.add_dataset("x", {}, write_one_file)
    other = Workspace.open(tmp_path / "other")
    url = f"sqlite:///{other.home}/catalogue.db"
    with pytest.raises(StoreError, match="the catalogue is that of workspace ws_"):
        Workspace.open(workspace.home, database_url=url)
    assert len(list((workspace.home / "datasets").iterdir())) == 1


def test_catalogue_may_lie_elsewhere(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    Workspace.open(tmp_path / "home", database_url=url).add_dataset("x", {}, write_one_file)
    assert [record.name for record in Workspace.open(tmp_path / "home", database_url=url).datasets()] == ["x"]
    assert not (tmp_path / "home" / "catalogue.db").exists()


@pytest.mark.parametrize("url", ["nonsense", "oracle9://u:secret@h/d", "sqlite+nodriver:///x"])
def test_unusable_database_url_is_refused_without_showing_it(tmp_path: Path, url: str):
    with pytest.raises(ConfigError, match="database URL") as caught:
        Workspace.open(tmp_path, database_url=url)
    assert "secret" not in str(caught.value)


def test_damaged_identity_file_is_named(workspace: Workspace):
    (workspace.home / "workspace.json").write_text("[]")
    with pytest.raises(StoreError, match=r"workspace\.json is damaged: it has no id"):
        Workspace.open(workspace.home)


def test_sqlite_is_set_up_to_survive_a_power_cut(workspace: Workspace):
    with workspace.catalogue.read() as session:
        connection = session.connection()
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert settings == ["delete", 2, 1, 30_000]  # 2 = FULL
