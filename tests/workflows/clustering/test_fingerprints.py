"""What names a run, a model and a checkpoint: what decides the result, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import torch

from artcluster.config import CaeSettings, ClusterSettings, load_config
from artcluster.schema import LABEL_METRICS, MODELS
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.clustering.fingerprints import (
    changed_settings,
    deciding_settings,
    model_params,
    run_params,
)
from artcluster.workflows.clustering.methods import METHODS
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.growing.update import update_archive
from artcluster.workflows.legacy_ids import legacy_model_id, legacy_network, legacy_run_id
from artcluster.workflows.runs import read_runs
from tests.workflows.jobs import copy_pictures, make_job

FACTS = {
    "archive_id": "a",
    "scan_id": 1,
    "embedder_id": "e-0",
    "metadata_version": "m",
    "parent": None,
}


def section(method: str, **settings: Any) -> ClusterSettings:
    flags = {f"cluster.{name.replace('__', '.')}": value for name, value in settings.items()}
    return load_config(flags=flags | {"cluster.method": method}).cluster


@pytest.mark.parametrize("method", METHODS)
def test_what_decides_nothing_names_nothing(method: str) -> None:
    plain = section(method)
    spread = section(method, workers=4, use_gpu=False, labels=["style"], max_training_bytes=1 << 30)
    assert run_params(spread) == run_params(plain) == {"method": method}
    assert model_params(spread) == model_params(plain)
    assert changed_settings(deciding_settings(plain), spread) == ()
    assert model_params(section(method, seed=3)) == {"method": method, "seed": 3}


@pytest.mark.parametrize(
    ("method", "setting", "value", "decides"),
    [
        ("kmeans", "temi__heads", 8, False),
        ("kmeans", "dec__tolerance", 0.5, False),
        ("kmeans", "restarts", 3, True),
        ("kmeans", "k", 3, True),
        ("delius", "dec__tolerance", 0.5, True),
        ("ae-kmeans", "dec__tolerance", 0.5, False),
        ("ae-kmeans", "dec__code_dim", 4, True),
        ("hdbscan", "k", 3, False),
        ("hdbscan", "hdbscan__min_samples", 4, True),
        ("genre-dec", "colours", "grey", True),
        ("dcec", "colours", "grey", False),
        ("pca-kmeans", "pca_components", 3, True),
    ],
)
def test_a_setting_decides_for_the_methods_that_go_by_it(
    method: str, setting: str, value: Any, decides: bool
) -> None:
    plain, other = section(method), section(method, **{setting: value})
    assert (model_params(other) != model_params(plain)) == decides
    assert (run_params(other) != run_params(plain)) == decides
    assert bool(changed_settings(deciding_settings(plain), other)) == decides


def test_what_is_measured_otherwise_is_another_run_of_the_same_model() -> None:
    plain, other = section("kmeans"), section("kmeans", max_silhouette_vectors=500)
    assert model_params(plain) == model_params(other)
    assert run_params(plain) != run_params(other)


def test_names_of_version_0_1_0_are_known() -> None:
    """Should one fail, a setting is new under its section: leave it out of the old names."""
    settings = section("kmeans", k=3, labels=["style"], workers=2)
    assert legacy_run_id(FACTS, settings) == "b2fe18671099"
    model = {"contents": "c", "embedder_id": "e-0"}
    assert legacy_model_id(model, settings) == "kmeans-e84fea057346"
    assert legacy_network(["a", "p", 128, 0], CaeSettings()) == "27381ab3356b"


QUICK: dict[str, Any] = {
    "cluster__k": 3,
    "cluster__pretrain__max_steps": 20,
    "cluster__dec__max_iterations": 20,
    "cluster__dec__refresh_every": 10,
    "cluster__dec__hidden": [32],
    "cluster__dec__code_dim": 4,
}
SPREAD: dict[str, Any] = {
    "cluster__workers": 1,
    "cluster__max_training_bytes": 1 << 30,
    "cluster__temi__heads": 8,
    "report__columns": ["genre"],
    "store__lease_ttl_s": 30,
}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 24 pictures' colour histograms, with their genres."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("fingerprints")
    copies = copy_pictures(folder / "images", 24)
    rows = [f"{file.name},{file.name.split('-')[0]}\n" for file in copies]
    (folder / "works.csv").write_text("path,genre\n" + "".join(rows))
    job = make_job(folder / "store", metadata__source=str(folder / "works.csv"))
    embed_archive(job, str(folder / "images"))
    return folder / "store"


def test_the_same_run_however_it_is_spread(embedded: Path) -> None:
    settings = QUICK | {"cluster__method": "kmeans"}
    first = cluster_archive(make_job(embedded, **settings), None)
    again = cluster_archive(make_job(embedded, **settings, **SPREAD), None)
    assert again.already
    assert again.run_id == first.run_id
    job = make_job(embedded, **settings, **SPREAD)
    updated = update_archive(job, str(embedded.parent / "images"))
    assert updated.outcome == "nothing new"


def test_a_killed_refinement_goes_on_however_it_is_spread(embedded: Path) -> None:
    """Killed once DEC is through and before the model is written."""
    settings = QUICK | {"cluster__method": "delius", "cluster__dec__guard_margin": 2}
    job = make_job(embedded, **settings)
    append = job.store.append

    def dying(table: object, *args: Any) -> int:
        if table is MODELS:
            raise KeyboardInterrupt
        return append(table, *args)  # type: ignore[arg-type]

    job.store.append = dying  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        cluster_archive(job, None)
    kept = {path: (embedded / path).read_bytes() for path in job.store.list("checkpoints")}
    assert len(kept) == 2
    again = make_job(embedded, **settings, **SPREAD, cluster__labels=["genre"])
    done = cluster_archive(again, None)
    assert done.metrics["labels"]["genre"]["labelled_count"] == 24
    found = {path: (embedded / path).read_bytes() for path in again.store.list("checkpoints")}
    assert found == kept


def test_late_labels_are_measured_without_another_run(embedded: Path) -> None:
    settings = QUICK | {"cluster__method": "kmeans", "cluster__k": 5}
    first = cluster_archive(make_job(embedded, **settings), None)
    assert first.metrics["labels"] == {}
    job = make_job(embedded, **settings, cluster__labels=["genre"])
    late = cluster_archive(job, None)
    assert (late.run_id, late.already, "k-means" in job.timings.seconds) == (
        first.run_id,
        True,
        False,
    )
    at_once = cluster_archive(job, None, force=True)
    assert late.metrics["labels"] == at_once.metrics["labels"] != {}
    again = cluster_archive(job, None)
    assert again.metrics == late.metrics
    assert job.store.table(LABEL_METRICS).read().num_rows == 1
    (run,) = [run for run in read_runs(job.store) if run.run_id == first.run_id]
    assert run.metrics["labels"] == late.metrics["labels"]


def test_an_update_that_finds_nothing_new_measures_late_labels(tmp_path: Path) -> None:
    images, store = tmp_path / "images", tmp_path / "store"
    copies = copy_pictures(images, 8)
    (tmp_path / "works.csv").write_text("path,kind\n" + "".join(f"{f.name},a\n" for f in copies))
    settings = {
        "cluster__method": "kmeans",
        "cluster__k": 2,
        "metadata__source": str(tmp_path / "works.csv"),
    }
    update_archive(make_job(store, **settings), str(images))
    late = update_archive(make_job(store, **settings, cluster__labels=["kind"]), str(images))
    assert late.outcome == "nothing new"
    assert late.run.metrics["labels"]["kind"]["labelled_count"] == 8
