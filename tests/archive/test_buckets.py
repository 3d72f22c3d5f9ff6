import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from artcluster.archive import (
    Fetcher,
    FetchSettings,
    Listing,
    archive_id_of,
    split_glob,
    write_scan,
)
from artcluster.errors import ArchiveError
from artcluster.location import Location
from tests.archive.flat_s3 import flat_s3
from tests.archive.rows import listed
from tests.archive.test_folders import at

ODD = ["ü/100% é?#.jpg", "sp ace/b+c&d.jpg", "per%20cent.jpg", "a[1]*.jpg"]
NEWLINE = "ü/100% é\n?#.jpg"


def put(place, *names):
    filesystem, root = place.fsspec()
    for name in names:
        filesystem.pipe_file(f"{root}/{name}", b"" if name.endswith("/") else name.encode())


@pytest.mark.s3
def test_a_bucket_is_listed_with_odd_keys_and_fetched(s3):
    place = s3.location()
    put(place, *ODD, "notes.docx", "empty/", "full/", "full/x.jpg", ".hidden/y.jpg")
    put(place, "store/report/sheet.jpg")
    listing = Listing(place, leave_out=[place.child("store")])
    rows = listed(listing)
    assert set(rows) == {*ODD, "full/x.jpg"}
    assert listing.tally.skipped["hidden"] == listing.tally.skipped["store"] == 1
    assert listing.tally.skipped["not-a-picture"] == 1
    fetcher = Fetcher(place)
    for path, row in rows.items():
        found = fetcher.fetch(row["uri"])
        assert found.data == path.encode()
        assert (found.size_bytes, found.version) == (row["size_bytes"], row["version"])


@pytest.mark.s3
def test_keys_that_object_store_refuses_are_listed_and_fetched_too(s3):
    place = s3.location()
    page = [f"a/{number:04d}.jpg" for number in range(1100)]
    store = place.objects()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put(key, b"1"), page))
    put(place, *ODD, NEWLINE, "ü/z.jpg", "z.jpg")
    rows = listed(Listing(place))
    assert set(rows) == {*page, *ODD, NEWLINE, "ü/z.jpg", "z.jpg"}
    found = Fetcher(place).fetch(rows[NEWLINE]["uri"])
    assert found.data == NEWLINE.encode()
    assert (found.size_bytes, found.version) == (
        rows[NEWLINE]["size_bytes"],
        rows[NEWLINE]["version"],
    )


FLAT = {
    "scans/": b"",
    "scans/a.png": b"a",
    "scans//b.png": b"b",
    "scans/sub//c.png": b"c",
    "scans/sub/d.png": b"d",
    "scans/./dot.png": b"e",
    "scans/../up.png": b"f",
    "/lead/slash.png": b"g",
    "//two.png": b"h",
}


@pytest.mark.parametrize("page_keys", [2, 1000])
def test_keys_with_empty_names_of_folders_are_listed_and_fetched_as_they_are(page_keys):
    with flat_s3(FLAT, page_keys) as server:
        bucket = server.location
        for place, prefix in ((bucket, ""), (bucket.child("scans"), "scans/")):
            listing = Listing(place)
            rows = listed(listing)
            sound = {key for key in FLAT if FLAT[key] and "/." not in key}
            assert set(rows) == {
                key.removeprefix(prefix) for key in sound if key.startswith(prefix)
            }
            assert listing.tally.skipped == {"dot-segment": 2, "folder-marker": 1}
            shown = {(each.path, each.reason) for each in listing.tally.take()}
            assert ("scans/../up.png".removeprefix(prefix), "dot-segment") in shown
            fetcher = Fetcher(place, FetchSettings(retries=0))
            for path, row in rows.items():
                assert fetcher.fetch(row["uri"]).data == FLAT[prefix + path]
                assert row["size_bytes"] == 1


def test_a_bucket_with_nothing_but_a_leading_slash(tmp_path):
    with flat_s3({"/only.png": b"x"}) as server:
        bucket = server.location
        rows = listed(Listing(bucket))
        assert set(rows) == {"/only.png"}
        assert Fetcher(bucket).fetch(rows["/only.png"]["uri"]).data == b"x"


@pytest.mark.s3
def test_a_glob_in_a_bucket_and_a_change_are_seen(s3):
    place = s3.location()
    put(place, "2026-01/a.jpg", "2026-02/b.tif", "2025-12/c.jpg", "2026-01/deep/d.jpg")
    root, pattern = split_glob(f"{place.uri}/2026-*/**/*.jpg")
    assert root == place.uri
    where = Location.parse(root, s3.options)
    before = listed(Listing(where, pattern))
    assert set(before) == {"2026-01/a.jpg", "2026-01/deep/d.jpg"}
    fetcher = Fetcher(where)
    filesystem, path = where.fsspec()
    filesystem.pipe_file(f"{path}/2026-01/a.jpg", b"other bytes")
    filesystem.rm_file(f"{path}/2026-01/deep/d.jpg")
    found = fetcher.fetch(before["2026-01/a.jpg"]["uri"])
    assert found.data == b"other bytes"
    assert found.version != before["2026-01/a.jpg"]["version"]
    after = listed(Listing(where, pattern))
    assert set(after) == {"2026-01/a.jpg"}
    assert found.version == after["2026-01/a.jpg"]["version"]
    assert fetcher.fetch(before["2026-01/deep/d.jpg"]["uri"]).outcome == "gone"


@pytest.mark.s3
def test_a_bucket_that_is_not_there_is_a_fault_not_an_empty_archive(s3, tmp_path):
    nowhere = Location.parse("s3://no-such-bucket/x", s3.options)
    with pytest.raises(ArchiveError, match="no-such-bucket"):
        write_scan(Listing(nowhere), at(tmp_path), "met")
    with pytest.raises(ArchiveError, match="bucket is not there"):
        Fetcher(nowhere).fetch("s3://no-such-bucket/x/a.jpg")
    wrong = Location.parse(s3.location().uri, s3.options | {"AWS_SECRET_ACCESS_KEY": "wrong"})
    with pytest.raises(ArchiveError, match="credentials"):
        list(Listing(wrong))


def test_other_filesystems_are_listed_through_fsspec(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("in/a.jpg", "in/b/ü 1%.jpg", "in/notes.txt", "in/.h/c.jpg", "other/d.jpg"):
            archive.writestr(name, name)
    (tmp_path / "a.zip").write_bytes(packed.getvalue())
    place = Location.parse(f"zip://in::{tmp_path}/a.zip")
    listing = Listing(place)
    rows = listed(listing)
    assert set(rows) == {"a.jpg", "b/ü 1%.jpg"}
    assert listing.tally.skipped == {"not-a-picture": 1, "hidden": 1}
    assert Fetcher(place).fetch(rows["b/ü 1%.jpg"]["uri"]).data == "in/b/ü 1%.jpg".encode()
    memory = Location.parse("memory://pictures")
    put(memory, "a/1.jpg", "2.jpg")
    assert set(listed(Listing(memory))) == {"a/1.jpg", "2.jpg"}
    with pytest.raises(ArchiveError, match="no such folder"):
        list(Listing(Location.parse("memory://nothing")))


def test_an_archive_has_a_readable_name_of_its_own(tmp_path):
    assert archive_id_of(at(tmp_path / "Musée 1")).startswith("musee-1-")
    names = {archive_id_of(at(tmp_path), glob) for glob in (None, "*.jpg", "*.png")}
    assert len(names) == 3
