"""Faces of an archive: found once, embedded, grouped, and shown as what they are."""

import json
import re
import shutil
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from artcluster.errors import TooFewError, UsageError
from artcluster.executors.ray.executor import RayExecutor
from artcluster.location import Location
from artcluster.schema import ASSIGNMENTS, EMBEDDERS, EMBEDDINGS, IMAGES, MODELS, REGIONS
from artcluster.store import Store
from artcluster.store.shards import ShardWriter
from artcluster.store.views import read_view
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.curation.curate import Curation
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.experiments.compare import ComparisonSpec, make_comparison
from artcluster.workflows.experiments.method_spec import parse_method
from artcluster.workflows.experiments.sweep import make_sweep
from artcluster.workflows.experiments.sweep_page import sweep_findings
from artcluster.workflows.growing.update import update_archive
from artcluster.workflows.job import Job
from artcluster.workflows.runs import choose_run
from artcluster.workflows.viewing.contact_sheet import SheetSettings, cluster_sheet, clusters_of
from artcluster.workflows.viewing.exports import write_export
from artcluster.workflows.viewing.exports.rows import Export
from artcluster.workflows.viewing.report.make import make_report
from tests.cli.test_commands import run
from tests.faces import PEOPLE, make_face_archive, person_of
from tests.workflows.jobs import copy_pictures, make_job, reverse_parts

FACES = {
    "obama-portrait.jpg": 1,
    "obama-speaking.jpg": 1,
    "obama-listening.jpg": 1,
    "obama-grey.png": 1,
    "obama-turned.jpg": 1,
    "hopper-portrait.jpg": 1,
    "hopper-mirrored.png": 1,
    "hopper-dark.jpg": 1,
    "collins-portrait.jpg": 1,
    "collins-mirrored.png": 1,
    "collins-dark.jpg": 1,
    "biden-portrait.jpg": 1,
    "two-people.jpg": 2,
    "cat.jpg": 0,
    "coffee.jpg": 0,
}
EMPTY = 2


def face_job(store: Path | Store, **settings: Any) -> Job:
    return make_job(
        store, **{"embed__backbone": "faces", "cluster__method": "faces-dbscan"} | settings
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces") / "images"
    make_face_archive(folder)
    return folder


@pytest.fixture(scope="module")
def store(archive: Path) -> Store:
    """The archive's faces, and the run of their groups."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    job = face_job(archive.parent / "store")
    embed_archive(job, str(archive))
    cluster_archive(job, None)
    torch.set_num_threads(threads)
    return job.store


def boxes(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of `regions` by path."""
    paths = store.table(IMAGES).read(["path", "content_id"]).to_pylist()
    rows = store.table(REGIONS).read().to_pylist()
    return {
        each["path"]: [row for row in rows if row["content_id"] == each["content_id"]]
        for each in paths
    }


def test_every_picture_is_looked_at_and_its_faces_have_boxes_and_vectors(store: Store) -> None:
    found = boxes(store)
    assert {path: len(rows) - 1 for path, rows in found.items()} == FACES
    for rows in found.values():
        (picture,) = [row for row in rows if row["region"] == ""]
        assert (picture["kind"], picture["x"], picture["score"]) == ("picture", 0, None)
        for face in (row for row in rows if row["region"]):
            assert face["kind"] == "face"
            assert face["region"] == f"{face['x']},{face['y']},{face['width']},{face['height']}"
            assert face["score"] >= 0.8
            assert 0 <= face["x"] < face["x"] + face["width"] <= picture["width"]
            assert 0 <= face["y"] < face["y"] + face["height"] <= picture["height"]
    vectors = store.table(EMBEDDINGS).read(["content_id", "region", "embedding"])
    keys = {(row["content_id"], row["region"]) for row in vectors.to_pylist()}
    assert keys == {
        (row["content_id"], row["region"])
        for rows in found.values()
        for row in rows
        if row["region"]
    }
    assert vectors.num_rows == sum(FACES.values())
    assert {len(each) for each in vectors["embedding"].to_pylist()} == {128}
    (embedder,) = store.table(EMBEDDERS).read().to_pylist()
    assert embedder["dim"] == 128
    assert "yuface" in json.loads(embedder["contract"])["fit"]


def test_boxes_are_of_the_upright_picture(store: Store) -> None:
    found = boxes(store)

    def box(path: str) -> np.ndarray:
        (face,) = [row for row in found[path] if row["region"]]
        return np.array([face["x"], face["y"], face["width"], face["height"]])

    # Turned by EXIF, it is the same picture; mirrored, the box is.
    assert np.allclose(box("obama-turned.jpg"), box("obama-speaking.jpg"), atol=6)
    x, y, width, height = box("hopper-portrait.jpg")
    mirrored = np.array([410 - x - width, y, width, height])
    assert np.allclose(box("hopper-mirrored.png"), mirrored, atol=8)


def groups(store: Store) -> dict[int, set[str]]:
    rows = read_view(store, "parts", "arrow").to_pylist()
    assert len(rows) == sum(FACES.values())
    found: dict[int, set[str]] = {}
    for row in rows:
        found.setdefault(row["cluster"], set()).add(row["path"])
    return found


def test_dbscan_groups_the_faces_of_each_person(store: Store) -> None:
    found = groups(store)
    people = sorted(sorted(each) for cluster, each in found.items() if cluster >= 0)
    shown = {who: sorted(path for path in FACES if person_of(path) == who) for who in PEOPLE}
    together = ["two-people.jpg"]
    assert people == sorted(
        [
            shown["obama"],
            shown["hopper"],
            sorted(shown["collins"] + together),
            sorted(shown["biden"] + together),
        ]
    )
    assert -1 not in found
    (model,) = store.table(MODELS).read().to_pylist()
    assert json.loads(model["training"])["dbscan"] == {"eps": 0.42, "noise_share": 0.0}
    latest = read_view(store, "latest", "arrow").to_pylist()
    assert len(latest) == sum(FACES.values()) + EMPTY
    without = sorted(row["path"] for row in latest if row["cluster"] is None)
    assert without == ["cat.jpg", "coffee.jpg"]


def test_what_was_looked_at_is_not_looked_at_again(store: Store, archive: Path) -> None:
    for name in ("cat.jpg", "biden-portrait.jpg"):
        shutil.copy(archive / name, archive / f"again-{name}")
    job = face_job(store)
    before = store.table(REGIONS).read().num_rows
    again = embed_archive(job, str(archive))
    assert (again.embedded, again.images) == (0, len(FACES) + 2)
    assert again.faces == sum(FACES.values())
    assert embed_archive(face_job(store), str(archive)).embedded == 0
    assert store.table(REGIONS).read().num_rows == before
    for name in ("cat.jpg", "biden-portrait.jpg"):
        (archive / f"again-{name}").unlink()
    embed_archive(face_job(store, archive__max_removed_share=1.0), str(archive))


@pytest.fixture
def few(archive: Path, tmp_path: Path) -> Path:
    """Three pictures, and one of them a second time."""
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("two-people.jpg", "cat.jpg", "obama-grey.png"):
        shutil.copy(archive / name, folder / name)
    shutil.copy(archive / "two-people.jpg", folder / "a-double.jpg")
    return folder


def check_whole(store: Store) -> None:
    """Every picture is looked at once, and every face has one box and one vector."""
    rows = store.table(REGIONS).read(["content_id", "region"]).to_pylist()
    assert sorted(row["region"] != "" for row in rows) == [False] * 3 + [True] * 3
    vectors = store.table(EMBEDDINGS).read(["content_id", "region"]).to_pylist()
    order = itemgetter("content_id", "region")
    assert sorted(vectors, key=order) == sorted((r for r in rows if r["region"]), key=order)


@pytest.mark.parametrize("lost", [False, True])
def test_a_crash_between_vectors_and_boxes_costs_nothing(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    store = Store.open(tmp_path / "store", create=True)
    commit = Store.commit_shards

    def dies(self: Store, table: Any, *rest: Any) -> Any:
        if table is REGIONS and rest[0]:
            raise KeyboardInterrupt
        return commit(self, table, *rest)

    monkeypatch.setattr(Store, "commit_shards", dies)
    with pytest.raises(KeyboardInterrupt):
        embed_archive(face_job(store), str(few))
    assert store.table(EMBEDDINGS).read(["region"]).num_rows == 3
    assert not store.table(REGIONS).read().num_rows
    monkeypatch.undo()
    boxes = list((tmp_path / "store" / "regions").rglob("embedder_id=*/*.parquet"))
    assert boxes
    if lost:
        for file in boxes:
            file.unlink()
    done = embed_archive(face_job(store), str(few))
    assert (done.embedded, done.faces) == (3 if lost else 0, 3)
    check_whole(store)
    twice = {"cluster__method": "faces-kmeans", "cluster__k": 2, "cluster__count_duplicates": True}
    assert cluster_archive(face_job(store, **twice), None).contents == 3
    (model,) = store.table(MODELS).read(["training"]).to_pylist()
    assert json.loads(model["training"])["fitted_on"] == 5


def test_vectors_whose_boxes_were_not_written_wait_for_them(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ShardWriter.write

    def dies(self: ShardWriter, *rest: Any) -> Any:
        if self.table is REGIONS:
            raise KeyboardInterrupt
        return write(self, *rest)

    store = Store.open(tmp_path / "store", create=True)
    monkeypatch.setattr(ShardWriter, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        embed_archive(face_job(store, embed__part_images=1), str(few))
    monkeypatch.undo()
    # The next job takes the parts the other way round: the double is embedded with another.
    job = face_job(store, embed__part_images=1)
    reverse_parts(job)
    assert embed_archive(job, str(few)).faces == 3
    check_whole(store)


def test_kmeans_groups_them_too_and_numbers_are_asked_for(store: Store, archive: Path) -> None:
    job = face_job(store, cluster__method="faces-kmeans", cluster__k=4)
    made = cluster_archive(job, None)
    assert made.contents == sum(FACES.values())
    assert sorted(made.sizes.values()) == [2, 3, 4, 5]
    assert len(groups(store)) == 4
    with pytest.raises(TooFewError, match="There are 14 faces: too few for 40"):
        cluster_archive(face_job(store, cluster__method="faces-kmeans", cluster__k=40), None)


def test_what_has_no_use_for_faces_says_so(store: Store) -> None:
    guided = make_job(store, cluster__method="guided", cluster__hints="few.csv")
    with pytest.raises(UsageError, match="told of images, and these vectors are of faces"):
        cluster_archive(guided, None, "faces")
    asked = ComparisonSpec([parse_method("faces-kmeans")], ks=[2])
    with pytest.raises(UsageError, match="whole images are compared"):
        make_comparison(face_job(store), asked)
    with pytest.raises(UsageError, match="finds the number of clusters itself"):
        make_sweep(face_job(store), [2, 3])


def test_a_sweep_recommends_a_number_of_people(store: Store) -> None:
    job = face_job(store, cluster__method="faces-kmeans", trials__resamples=1)
    made = make_sweep(job, [2, 4, 8], where="path NOT LIKE 'two-people%'")
    assert (made.recommended, made.points) == (4, sum(FACES.values()) - 2)
    assert "12 faces" in sweep_findings(made).lead


def test_a_store_of_whole_pictures_gets_faces_beside_them(archive: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for name in ("collins-portrait.jpg", "collins-dark.jpg", "cat.jpg"):
        shutil.copy(archive / name, few / name)
    whole = make_job(tmp_path / "store", cluster__method="kmeans", cluster__k=2)
    embed_archive(whole, str(few))
    made = cluster_archive(face_job(whole.store), None)
    assert made.sizes == {0: 2}
    other = cluster_archive(
        make_job(whole.store, cluster__method="kmeans", cluster__k=2), None, "color-histogram"
    )
    assert sum(other.sizes.values()) == 3
    regions = set(whole.store.table(ASSIGNMENTS).read(["region"])["region"].to_pylist())
    assert "" in regions
    assert len(regions) == 3


def test_too_few_faces_are_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy_pictures(tmp_path / "drawings", 3)
    place = (tmp_path / "drawings", tmp_path / "store", "--executor", "in-process")
    assert run("run", *place, "--method", "faces-kmeans") == 0
    assert "No clusters: There are no faces" in " ".join(capsys.readouterr().out.split())
    assert run("run", *place, "--method", "faces-dbscan", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["embedding"]["faces"], told["embedding"]["embedded"]) == (0, 0)
    assert "no faces" in told["clustering"]["reason"]
    assert not Store.open(tmp_path / "store").table("runs").read().num_rows


def test_a_face_is_moved_where_it_is_the_pictures_only_one(store: Store) -> None:
    curation = Curation(store, face_job(store).config, who="Ada")
    first = curation.clusters()[0].cluster
    with pytest.raises(UsageError, match=r"has 2 faces .* and a move would take them all"):
        curation.move("two-people.jpg", first)
    curation.move("obama-grey.png", first)
    rows = read_view(store, "latest", "arrow").to_pylist()
    assert [row["cluster"] for row in rows if row["path"] == "obama-grey.png"] == [first]
    curation.undo()


def test_sheets_reports_maps_and_exports_show_faces(store: Store, tmp_path: Path) -> None:
    shown = choose_run(store, None)
    job = face_job(store)
    cluster = clusters_of(store, shown, job.config)[0]
    sheet = cluster_sheet(store, shown, cluster, SheetSettings(cell_px=64), job.config)
    assert sheet.width > 64
    report = make_report(job, None, None, Location.parse(tmp_path / "report"))
    assert (report.images, report.unread) == (sum(FACES.values()), 0)
    pages = tmp_path / "report"
    told = [file.read_text() for file in (pages / "index.html", *(pages / "clusters").iterdir())]
    assert f"{sum(FACES.values())} faces in" in told[0]
    assert all(" faces" in text and not re.search(r"\d images", text) for text in told)
    out = tmp_path / "faces.csv"
    export = Export(store, shown, job.config, job.progress, lambda path: path.open("wb"))
    write_export("csv", export, out)
    assert len(out.read_text().splitlines()) == 1 + sum(FACES.values()) + EMPTY


def test_an_update_places_new_faces(store: Store, archive: Path) -> None:
    cluster_archive(face_job(store, cluster__seed=1), None)
    shutil.copy(archive / "hopper-dark.jpg", archive / "hopper-new.jpg")
    with (archive / "hopper-new.jpg").open("ab") as file:
        file.write(b"\0")  # another content, the same picture
    updated = update_archive(face_job(store, cluster__seed=1), str(archive))
    assert updated.embedding.embedded == 1
    rows = read_view(store, "parts", "arrow")
    hoppers = pc.starts_with(rows["path"], "hopper")
    assert len(set(rows.filter(hoppers)["cluster"].to_pylist())) == 1
    assert pc.sum(hoppers).as_py() == 4


@pytest.mark.ray
def test_on_ray_the_faces_are_the_same(
    store: Store, archive: Path, tmp_path: Path, ray_executor: RayExecutor
) -> None:
    local = face_job(tmp_path / "store")
    job = Job(**vars(local) | {"executor": ray_executor})
    embed_archive(job, str(archive))
    keys = ["content_id", "region", "embedding"]
    rows = job.store.table(EMBEDDINGS).read(keys).sort_by([(key, "ascending") for key in keys[:2]])
    alone = store.table(EMBEDDINGS).read(keys).to_pylist()
    vectors = {(row["content_id"], row["region"]): row["embedding"] for row in alone}
    for row in rows.to_pylist():
        assert np.allclose(row["embedding"], vectors[row["content_id"], row["region"]], atol=1e-5)
    assert rows.num_rows >= sum(FACES.values())
