import http.server
import threading
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artcluster.archive import Fetcher, FetchSettings, Listing
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location
from tests.archive.rows import listed
from tests.archive.test_folders import DEMO, at, write


def test_a_csv_of_relative_paths_is_resolved_against_its_folder(tmp_path):
    write(tmp_path, "a/1.jpg", "b 2%.jpg", "c.jpg")
    text = "title,path\nOne,a/1.jpg\nTwo,./a/../b 2%.jpg\nAgain,a//1.jpg\nNone,\nGone,x.jpg\n"
    (tmp_path / "list.csv").write_text(text)
    listing = Listing(at(tmp_path / "list.csv"))
    rows = listed(listing)
    assert list(rows) == ["a/1.jpg", "b 2%.jpg"]
    assert rows["a/1.jpg"]["uri"] == str(tmp_path / "a/1.jpg")
    assert rows["a/1.jpg"]["version"] == str((tmp_path / "a/1.jpg").stat().st_mtime_ns)
    assert listing.tally.skipped == {"no-address": 1, "missing": 1}


def test_the_demo_metadata_is_a_list_of_its_images():
    listing = Listing(at(DEMO / "metadata.csv"), root=at(DEMO / "images"))
    assert len(listed(listing)) == 559
    with pytest.raises(ArchiveError, match="None of the 559 files"):
        list(Listing(at(DEMO / "metadata.csv")))


def test_a_parquet_of_addresses_may_lead_anywhere(tmp_path):
    write(tmp_path, "here/a.jpg", "there/b.jpg", "there/ü c.jpg")
    addresses = [
        "../there/b.jpg",
        str(tmp_path / "here/a.jpg"),
        f"file://{tmp_path}/there/%C3%BC%20c.jpg",
        "skip.pdf",
    ]
    table = pa.table({"Image": addresses, "n": [1, 2, 3, 4]})
    pq.write_table(table, tmp_path / "here/list.parquet")
    listing = Listing(at(tmp_path / "here/list.parquet"), column="image")
    rows = listed(listing)
    assert set(rows) == {"a.jpg", str(tmp_path / "there/b.jpg"), str(tmp_path / "there/ü c.jpg")}
    assert rows[str(tmp_path / "there/b.jpg")]["uri"] == str(tmp_path / "there/b.jpg")
    with pytest.raises(UsageError, match=r"expected a column 'uri' or 'path'.*Image, n"):
        list(Listing(at(tmp_path / "here/list.parquet")))


def test_without_looking_size_and_version_are_unknown(tmp_path):
    (tmp_path / "list.csv").write_text("uri\nhttps://iiif.example/a.jpg?size=9\n")
    rows = listed(Listing(at(tmp_path / "list.csv"), look=False))
    (row,) = rows.values()
    assert row["uri"] == "https://iiif.example/a.jpg?size=9"
    assert row["size_bytes"] is row["version"] is None


def test_signed_addresses_are_refused_and_not_shown(tmp_path):
    (tmp_path / "list.csv").write_text("uri\nhttps://b.example/a.jpg?X-Amz-Signature=SEKRET\n")
    with pytest.raises(UsageError, match=r"Row 1 .*signature") as refused:
        list(Listing(at(tmp_path / "list.csv"), look=False))
    assert "SEKRET" not in str(refused.value)


@pytest.mark.s3
def test_a_list_of_objects_is_looked_at_and_fetched(s3):
    place = s3.location()
    store = place.objects()
    store.put("pictures/a.jpg", b"aa")
    store.put("pictures/b c.jpg", b"bbb")
    store.put("list.csv", f"uri\npictures/a.jpg\n{place.uri}/pictures/b c.jpg\n".encode())
    rows = listed(Listing(place.child("list.csv")))
    assert {path: row["size_bytes"] for path, row in rows.items()} == {
        "pictures/a.jpg": 2,
        "pictures/b c.jpg": 3,
    }
    found = Fetcher(place).fetch(rows["pictures/b c.jpg"]["uri"])
    assert (found.data, found.version) == (b"bbb", rows["pictures/b c.jpg"]["version"])


def test_pictures_are_fetched_from_a_web_server(tmp_path):
    write(tmp_path, "a.jpg", "b c.jpg")
    handler = partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            base = f"http://127.0.0.1:{server.server_port}"
            (tmp_path / "list.csv").write_text(f"uri\n{base}/a.jpg\n{base}/b%20c.jpg\n{base}/no\n")
            listing = Listing(at(tmp_path / "list.csv"), fetch=FetchSettings(retries=0))
            rows = listed(listing)
            assert set(rows) == {f"{base}/a.jpg", f"{base}/b%20c.jpg"}
            assert listing.tally.skipped == {"missing": 1}
            fetcher = Fetcher(Location.parse(base), FetchSettings(retries=0))
            assert fetcher.fetch(f"{base}/b%20c.jpg").data == b"b c.jpg"
            assert fetcher.fetch(f"{base}/no.jpg").outcome == "gone"
        finally:
            server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
