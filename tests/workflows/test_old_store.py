"""A store made by version 0.1.0: it opens; its runs, numbers, names, edits and lineage continue."""

import os
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artcluster.schema import LINEAGE
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.curation.curate import Curation
from artcluster.workflows.growing.diff import compare_runs
from artcluster.workflows.growing.update import update_archive
from artcluster.workflows.housekeeping.status import store_status
from artcluster.workflows.runs import choose_run, read_runs
from tests.workflows.jobs import DEMO, copy_pictures, make_job

TAR = Path(__file__).parent.parent / "data" / "store-0.1.0.tar.xz"
FIRST, UPDATED, OTHER = "c01a8fd7078b", "6911373dab0c", "2bc309114ce7"
SETTINGS = {"archive__id": "drawings", "cluster__method": "kmeans"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store and its archive, as they were left."""
    place = tmp_path_factory.mktemp("old")
    with tarfile.open(TAR) as tar:
        tar.extractall(place, filter="data")
    listed = read_view(Store.open(place / "store"), "current_images", "arrow")
    for path in listed["path"].to_pylist():
        copy = place / "images" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DEMO / "images" / path, copy)
        at = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
        os.utime(copy, (at, at))
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_runs_names_and_edits_are_there(made: Path) -> None:
    store = Store.open(made / "store")
    assert [run.run_id for run in read_runs(store)] == [FIRST, UPDATED, OTHER]
    curation = Curation(store, make_job(store).config, run_id="6911")
    assert curation.run.series == FIRST
    clusters = {each.cluster: (each.name, each.images) for each in curation.clusters()}
    assert clusters == {0: ("Boats", 9), 1: (None, 23)}
    assert [edit.kind for edit in curation.edits().made] == ["merge", "move", "undo"]
    rows = read_view(store, "latest", "arrow", run_id=UPDATED).to_pylist()
    assert {row["title"] for row in rows if row["path"].endswith("crow_01.jpg")} == {"crow 01"}
    assert {row["model_cluster"] for row in rows if row["cluster"] == 1} == {1, 2}
    assert store.table(LINEAGE).distinct("run_id") == [UPDATED]
    job = make_job(store)
    changes = compare_runs(store, job.config, choose_run(store, FIRST), choose_run(store, UPDATED))
    assert (changes.images.new, changes.kept_share) == (8, 1.0)
    status = store_status(store, job.config)
    assert ([each.images for each in status.archives], status.unfinished) == ([32], ())


def test_the_same_command_finds_its_run_done(place: Path) -> None:
    job = make_job(place / "store", cluster__k=4, cluster__method="kmeans")
    done = cluster_archive(job, None)
    assert (done.run_id, done.already) == (OTHER, True)


def test_an_update_adds_to_it(place: Path) -> None:
    settings = SETTINGS | {"cluster__k": 3, "cluster__labels": ["genre"]}
    same = update_archive(
        make_job(place / "store", **settings), str(place / "images"), run_id=UPDATED
    )
    assert (same.outcome, same.run.run_id, same.embedding.embedded) == ("nothing new", UPDATED, 0)
    copy_pictures(place / "images" / "more", 4, start=40)
    job = make_job(place / "store", **settings)
    made = update_archive(job, str(place / "images"), run_id=UPDATED, refit=True)
    assert (made.embedding.embedded, made.embedding.removed, made.parent) == (4, 0, UPDATED)
    assert made.changes is not None
    assert made.changes.names == {0: "Boats"}
    newest = choose_run(job.store)
    assert (newest.run_id, newest.series) == (made.run.run_id, FIRST)
    shown = {row["cluster"] for row in read_view(job.store, "latest", "arrow").to_pylist()}
    assert 2 not in shown, "the merge of cluster 2 into 1 holds"
