"""Safe files: whole or not at all, and found out when damaged."""

import errno
import hashlib
import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from recsys_core.errors import StoreError
from recsys_core.files import check_sha256, new_folder, read_json, sha256_of, write_atomically, write_json

BEFORE, AFTER = b"what was there before", b"what comes after it"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_at(monkeypatch: pytest.MonkeyPatch, name: str, n: int) -> None:
    """Lets the n-th call of an operation on files fail as on a full disk."""
    owner, _, attribute = name.rpartition(".")
    target = Path if owner == "Path" else os
    true_one, calls = getattr(target, attribute), 0

    def failing(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == n:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return true_one(*arguments, **keywords)

    monkeypatch.setattr(target, attribute, failing)


def test_sha256_equals_hashlib(tmp_path: Path):
    (tmp_path / "file").write_bytes(BEFORE)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(BEFORE).hexdigest()


def test_a_written_file_is_there_under_its_name_alone(tmp_path: Path):
    digest = write_atomically(tmp_path / "file", lambda path: path.write_bytes(AFTER))
    assert (tmp_path / "file").read_bytes() == AFTER
    assert digest == hashlib.sha256(AFTER).hexdigest()
    assert names_in(tmp_path) == ["file"]


def test_a_written_file_takes_the_place_of_the_one_before(tmp_path: Path):
    (tmp_path / "file").write_bytes(BEFORE)
    write_atomically(tmp_path / "file", lambda path: path.write_bytes(AFTER))
    assert (tmp_path / "file").read_bytes() == AFTER


def test_while_it_is_written_the_file_before_is_whole(tmp_path: Path):
    (tmp_path / "file").write_bytes(BEFORE)

    def write(path: Path) -> None:
        path.write_bytes(AFTER[:3])
        assert (tmp_path / "file").read_bytes() == BEFORE
        path.write_bytes(AFTER)

    write_atomically(tmp_path / "file", write)
    assert (tmp_path / "file").read_bytes() == AFTER


def test_the_file_is_flushed_to_the_disk_and_then_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    write_atomically(tmp_path / "file", lambda path: path.write_bytes(AFTER))
    assert flushed == [(tmp_path / "file").stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.parametrize("operation", ["open", "fsync", "Path.replace"])
def test_a_disk_that_refuses_leaves_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
):
    (tmp_path / "file").write_bytes(BEFORE)
    fail_at(monkeypatch, operation, 1)
    with pytest.raises(StoreError, match="could not write file: No space left on device"):
        write_atomically(tmp_path / "file", lambda path: path.write_bytes(AFTER))
    assert (tmp_path / "file").read_bytes() == BEFORE
    assert names_in(tmp_path) == ["file"]


def test_a_writer_that_fails_leaves_the_file_before_and_its_own_error(tmp_path: Path):
    (tmp_path / "file").write_bytes(BEFORE)

    def write(path: Path) -> None:
        path.write_bytes(AFTER[:3])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", write)
    assert (tmp_path / "file").read_bytes() == BEFORE
    assert names_in(tmp_path) == ["file"]


def test_a_writer_that_writes_nothing_is_an_error(tmp_path: Path):
    with pytest.raises(StoreError, match="could not write file: No such file"):
        write_atomically(tmp_path / "file", lambda _: None)
    assert names_in(tmp_path) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(StoreError, match="could not write file"):
        write_atomically(tmp_path / "nowhere" / "file", lambda path: path.write_bytes(AFTER))


def test_many_writers_of_one_file_leave_one_whole_file(tmp_path: Path):
    """Threads of one process, which share its number."""
    contents = [bytes([n]) * 200_000 for n in range(8)]
    errors: list[Exception] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(5):
                write_atomically(tmp_path / "file", lambda path: path.write_bytes(content))
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (tmp_path / "file").read_bytes() in contents
    assert names_in(tmp_path) == ["file"]


def test_json_comes_back_as_it_was(tmp_path: Path):
    value = {"text": "红楼梦 \x00 \"'", "numbers": [1, -0.5, 1e300], "nothing": None, "yes": True}
    digest = write_json(tmp_path / "file.json", value)
    assert read_json(tmp_path / "file.json") == value
    assert digest == sha256_of(tmp_path / "file.json")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_holds_no_nan(tmp_path: Path, value: float):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"figure": value})
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"a": 1} x'])
def test_a_file_that_is_no_json_is_an_error(tmp_path: Path, content: bytes):
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"file\.json can't be read"):
        read_json(tmp_path / "file.json")


def test_a_missing_json_file_is_an_error(tmp_path: Path):
    with pytest.raises(StoreError, match=r"file\.json can't be read"):
        read_json(tmp_path / "file.json")


def test_json_is_readable_by_a_person(tmp_path: Path):
    write_json(tmp_path / "file.json", {"title": "红楼梦"})
    text = (tmp_path / "file.json").read_text(encoding="utf-8")
    assert text == '{\n  "title": "红楼梦"\n}\n'
    assert json.loads(text) == {"title": "红楼梦"}


def test_an_intact_file_passes(tmp_path: Path):
    digest = write_atomically(tmp_path / "file", lambda path: path.write_bytes(AFTER))
    check_sha256(tmp_path / "file", digest)


@pytest.mark.parametrize("place", range(len(AFTER)))
@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_is_found(tmp_path: Path, place: int, bit: int):
    digest = write_atomically(tmp_path / "file", lambda path: path.write_bytes(AFTER))
    damaged = bytearray(AFTER)
    damaged[place] ^= 1 << bit
    (tmp_path / "file").write_bytes(damaged)
    with pytest.raises(StoreError, match=f"file is damaged: .* but {digest[:12]}… was recorded"):
        check_sha256(tmp_path / "file", digest)


@pytest.mark.parametrize("content", [b"", AFTER[:-1], AFTER + b"\x00"], ids=["empty", "shorter", "longer"])
def test_a_file_of_another_length_is_found(tmp_path: Path, content: bytes):
    digest = write_atomically(tmp_path / "file", lambda path: path.write_bytes(AFTER))
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(StoreError, match="file is damaged"):
        check_sha256(tmp_path / "file", digest)


def test_a_missing_file_is_found(tmp_path: Path):
    with pytest.raises(StoreError, match="file is missing from the workspace"):
        check_sha256(tmp_path / "file", "0" * 64)


def test_a_new_folder_appears_when_its_block_ends(tmp_path: Path):
    with new_folder(tmp_path / "shelf" / "folder") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_bytes(AFTER)
        assert not (tmp_path / "shelf" / "folder").exists()
    assert (tmp_path / "shelf" / "folder" / "inner" / "file").read_bytes() == AFTER
    assert names_in(tmp_path / "shelf") == ["folder"]


def test_a_new_folder_whose_block_fails_does_not_appear(tmp_path: Path):
    with pytest.raises(RuntimeError, match="in the middle"), new_folder(tmp_path / "folder") as folder:
        (folder / "file").write_bytes(AFTER)
        raise RuntimeError("in the middle")
    assert names_in(tmp_path) == []


def test_a_new_folder_does_not_take_the_place_of_a_full_one(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(BEFORE)
    with pytest.raises(StoreError, match="could not write folder"), new_folder(tmp_path / "folder") as folder:
        (folder / "other").write_bytes(AFTER)
    assert names_in(tmp_path) == ["folder"]
    assert names_in(tmp_path / "folder") == ["file"]


@pytest.mark.parametrize(
    ("operation", "n"), [("mkdir", 2), ("open", 1), ("fsync", 1), ("fsync", 2), ("Path.replace", 1)]
)
def test_a_disk_that_refuses_leaves_no_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, n: int
):
    with monkeypatch.context() as patch:
        fail_at(patch, operation, n)
        with (
            pytest.raises(StoreError, match="could not write folder: No space left on device"),
            new_folder(tmp_path / "folder") as folder,
        ):
            (folder / "file").write_bytes(AFTER)
    assert names_in(tmp_path) == []
