"""Bundles: what goes in comes out the same elsewhere, and what was touched on the way is refused."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.errors import DataError, StoreError
from recsys_core.store import bundles as store_bundles
from recsys_core.store.workspace import Workspace

MODEL = "Test item-knn"


@pytest.fixture(scope="module")
def bundle(kept_shop: BuiltWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with its data set."""
    path = tmp_path_factory.mktemp("bundle") / "new folder" / "films.zip"
    Command(kept_shop.home).json("export", MODEL, str(path), "--with-data")
    return path


@pytest.fixture
def elsewhere(tmp_path: Path) -> Command:
    """A new workspace."""
    return Command(tmp_path / "elsewhere")


def names(reclens: Command, kind: str) -> list[str]:
    return [own["name"] for own in reclens.json("list", kind)[kind]]


def nothing_is_kept(reclens: Command) -> bool:
    files = [path for path in reclens.workspace.rglob("*") if path.is_file()]
    return names(reclens, "datasets") == names(reclens, "models") == [] and {own.name for own in files} <= {
        "catalogue.db",
        "workspace.json",
        "identity.json",
    }


def changed(bundle: Path, path: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """The bundle with its members changed."""
    with zipfile.ZipFile(bundle) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def relisted(members: dict[str, bytes], change: Callable[[dict[str, Any]], object]) -> None:
    listed = json.loads(members["bundle.json"])
    change(listed)
    members["bundle.json"] = json.dumps(listed).encode()


def test_a_model_with_its_data_ranks_elsewhere_as_it_did_under_the_same_ids(
    kept_shop: BuiltWorkspace, bundle: Path, elsewhere: Command
) -> None:
    found = elsewhere.json("import", str(bundle))
    assert [(own["kind"], own["id"]) for own in found["added"]] == [
        ("dataset", kept_shop.dataset),
        ("model", kept_shop.item_knn),
    ]
    asked = ("recommend", MODEL, "--user", "u003", "--k", "5")
    assert elsewhere.json(*asked) == Command(kept_shop.home).json(*asked)


def test_importing_twice_changes_nothing(bundle: Path, elsewhere: Command) -> None:
    elsewhere.json("import", str(bundle))
    before = elsewhere.json("list", "models")
    again = elsewhere.json("import", str(bundle))
    assert again["added"] == [] and len(again["known"]) == 2
    assert elsewhere.json("list", "models") == before


def test_the_same_things_make_the_same_file(kept_shop: BuiltWorkspace, bundle: Path, tmp_path: Path) -> None:
    done = Command(kept_shop.home).json(
        "export", kept_shop.item_knn, str(tmp_path / "again.zip"), "--with-data"
    )
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()
    assert done["bytes"] == bundle.stat().st_size and len(done["sha256"]) == 64


def test_a_bundle_holds_parquet_safetensors_json_and_csv_and_nothing_else(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as source:
        endings = {Path(name).suffix for name in source.namelist()}
    assert endings == {".parquet", ".safetensors", ".json", ".csv"}


def test_a_model_alone_needs_its_data_set(
    kept_shop: BuiltWorkspace, bundle: Path, elsewhere: Command, tmp_path: Path
) -> None:
    Command(kept_shop.home).json("export", MODEL, str(tmp_path / "alone.zip"))
    told = elsewhere.refusal("import", str(tmp_path / "alone.zip"))
    assert "is neither here nor in the bundle" in told and "--with-data" in told
    elsewhere.json("import", str(bundle))
    elsewhere.json("delete", "model", MODEL)
    found = elsewhere.json("import", str(tmp_path / "alone.zip"))
    assert [own["kind"] for own in found["added"]] == ["model"]


def test_an_audit_goes_alone_with_all_that_its_report_needs(
    own_shop: BuiltWorkspace, elsewhere: Command, tmp_path: Path
) -> None:
    reclens = Command(own_shop.home)
    kept = reclens.json("audit", MODEL, "--by", "gender", "--draws", "200")["audit"]
    reclens.json("export", kept, str(tmp_path / "audit.zip"))
    elsewhere.json("import", str(tmp_path / "audit.zip"))
    pages = [tmp_path / "here.html", tmp_path / "there.html"]
    for command, page in zip((reclens, elsewhere), pages, strict=True):
        command.json("report", kept, "--out", str(page))
    assert pages[0].read_text() == pages[1].read_text()


def test_what_was_shown_of_people_goes_with_their_data_set(
    own_shop: BuiltWorkspace, elsewhere: Command, tmp_path: Path
) -> None:
    reclens = Command(own_shop.home)
    reclens.json("audit", MODEL, "--by", "gender", "--draws", "200")
    reclens.json("export", "Test shop", str(tmp_path / "shop.zip"))
    elsewhere.json("import", str(tmp_path / "shop.zip"))
    records = [own.workspace / "shown" / f"{own_shop.dataset}.json" for own in (reclens, elsewhere)]
    assert json.loads(records[0].read_text()) == json.loads(records[1].read_text()) != []


def test_a_name_that_means_two_things_asks_for_the_kind(own_shop: BuiltWorkspace, tmp_path: Path) -> None:
    reclens = Command(own_shop.home)
    reclens.json("rename", "dataset", "Test shop", MODEL)
    out = str(tmp_path / "x.zip")
    assert "say which with --kind" in reclens.refusal("export", MODEL, out)
    found = reclens.json("export", MODEL, out, "--kind", "dataset")
    assert [own["kind"] for own in found["things"]] == ["dataset"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing", "x.zip"], "there is no model, data set or audit 'nothing'"),
        ([MODEL, "x.zip", "--kind", "poem"], "there is no kind 'poem'"),
        ([MODEL, "."], "is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    kept_shop: BuiltWorkspace, words: list[str], sentence: str
) -> None:
    assert sentence in Command(kept_shop.home).refusal("export", *words)


def a_byte(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.endswith("weights.safetensors"))
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])


def another_version(members: dict[str, bytes]) -> None:
    relisted(members, lambda listed: listed.update(version=2))


def a_pickle(members: dict[str, bytes]) -> None:
    entry = next(name for name in members if name.startswith("models/")).rpartition("/")[0]
    members[f"{entry}/weights.pkl"] = b"cos\nsystem\n(S'true'\ntR."
    relisted(members, lambda listed: listed["entries"][1]["files"].update({"weights.pkl": "0" * 64}))


def a_way_out(members: dict[str, bytes]) -> None:
    members["../../outside.json"] = b"{}"


def a_path_in_the_list(members: dict[str, bytes]) -> None:
    relisted(members, lambda listed: listed["entries"][1]["files"].update({"../../x.json": "0" * 64}))


def a_file_too_many(members: dict[str, bytes]) -> None:
    members["models/more.json"] = b"{}"


def a_bomb(members: dict[str, bytes]) -> None:
    members["bundle.json"] += b" " * 80_000_000


def a_list_that_is_none(members: dict[str, bytes]) -> None:
    members["bundle.json"] = b"[" * 100_000


def a_foreign_id(members: dict[str, bytes]) -> None:
    relisted(members, lambda listed: listed["entries"][1].update(id="../../../etc"))


def a_dataset_as_model(members: dict[str, bytes]) -> None:
    relisted(members, lambda listed: listed["entries"][0].update(kind="model", dataset_id="ds_000000000000"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (a_byte, "weights.safetensors of the model 'Test item-knn' isn't what was exported"),
        (another_version, "is a bundle of version 2, and this RecLens reads version 1"),
        (a_pickle, "'weights.pkl' isn't a file of a bundle"),
        (a_way_out, "leads outside the zip"),
        (a_path_in_the_list, "'../../x.json' isn't a file of a bundle"),
        (a_file_too_many, "'models/more.json' is in the zip or in its list, and not in both"),
        (a_list_that_is_none, "its bundle.json is damaged"),
        (a_foreign_id, "its bundle.json is damaged at entries.1.id"),
        (a_dataset_as_model, "is no id of a model"),
    ],
)
def test_a_bundle_that_was_touched_is_one_sentence_and_nothing_is_kept(
    bundle: Path,
    elsewhere: Command,
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], object],
    sentence: str,
) -> None:
    path = changed(bundle, tmp_path / "touched.zip", change)
    assert sentence in elsewhere.refusal("import", str(path))
    assert nothing_is_kept(elsewhere) and not (tmp_path.parent / "outside.json").exists()


def test_a_zip_bomb_is_refused(bundle: Path, elsewhere: Command, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("bundle.json", b" " * 80_000_000)
    assert "as a zip bomb does" in elsewhere.refusal("import", str(path))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"cos\nsystem\n(S'true'\ntR."])
def test_a_file_that_is_no_bundle_is_one_sentence(elsewhere: Command, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    assert "x.zip" in elsewhere.refusal("import", str(tmp_path / "x.zip"))
    assert nothing_is_kept(elsewhere)


def rehashed(members: dict[str, bytes], ending: str, content: bytes) -> None:
    """A file of the model replaced, with the list told so, as an attacker would."""
    from hashlib import sha256

    name = next(name for name in members if name.startswith("models/") and name.endswith(ending))
    members[name] = content
    new = sha256(content).hexdigest()
    relisted(members, lambda listed: listed["entries"][1]["files"].update({Path(name).name: new}))


@pytest.mark.parametrize(
    ("ending", "content", "sentence"),
    [
        ("weights.safetensors", b"\xff" * 64, "weights.safetensors is damaged"),
        ("ranks.parquet", b"PAR1" + b"\x00" * 64 + b"PAR1", "ranks.parquet is damaged"),
        ("model.json", b"{", "model.json is damaged"),
        ("model.json", b'{"version": 99}', "is of version 99"),
        ("model.json", b"[]", "its content can't be used"),
    ],
)
def test_a_crafted_file_with_its_right_hash_is_refused_and_all_is_taken_back(
    bundle: Path, elsewhere: Command, tmp_path: Path, ending: str, content: bytes, sentence: str
) -> None:
    path = changed(bundle, tmp_path / "crafted.zip", lambda members: rehashed(members, ending, content))
    assert sentence in elsewhere.refusal("import", str(path))
    assert nothing_is_kept(elsewhere)


def test_a_name_that_is_taken_keeps_nothing_of_the_bundle(
    bundle: Path, elsewhere: Command, own_shop: BuiltWorkspace, tmp_path: Path
) -> None:
    other = Command(own_shop.home)
    other.json("delete", "model", MODEL)
    other.json("rename", "model", "Test popularity", MODEL)
    before = other.json("list", "models")
    assert f"a model named '{MODEL}' already exists" in other.refusal("import", str(bundle))
    assert other.json("list", "models") == before


def test_the_same_id_with_other_content_is_refused(bundle: Path, elsewhere: Command, tmp_path: Path) -> None:
    elsewhere.json("import", str(bundle))
    path = changed(
        bundle, tmp_path / "other.zip", lambda members: rehashed(members, "model.json", b'{"version": 1}')
    )
    assert "its content is another" in elsewhere.refusal("import", str(path))


def test_a_full_disk_leaves_no_half_bundle(
    kept_shop: BuiltWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recsys_core.actions.bundles import export_bundle

    def full(*args: object) -> None:
        raise OSError(28, os.strerror(28))

    workspace = Workspace.open(kept_shop.home)
    monkeypatch.setattr(store_bundles.shutil, "copyfileobj", full)
    with pytest.raises(StoreError, match="No space left"):
        export_bundle(workspace, MODEL, tmp_path / "half.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_middle_of_an_import_takes_back_what_was_added(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recsys_core.actions import bundles

    def broken(workspace: Workspace, entry: store_bundles.Entry) -> None:
        if entry.kind == "model":
            raise KeyError("details")

    monkeypatch.setattr(bundles, "_open", broken)
    workspace = Workspace.open(tmp_path / "home")
    with pytest.raises(DataError, match="its content can't be used"):
        bundles.import_bundle(workspace, bundle)
    assert workspace.datasets() == [] and workspace.models() == []
    shutil.rmtree(tmp_path / "home")
