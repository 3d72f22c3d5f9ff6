"""Methods over any vectors, beyond the papers': their runs, models, hierarchies and hints."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from artcluster.clustering.hierarchy import cut
from artcluster.errors import UsageError
from artcluster.schema import ASSIGNMENTS, MODELS, RUNS
from artcluster.store import Store
from artcluster.workflows.clustering.assign import artefact_of_store, assign_by
from artcluster.workflows.clustering.assignments import load_model
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.growing.update import update_archive
from artcluster.workflows.results import ClusterSummary
from tests.workflows.jobs import copy_pictures, make_job

PICTURES = 48
QUICK: dict[str, Any] = {
    "cluster__k": 4,
    "cluster__restarts": 3,
    "cluster__rounds": 1,
    "cluster__temi__heads": 2,
    "cluster__temi__steps": 20,
    "cluster__hdbscan__min_cluster_size": 3,
    "cluster__hdbscan__min_samples": 2,
    "cluster__labels": ["genre"],
}
METHODS = ["spherical-kmeans", "consensus", "hierarchy", "hdbscan", "temi", "guided"]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 48 pictures' colour histograms, their genres, and hints of six of them."""
    folder = tmp_path_factory.mktemp("methods")
    copies = copy_pictures(folder / "images", PICTURES)
    rows = [f"{file.name},{file.name.split('-')[0]}\n" for file in copies]
    (folder / "works.csv").write_text("path,genre\n" + "".join(rows))
    told = [rows[place] for place in (0, 1, 2, -1, -2, -3)]
    (folder / "hints.csv").write_text("path,label\n" + "".join(told))
    job = make_job(folder / "store", metadata__source=str(folder / "works.csv"))
    embed_archive(job, str(folder / "images"))
    return folder / "store"


def run(store: Path, method: str, **settings: Any) -> ClusterSummary:
    torch.set_num_threads(1)
    if method == "guided" and "cluster__hints" not in settings:
        settings["cluster__hints"] = str(store.parent / "hints.csv")
    job = make_job(store, **{**QUICK, "cluster__method": method, **settings})
    return cluster_archive(job, None)


@pytest.fixture(scope="module")
def runs(embedded: Path) -> dict[str, ClusterSummary]:
    return {method: run(embedded, method) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_is_whole_and_the_same_again_is_done(
    embedded: Path, runs: dict[str, ClusterSummary], method: str
) -> None:
    done, store = runs[method], Store.open(embedded)
    assigned = store.table(ASSIGNMENTS).read(None, pc.field("model_id") == done.model_id)
    clusters = assigned["cluster"].to_numpy()
    noise = int((clusters == -1).sum())
    assert done.contents == len(clusters) == PICTURES
    assert done.metrics["noise"] == noise == PICTURES - sum(done.sizes.values())
    assert (noise > 0) == (method == "hdbscan")
    assert done.k == (len(done.sizes) if method == "hdbscan" else 4)
    assert np.isfinite(assigned["distance"].to_numpy()).all()
    told = 6 if method == "guided" else 0
    assert done.metrics["labels"]["genre"]["labelled_count"] == PICTURES - told
    assert run(embedded, method).already


@pytest.mark.parametrize("method", METHODS)
def test_given_pictures_get_the_clusters_that_the_run_gave_them(
    embedded: Path, runs: dict[str, ClusterSummary], method: str
) -> None:
    store, done = Store.open(embedded), runs[method]
    images = str(embedded.parent / "images")
    found = list(
        assign_by(artefact_of_store(store, done.model_id), [images], make_job(embedded).config, 1)
    )
    clusters = [image.cluster for image in found]
    assert clusters.count(-1) == done.metrics["noise"]
    assert {n: clusters.count(n) for n in done.sizes} == dict(done.sizes)
    noisy = [image for image in found if image.cluster == -1]
    assert all(image.remarks == ("noise",) for image in noisy)


def test_a_hierarchy_is_built_once_and_cut_at_any_k(
    embedded: Path, runs: dict[str, ClusterSummary]
) -> None:
    first = runs["hierarchy"]
    trees = [path for path in Store.open(embedded).list("pretrained") if "hierarchy" in path]
    assert len(trees) == 1
    job = make_job(embedded, **{**QUICK, "cluster__method": "hierarchy", "cluster__k": 7})
    finer = cluster_archive(job, None)
    assert not {"cells", "merge"} & set(job.timings.seconds)
    assert [path for path in job.store.list("pretrained") if "hierarchy" in path] == trees
    pairs = set()
    tables = [
        job.store.table(ASSIGNMENTS)
        .read(["content_id", "cluster"], pc.field("model_id") == done.model_id)
        .sort_by("content_id")
        for done in (first, finer)
    ]
    pairs = {*zip(*(table["cluster"].to_pylist() for table in tables), strict=True)}
    assert len(pairs) == 7
    assert len(finer.merges) == 6
    assert [height for *_, height in finer.merges] == sorted(h for *_, h in finer.merges)
    assert {number for one, other, _ in finer.merges for number in (one, other)} == set(range(7))
    model = load_model(job.store, finer.model_id)
    assert len(set(cut(model.rule.tree, 4))) == 4  # type: ignore[union-attr, arg-type]


def test_what_was_told_is_kept_apart_from_evaluation(
    embedded: Path, runs: dict[str, ClusterSummary], tmp_path: Path
) -> None:
    """Wrong labels of the images that were told of, in the metadata, change no measure."""
    done, store = runs["guided"], Store.open(embedded)
    row = store.table(RUNS).read(None, pc.field("run_id") == done.run_id).to_pylist()[0]
    stored = json.loads(row["config"])["cluster"]["hints"]
    told = json.loads(store.read_bytes(stored))
    assert len(told["labels"]) == 6
    assigned = store.table(ASSIGNMENTS).read(None, pc.field("model_id") == done.model_id)
    paths = store.table("images").read(["path", "content_id"]).to_pylist()
    genre = {each["content_id"]: each["path"].split("-")[0] for each in paths}
    assert all(genre[content] == label for content, label in told["labels"].items())
    from artcluster.metrics.agreement import label_agreement

    rest = [each for each in assigned.to_pylist() if each["content_id"] not in told["labels"]]
    expected = label_agreement(
        np.array([each["cluster"] for each in rest]), [genre[each["content_id"]] for each in rest]
    )
    measured = done.metrics["labels"]["genre"]
    assert (measured["accuracy"], measured["nmi"]) == (expected.accuracy, expected.nmi)
    # Whatever the method: who compares it with `guided` compares it on the same images.
    plain = run(embedded, "kmeans", cluster__hints=str(embedded.parent / "hints.csv"))
    assert plain.metrics["labels"]["genre"]["labelled_count"] == PICTURES - 6


def test_a_file_that_says_something_else_makes_another_run(
    embedded: Path, runs: dict[str, ClusterSummary], tmp_path: Path
) -> None:
    names = sorted(file.name for file in (embedded.parent / "images").iterdir())
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        f"path,other,link\n{names[0]},{names[-1]},cannot\n{names[0]},{names[1]},must\n"
    )
    done = run(embedded, "guided", cluster__hints=str(pairs))
    assert done.run_id != runs["guided"].run_id
    model = Store.open(embedded).table(MODELS).read(None, pc.field("model_id") == done.model_id)
    training = json.loads(model["training"][0].as_py())
    assert training["hints"] == {**training["hints"], "images": 3, "groups": 2, "broken": 0}
    told = pairs.read_text()
    (tmp_path / "copy.csv").write_text(told)
    assert run(embedded, "guided", cluster__hints=str(tmp_path / "copy.csv")).already


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path\na.png\n", "path and label"),
        ("path,label\nnowhere.png,a\n", "row 1.*no usable image 'nowhere.png'"),
        ("path,label\n{0},a\n{0},b\n", "row 2.*'a' and 'b'"),
        ("path,other,link\n{0},{1},maybe\n", "must or cannot, got 'maybe'"),
        ("path,other,link\n{0},{1},must\n{1},{0},cannot\n", "contradict themselves"),
    ],
)
def test_hints_that_cannot_be_taken(embedded: Path, tmp_path: Path, text: str, words: str) -> None:
    names = sorted(file.name for file in (embedded.parent / "images").iterdir())
    (tmp_path / "wrong.csv").write_text(text.format(*names))
    with pytest.raises(UsageError, match=words):
        run(embedded, "guided", cluster__hints=str(tmp_path / "wrong.csv"))


def test_guided_needs_hints(embedded: Path) -> None:
    with pytest.raises(UsageError, match=r"cluster\.hints=FILE"):
        run(embedded, "guided", cluster__hints=None)


@pytest.mark.parametrize("method", ["hdbscan", "temi"])
def test_past_a_size_they_are_fitted_on_a_stated_sample(
    embedded: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    job = make_job(embedded, **{**QUICK, "cluster__method": method})
    few = job.config.cluster.model_copy(update={"max_pairwise_vectors": 30})
    object.__setattr__(job, "config", job.config.model_copy(update={"cluster": few}))
    done = cluster_archive(job, None)
    row = job.store.table(MODELS).read(None, pc.field("model_id") == done.model_id).to_pylist()[0]
    training = json.loads(row["training"])
    assert (training["fitted_on"], training["sampled_from"]) == (30, PICTURES)
    assert done.contents == PICTURES


def test_small_cells_are_merged_where_images_are_many(embedded: Path) -> None:
    for method in ("consensus", "hierarchy"):
        done = run(embedded, method, cluster__cells=12)
        assert sum(done.sizes.values()) == PICTURES
        assert len(done.sizes) == 4
        model = load_model(Store.open(embedded), done.model_id)
        assert len(model.rule.points_PD) == 12  # type: ignore[union-attr]


def test_noise_and_numbers_go_through_an_update(embedded: Path, tmp_path: Path) -> None:
    """What is new is assigned by the rule; a refit keeps the numbers of what goes on."""
    images, store = tmp_path / "images", tmp_path / "store"
    copy_pictures(images, 40)
    settings = {**QUICK, "cluster__method": "hdbscan", "cluster__labels": []}
    first = update_archive(make_job(store, **settings), str(images)).run
    copy_pictures(images, 8, start=40)
    kept = update_archive(make_job(store, **settings), str(images), refit=False).run
    assert kept.model_id == first.model_id
    assert kept.metrics["noise"] >= first.metrics["noise"] > 0
    again = update_archive(make_job(store, **settings), str(images), refit=True).run
    assert again.model_id != first.model_id
    assert again.metrics["noise"] + sum(again.sizes.values()) == again.contents == 48
