import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from artcluster.archive import Fetcher, FetchSettings
from artcluster.errors import ArchiveError
from artcluster.location import Location
from tests.archive.test_folders import at, without_privileges, write


@dataclass(frozen=True)
class Row:
    uri: str
    size_bytes: int | None = 1


def test_a_file_comes_with_the_hash_size_and_version_it_has_now(tmp_path):
    write(tmp_path, "a.jpg")
    file = tmp_path / "a.jpg"
    file.write_bytes(b"changed since it was listed")
    found = Fetcher(at(tmp_path)).fetch(str(file))
    assert found.outcome == "ok"
    assert found.content_id == hashlib.sha256(found.data).hexdigest()
    assert found.size_bytes == 27
    assert found.version == str(file.stat().st_mtime_ns)


def test_what_is_no_file_any_more_is_gone(tmp_path):
    write(tmp_path, "a.jpg/inside.jpg", "b.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    fetcher = Fetcher(at(tmp_path))
    for name in ("none.jpg", "a.jpg", "b.jpg/c.jpg", "pipe.jpg"):
        assert fetcher.fetch(str(tmp_path / name)).outcome == "gone", name


def test_an_archive_that_is_gone_is_a_fault(tmp_path):
    with pytest.raises(ArchiveError, match="not there any more"):
        Fetcher(at(tmp_path / "unmounted")).fetch(str(tmp_path / "unmounted/a.jpg"))


def test_a_file_too_large_is_not_read(tmp_path):
    with (tmp_path / "a.tif").open("wb") as sparse:
        sparse.truncate(1 << 40)
    found = Fetcher(at(tmp_path), FetchSettings(max_file_bytes=1000)).fetch(f"{tmp_path}/a.tif")
    assert (found.outcome, found.size_bytes, found.data) == ("too-large", 1 << 40, b"")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails to read")
def test_a_fault_is_tried_again_with_growing_pauses_then_stops_the_job():
    pauses: list[float] = []
    fetcher = Fetcher(Location.parse("/proc"), FetchSettings(retries=8), sleep=pauses.append)
    with pytest.raises(ArchiveError, match=r"/proc/self/mem.*Input/output error \(tried 9 times\)"):
        fetcher.fetch("/proc/self/mem")
    for number, pause in enumerate(pauses):
        longest = min(30, 0.5 * 2**number)
        assert longest / 2 <= pause <= longest


def test_a_fault_that_passes_is_not_noticed(tmp_path):
    write(tmp_path, "a.jpg")
    file, away = tmp_path / "a.jpg", tmp_path / "away.jpg"
    file.rename(away)
    file.symlink_to(file)  # a loop: an I/O error, and no missing file

    def mend(_: float) -> None:
        file.unlink()
        away.rename(file)

    assert Fetcher(at(tmp_path), sleep=mend).fetch(str(file)).data == b"a.jpg"


def test_without_permission_there_is_no_second_try():
    with TemporaryDirectory() as folder:
        root = write(Path(folder), "a.jpg")
        root.chmod(0o755)
        (root / "a.jpg").chmod(0)
        pauses: list[float] = []
        with without_privileges(), pytest.raises(ArchiveError, match=r"denied.*archive\.exclude"):
            Fetcher(at(root), sleep=pauses.append).fetch(f"{folder}/a.jpg")
        assert pauses == []


def test_local_files_come_in_order(tmp_path):
    names = [f"{number}.jpg" for number in range(50)]
    write(tmp_path, *names)
    rows = [Row(f"{tmp_path}/{name}") for name in names]
    found = list(Fetcher(at(tmp_path)).fetch_many(rows))
    assert [row for row, _ in found] == rows
    assert [file.data.decode() for _, file in found] == names


@pytest.mark.s3
def test_objects_come_in_order_several_at_once_and_bounded(s3):
    place = s3.location()
    names = [f"{number}.jpg" for number in range(60)]
    for name in names:
        place.objects().put(name, name.encode())
    rows = [Row(f"{place.uri}/{name}", 5) for name in [*names, "none.jpg"]]
    taken = 0

    def counted():
        nonlocal taken
        for row in rows:
            taken += 1
            yield row

    fetcher = Fetcher(place, FetchSettings(threads=4, ahead_bytes=20))
    stream = fetcher.fetch_many(counted())
    first = next(stream)
    assert first[1].data == b"0.jpg"
    assert taken <= 6
    rest = list(stream)
    assert [row for row, _ in [first, *rest]] == rows
    assert rest[-1][1].outcome == "gone"
    assert threading.active_count() < 50
    large = Fetcher(place, FetchSettings(max_file_bytes=3)).fetch(rows[0].uri)
    assert (large.outcome, large.size_bytes) == ("too-large", 5)
