"""The Python API over real pictures, as a notebook uses it."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import artcluster as ac
from artcluster.errors import RejectShareError, UsageError
from tests.workflows.jobs import copy_pictures

QUICK = {"executor": "in-process", "backbone": "color-histogram", "method": "kmeans", "seed": 1}
DOCS = Path(__file__).parent.parent / "docs" / "python.md"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    copy_pictures(folder / "first", 14)
    copy_pictures(folder / "second", 10, start=14)
    files = sorted(folder.rglob("*.*"))
    rows = [(file.name, "first" if file.parent.name == "first" else "second") for file in files]
    with (folder / "works.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("filename", "room"), *rows])
    return folder


@pytest.fixture(scope="module")
def store(pictures: Path) -> ac.Store:
    """Two folders and a table, clustered, with a map."""
    made = ac.run(
        [pictures / "first", pictures / "second"],
        pictures / "store",
        k=3,
        metadata=pictures / "works.csv",
        label="room",
        **QUICK,
    )
    made.map()
    return made


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, artcluster\n"
        "assert not {'torch', 'ray', 'pyarrow', 'duckdb'} & sys.modules.keys()\n"
        "assert {'run', 'open', 'Store', 'Clusterer'} <= set(dir(artcluster))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_frame_has_all_that_is_known_of_an_image(store: ac.Store, pictures: Path) -> None:
    frame = store.frame()
    assert len(frame) == 24
    known = {"path", "content_id", "cluster", "cluster_name", "confidence", "x", "y", "room"}
    assert known <= set(frame.columns)
    assert set(frame.cluster) == {0, 1, 2}
    assert frame[["x", "y", "confidence"]].notna().all(axis=None)
    first = frame.path.map(lambda path: Path(path).parent.name)
    assert (first == frame.room).all()
    polars, arrow = store.frame("polars"), store.frame("arrow")
    assert polars["path"].to_list() == arrow["path"].to_pylist() == frame.path.tolist()
    (run,) = store.runs
    assert run.metrics["labels"]["room"]["labelled_count"] == 24


def test_vectors_are_aligned_with_the_frame(store: ac.Store) -> None:
    frame, vectors = store.frame(), store.vectors()
    assert vectors.shape[0] == len(frame)
    assert vectors.dtype == np.float32
    assert not np.isnan(vectors).any()
    # Each vector is nearest to the mean of its own cluster: only so where rows are aligned.
    means = np.stack([vectors[frame.cluster == cluster].mean(0) for cluster in range(3)])
    distances = ((vectors[:, None] - means) ** 2).sum(2)
    assert (distances.argmin(1) == frame.cluster).mean() > 0.9


def test_pictures_are_assigned_and_found_again(store: ac.Store, pictures: Path) -> None:
    frame = store.frame()
    found = store.assign(pictures / "second")
    before = dict(zip(frame.path, frame.cluster, strict=True))
    assert {row.path: row.cluster for row in found.itertuples()} == {
        path: cluster for path, cluster in before.items() if "/second/" in path
    }
    asked = frame.path[3]
    near = store.similar(asked, top=5)
    assert len(near) == 5
    assert near.distance.is_monotonic_increasing
    assert asked not in set(near.path)
    with pytest.raises(UsageError, match="either images or words"):
        store.similar()


def test_a_report_opens(store: ac.Store, pictures: Path) -> None:
    page = store.report(pictures / "report", settings={"report.title": "Rooms"})
    assert "Rooms" in Path(page).read_text(encoding="utf-8")


def test_an_archive_grows_and_is_clustered_again(pictures: Path, tmp_path: Path) -> None:
    first = pd.DataFrame({"path": sorted(map(str, (pictures / "first").iterdir()))})
    made = ac.embed(first.assign(shelf="A"), tmp_path / "store", **QUICK)
    assert made.frame()["cluster"].isna().all()
    assert set(made.frame()["shelf"]) == {"A"}
    made.cluster(k=2, executor="in-process", method="kmeans")
    more = [pictures / "first", pictures / "second"]
    updated = made.update(more, executor="in-process", refit=False)
    assert updated.outcome == "model kept"
    assert len(made.frame()) == 24
    assert made.update(executor="in-process").outcome == "nothing new"
    assert ac.open(made.location).runs == made.runs


@pytest.mark.parametrize(
    ("images", "settings", "words"),
    [
        ("nowhere", {}, "no file or folder"),
        (["nowhere"], {"label": "stile"}, "'stile'"),
        ("first", {"metadata": "nowhere.csv"}, "nowhere.csv"),
        ("first", {"metadata": "works.csv", "label": "roon"}, "did you mean 'room'"),
        ("first", {"metadata": "works.csv", "metadata_join": "page"}, "filename, room"),
        ("first", {"k": 15}, "only 14"),
        ("first", {"kay": 3}, "unknown setting 'kay'"),
        ("first", {"settings": {"cluster.sed": 3}}, "did you mean 'seed'"),
        ([], {}, "empty list"),
        (pd.DataFrame({"name": ["a"]}), {}, "column of paths"),
    ],
)
def test_mistakes_are_told_before_anything_is_embedded(
    images: object,
    settings: dict[str, object],
    words: str,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(pictures)
    with pytest.raises(UsageError, match=re.escape(words)):
        ac.run(images, tmp_path / "store", **{**QUICK, **settings})
    assert not list((tmp_path / "store").rglob("embeddings/**/*.parquet"))


def test_too_many_rejects_are_an_error_and_all_else_is_kept(tmp_path: Path) -> None:
    copy_pictures(tmp_path / "images", 4)
    (tmp_path / "images" / "page.jpg").write_text("<html>")
    with pytest.raises(RejectShareError):
        ac.run(
            tmp_path / "images",
            tmp_path / "store",
            k=2,
            settings={"images.max_reject_share": 0.1},
            **QUICK,
        )
    assert len(ac.open(tmp_path / "store").frame()) == 4


def test_the_snippets_of_the_documentation_run(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippets = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) > 4
    for name, source in (("scans", "first"), ("inbox", "second")):
        (tmp_path / name).symlink_to(pictures / source)
    (tmp_path / "works.csv").write_bytes((pictures / "works.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    exec("\n".join(snippets), {"__name__": "docs"})
