"""The embedding job on small archives: what is embedded, what is not, and what is said of it."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from artcluster.errors import ArchiveError, LeaseHeldError, RejectShareError, UsageError
from artcluster.images.policy import PixelPolicy
from artcluster.schema import EMBEDDERS, EMBEDDINGS, IMAGES
from artcluster.store import Store
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.plan import plan_archive
from artcluster.workflows.embedding.shares import check_reject_share
from tests.workflows.jobs import BROKEN, DEMO, copy_pictures, make_job, reverse_parts

ODD = Path(__file__).parents[2] / "data" / "odd"


def contents(store: Path) -> list[str]:
    return Store.open(store).table(EMBEDDINGS).read(["content_id"])["content_id"].to_pylist()


def statuses(store: Path) -> dict[str, str]:
    rows = Store.open(store).table(IMAGES).read(["path", "status", "scan_id"]).sort_by("scan_id")
    return {row["path"]: row["status"] for row in rows.to_pylist()}


def test_the_demo_archive_rejects_its_three_broken_files(tmp_path: Path) -> None:
    done = embed_archive(make_job(tmp_path / "store", embed__part_images=100), str(DEMO / "images"))
    assert done.rejects == dict.fromkeys(BROKEN, 1)
    assert done.images == 559
    assert done.embedded == len(set(contents(tmp_path / "store")))
    assert len(contents(tmp_path / "store")) == done.embedded
    rejected = (
        Store.open(tmp_path / "store").table(IMAGES).read(None, pc.field("status") == "rejected")
    )
    for row in rejected.to_pylist():
        assert row["stage"] in ("identify", "decode")
        assert row["detail"]
        assert row["pixel_policy"] == PixelPolicy().policy_id


@pytest.mark.parametrize("name", ["width_overflow.png", "width_overflow.tif", "badwidth.bmp"])
def test_a_header_of_giants_rejects_its_file_alone(tmp_path: Path, name: str) -> None:
    copy_pictures(tmp_path / "images", 3)
    shutil.copy(ODD / name, tmp_path / "images")
    done = embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    assert (done.images, dict(done.rejects)) == (3, {"too-large": 1})


def test_a_jpeg_without_its_end_is_embedded_and_counted_as_damaged(tmp_path: Path) -> None:
    copies = copy_pictures(tmp_path / "images", 12)
    jpeg = next(each for each in copies if each.suffix == ".jpg")
    jpeg.write_bytes(jpeg.read_bytes()[:-2])
    for _ in range(2):
        done = embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
        assert (done.images, done.damaged, dict(done.rejects)) == (12, 1, {})


def test_run_again_it_embeds_nothing(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 10)
    first = embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    again = embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    assert (first.embedded, again.embedded) == (10, 0)
    assert again.scan_id == first.scan_id
    assert not again.resumed


def test_new_changed_renamed_and_removed(tmp_path: Path) -> None:
    images = tmp_path / "images"
    copies = copy_pictures(images, 12)
    embed_archive(make_job(tmp_path / "store"), str(images))
    new = copy_pictures(images, 3, start=20)
    other = copy_pictures(tmp_path / "elsewhere", 1, start=30)[0]
    shutil.copy(other, copies[0])
    copies[1].rename(images / "renamed.png")
    copies[2].unlink()
    done = embed_archive(make_job(tmp_path / "store"), str(images))
    assert done.embedded == 4  # three new, one changed; the renamed one is known by its content
    assert done.removed == 2
    seen = statuses(tmp_path / "store")
    assert seen["renamed.png"] == seen[new[0].name] == seen[copies[0].name] == "ok"
    assert seen[copies[1].name] == seen[copies[2].name] == "removed"
    found = contents(tmp_path / "store")
    assert len(found) == len(set(found)) == 16


def test_the_same_picture_twice_is_embedded_once(tmp_path: Path) -> None:
    images = tmp_path / "images"
    for copy in copy_pictures(images, 6):
        shutil.copy(copy, images / f"z-double-of-{copy.name}")
    done = embed_archive(make_job(tmp_path / "store", embed__part_images=4), str(images))
    assert done.images == 12
    assert done.embedded == len(contents(tmp_path / "store")) == 6


def test_a_second_embedder_fetches_what_it_lacks(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 5)
    embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    other = make_job(tmp_path / "store", images__fit="crop")
    done = embed_archive(other, str(tmp_path / "images"))
    assert done.embedded == 5
    assert len(set(statuses(tmp_path / "store"))) == 5
    embedders = Store.open(tmp_path / "store").table("embedders").read(["embedder_id"])
    assert len(embedders) == 2


def test_another_limit_tries_the_rejects_again(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 3)
    small = make_job(tmp_path / "store", images__max_pixels=10)
    assert embed_archive(small, str(tmp_path / "images")).rejects == {"too-large": 3}
    assert embed_archive(small, str(tmp_path / "images")).embedded == 0
    done = embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    assert (done.embedded, dict(done.rejects)) == (3, {})


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 2)
    job = make_job(tmp_path / "store", archive__max_file_bytes=10)
    assert embed_archive(job, str(tmp_path / "images")).rejects == {"too-large": 2}


def test_vectors_are_those_of_the_embedder_alone(tmp_path: Path) -> None:
    """Parts, decoders and shards change nothing: the same pictures one a part, or all in one."""
    copy_pictures(tmp_path / "images", 6)
    found = []
    for name, size in (("a", 1), ("b", 6)):
        job = make_job(tmp_path / name, embed__part_images=size, embed__backbone="mobilenet_v2")
        embed_archive(job, str(tmp_path / "images"))
        rows = job.store.table(EMBEDDINGS).read().sort_by("content_id")
        found.append(np.array(rows["embedding"].to_pylist()))
    assert found[0].shape == (6, 1280)
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_a_shard_of_a_process_thought_dead_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after its successor looked, and holds a content that another part embeds now."""
    images = tmp_path / "images"
    _, second = copy_pictures(images, 2)
    shutil.copy(second, images / "z-double.png")
    commit = Store.commit_shards
    store = Store.open(tmp_path / "store", create=True)
    commits: list[int] = []

    def dies(self: Store, table: Any, shards: Any, fence: Any) -> Any:
        commits.extend([len(shards)] if table is EMBEDDINGS else [])
        if sum(commits) > may:
            raise KeyboardInterrupt
        return commit(self, table, shards, fence)

    monkeypatch.setattr(Store, "commit_shards", dies)
    settings = {"embed__part_images": 2, "embed__commit_every_images": 1}
    may = 0
    with pytest.raises(KeyboardInterrupt):
        embed_archive(make_job(store, **settings), str(images))
    (written,) = (tmp_path / "store" / "embeddings").rglob("embedder_id=*/*.parquet")
    late = written.rename(tmp_path / "late.parquet")
    for file in (tmp_path / "store" / "images").glob("*.parquet"):
        file.unlink()
    job = make_job(store, **settings)
    reverse_parts(job)
    stream = job.executor.stream

    def meanwhile(*args: Any, **more: Any) -> Any:
        shutil.copy(late, written)
        return stream(*args, **more)

    job.executor.stream = meanwhile  # type: ignore[method-assign]
    may = 1
    commits.clear()
    with pytest.raises(KeyboardInterrupt):
        embed_archive(job, str(images))
    assert len(contents(tmp_path / "store")) == 1
    monkeypatch.undo()
    assert embed_archive(make_job(store, **settings), str(images)).images == 3
    assert len(set(contents(tmp_path / "store"))) == len(contents(tmp_path / "store")) == 2


def test_an_embedder_is_recorded_by_the_job_that_finds_it_missing(tmp_path: Path) -> None:
    """Killed after its last commit: the next job embeds nothing, and still writes it down."""
    copy_pictures(tmp_path / "images", 3)
    job = make_job(tmp_path / "store")
    append = job.store.append

    def dying(table: Any, *args: Any) -> int:
        if table is EMBEDDERS:
            raise KeyboardInterrupt
        return append(table, *args)

    job.store.append = dying  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        embed_archive(job, str(tmp_path / "images"))
    again = make_job(tmp_path / "store")
    done = embed_archive(again, str(tmp_path / "images"))
    assert done.embedded == 0
    recorded = again.store.table(EMBEDDERS).read(["embedder_id"])["embedder_id"].to_pylist()
    assert recorded == [done.embedder_id]


def test_a_metadata_table_is_joined_once(tmp_path: Path) -> None:
    copies = copy_pictures(tmp_path / "images", 3)
    table = tmp_path / "works.csv"
    table.write_text("path,genre\n" + "".join(f"{file.name},drawing\n" for file in copies))
    for _ in range(2):
        job = make_job(tmp_path / "store", metadata__source=str(table))
        embed_archive(job, str(tmp_path / "images"))
    rows = Store.open(tmp_path / "store").table("metadata").read()
    assert rows["genre"].to_pylist() == ["drawing"] * 3


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 6)
    job = make_job(tmp_path / "store")
    before = sorted(tmp_path.rglob("*"))
    counts = plan_archive(job, str(tmp_path / "images"))
    assert (counts.listed, counts.new, counts.todo) == (6, 6, 6)
    assert counts.listed_bytes == sum(f.stat().st_size for f in (tmp_path / "images").iterdir())
    assert counts.expected_seconds is not None
    assert counts.expected_seconds > 0
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("make", [True, False])
def test_an_archive_without_images(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "images").mkdir()
    with pytest.raises((UsageError, ArchiveError), match="images"):
        embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))


def test_mass_removal_asks_for_a_flag(tmp_path: Path) -> None:
    copies = copy_pictures(tmp_path / "images", 4)
    embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    for copy in copies[:3]:
        copy.unlink()
    with pytest.raises(ArchiveError, match="max_removed_share"):
        embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    assert set(statuses(tmp_path / "store").values()) == {"ok"}
    job = make_job(tmp_path / "store", archive__max_removed_share=1)
    assert embed_archive(job, str(tmp_path / "images")).removed == 3


def test_a_vanished_file_is_neither_lost_nor_an_error(tmp_path: Path) -> None:
    """A file that goes between listing and reading, as a dangling plan of a killed job shows."""
    images = tmp_path / "images"
    copies = copy_pictures(images, 4)
    job = make_job(tmp_path / "store", embed__part_images=1)
    stream = job.executor.stream

    def vanishing(items: object, *args: object, **more: object) -> object:
        copies[3].unlink(missing_ok=True)
        return stream(items, *args, **more)  # type: ignore[arg-type]

    job.executor.stream = vanishing  # type: ignore[method-assign, assignment]
    done = embed_archive(job, str(images))
    assert done.images == 3
    assert statuses(tmp_path / "store")[copies[3].name] == "removed"


def test_the_lease_of_a_living_job_is_respected(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 2)
    first = make_job(tmp_path / "store")
    embed_archive(first, str(tmp_path / "images"))
    copy_pictures(tmp_path / "images", 1, start=9)
    archive_id = first.store.table(IMAGES).read(["archive_id"])["archive_id"][0].as_py()
    with (
        first.lease(f"images={archive_id}", IMAGES),
        pytest.raises(LeaseHeldError, match=str(os.getpid())),
    ):
        embed_archive(make_job(tmp_path / "store", store__lease_wait_s=0), str(tmp_path / "images"))


def test_too_many_rejects_are_an_error_that_says_why(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 1)
    (tmp_path / "images" / "page.jpg").write_text("<html>not found</html>")
    done = embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    check_reject_share(done, 0.5)
    with pytest.raises(RejectShareError, match="not-an-image: 1"):
        check_reject_share(done, 0.2)
