"""The map of a model: everything has a place, new contents join, nothing moves."""

import json
from pathlib import Path

import numpy as np
import pytest

from artcluster.errors import UsageError
from artcluster.schema import PROJECTIONS
from artcluster.store import Store
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.growing.update import update_archive
from artcluster.workflows.viewing.map import project_model
from tests.workflows.jobs import copy_pictures, make_job

SETTINGS = {
    "cluster__method": "kmeans",
    "cluster__k": 3,
    "cluster__restarts": 2,
    "map__iterations": 30,
    "map__early_iterations": 20,
}


def places(store: Store) -> dict[str, tuple[float, float]]:
    rows = store.table(PROJECTIONS).read(["content_id", "x", "y"])
    found = {row["content_id"]: (row["x"], row["y"]) for row in rows.to_pylist()}
    assert len(found) == rows.num_rows
    return found


def test_new_contents_join_the_map_and_nothing_moves(tmp_path: Path) -> None:
    images = tmp_path / "images"
    copy_pictures(images, 20)
    job = make_job(tmp_path / "store", **SETTINGS)
    embed_archive(job, str(images))
    model_id = cluster_archive(job, None).model_id
    made = project_model(job, model_id)
    assert (made.points, made.fitted_on, made.placed, made.already) == (20, 20, 0, False)
    before = places(job.store)
    assert np.isfinite(list(before.values())).all()
    assert project_model(job, model_id).already

    copy_pictures(images, 3, start=20)
    update_archive(job, str(images))
    grown = project_model(job, model_id)
    assert (grown.points, grown.fitted_on, grown.placed) == (23, 20, 3)
    after = places(job.store)
    assert {content: after[content] for content in before} == before

    header = job.store.read_bytes(f"maps/{model_id}.safetensors")
    length = int.from_bytes(header[:8], "little")
    facts = json.loads(json.loads(header[8 : 8 + length])["__metadata__"]["map"])
    assert facts["method"] == "tsne"
    assert facts["settings"]["iterations"] == 30
    assert facts["settings"]["seed"] == 0
    assert "openTSNE" in facts["versions"]


def test_a_job_killed_while_it_placed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_pictures(tmp_path / "images", 16)
    job = make_job(tmp_path / "store", **SETTINGS)
    embed_archive(job, str(tmp_path / "images"))
    model_id = cluster_archive(job, None).model_id

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(job.store), "commit_shards", killed)
        with pytest.raises(KeyboardInterrupt):
            project_model(job, model_id)
    assert places(job.store) == {}
    assert project_model(job, model_id).points == 16
    assert len(places(job.store)) == 16


def test_another_method_for_a_map_that_is_there_is_refused(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 12)
    job = make_job(tmp_path / "store", **SETTINGS)
    embed_archive(job, str(tmp_path / "images"))
    model_id = cluster_archive(job, None).model_id
    project_model(job, model_id)
    other = make_job(tmp_path / "store", **SETTINGS, map__method="umap")
    with pytest.raises(UsageError, match="tsne"):
        project_model(other, model_id, asked="umap")
