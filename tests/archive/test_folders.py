import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from artcluster.archive import Listing, latest_scan, write_scan
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location
from tests.archive.rows import listed

DEMO = Path(__file__).parents[2] / "examples" / "demo-archive"


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode(errors="surrogateescape"))
    return folder


def at(folder: Path) -> Location:
    return Location.parse(folder)


def test_the_demo_archive_is_listed_whole():
    listing = Listing(at(DEMO))
    rows = listed(listing)
    real = [file for file in DEMO.rglob("*") if file.is_file() and file.suffix != ".csv"]
    assert set(rows) == {str(file.relative_to(DEMO)) for file in real}
    for file in real:
        row = rows[str(file.relative_to(DEMO))]
        assert row["uri"] == str(file)
        assert row["size_bytes"] == file.stat().st_size
        assert row["version"] == str(file.stat().st_mtime_ns)
    assert listing.tally.skipped == {"not-a-picture": 1}


def test_files_of_a_folder_stay_together_in_order(tmp_path):
    write(tmp_path, "b/2.jpg", "b/10.jpg", "a/x/1.jpg", "a/1.jpg", "z.jpg", "c.jpg")
    assert list(listed(Listing(at(tmp_path)))) == [
        "c.jpg",
        "z.jpg",
        "a/1.jpg",
        "a/x/1.jpg",
        "b/10.jpg",
        "b/2.jpg",
    ]


def test_a_folder_of_many_files_is_listed_in_several_batches(tmp_path):
    write(tmp_path, *(f"{number}.jpg" for number in range(8_500)))
    batches = list(Listing(at(tmp_path)))
    assert sum(batch.num_rows for batch in batches) == 8_500
    assert max(batch.num_rows for batch in batches) <= 8192


def test_hidden_system_and_other_files_are_counted_not_listed(tmp_path):
    write(
        tmp_path,
        "a.JPG",
        "no-extension",
        "drawing.svg",
        ".DS_Store",
        "a/._b.jpg",
        "a/Thumbs.db",
        "__MACOSX/a/b.jpg",
        ".git/c.jpg",
        "notes.DOCX",
        "data.json",
    )
    listing = Listing(at(tmp_path))
    assert set(listed(listing)) == {"a.JPG", "no-extension", "drawing.svg"}
    assert listing.tally.skipped == {"hidden": 5, "not-a-picture": 2}


def test_globs_take_and_leave_out(tmp_path):
    write(tmp_path, "a/1.jpg", "a/2.png", "a/b/3.jpg", "c/4.jpg", "c/5.docx", ".h/6.jpg")
    where = at(tmp_path)
    assert set(listed(Listing(where, "a/**/*.jpg"))) == {"a/1.jpg", "a/b/3.jpg"}
    assert set(listed(Listing(where, "*/*.{png,docx}"))) == {"a/2.png", "c/5.docx"}
    assert set(listed(Listing(where, exclude=["a/**"]))) == {"c/4.jpg"}
    assert set(listed(Listing(where, include=[".h/*"]))) == {".h/6.jpg"}
    with pytest.raises(UsageError, match="include"):
        list(Listing(where, include=["a**b"]))


ODD = [
    "a b.jpg",
    "100%.jpg",
    "%41.jpg",
    "x#y?z&.jpg",
    "line\nbreak.jpg",
    "ü/日本.jpg",
    "a'\"[1]*.jpg",
]


def test_odd_names_are_listed_as_they_are_and_lead_back_to_the_file(tmp_path):
    write(tmp_path, *ODD)
    rows = listed(Listing(at(tmp_path)))
    assert set(rows) == set(ODD)
    for name in ODD:
        assert Path(rows[name]["uri"]).read_bytes() == name.encode()


def test_names_that_are_not_utf8_are_written_with_escapes_and_can_be_fetched(tmp_path):
    from artcluster.archive import Fetcher

    name, folder = os.fsdecode(b"D\xfcrer 100%.jpg"), os.fsdecode(b"k\xf6ln")
    write(tmp_path, name, f"{folder}/a.jpg", "plain.jpg")
    rows = listed(Listing(at(tmp_path)))
    assert set(rows) == {"D%FCrer 100%.jpg", "k%F6ln/a.jpg", "plain.jpg"}
    found = Fetcher(at(tmp_path)).fetch(rows["D%FCrer 100%.jpg"]["uri"])
    assert found.data == b"D\xfcrer 100%.jpg"
    write_scan(Listing(at(tmp_path)), at(tmp_path.parent / "store"), "odd")


def test_an_escaped_name_never_stands_for_two_files(tmp_path):
    write(tmp_path, os.fsdecode(b"D\xfcrer.jpg"), "D%FCrer.jpg")
    with pytest.raises(ArchiveError, match="same name"):
        list(Listing(at(tmp_path)))


def test_links_are_followed_and_loops_are_not(tmp_path):
    inside = write(tmp_path / "archive", "a/1.jpg", "a/deep/2.jpg")
    outside = write(tmp_path / "elsewhere", "3.jpg")
    (inside / "out").symlink_to(outside)
    (inside / "file.jpg").symlink_to(outside / "3.jpg")
    (inside / "a/deep/up").symlink_to(inside)
    (inside / "self").symlink_to(inside / "self")
    (outside / "back").symlink_to(inside / "a")
    listing = Listing(at(inside))
    assert set(listed(listing)) == {
        "a/1.jpg",
        "a/deep/2.jpg",
        "file.jpg",
        "out/3.jpg",
        "out/back/1.jpg",
        "out/back/deep/2.jpg",
    }
    assert listing.tally.skipped["link-loop"] == 2
    assert listing.tally.unreachable == ["self"]


def test_broken_links_and_pipes_are_recorded(tmp_path):
    write(tmp_path, "a.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    listing = Listing(at(tmp_path))
    assert set(listed(listing)) == {"a.jpg"}
    assert listing.tally.unreachable == ["gone.jpg"]
    assert listing.tally.skipped == {"broken-link": 1, "not-a-file": 1}


def test_the_store_inside_the_archive_is_left_out(tmp_path):
    write(tmp_path, "a.jpg", "store/report/b.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "store")
    store = at(tmp_path / "store")
    listing = Listing(at(tmp_path), leave_out=[store])
    assert set(listed(listing)) == {"a.jpg"}
    assert listing.tally.skipped == {"store": 2}
    with pytest.raises(UsageError, match="same place"):
        list(Listing(store, leave_out=[store]))


def test_a_single_file_is_an_archive(tmp_path):
    write(tmp_path, "a.jpg")
    assert set(listed(Listing(at(tmp_path / "a.jpg")))) == {"a.jpg"}


def test_an_archive_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ArchiveError, match=r"No such file.*mounted"):
        list(Listing(at(tmp_path / "none")))


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read everything, so the rights are given up for a while."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_an_unreadable_folder_breaks_the_listing_or_is_recorded():
    with TemporaryDirectory() as folder:
        root = write(Path(folder), "a/1.jpg", "locked/2.jpg")
        root.chmod(0o755)
        (root / "locked").chmod(0)
        with without_privileges():
            with pytest.raises(ArchiveError, match=r"locked': Permission denied.*skip_unreadable"):
                list(Listing(at(root)))
            listing = Listing(at(root), skip_unreadable=True)
            assert set(listed(listing)) == {"a/1.jpg"}
        assert listing.tally.unreachable == ["locked"]
        assert listing.tally.skipped == {"unreadable-folder": 1}


def test_a_listing_that_breaks_off_is_no_scan(tmp_path):
    archive = write(
        tmp_path / "archive", *(f"a/{number}.jpg" for number in range(8_500)), "b/c.jpg"
    )
    store = at(tmp_path / "store")
    first = write_scan(Listing(at(archive)), store, "met")

    class Vanishing(Listing):
        """Takes a folder away while the listing is under way."""

        def __iter__(self):
            for batch in super().__iter__():
                (archive / "b").exists() and (archive / "b").rename(archive.parent / "taken")
                yield batch

    with pytest.raises(ArchiveError, match=r"Cannot list the folder .*archive/b"):
        write_scan(Vanishing(at(archive)), store, "met")
    assert latest_scan(store, "met") == first
    second = write_scan(Listing(at(archive)), store, "met")
    assert (first.scan_id, second.scan_id) == (1, 3)
    assert latest_scan(store, "met") == second


def test_a_folder_too_deep_for_the_system_is_not_taken_for_empty(tmp_path):
    deep = tmp_path
    write(tmp_path, "a.jpg")
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(25):
            os.mkdir("n" * 200, dir_fd=here)
            below = os.open("n" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    with pytest.raises(ArchiveError, match="File name too long"):
        list(Listing(at(deep)))
    listing = Listing(at(deep), skip_unreadable=True)
    assert set(listed(listing)) == {"a.jpg"}
    assert len(listing.tally.unreachable) == 1
