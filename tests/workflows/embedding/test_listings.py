"""What a list names, night by night: missing files, servers that are down, what is left out."""

import http.server
import shutil
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest

from artcluster.errors import ArchiveError
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.housekeeping.status import left_out
from artcluster.workflows.results import EmbedSummary
from tests.archive.test_lists import Museum
from tests.workflows.jobs import copy_pictures, make_job


def embed(folder: Path, addresses: list[str], **settings: object) -> EmbedSummary:
    """Embed what a list names."""
    (folder / "list.csv").write_text("uri\n" + "".join(f"{each}\n" for each in addresses))
    settings = {"archive__fetch_retries": 0, "archive__id": "met", **settings}
    return embed_archive(make_job(folder / "store", **settings), str(folder / "list.csv"))


def rows(folder: Path, view: str = "current_images") -> dict[str, tuple[str, str]]:
    """Status and reason by path."""
    found = read_view(Store.open(folder / "store"), view).to_dicts()
    return {row["path"]: (row["status"], row["reason"]) for row in found}


def test_what_a_list_names_in_vain_is_a_row_and_tried_again(tmp_path: Path) -> None:
    names = [file.name for file in copy_pictures(tmp_path, 4)]
    shutil.move(tmp_path / names[3], tmp_path / "away.png")
    for _ in range(2):
        done = embed(tmp_path, [*names, "never.png"])
        assert (done.images, done.unread, done.files) == (3, 2, 5)
        assert rows(tmp_path)["never.png"] == ("unread", "missing")
    images = Store.open(tmp_path / "store").table("images").read(["path"])
    assert images["path"].to_pylist().count("never.png") == 1
    shutil.move(tmp_path / "away.png", tmp_path / names[3])
    done = embed(tmp_path, [*names, "never.png"])
    assert (done.images, done.embedded, done.unread) == (4, 1, 1)
    done = embed(tmp_path, names, archive__max_removed_share=0.2)
    assert (done.images, done.unread, done.files) == (4, 0, 4)


def test_what_a_list_names_and_is_gone_is_removed_with_the_reason(tmp_path: Path) -> None:
    files = copy_pictures(tmp_path, 4)
    names = [file.name for file in files]
    embed(tmp_path, names)
    for file in files[:3]:
        file.unlink()
    with pytest.raises(ArchiveError, match="3 of 4 known images"):
        embed(tmp_path, names)
    done = embed(tmp_path, names, archive__max_removed_share=1)
    assert (done.removed, done.images) == (3, 1)
    removed = Store.open(tmp_path / "store").table("images").read(["path", "status", "reason"])
    assert {"path": names[0], "status": "removed", "reason": "missing"} in removed.to_pylist()


def test_a_server_that_is_down_removes_nothing(tmp_path: Path) -> None:
    names = [file.name for file in copy_pictures(tmp_path, 4)]
    handler = partial(Museum, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        listed = [*names[:2], *(f"{base}/{name}" for name in names[2:])]
        assert embed(tmp_path, listed).images == 4
        server.shutdown()
    for _ in range(2):
        done = embed(tmp_path, [*listed, f"{base}/new.png"])
        assert (done.images, done.removed, done.unread) == (4, 0, 1)
        assert rows(tmp_path)[f"{base}/{names[2]}"][0] == "ok"
    assert rows(tmp_path, "unread_images")[f"{base}/new.png"] == ("unread", "unread")


def test_what_was_left_out_is_listed_by_reason(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 2)
    for name in (".hidden.png", "notes.txt", "private.png"):
        (tmp_path / "images" / name).write_bytes(b"x")
    (tmp_path / "images" / "broken.png").symlink_to("nowhere")
    said: list[str] = []
    job = make_job(tmp_path / "store", archive__id="met", archive__exclude=["private*"])
    job.progress.say = said.append  # type: ignore[method-assign]
    embed_archive(job, str(tmp_path / "images"))
    reasons = {"broken-link": 1, "excluded": 1, "hidden": 1, "not-a-picture": 1}
    words = ", ".join(f"{reason} 1" for reason in reasons)
    assert f"Listed 2 files (left out 4: {words}): 2 new" in said[0]
    found = left_out(job.store)["met"]
    assert found.counts == reasons
    assert list(found.paths) == [
        ("broken-link", "broken.png"),
        ("excluded", "private.png"),
        ("hidden", ".hidden.png"),
        ("not-a-picture", "notes.txt"),
    ]


def test_the_members_of_a_zip_are_embedded_and_new_ones_known(tmp_path: Path) -> None:
    files = copy_pictures(tmp_path / "images", 6)
    packed = tmp_path / "works.zip"

    def night(count: int) -> EmbedSummary:
        with zipfile.ZipFile(packed, "w") as archive:
            for file in files[:count]:
                archive.write(file, f"1890/{file.name}")
        return embed_archive(make_job(tmp_path / "store", archive__id="met"), str(packed))

    assert night(4).images == 4
    done = night(4)
    assert (done.embedded, done.images) == (0, 4)
    done = night(6)
    assert (done.embedded, done.images) == (2, 6)
    assert f"1890/{files[0].name}" in rows(tmp_path)
    done = night(5)
    assert (done.removed, done.images) == (1, 5)
