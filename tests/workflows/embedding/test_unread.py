"""A file that cannot be read is told of and tried again; it ends no job and removes nothing."""

import shutil
from pathlib import Path

import pytest

from artcluster.config import load_config
from artcluster.errors import ArchiveOutOfReachError, ArtclusterError, UnreadShareError
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.embedding.embed import embed_archive, embed_known
from artcluster.workflows.embedding.embedder import prepare_embedder
from artcluster.workflows.embedding.shares import check_can_be_clustered, check_unread_share
from artcluster.workflows.results import EmbedSummary
from artcluster.workflows.viewing.rejects import rejected_files
from tests.workflows.jobs import copy_pictures, make_job

UNREADABLE = Path("/proc/self/mem")  # opens, and gives an I/O error

pytestmark = pytest.mark.skipif(not UNREADABLE.exists(), reason="needs a file that fails to read")


def embed(folder: Path, archive: str = "images", **settings: object) -> EmbedSummary:
    job = make_job(folder / "store", archive__fetch_retries=0, **settings)
    return embed_archive(job, str(folder / archive))


def statuses(folder: Path, view: str) -> dict[str, str]:
    rows = read_view(Store.open(folder / "store"), view).to_dicts()
    return {row["path"]: row.get("status", "ok") for row in rows}


def test_the_rest_is_embedded_and_the_file_is_told_of(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 12)
    (tmp_path / "images" / "bad.tif").symlink_to(UNREADABLE)
    done = embed(tmp_path)
    assert (done.images, done.unread, done.files) == (12, 1, 13)
    assert done.unread_examples == (("bad.tif", "Input/output error"),)
    assert not done.rejects
    assert statuses(tmp_path, "unread_images") == {"bad.tif": "unread"}
    assert statuses(tmp_path, "rejects") == {"bad.tif": "unread"}
    assert statuses(tmp_path, "current_images")["bad.tif"] == "unread"
    assert len(statuses(tmp_path, "latest")) == 12


def test_it_is_tried_again_and_makes_no_new_scan_of_the_archive(tmp_path: Path) -> None:
    pictures = copy_pictures(tmp_path / "images", 12)
    bad = tmp_path / "images" / "bad.png"
    bad.symlink_to(UNREADABLE)
    first, again = embed(tmp_path), embed(tmp_path)
    assert (again.unread, again.embedded, again.scan_id) == (1, 0, first.scan_id)
    bad.unlink()
    shutil.copy(copy_pictures(tmp_path / "elsewhere", 1, start=30)[0], bad)
    mended = embed(tmp_path)
    assert (mended.unread, mended.embedded, mended.images) == (0, 1, len(pictures) + 1)
    assert not statuses(tmp_path, "rejects")


def test_a_picture_that_had_a_vector_keeps_it(tmp_path: Path) -> None:
    pictures = copy_pictures(tmp_path / "images", 12)
    embed(tmp_path)
    pictures[0].unlink()
    pictures[0].symlink_to(UNREADABLE)
    for _ in range(2):
        done = embed(tmp_path)
        assert (done.images, done.unread, done.removed) == (12, 1, 0)
        assert len(statuses(tmp_path, "current_images")) == 12
    assert statuses(tmp_path, "current_images")[pictures[0].name] == "ok"
    assert statuses(tmp_path, "unread_images") == {pictures[0].name: "unread"}
    pictures[0].unlink()
    gone = embed(tmp_path)
    assert (gone.images, gone.unread, gone.removed) == (11, 0, 1)


def test_another_embedder_leaves_it_out_and_takes_nothing_from_the_first(tmp_path: Path) -> None:
    pictures = copy_pictures(tmp_path / "images", 12)
    embed(tmp_path)
    pictures[0].unlink()
    pictures[0].symlink_to(UNREADABLE)
    embed(tmp_path)
    job = make_job(tmp_path / "store", archive__fetch_retries=0, embed__seed=1)
    other = prepare_embedder(job.store, load_config(flags={"embed.backbone": "random:cae"}))
    archive_id = embed(tmp_path).archive_id
    assert embed_known(job, archive_id, other) == 11
    assert statuses(tmp_path, "current_images")[pictures[0].name] == "ok"


def test_too_many_are_an_error_and_nothing_is_clustered(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 3)
    (tmp_path / "images" / "bad.tif").symlink_to(UNREADABLE)
    done = embed(tmp_path)
    check_unread_share(done, 0.25)
    with pytest.raises(UnreadShareError, match=r"1 of 4 files .* \(25%, allowed: 10%\).*bad\.tif"):
        check_can_be_clustered(done, make_job(tmp_path / "store").config)


def test_nothing_usable_says_so(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(3):
        (tmp_path / "images" / f"{number}.jpg").write_bytes(b"no picture")
    done = embed(tmp_path, images__max_reject_share=1)
    config = make_job(tmp_path / "store", images__max_reject_share=1).config
    with pytest.raises(ArtclusterError, match="nothing to cluster"):
        check_can_be_clustered(done, config)


def test_a_disk_that_fails_for_all_ends_the_job_early(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 3)
    for number in range(30):
        (tmp_path / "images" / f"{number:03}.tif").symlink_to(UNREADABLE)
    with pytest.raises(ArchiveOutOfReachError, match="20 files in a row"):
        embed(tmp_path, embed__part_images=100)


def test_files_of_every_folder_are_listed_before_any_folder_fills_the_list(tmp_path: Path) -> None:
    for folder in "abcd":
        (tmp_path / "images" / folder).mkdir(parents=True)
        for number in range(1 if folder == "d" else 9):
            (tmp_path / "images" / folder / f"{number}.jpg").write_bytes(b"no picture")
    job = make_job(tmp_path / "store")
    embed(tmp_path)
    (group,) = rejected_files(job.store, job.config, limit=8)
    assert (group.reason, group.count) == ("not-an-image", 28)
    assert {file.path[0] for file in group.files} == set("abcd")
    assert rejected_files(job.store, job.config, reason="corrupt") == []
