"""The clustering job on real vectors: what is written, and that the same again is done already."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from sklearn.metrics import silhouette_score

from artcluster.errors import ArtclusterError, UsageError
from artcluster.schema import ASSIGNMENTS, CLUSTERS, EMBEDDINGS, MODELS, RUNS
from artcluster.store import Lease, Store
from artcluster.store import members as content_keys
from artcluster.workflows.archives import contents_of
from artcluster.workflows.clustering.assign import artefact_of_store, assign_by
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.housekeeping.status import store_status
from tests.workflows.jobs import DEMO, copy_pictures, make_job

QUICK = {
    "cluster__k": 3,
    "cluster__pretrain__max_steps": 20,
    "cluster__dec__max_iterations": 20,
    "cluster__dec__refresh_every": 10,
    "cluster__dec__hidden": [32],
    "cluster__dec__code_dim": 4,
}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 40 pictures' colour histograms, with metadata."""
    folder = tmp_path_factory.mktemp("embedded")
    copies = copy_pictures(folder / "images", 40)
    table = folder / "works.csv"
    rows = [f"{file.name},{file.name.split('-')[0]}\n" for file in copies[:30]]
    table.write_text("path,genre\n" + "".join(rows))
    job = make_job(folder / "store", metadata__source=str(table), embed__part_images=40)
    embed_archive(job, str(folder / "images"))
    return folder / "store"


@pytest.mark.parametrize("method", ["kmeans", "ae-kmeans", "delius"])
def test_a_run_is_whole(embedded: Path, method: str) -> None:
    job = make_job(embedded, cluster__method=method, cluster__labels=["genre"], **QUICK)
    done = cluster_archive(job, None)
    assert sum(done.sizes.values()) == done.contents == 40
    assert set(done.sizes) == {0, 1, 2}
    runs = job.store.table(RUNS).read(None, pc.field("run_id") == done.run_id).to_pylist()
    assert len(runs) == 1
    assert json.loads(runs[0]["config"])["cluster"]["k"] == 3
    mine = pc.field("model_id") == done.model_id
    assigned = job.store.table(ASSIGNMENTS).read(None, mine)
    assert len(set(assigned["content_id"].to_pylist())) == assigned.num_rows == 40
    counted = pc.value_counts(assigned["cluster"]).to_pylist()
    assert {row["values"]: row["counts"] for row in counted} == {
        cluster: size for cluster, size in done.sizes.items() if size
    }
    labels = done.metrics["labels"]["genre"]
    assert labels["labelled_count"] == 30
    assert 0 <= labels["accuracy"] <= 1
    cards = job.store.table(CLUSTERS).read(None, pc.field("run_id") == done.run_id).to_pylist()
    for card in cards:
        assert len(card["medoids"]) == min(9, card["size"])
    model = job.store.table(MODELS).read(None, mine).to_pylist()[0]
    assert (model["method"], model["k"]) == (method, 3)
    if method == "delius":
        assert done.verdict


def test_names_may_be_more_than_one_array_of_strings_holds(
    embedded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"cluster__method": "kmeans", "cluster__labels": ["genre"], **QUICK}
    found = []
    for most in (content_keys.MOST_BYTES, 100):
        store = Path(shutil.copytree(embedded, tmp_path / str(most)))
        monkeypatch.setattr(content_keys, "MOST_BYTES", most)
        job = make_job(store, **settings)
        done = cluster_archive(job, None)
        names = contents_of(job.store, done.archive_id, job.config)
        assert pa.types.is_large_string(names.type) == (most == 100)
        found.append((done.sizes, done.metrics, names.to_pylist()))
    assert found[0] == found[1]


def test_silhouettes_are_those_of_the_written_assignments(embedded: Path) -> None:
    job = make_job(embedded, cluster__method="kmeans", cluster__k=4)
    done = cluster_archive(job, None)
    mine = pc.field("model_id") == done.model_id
    assigned = job.store.table(ASSIGNMENTS).read(None, mine).sort_by("content_id")
    vectors = job.store.table(EMBEDDINGS).read().sort_by("content_id")
    x = np.array(vectors["embedding"].to_pylist())
    expected = silhouette_score(x, assigned["cluster"].to_numpy())
    assert done.metrics["silhouette_embedder"] == pytest.approx(expected, abs=1e-6)
    assert done.metrics["silhouette"] == pytest.approx(expected, abs=1e-6)


def test_the_same_again_is_done_already_and_force_makes_another(embedded: Path) -> None:
    job = make_job(embedded, cluster__method="kmeans", **QUICK)
    first = cluster_archive(job, None)
    again = cluster_archive(job, None)
    assert again.already
    assert (again.run_id, again.metrics) == (first.run_id, first.metrics)
    forced = cluster_archive(job, None, force=True)
    assert forced.run_id != first.run_id
    assert (forced.model_id, forced.sizes) == (first.model_id, first.sizes)


def test_seeds_are_honoured(embedded: Path, tmp_path: Path) -> None:
    """The same seed in two stores gives the same clusters bit by bit."""
    found = []
    for name in ("a", "b"):
        store = tmp_path / name
        images = embedded.parent / "images"
        embed_archive(make_job(store, embed__part_images=40), str(images))
        job = make_job(store, cluster__method="delius", cluster__seed=3, **QUICK)
        done = cluster_archive(job, None)
        rows = job.store.table(ASSIGNMENTS).read(None, pc.field("model_id") == done.model_id)
        rows = rows.sort_by("content_id")
        found.append((done.model_id, rows["cluster"].to_pylist(), rows["distance"].to_pylist()))
    assert found[0] == found[1]


def test_pre_training_is_shared_by_methods_and_k(embedded: Path) -> None:
    settings = QUICK | {"cluster__seed": 11}
    before = set(Store.open(embedded).list("pretrained"))
    cluster_archive(make_job(embedded, cluster__method="ae-kmeans", **settings), None)
    once = set(Store.open(embedded).list("pretrained"))
    cluster_archive(
        make_job(embedded, cluster__method="delius", **settings | {"cluster__k": 2}), None
    )
    assert len(once - before) == 2  # weights, and what is worth knowing of their training
    assert set(Store.open(embedded).list("pretrained")) == once


def test_unit_length_is_part_of_the_model(embedded: Path) -> None:
    job = make_job(embedded, cluster__method="kmeans", cluster__scaling="unit", **QUICK)
    done = cluster_archive(job, None)
    assert done.metrics["silhouette"] != done.metrics["silhouette_embedder"]


def test_a_job_killed_before_its_run_goes_on_with_its_model(embedded: Path) -> None:
    """All is there but the row in `runs`: the model is not fitted again."""
    settings = QUICK | {"cluster__k": 5}
    job = make_job(embedded, cluster__method="kmeans", **settings)
    append = job.store.append

    def dying(table: object, *args: object) -> int:
        if table is RUNS:
            raise KeyboardInterrupt
        return append(table, *args)  # type: ignore[arg-type]

    job.store.append = dying  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        cluster_archive(job, None)
    again = make_job(embedded, cluster__method="kmeans", **settings)
    done = cluster_archive(again, None)
    assert "k-means" not in again.timings.seconds
    mine = pc.field("model_id") == done.model_id
    assert again.store.table(ASSIGNMENTS).read(["content_id"], mine).num_rows == 40
    cards = pc.field("run_id") == done.run_id
    assert again.store.table(CLUSTERS).read(["cluster"], cards).num_rows == 5


def test_a_run_that_another_job_makes_meanwhile_is_there_once(embedded: Path) -> None:
    """Two of the same command: the second finds nothing, waits for the first, and adds nothing."""
    settings = QUICK | {"cluster__k": 6}
    second = make_job(embedded, cluster__method="kmeans", **settings)
    enter = second.lease

    def late(*names: Any) -> Lease:
        if str(names[0]).startswith("model="):
            cluster_archive(make_job(embedded, cluster__method="kmeans", **settings), None)
        return enter(*names)

    object.__setattr__(second, "lease", late)
    done = cluster_archive(second, None)
    mine = pc.field("run_id") == done.run_id
    assert second.store.table(RUNS).read(["run_id"], mine).num_rows == 1
    assert second.store.table(CLUSTERS).read(["run_id"], mine).num_rows == 6
    models = second.store.table(MODELS).read(["model_id"], pc.field("model_id") == done.model_id)
    assert models.num_rows == 1


def test_more_clusters_than_images(embedded: Path) -> None:
    with pytest.raises(UsageError, match=r"41.*only 40"):
        cluster_archive(make_job(embedded, cluster__method="kmeans", cluster__k=41), None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_nowhere_is_told_of_before_the_work(embedded: Path) -> None:
    settings = {**QUICK, "cluster__seed": 99}  # Another run than those that the store has.
    job = make_job(embedded, cluster__method="kmeans", cluster__use_gpu=True, **settings)
    with pytest.raises(ArtclusterError, match=r"cluster\.use_gpu asks for a GPU"):
        cluster_archive(job, None)
    assert "k-means" not in job.timings.seconds


def test_a_label_that_is_no_column_names_those_there_are(embedded: Path) -> None:
    job = make_job(embedded, cluster__method="kmeans", cluster__labels=["style"])
    with pytest.raises(UsageError, match=r"style.*genre"):
        cluster_archive(job, None)


def test_a_store_without_images(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="artcluster embed"):
        cluster_archive(make_job(tmp_path / "store"), None)


def test_assign_tells_the_stored_cluster_of_known_pictures(embedded: Path) -> None:
    job = make_job(embedded, cluster__method="kmeans", **QUICK)
    done = cluster_archive(job, None)
    files = sorted((embedded.parent / "images").iterdir())[:5]
    broken = embedded.parent / "broken.jpg"
    broken.write_text("no picture")
    before = sorted(embedded.rglob("*"))
    given = [str(file) for file in (*files, broken)]
    found = list(assign_by(artefact_of_store(job.store, done.model_id), given, job.config, 1))
    assert sorted(embedded.rglob("*")) == before
    assert [image.path for image in found] == given
    assert found[-1].cluster is None
    assert "not-an-image" in found[-1].reason
    mine = pc.field("model_id") == done.model_id
    stored = {
        row["content_id"]: row["cluster"]
        for row in job.store.table(ASSIGNMENTS).read(["content_id", "cluster"], mine).to_pylist()
    }
    paths = job.store.table("images").read(["path", "content_id"]).to_pylist()
    by_name = {row["path"]: stored[row["content_id"]] for row in paths}
    assert [image.cluster for image in found[:-1]] == [by_name[file.name] for file in files]


def test_assign_refuses_a_model_that_is_not_there(embedded: Path) -> None:
    job = make_job(embedded)
    picture = str(next((DEMO / "images" / "drawings" / "food").iterdir()))
    with pytest.raises(UsageError, match="no model 'nope'"):
        list(assign_by(artefact_of_store(job.store, "nope"), [picture], job.config, 1))


def test_status_counts_what_is_there(embedded: Path) -> None:
    job = make_job(embedded, cluster__method="kmeans", **QUICK)
    cluster_archive(job, None)
    status = store_status(job.store, job.config)
    assert [archive.images for archive in status.archives] == [40]
    assert list(status.embedders.values()) == [40]
    assert status.runs
    assert status.unfinished == status.writers == ()
