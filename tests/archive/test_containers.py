"""Archives in archives: members of zips, tars and Parquet files, on disk and in a bucket."""

import io
import os
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artcluster.archive import Fetcher, FetchSettings, Listing
from artcluster.archive.containers import CONTAINERS, Member, member_address
from artcluster.archive.readers import FetchedFile
from artcluster.errors import ArchiveError, UnreadFileError, UsageError
from tests.archive.flat_s3 import flat_s3
from tests.archive.rows import listed
from tests.archive.test_folders import at

PICTURES = {
    "a/1.jpg": b"one" * 1000,
    "a/ü b.png": os.urandom(5000),
    f"deep/{'long' * 60}/3.jpg": b"three",
    "empty.png": b"",
}
ODD = {".hidden.jpg": b"x", "notes.txt": b"x", "../up.jpg": b"x"}
QUICK = FetchSettings(retries=0)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.mkdir("a")
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def tarred(files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=kind) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "a/1.jpg"
        archive.addfile(link)
    return packed.getvalue()


def parquet(files: dict[str, bytes], row_group_rows: int = 2) -> bytes:
    images = [{"bytes": data, "path": name} for name, data in files.items()]
    table = pa.table({"label": range(len(images)), "image": images})
    packed = io.BytesIO()
    pq.write_table(table, packed, row_group_size=row_group_rows)
    return packed.getvalue()


PACKED = {
    "x.zip": zipped(PICTURES | ODD),
    "stored.zip": zipped(PICTURES | ODD, zipfile.ZIP_STORED),
    "lzma.zip": zipped(PICTURES | ODD, zipfile.ZIP_LZMA),
    "x.tar": tarred(PICTURES | ODD),
    "gnu.tar": tarred(PICTURES | ODD, tarfile.GNU_FORMAT),
    "x.parquet": parquet(PICTURES | ODD),
}


@pytest.mark.parametrize("name", PACKED)
def test_members_are_listed_and_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PACKED[name])
    listing = Listing(at(tmp_path / name))
    rows = listed(listing)
    assert set(rows) == set(PICTURES)
    assert listing.tally.skipped == {"hidden": 1, "not-a-picture": 1, "dot-segment": 1}
    fetcher = Fetcher(at(tmp_path / name), QUICK)
    for path, row in rows.items():
        assert row["uri"].startswith(f"{tmp_path / name}!")
        found = fetcher.fetch(row["uri"])
        assert (found.data, found.version) == (PICTURES[path], row["version"])
        assert row["size_bytes"] in (None, len(PICTURES[path]))
        assert fetcher.look(row["uri"]).version == row["version"]
    address = member_address(row["uri"])
    assert address is not None
    small = Fetcher(at(tmp_path), FetchSettings(max_file_bytes=2))
    assert small.fetch(rows["a/1.jpg"]["uri"]).outcome == "too-large"


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.parquet"])
def test_a_member_takes_one_range_read_and_its_container_one_opening(name: str) -> None:
    many = {f"{number}.jpg": os.urandom(2000) for number in range(300)}
    pack = {"x.zip": zipped, "x.tar": tarred, "x.parquet": parquet}[name]
    with flat_s3({f"in/{name}": pack(many)}) as server:
        bucket = server.location
        rows = listed(Listing(bucket.child(f"in/{name}")))
        fetcher = Fetcher(bucket, QUICK)
        fetcher.fetch(rows["0.jpg"]["uri"])
        before = server.requests.total()
        for path, row in rows.items():
            assert fetcher.fetch(row["uri"]).data == many[path]
        assert server.requests.total() - before <= len(many)


def test_a_folder_of_shards_is_opened(tmp_path: Path) -> None:
    """As a glob, and as a folder without pictures of its own; other tables are left out."""
    for number in range(3):
        (tmp_path / f"shard-{number}.tar").write_bytes(
            tarred({f"{number}.jpg": b"x", "t.json": b"y"})
        )
    pq.write_table(pa.table({"n": [1]}), tmp_path / "other.parquet")
    expected = {f"shard-{number}.tar/{number}.jpg" for number in range(3)}
    listing = Listing(at(tmp_path))
    assert set(listed(listing)) == expected
    assert listing.tally.skipped == {"not-a-picture": 4}
    assert set(listed(Listing(at(tmp_path), "*.tar"))) == expected
    (tmp_path / "picture.jpg").write_bytes(b"x")
    assert set(listed(Listing(at(tmp_path)))) == {"picture.jpg"}
    assert set(listed(Listing(at(tmp_path), "*.{tar,jpg}"))) == {"picture.jpg", *expected}


def test_a_parquet_of_addresses_is_still_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    pq.write_table(pa.table({"path": ["a.jpg"]}), tmp_path / "list.parquet")
    assert set(listed(Listing(at(tmp_path / "list.parquet")))) == {"a.jpg"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut.zip", PACKED["x.zip"][:-40]),
        ("no.zip", b"no zip at all"),
        ("empty.zip", b""),
        ("cut.tar", PACKED["x.tar"][:700]),
        ("no.tar", b"no tar at all" * 1000),
        ("zeros.tar", bytes(100_000)),
    ],
)
def test_a_broken_container_ends_the_listing_in_words(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ArchiveError, match=rf"Cannot list the members of .*{name}"):
        list(Listing(at(tmp_path / name)))


def test_what_must_be_unpacked_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"a \.tar\.gz cannot be read one by one. Unpack it"):
        list(Listing(at(tmp_path / "x.tar.gz")))


def test_members_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    whole = bytearray(zipped({"1.jpg": b"one" * 1000, "2.jpg": b"two"}, zipfile.ZIP_STORED))
    whole[200] ^= 1
    (tmp_path / "x.zip").write_bytes(whole)
    rows = listed(Listing(at(tmp_path / "x.zip")))
    fetcher = Fetcher(at(tmp_path / "x.zip"), QUICK)
    with pytest.raises(UnreadFileError, match="CRC"):
        fetcher.fetch(rows["1.jpg"]["uri"])
    assert fetcher.fetch(rows["2.jpg"]["uri"]).data == b"two"
    assert fetcher.fetch(f"{tmp_path}/x.zip!/none.jpg").outcome == "gone"
    assert fetcher.fetch(f"{tmp_path}/gone.zip!/none.jpg").outcome == "gone"


def test_a_member_that_unpacks_to_more_than_it_states_is_bounded(tmp_path: Path) -> None:
    bomb = bytearray(zipped({"1.jpg": bytes(10_000_000)}))
    at_directory = bomb.rindex(b"PK\x01\x02")
    bomb[at_directory + 24 : at_directory + 28] = (1000).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(bomb)
    rows = listed(Listing(at(tmp_path / "x.zip")))
    with pytest.raises(UnreadFileError, match="CRC"):
        Fetcher(at(tmp_path), QUICK).fetch(rows["1.jpg"]["uri"])


def test_a_new_kind_of_container_is_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lines:
        """Each line of a text is a picture."""

        def __init__(self, ranges: object) -> None:
            self._lines = ranges.file().read().splitlines()  # type: ignore[attr-defined]

        def members(self) -> object:
            for number, line in enumerate(self._lines):
                yield Member(f"{number}.jpg", str(number), len(line), line.decode())

        def read(self, address: object, max_bytes: int) -> FetchedFile:
            return FetchedFile("ok", self._lines[int(address.place)])  # type: ignore[attr-defined]

    monkeypatch.setitem(CONTAINERS, ".lines", Lines)
    (tmp_path / "x.lines").write_bytes(b"one\ntwo\n")
    rows = listed(Listing(at(tmp_path / "x.lines")))
    assert Fetcher(at(tmp_path), QUICK).fetch(rows["1.jpg"]["uri"]).data == b"two"


def test_of_names_in_a_tar_the_last_holds_and_damage_is_no_end(tmp_path: Path) -> None:
    place = tmp_path / "Wow!" / "x.tar"
    place.parent.mkdir()
    with tarfile.open(place, "w") as made:
        for name, data in (("a.jpg", b"old"), ("./a.jpg", b"new"), ("b.jpg", b"two")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    rows = listed(Listing(at(place)))
    assert {*rows} == {"a.jpg", "b.jpg"}
    assert Fetcher(at(place), QUICK).fetch(rows["a.jpg"]["uri"]).data == b"new"
    damaged = bytearray(place.read_bytes())
    damaged[2 * 1024 + 10] ^= 1
    place.write_bytes(damaged)
    with pytest.raises(ArchiveError, match="damaged"):
        list(Listing(at(place)))


def test_what_cannot_be_unpacked_does_not_end_the_files_after_it(tmp_path: Path) -> None:
    whole = bytearray(zipped({f"{n}.jpg": b"x" * 100 for n in range(9)}, zipfile.ZIP_STORED))
    for n in range(8):
        whole[whole.index(f"{n}.jpg".encode()) + 20] ^= 1
    (tmp_path / "x.zip").write_bytes(whole)
    rows = listed(Listing(at(tmp_path / "x.zip")))
    fetcher = Fetcher(at(tmp_path), replace(QUICK, max_unread_in_a_row=2))
    entries = [SimpleNamespace(uri=row["uri"], size_bytes=100) for row in rows.values()]
    found = [fetched.outcome for _, fetched in fetcher.fetch_many(entries)]
    assert found == ["unread"] * 8 + ["ok"]


def test_a_fault_on_a_table_among_containers_removes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 half written")
    with pytest.raises(ArchiveError, match="Cannot list the members"):
        list(Listing(at(tmp_path), pattern="*.parquet"))
