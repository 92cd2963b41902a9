"""Zips and gzips made to do harm are refused before a byte is written; honest ones are read."""

import gzip
import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest
from data_reading import HEADER, ROWS, put, read_here

from recsys_core.data import archives
from recsys_core.data.archives import open_source, unpack
from recsys_core.data.members import choose_members
from recsys_core.errors import DataError

TABLE = HEADER + ROWS
BOMB = b"0" * (archives.RATIO_FREE_BYTES + 1)


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip with these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


def with_mode(mode: int) -> zipfile.ZipInfo:
    """A member of this kind, as Unix says it."""
    member = zipfile.ZipInfo("ratings.csv")
    member.external_attr = mode << 16
    return member


def patched(archive: bytes, offset: int, pattern: str, value: int) -> bytes:
    """A zip whose (first) directory entry says something else at an offset."""
    start = archive.index(b"PK\x01\x02") + offset
    return archive[:start] + struct.pack(pattern, value) + archive[start + struct.calcsize(pattern) :]


def overlapping() -> bytes:
    """A zip whose five directory entries are all of one and the same content."""
    one = zipped(("a.csv", bytes(range(256)) * 4))
    at = one.index(b"PK\x01\x02")
    entry, end = one[at : one.index(b"PK\x05\x06")], one[one.index(b"PK\x05\x06") :]
    entries = b"".join(entry.replace(b"a.csv", b"%d.csv" % number) for number in range(5))
    return one[:at] + entries + end[:8] + struct.pack("<HHII", 5, 5, len(entries), at) + end[20:]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a name that climbs": (lambda: zipped(("../../evil.csv", TABLE)), "leads outside the zip"),
    "a name that climbs halfway": (lambda: zipped(("a/../../evil.csv", TABLE)), "leads outside the zip"),
    "a name that climbs by backslash": (lambda: zipped(("..\\evil.csv", TABLE)), "leads outside the zip"),
    "an absolute name": (lambda: zipped(("/tmp/evil.csv", TABLE)), "leads outside the zip"),
    "a drive": (lambda: zipped(("C:evil.csv", TABLE)), "leads outside the zip"),
    "a network path": (lambda: zipped(("\\\\host\\evil.csv", TABLE)), "leads outside the zip"),
    "a symbolic link": (
        lambda: zipped((with_mode(stat.S_IFLNK | 0o777), b"/etc/passwd")),
        "is a link or a device",
    ),
    "a device": (lambda: zipped((with_mode(stat.S_IFCHR | 0o666), b"")), "is a link or a device"),
    "a pipe": (lambda: zipped((with_mode(stat.S_IFIFO | 0o666), b"")), "is a link or a device"),
    "a bomb": (lambda: zipped(("bomb.csv", BOMB)), "unpacks to over 200 times its size"),
    "a bomb in small pieces": (
        lambda: zipped(*((f"{number}.csv", BOMB[: len(BOMB) // 8]) for number in range(9))),
        "unpacks to over 200 times its size",
    ),
    "an overlap": (overlapping, "its members overlap"),
    "a size that says more": (
        lambda: patched(zipped(("a.csv", TABLE)), 24, "<I", 10**6),
        "can't be unpacked|says",
    ),
    "a size that says less": (
        lambda: patched(zipped(("a.csv", TABLE)), 24, "<I", 10),
        "can't be unpacked|says",
    ),
    "a size beyond all": (
        lambda: patched(zipped(("a.csv", TABLE)), 24, "<I", 2**32 - 2),
        "over 200 times its size",
    ),
    "a wrong checksum": (lambda: patched(zipped(("a.csv", TABLE)), 16, "<I", 1), "can't be unpacked"),
    "an unknown method": (lambda: patched(zipped(("a.csv", TABLE)), 10, "<H", 77), "can't be unpacked"),
    "a password": (lambda: patched(zipped(("a.csv", TABLE)), 8, "<H", 1), "is locked by a password"),
    "a cut end": (lambda: zipped(("a.csv", TABLE))[:-30], "is a damaged zip"),
    "nothing but its magic": (lambda: b"PK\x03\x04" + b"x" * 100, "is a damaged zip"),
    "no member": (zipped, "holds no file"),
    "only a folder": (lambda: zipped(("folder/", b"")), "holds no file"),
    "only hidden files": (lambda: zipped((".a.csv", TABLE), ("__MACOSX/a.csv", TABLE)), "holds no file"),
    "an empty member": (lambda: zipped(("ratings.csv", b"")), "x.zip/ratings.csv is empty"),
    "a zip in a zip": (
        lambda: zipped(("ratings.csv", zipped(("ratings.csv", TABLE)))),
        "a zip inside another archive",
    ),
    "an Excel workbook": (lambda: zipped(("xl/workbook.xml", b"<x/>")), "is an Excel workbook"),
    "several tables of no telling name": (
        lambda: zipped(("a.csv", TABLE), ("b.csv", TABLE)),
        "a.csv, b.csv: which one",
    ),
    "a gzip bomb": (lambda: gzip.compress(BOMB), "unpacks to more than the 33,554,432 bytes"),
    "a cut gzip": (lambda: gzip.compress(TABLE)[:-12], "can't be unpacked"),
    "a broken gzip": (lambda: gzip.compress(TABLE)[:20] + b"\xff" * 40, "can't be unpacked"),
    "an empty gzip": (lambda: gzip.compress(b""), "is empty"),
    "a gzip in a gzip": (lambda: gzip.compress(gzip.compress(TABLE)), "is a .gz inside a .gz"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_harmful_archive_is_refused_in_two_seconds_with_nothing_written_outside(tmp_path: Path, case: str):
    make, message = REFUSED[case]
    folder = tmp_path / "in"
    folder.mkdir()
    path = put(folder, "x.zip", make())
    started = perf_counter()
    with pytest.raises(DataError, match=message):
        read_here(tmp_path, path)
    assert perf_counter() - started < 2
    outside = [file for file in tmp_path.rglob("*") if "evil" in file.name or file.is_symlink()]
    assert outside == []
    assert not Path("/tmp/evil.csv").exists()


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    path = put(tmp_path, "x.zip", zipped(*((f"{number}.csv", b"x") for number in range(4))))
    with pytest.raises(DataError, match=r"x\.zip holds 4 members; at most 3 are allowed"):
        open_source(path)


def test_two_members_of_one_name_are_refused(tmp_path: Path):
    content = zipped(("a.csv", TABLE), ("b.csv", TABLE)).replace(b"b.csv", b"a.csv")
    with pytest.raises(DataError, match="two members of one name"):
        open_source(put(tmp_path, "x.zip", content))


def test_what_is_unpacked_lies_under_a_number(tmp_path: Path):
    source = open_source(put(tmp_path, "x.zip", zipped(("deep/folder/ratings.csv.gz", gzip.compress(TABLE)))))
    path = unpack(source, "deep/folder/ratings.csv.gz", tmp_path)
    assert path.parent == tmp_path
    assert path.read_bytes() == TABLE


def test_links_in_a_folder_are_not_followed(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    put(folder, "ratings.csv", TABLE)
    (folder / "users.csv").symlink_to("/etc/passwd")
    assert open_source(folder).names == ("ratings.csv",)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere.csv: there is no such file or folder"):
        open_source(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("names", "interactions", "items", "users"),
    [
        (("a.csv",), "a.csv", None, None),
        (("a.csv", "README.md", "LICENSE"), "a.csv", None, None),
        (("ratings.csv", "movies.csv", "users.csv"), "ratings.csv", "movies.csv", "users.csv"),
        (("ml/ratings.csv.gz", "ml/movies.csv"), "ml/ratings.csv.gz", "ml/movies.csv", None),
        (("ml-100k.inter", "ml-100k.item", "ml-100k.user"), "ml-100k.inter", "ml-100k.item", "ml-100k.user"),
        (("user_events.csv", "items.jsonl"), "user_events.csv", "items.jsonl", None),
        (
            ("shop_transactions.parquet", "products.csv", "households.csv"),
            *("shop_transactions.parquet",),
            "products.csv",
            "households.csv",
        ),
    ],
)
def test_members_are_told_by_their_names(
    tmp_path: Path, names: tuple[str, ...], interactions: str, items: str | None, users: str | None
):
    source = open_source(put(tmp_path, "x.zip", zipped(*((name, TABLE) for name in names))))
    members = choose_members(source)
    assert (members.interactions, members.items, members.users) == (interactions, items, users)


def test_a_zip_of_three_tables_is_one_data_set(tmp_path: Path):
    content = zipped(
        ("shop/ratings.csv", TABLE),
        ("shop/movies.csv", b"movie_id,title\ni1,Alien\ni3,Brazil\n"),
        ("shop/users.csv", b"id,age\nu1,33\n"),
    )
    tables = read_here(tmp_path, put(tmp_path, "shop.zip", content)).tables
    assert list(tables.items["title"]) == ["Alien", "Brazil", ""]
    assert tables.users.to_dict("list") == {"user_id": ["u1", "u2"], "age": ["33", ""]}


def test_a_file_in_a_zip_is_called_by_both_names(tmp_path: Path):
    report = read_here(tmp_path, put(tmp_path, "shop.zip", zipped(("r.csv", TABLE + b"x\n")))).report
    assert report.rejected["file"].tolist() == ["shop.zip/r.csv"]
