"""Models as folders: what a package assigns, refuses, and how damage shows."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from artcluster import Package
from artcluster.cli import main
from artcluster.errors import StoreError, UsageError
from artcluster.location import Location
from artcluster.schema import EMBEDDINGS
from artcluster.workflows.clustering.assign import artefact_of_store, assign_by
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.clustering.package import package_model
from artcluster.workflows.embedding.embed import embed_archive
from tests.s3_server import S3Server
from tests.workflows.jobs import copy_pictures, make_job


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, a store of two models, and a package of the last one."""
    folder = tmp_path_factory.mktemp("home")
    copy_pictures(folder / "images", 20)
    embed_archive(make_job(folder / "store"), str(folder / "images"))
    for k in (2, 3):
        job = make_job(folder / "store", cluster__method="kmeans", cluster__k=k)
        cluster_archive(job, None)
    assert run("package", folder / "store", folder / "package") == 0
    return folder


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(str(ended.value.code))


def test_it_assigns_as_its_store_does(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = home / "images"
    assert run("assign", home / "store", images, "--json") == 0
    by_store = json.loads(capsys.readouterr().out)
    moved = shutil.copytree(home / "package", home / "elsewhere")
    assert run("assign", moved, images, "--json") == 0
    assert json.loads(capsys.readouterr().out) == by_store
    assert len({image["cluster"] for image in by_store}) == 3
    shutil.rmtree(moved)


def test_it_says_what_it_is(home: Path) -> None:
    facts = Package.open(home / "package").facts
    assert (facts.method, facts.k) == ("kmeans", 3)
    assert sum(each.size for each in facts.clusters.values()) == 20
    text = (home / "package" / "README.md").read_text()
    for words in (facts.model_id, facts.embedder_id, "artcluster assign", "none"):
        assert words in text


def test_vectors_of_the_same_embedder_are_taken_and_others_refused(home: Path) -> None:
    package = Package.open(home / "package")
    store = make_job(home / "store").store
    rows = store.table(EMBEDDINGS).read()
    x_ND = np.array(rows["embedding"].to_pylist(), np.float32)
    embedder_id = rows["embedder_id"][0].as_py()
    found = package.predict(x_ND, embedder_id)
    assert np.bincount(found.cluster).tolist() == [
        each.size for _, each in sorted(package.facts.clusters.items())
    ]
    with pytest.raises(ValueError, match="takes vectors of embedder"):
        package.predict(x_ND, "densenet121-0123456789ab")
    with pytest.raises(ValueError, match="3"):
        package.predict(x_ND[:, :3], embedder_id)


def test_a_run_or_a_model_may_be_named_and_weights_travel_along(home: Path, tmp_path: Path) -> None:
    store = make_job(home / "store").store
    runs = store.table("runs").read().sort_by("created_at").to_pylist()
    job = make_job(home / "store")
    by_run = package_model(store, runs[0]["run_id"], Location.parse(tmp_path / "a"), job.config)
    by_model = package_model(store, runs[0]["model_id"], Location.parse(tmp_path / "b"), job.config)
    assert by_run.files | by_model.files
    assert (by_run.k, by_run.run_id) == (by_model.k, by_model.run_id) == (2, runs[0]["run_id"])
    with pytest.raises(UsageError, match="no run 'nope'"):
        package_model(store, "nope", Location.parse(tmp_path / "c"), job.config)


def test_damage_is_noticed(home: Path, tmp_path: Path) -> None:
    for name in ("model/model.safetensors", "embedder/contract.json"):
        copy = Path(shutil.copytree(home / "package", tmp_path / name.replace("/", "-")))
        data = bytearray((copy / name).read_bytes())
        data[-1] ^= 1
        (copy / name).write_bytes(data)
        with pytest.raises(StoreError, match=name):
            Package.open(copy)
        (copy / name).unlink()
        with pytest.raises(StoreError, match="is missing"):
            Package.open(copy)
    copy = Path(shutil.copytree(home / "package", tmp_path / "facts"))
    facts = copy / "package.json"
    facts.write_text(facts.read_text().replace('"k": 3', '"k": 4'))
    with pytest.raises(StoreError, match="was changed"):
        Package.open(copy)
    with pytest.raises(UsageError, match="is no package"):
        Package.open(tmp_path)


def test_a_folder_with_other_things_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    assert run("package", home / "store", tmp_path) == 2
    assert run("package", home / "store", home / "package") == 2
    assert run("package", home / "store", home / "store" / "models" / "mine") == 2
    assert run("assign", home / "package", home / "images", "--model", "other") == 2


def test_packages_lie_on_object_storage_too(home: Path, s3: S3Server) -> None:
    job = make_job(home / "store")
    place = s3.location()
    facts = package_model(job.store, None, place, job.config)
    package = Package.open(place)
    assert package.facts == facts
    images = [str(home / "images")]
    found = list(package.assign(images))
    assert found == list(assign_by(artefact_of_store(job.store, None), images, job.config, 1))


def test_a_network_takes_its_weights_along(tmp_path: Path) -> None:
    """With a real network, in a process where Ray cannot be imported."""
    copy_pictures(tmp_path / "images", 3)
    settings = {"cluster__method": "kmeans", "cluster__k": 2, "embed__engine": "torch"}
    job = make_job(tmp_path / "store", embed__backbone="mobilenet_v2", **settings)
    embed_archive(job, str(tmp_path / "images"))
    cluster_archive(job, None)
    package_model(job.store, None, Location.parse(tmp_path / "package"), job.config)
    expected = [
        each.cluster
        for each in assign_by(
            artefact_of_store(job.store, None), [str(tmp_path / "images")], job.config, 1
        )
    ]
    shutil.rmtree(tmp_path / "store")
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from artcluster import Package\n"
        "from artcluster.config import load_config\n"
        "config = load_config(flags={'embed.engine': 'torch'})\n"
        f"package = Package.open({str(tmp_path / 'package')!r})\n"
        f"found = package.assign([{str(tmp_path / 'images')!r}], config)\n"
        "print([each.cluster for each in found])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(expected), done.stderr
