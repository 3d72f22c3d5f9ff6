"""The records of the methods: whole, and all that it takes to add one."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from artcluster.cli.main import main
from artcluster.config import ClusterSettings
from artcluster.workflows.clustering import methods
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.clustering.methods import METHODS, check_method, find_method, value_of
from artcluster.workflows.embedding.embed import embed_archive
from tests.workflows.jobs import copy_pictures, make_job


@pytest.mark.parametrize("name", METHODS)
def test_a_record_names_settings_that_there_are(name: str) -> None:
    method, settings = find_method(name), ClusterSettings(method=name)
    for setting in (*method.settings, method.minimum):
        value_of(settings, setting)
    assert isinstance(value_of(settings, method.minimum), int)
    assert method.name == name
    assert method.summary


def test_the_default_is_a_method() -> None:
    check_method(ClusterSettings().method)


def test_a_method_is_added_by_a_file_and_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = ModuleType(f"{methods.__name__}.toy")
    file.METHODS = (  # type: ignore[attr-defined]
        replace(find_method("kmeans"), name="toy", summary="k-means by another name", warm=None),
    )
    monkeypatch.setitem(sys.modules, file.__name__, file)
    monkeypatch.setitem(METHODS, "toy", "toy")  # type: ignore[misc]
    copy_pictures(tmp_path / "images", 8)
    store, images = str(tmp_path / "store"), str(tmp_path / "images")
    embed_archive(make_job(tmp_path / "store"), images)
    local = ("--executor", "in-process", "--method", "toy", "--k", "2")
    for arguments in (
        ("cluster", store, *local),
        ("sweep", store, *local[:4], "--k", "2:3", "--resamples", "1"),
        ("methods", "--json"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0, capsys.readouterr().err
    assert "k-means by another name" in capsys.readouterr().out


def test_the_last_runs_vectors_are_meant_where_several_fit(tmp_path: Path) -> None:
    """Networks that methods trained are not asked about; the config's backbone comes first."""
    copy_pictures(tmp_path / "images", 8)
    images = str(tmp_path / "images")
    for backbone in ("color-histogram", "random:mobilenet_v2"):
        job = make_job(tmp_path / "store", embed__backbone=backbone, embed__engine="torch")
        last = embed_archive(job, images).embedder_id
    settings = {"cluster__k": 2, "cluster__method": "kmeans"}
    job = make_job(tmp_path / "store", **settings, embed__backbone="random:mobilenet_v2")
    pca = make_job(tmp_path / "store", cluster__k=2, cluster__method="pca-kmeans")
    assert cluster_archive(pca, None).metrics["contents"] == 8
    assert cluster_archive(job, None).model_id.startswith("kmeans-")
    unset = job.config.embed.model_copy(update={"backbone": "densenet121"})
    unset.model_fields_set.discard("backbone")
    plain = replace(job, config=job.config.model_copy(update={"embed": unset}))
    assert cluster_archive(plain, None).already
    assert last.startswith("random")
