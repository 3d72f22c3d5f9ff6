"""Methods fed with pictures: their networks, pixels kept once, vectors, models and runs."""

import io
import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from artcluster.config import load_config
from artcluster.embedders import FACES
from artcluster.errors import UsageError
from artcluster.schema import ASSIGNMENTS, EMBEDDERS, EMBEDDINGS, MODELS, RUNS
from artcluster.store import Store
from artcluster.workflows.clustering.assign import artefact_of_store, assign_by
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.clustering.methods import METHODS, find_method, network_of
from artcluster.workflows.clustering.methods.base import Fitted
from artcluster.workflows.clustering.methods.own_network import with_own_network
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.pixels import LoadPixels, loaders, stored_shards
from artcluster.workflows.results import ClusterSummary
from tests.s3_server import S3Server
from tests.workflows.jobs import copy_pictures, make_job

EXAMPLES = Path(__file__).parents[3] / "examples"
STUDIES = ("genre-cae", "backbone-ablation")
PICTURES = 24
QUICK: dict[str, Any] = {
    "embed__input_px": 32,
    "embed__cae__min_steps": 0,
    "embed__cae__max_steps": 6,
    "embed__cae__batch_size": 8,
    "embed__genre__min_steps": 0,
    "embed__genre__max_steps": 6,
    "cluster__k": 3,
    "cluster__dcec__max_iterations": 6,
    "cluster__dcec__refresh_every": 3,
    "cluster__dcec__batch_size": 8,
    "cluster__dcec__tolerance": 0,
    # What is refined is kept: whether it is good is not the question here.
    "cluster__dcec__guard_margin": 2,
}
OWN = [
    method
    for method in METHODS
    if network_of(load_config(flags={"cluster.method": method}).cluster) not in (None, FACES)
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 24 pictures' colour histograms, one picture lying in two places."""
    folder = tmp_path_factory.mktemp("embedded")
    copies = copy_pictures(folder / "images", PICTURES)
    shutil.copy(copies[0], folder / "images" / "zz-double.png")
    embed_archive(make_job(folder / "store"), str(folder / "images"))
    return folder / "store"


@pytest.fixture(scope="module")
def runs(embedded: Path) -> dict[str, ClusterSummary]:
    """A run of each method, in one store."""
    return {method: _run(embedded, method) for method in OWN}


def _run(store: Path, method: str, **settings: Any) -> ClusterSummary:
    torch.set_num_threads(1)
    return cluster_archive(make_job(store, cluster__method=method, **{**QUICK, **settings}), None)


def vectors(store: Store, embedder_id: str) -> tuple[list[str], np.ndarray]:
    rows = store.table(EMBEDDINGS).read(None, pc.field("embedder_id") == embedder_id)
    rows = rows.sort_by("content_id")
    return rows["content_id"].to_pylist(), np.array(rows["embedding"].to_pylist())


@pytest.mark.parametrize("method", OWN)
def test_a_run_is_whole(embedded: Path, runs: dict[str, ClusterSummary], method: str) -> None:
    done, store = runs[method], Store.open(embedded)
    assert sum(done.sizes.values()) == done.contents == PICTURES
    model = store.table(MODELS).read(None, pc.field("model_id") == done.model_id).to_pylist()[0]
    run = store.table(RUNS).read(None, pc.field("run_id") == done.run_id).to_pylist()[0]
    assert (model["method"], model["embedder_id"]) == (method, run["embedder_id"])
    content_ids, x = vectors(store, model["embedder_id"])
    assert len(set(content_ids)) == len(content_ids) == PICTURES
    assert np.isfinite(x).all()
    assigned = store.table(ASSIGNMENTS).read(None, pc.field("model_id") == done.model_id)
    assert sorted(assigned["content_id"].to_pylist()) == content_ids
    recorded = store.table(EMBEDDERS).read(["embedder_id"])["embedder_id"].to_pylist()
    assert recorded.count(model["embedder_id"]) == 1
    if METHODS[method] != "dcec":
        assert done.verdict == ""
    elif done.verdict.startswith("kept"):
        assert model["embedder_id"].startswith(f"{method}-")
        assert -1 <= done.metrics["silhouette_pretrained"] <= 1
    else:
        assert model["embedder_id"].startswith(f"{network_of(_cluster(method))}-")


def _cluster(method: str) -> Any:
    return load_config(flags={"cluster.method": method}).cluster


def test_at_least_one_refinement_was_kept(runs: dict[str, ClusterSummary]) -> None:
    assert any(done.verdict.startswith("kept") for done in runs.values())


def test_networks_are_trained_and_pixels_decoded_once(
    embedded: Path, runs: dict[str, ClusterSummary]
) -> None:
    store = Store.open(embedded)
    kept = [path for path in store.list("pretrained") if path.endswith(".safetensors")]
    assert sorted(path.split("/")[1].rsplit("-", 1)[0] for path in kept) == [
        "cae",
        "genre-v2",
        "pca-2",
    ]
    folders = {path.split("/")[1] for path in store.list("pixels")}
    assert len(folders) == 1
    shards = stored_shards(store, f"pixels/{folders.pop()}")
    contents = [content for shard in shards for content in shard.content_ids]
    assert len(set(contents)) == len(contents) == PICTURES
    for shard in shards:
        mapped = LoadPixels(store, shard.path)()
        assert isinstance(mapped, np.memmap)
        assert mapped.shape == (len(shard.content_ids), 32, 32, 3)
    # Another k, and the same again, need neither.
    job = make_job(embedded, cluster__method="dcec-paint", **{**QUICK, "cluster__k": 4})
    cluster_archive(job, None)
    assert not {"decode", "train cae", "embed"} & set(job.timings.seconds)
    again = _run(embedded, "dcec-paint")
    assert again.already
    assert again.run_id == runs["dcec-paint"].run_id


def test_weights_of_the_losses_lead_elsewhere(
    embedded: Path, runs: dict[str, ClusterSummary]
) -> None:
    methods = ["cae-dec", "dcec-paint", "dcec", "dcec-noweights"]
    fits = [cast("partial[Fitted]", find_method(method).fit) for method in methods]
    assert [fit.keywords["weights"](0.1) for fit in fits] == [
        (1.0, 0.0),
        (0.9, 0.1),
        (0.1, 0.9),
        (1.0, 1.0),
    ]
    table = Store.open(embedded).table(MODELS).read(["model_id", "training"]).to_pylist()
    training = {row["model_id"]: json.loads(row["training"]) for row in table}
    ends = {training[runs[method].model_id]["dec"]["history"][-1]["loss"] for method in methods}
    assert len(ends) == len(methods)
    starts = {training[runs[method].model_id]["dec"]["history"][0]["loss"] for method in methods}
    assert len(starts) == 1


def test_given_pictures_get_the_clusters_that_the_run_gave_them(
    embedded: Path, runs: dict[str, ClusterSummary]
) -> None:
    """Through the refined encoder as `assign` loads it, from the files rather than kept pixels."""
    method = next(m for m, done in runs.items() if done.verdict.startswith("kept"))
    store, done = Store.open(embedded), runs[method]
    config = load_config(flags={"embed.input_px": 32})
    images = str(embedded.parent / "images")
    found = list(assign_by(artefact_of_store(store, done.model_id), [images], config, threads=1))
    assert len(found) == PICTURES + 1
    sizes = dict.fromkeys(done.sizes, 0)
    for image in found:
        if not image.path.endswith("zz-double.png"):
            assert image.cluster is not None
            sizes[image.cluster] += 1
    assert sizes == dict(done.sizes)


def test_a_killed_refinement_goes_on(
    embedded: Path, runs: dict[str, ClusterSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed once the network is refined and before anything of the run is written.

    It goes on, however it is spread and whatever is set of other methods.
    """
    settings = {"cluster__seed": 0, "cluster__dcec__balance": 0.2}

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("artcluster.workflows.clustering.cluster.keep_vectors", killed)
        with pytest.raises(KeyboardInterrupt):
            _run(embedded, "dcec-paint", **settings)
    refined = _refined(embedded)
    done = _run(embedded, "dcec-paint", **settings, cluster__workers=1, cluster__temi__heads=8)
    assert done.verdict.startswith("kept; stopped at max_iterations after 6")
    assert _refined(embedded) == refined


def _refined(store: Path) -> dict[str, bytes]:
    """Return the checkpoints of the method's refinements."""
    found = [path for path in Store.open(store).list("checkpoints") if "dcec-paint" in path]
    return {path: (store / path).read_bytes() for path in found}


def test_what_is_worse_than_its_seeds_is_discarded(
    embedded: Path, runs: dict[str, ClusterSummary]
) -> None:
    """A learning rate of ten throws all codes into one cluster."""
    done = _run(embedded, "cae-dec", cluster__dcec__learning_rate=10.0)
    assert done.verdict.startswith("discarded, the seeds' clusters are kept")
    store = Store.open(embedded)
    row = store.table(MODELS).read(None, pc.field("model_id") == done.model_id).to_pylist()[0]
    assert row["embedder_id"].startswith("cae-")
    assert done.sizes == runs["cae-kmeans"].sizes


def test_an_archive_that_grew(tmp_path: Path) -> None:
    """The pre-trained network stays; what is new is decoded and clustered with the rest."""
    images, store = tmp_path / "images", tmp_path / "store"
    copy_pictures(images, 12)
    config = {**QUICK, "cluster__method": "dcec-paint"}
    job = make_job(store, **config)
    own = make_job(store, **config, embed__backbone="cae")
    embed_archive(own, str(images))
    before = cluster_archive(job, None)
    copy_pictures(images, 4, start=12)
    (images / sorted(file.name for file in images.iterdir())[0]).unlink()
    embed_archive(make_job(store, **config, embed__backbone="cae"), str(images))
    after = cluster_archive(make_job(store, **config), None)
    assert (before.contents, after.contents) == (12, 15)
    opened = Store.open(store)
    kept = [path for path in opened.list("pretrained") if path.endswith(".safetensors")]
    assert len(kept) == 1
    folder = next(iter(opened.list("pixels"))).rsplit("/", 1)[0]
    shards = stored_shards(opened, folder)
    assert sum(len(shard.content_ids) for shard in shards) == 16
    # The picture that is gone is not trained on: its row is left out of its shard.
    mine = pc.field("model_id") == after.model_id
    now = frozenset(opened.table(ASSIGNMENTS).read(None, mine)["content_id"].to_pylist())
    assert sum(len(load()) for load, _ in loaders(opened, shards, now)) == 15


def test_the_network_of_a_method_replaces_any_backbone() -> None:
    config = load_config(
        flags={"cluster.method": "genre-dec", "cluster.colours": "grey", "cluster.seed": 5}
    )
    embed = with_own_network(config).embed
    assert (embed.backbone, embed.seed) == ("genre-v2-grey", 5)
    plain = load_config(flags={"cluster.method": "kmeans"})
    assert with_own_network(plain) is plain


def test_pixels_on_object_storage_are_mapped_from_a_temporary_file(s3: S3Server) -> None:
    store = Store.open(s3.location(), create=True)
    pixels = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
    file = io.BytesIO()
    np.save(file, pixels)
    store.write_bytes("pixels/a/part-1.npy", file.getvalue())
    text = json.dumps({"array": "part-1.npy", "content_ids": ["a", "b", "c", "d"]})
    store.write_bytes("pixels/a/part.json", text.encode())
    shards = stored_shards(store, "pixels/a")
    ((load, contents),) = loaders(store, shards)
    assert isinstance(load(), np.memmap)
    np.testing.assert_array_equal(load(), pixels)
    ((load, contents),) = loaders(store, shards, frozenset("bd"))
    assert contents == ["b", "d"]
    np.testing.assert_array_equal(load(), pixels[[1, 3]])


def test_vectors_alone_are_not_enough() -> None:
    from artcluster.estimator import Clusterer

    with pytest.raises(UsageError, match="dcec is trained on pictures"):
        Clusterer(n_clusters=2, method="dcec").fit(np.random.default_rng(0).random((8, 4)))


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*/*.yaml")), ids=lambda file: file.stem)
def test_presets_are_valid(file: Path) -> None:
    config = load_config(file)
    if file.parent.name == "small":
        assert file.stem in (*STUDIES, config.cluster.method)
        assert "hortened" in file.read_text()


def test_every_method_has_a_small_preset() -> None:
    assert {file.stem for file in (EXAMPLES / "small").glob("*.yaml")} >= set(METHODS)


def test_papers_are_not_shortened() -> None:
    paper = load_config(EXAMPLES / "papers" / "dcec-paint.yaml")
    assert paper.embed.cae.max_steps is None
    assert (paper.embed.cae.epochs, paper.embed.cae.min_steps) == (200, 0)
    assert (paper.cluster.dcec.balance, paper.cluster.dcec.batch_size) == (0.1, 128)
    study = load_config(EXAMPLES / "papers" / "genre-study.yaml").study.genres
    assert (study.epochs, study.max_steps, study.top_styles) == (140, None, 10)
    ablation = load_config(EXAMPLES / "papers" / "backbone-ablation.yaml").study.backbones
    assert (ablation.patience, ablation.dropout, ablation.max_steps) == (2, 0.2, None)
    genre = load_config(EXAMPLES / "papers" / "genres-autoencoder.yaml")
    assert (genre.embed.genre.epochs, genre.cluster.k) == (140, 4)
