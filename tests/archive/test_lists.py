import http.server
import threading
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artcluster.archive import Fetcher, FetchSettings, Listing
from artcluster.errors import ArchiveError, ArchiveOutOfReachError, UnreadFileError, UsageError
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
        "skip.docx",
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


class Museum(http.server.SimpleHTTPRequestHandler):
    """Answers `/status/403` with that status, and `/login/…` with a page to log in."""

    def do_GET(self) -> None:
        if self.path.startswith("/status/"):
            self.send_error(int(self.path.split("/")[2]))
        elif self.path.startswith("/private/"):
            self.send_response(302)
            self.send_header("Location", "/login.html")
            self.end_headers()
        else:
            super().do_GET()

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def museum(tmp_path):
    """A web server of a folder with two pictures; yields its address."""
    write(tmp_path, "a.jpg", "b c.jpg")
    (tmp_path / "login.html").write_text("<!DOCTYPE html><form>")
    handler = partial(Museum, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


QUICK = FetchSettings(retries=0)


def test_pictures_are_fetched_from_a_web_server(tmp_path, museum):
    (tmp_path / "list.csv").write_text(f"uri\n{museum}/a.jpg\n{museum}/b%20c.jpg\n{museum}/no\n")
    listing = Listing(at(tmp_path / "list.csv"), fetch=QUICK)
    rows = listed(listing)
    assert set(rows) == {f"{museum}/a.jpg", f"{museum}/b%20c.jpg"}
    assert listing.tally.skipped == {"missing": 1}
    fetcher = Fetcher(Location.parse(museum), QUICK)
    assert fetcher.fetch(f"{museum}/b%20c.jpg").data == b"b c.jpg"
    assert fetcher.fetch(f"{museum}/no.jpg").outcome == "gone"


@pytest.mark.parametrize("status", [404, 410])
def test_what_a_web_server_says_is_gone_is_gone(museum, status):
    fetcher = Fetcher(Location.parse(museum), QUICK)
    assert fetcher.look(f"{museum}/status/{status}").outcome == "gone"
    assert fetcher.fetch(f"{museum}/status/{status}").outcome == "gone"


@pytest.mark.parametrize(
    "address",
    [
        *(f"{{museum}}/status/{status}" for status in (400, 401, 403, 429, 500, 503)),
        "{museum}/private/a.jpg",
        "http://127.0.0.1:9/a.jpg",
        "http://no-such-host.invalid/a.jpg",
        "https{museum_without_scheme}/a.jpg",
    ],
)
def test_what_a_web_server_fails_is_a_fault(tmp_path, museum, address):
    address = address.format(museum=museum, museum_without_scheme=museum.removeprefix("http"))
    fetcher = Fetcher(Location.parse(museum), QUICK)
    for act in (fetcher.look, fetcher.fetch):
        with pytest.raises(UnreadFileError, match="Cannot read"):
            act(address)
    (tmp_path / "list.csv").write_text(f"uri\n{museum}/a.jpg\n{address}\n")
    listing = Listing(at(tmp_path / "list.csv"), fetch=QUICK)
    rows = listed(listing)
    assert (rows[address]["size_bytes"], rows[address]["version"]) == (None, None)
    assert listing.tally.skipped == {"no-answer": 1}


def test_a_login_page_is_told_of_and_not_tried_again(museum):
    pauses: list[float] = []
    fetcher = Fetcher(Location.parse(museum), sleep=pauses.append)
    with pytest.raises(UnreadFileError, match="a web page in the place of the file"):
        fetcher.fetch(f"{museum}/private/a.jpg")
    assert pauses == []


def test_a_server_that_never_answers_ends_the_listing(tmp_path):
    addresses = "".join(f"http://127.0.0.1:9/{number}.jpg\n" for number in range(30))
    (tmp_path / "list.csv").write_text(f"uri\n{addresses}")
    with pytest.raises(ArchiveOutOfReachError, match="files in a row cannot be read"):
        list(Listing(at(tmp_path / "list.csv"), fetch=QUICK))
