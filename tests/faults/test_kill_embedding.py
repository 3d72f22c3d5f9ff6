"""SIGKILL of the driver during embedding, then the same command: every image once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.compute as pc
import pytest

from artcluster.store import Store
from tests.stages.jobs import copy_pictures

KILLS = int(os.environ.get("ARTCLUSTER_KILLS", "3"))
PICTURES = 48
PART = 2


def shards(store: Path) -> dict[str, tuple[int, int]]:
    """Return every shard of vectors with the marks that change if it is written again."""
    found = {}
    for file in (store / "embeddings").glob("embedder_id=*/*.parquet"):
        seen = file.stat()
        found[file.name] = (seen.st_ino, seen.st_mtime_ns)
    return found


def start(images: Path, store: Path, log: Path) -> subprocess.Popen[bytes]:
    settings = [f"embed.part_images={PART}", "embed.commit_every_images=8"]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "artcluster", "embed", str(images), str(store)),
            *("--backbone", "mobilenet_v2", "--executor", "in-process", "--json"),
            *(argument for setting in settings for argument in ("--set", setting)),
        ],
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_every_image_once_whatever_moment_the_driver_is_killed(tmp_path: Path) -> None:
    images, store, log = tmp_path / "images", tmp_path / "store", tmp_path / "log"
    copy_pictures(images, PICTURES)
    kills = min(KILLS, PICTURES // PART - 1)
    for kill in range(kills):
        job = start(images, store, log)
        # Killed once it has written another shard, at whatever it does just then.
        wanted = len(shards(store)) + 1
        while job.poll() is None and len(shards(store)) < wanted:
            time.sleep(0.001 * (kill % 7))
        assert job.poll() is None, log.read_text()
        os.kill(job.pid, signal.SIGKILL)
        job.wait()
    left = shards(store)
    assert len(left) >= kills
    rows_left = sum(
        pc.count(table["content_id"]).as_py()
        for table in (_read(store / "embeddings", name) for name in left)
    )
    job = start(images, store, log)
    assert job.wait() == 0, log.read_text()
    text = log.read_text()
    done = json.loads(text[text.index("\n{") :])["embedding"]
    assert done["resumed"]
    assert done["images"] == PICTURES
    # The embedder was called for what no shard held, and no finished shard was written again.
    assert done["embedded"] == PICTURES - rows_left
    after = shards(store)
    assert {name: after[name] for name in left} == left
    opened = Store.open(store)
    contents = opened.table("embeddings").read(["content_id"])["content_id"].to_pylist()
    assert len(contents) == len(set(contents)) == PICTURES
    paths = opened.table("images").read(["path", "status"])
    assert sorted(paths["path"].to_pylist()) == sorted(file.name for file in images.iterdir())
    assert set(paths["status"].to_pylist()) == {"ok"}


def _read(folder: Path, name: str):  # type: ignore[no-untyped-def]
    import pyarrow.parquet as pq

    (file,) = folder.glob(f"embedder_id=*/{name}")
    return pq.ParquetFile(file).read()


@pytest.mark.faults
def test_a_polite_end_keeps_what_is_finished(tmp_path: Path) -> None:
    images, store, log = tmp_path / "images", tmp_path / "store", tmp_path / "log"
    copy_pictures(images, PICTURES)
    job = start(images, store, log)
    while job.poll() is None and len(shards(store)) < 2:
        time.sleep(0.005)
    assert job.poll() is None, log.read_text()
    os.kill(job.pid, signal.SIGTERM)
    assert job.wait() == 130
    assert "goes on from the last commit" in log.read_text()
    rows = Store.open(store).table("embeddings").rows()
    assert rows >= PART
