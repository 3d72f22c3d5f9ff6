"""Copies of real pictures: found where they are the same, left alone where they only look alike."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artcluster.cli import main
from artcluster.errors import UsageError
from artcluster.schema import PERCEPTUAL_HASHES
from artcluster.store.vectors import find_vectors
from artcluster.workflows.archives import open_tables
from artcluster.workflows.clustering.assignments import load_model
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.searching.duplicates import Duplicates, find_duplicates
from tests.workflows.jobs import DEMO, copy_pictures, make_job

ALIKE = ["people/smiley005.jpg", "people/smiley004.jpg"]
RECOLOURED = ["plants/flower_01.jpg", "plants/flower_02.jpg"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 10 pictures, with copies of three: of the bytes, encoded anew, half as large."""
    folder = tmp_path_factory.mktemp("copies")
    first, second, third, *_ = copy_pictures(folder / "images", 6)
    for name in (*ALIKE, *RECOLOURED):
        shutil.copy(DEMO / "images" / "drawings" / name, folder / "images")
    shutil.copy(first, folder / "images" / f"copy-of-{first.name}")
    picture = Image.open(second).convert("RGB")
    picture.save(folder / "images" / "encoded-anew.jpg", quality=60)
    small = Image.open(third).convert("RGB")
    small.resize((small.width // 2, small.height // 2)).save(folder / "images" / "half.png")
    embed_archive(make_job(folder / "store"), str(folder / "images"))
    return folder / "store"


def groups(found: Duplicates) -> list[tuple[str, int]]:
    return [(group.kind, len(group.copies)) for group in found.groups]


def test_copies_are_found_and_what_looks_alike_is_not(store: Path) -> None:
    found = find_duplicates(make_job(store, duplicates__max_distance=0.2), None, None)
    assert (found.images, found.contents, found.unread) == (13, 12, 0)
    assert sorted(groups(found)) == [("exact", 2), ("near", 2), ("near", 2)]
    paths = [{Path(copy.path).name for copy in group.copies} for group in found.groups]
    for pair in (ALIKE, RECOLOURED):
        assert {Path(name).name for name in pair} not in paths
    half = next(group for group in found.groups if group.copies[1].path == "half.png")
    assert half.copies[0].width == pytest.approx(2 * (half.copies[1].width or 0), abs=1)
    assert half.copies[0].distance == 0
    assert (half.copies[1].hash_bits or 0) <= 4


def test_hashes_are_kept(store: Path) -> None:
    job = make_job(store, duplicates__by="hash")
    first = find_duplicates(job, None, None)
    version = job.store.table(PERCEPTUAL_HASHES).version
    assert job.store.table(PERCEPTUAL_HASHES).rows() == first.contents
    assert find_duplicates(make_job(store, duplicates__by="hash"), None, None) == first
    assert job.store.table(PERCEPTUAL_HASHES).version == version
    # By the hash alone, colours count for nothing.
    assert {Path(name).name for name in RECOLOURED} in [
        {copy.path for copy in group.copies} for group in first.groups
    ]


def test_vectors_alone_need_no_pictures(store: Path, tmp_path: Path) -> None:
    job = make_job(store, duplicates__by="embedding", duplicates__max_distance=1e-4)
    found = find_duplicates(job, None, None)
    assert ("exact", 2) in groups(found)
    assert all(copy.distance is not None for group in found.groups for copy in group.copies)


def test_too_many_vectors_are_told(store: Path) -> None:
    job = make_job(store, duplicates__by="embedding")
    job.config.duplicates.__dict__["max_bytes"] = 1000
    with pytest.raises(UsageError, match=r"duplicates\.max_bytes.*--by hash"):
        find_duplicates(job, None, None)


def test_clustering_counts_each_content_once(store: Path) -> None:
    done = cluster_archive(make_job(store, cluster__method="kmeans", cluster__k=2), None)
    assert (done.images, done.contents, sum(done.sizes.values())) == (13, 12, 12)


def test_duplicates_may_count(store: Path) -> None:
    job = make_job(store, cluster__method="kmeans", cluster__k=2, cluster__count_duplicates=True)
    done = cluster_archive(job, None)
    assert (done.images, done.contents, sum(done.sizes.values())) == (13, 12, 12)
    model = load_model(job.store, done.model_id)
    latest = open_tables(job.store, job.config, "latest", run_id=done.run_id)
    members = latest.execute("SELECT content_id, cluster FROM latest").fetchall()
    vectors = find_vectors(job.store, model.embedder_id, [content for content, _ in members])
    for cluster, centroid in zip(model.numbers_K, model.centroids_KD, strict=True):
        images = [vectors[content] for content, mine in members if mine == cluster]
        np.testing.assert_allclose(np.mean(images, axis=0), centroid, atol=1e-6)


def test_duplicates_do_not_count_where_pictures_are_learned_from(store: Path) -> None:
    job = make_job(
        store, cluster__method="dcec-paint", cluster__k=2, cluster__count_duplicates=True
    )
    with pytest.raises(UsageError, match=r"count_duplicates: dcec-paint learns from distinct"):
        cluster_archive(job, None)


def test_pictures_that_are_gone_or_changed_are_left_out(store: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    first, second, third = copy_pictures(images, 3)
    job = make_job(tmp_path / "store", duplicates__by="hash")
    embed_archive(job, str(images))
    first.unlink()
    shutil.copy(third, second)
    assert find_duplicates(job, None, None).unread == 2
    assert job.store.table(PERCEPTUAL_HASHES).rows() == 1


def test_tables_csv_and_json(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["duplicates", str(store), "--executor", "in-process", *arguments])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert "exact" in printed("--by", "embedding", "--max-distance", "0.2")
    rows = list(csv.DictReader(io.StringIO(printed("--csv"))))
    assert {row["kind"] for row in rows} >= {"exact"}
    found = json.loads(printed("--json"))
    assert sum(len(group["copies"]) for group in found["groups"]) == len(rows)
