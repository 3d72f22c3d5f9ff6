"""Cleaning up: what goes, what stays, and that a store is whole wherever a cleaning is killed."""

import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from artcluster.cli import main
from artcluster.config import VacuumSettings
from artcluster.runtime.progress import Silent
from artcluster.schema import ASSIGNMENTS, EMBEDDINGS, IMAGES, MODELS, RUNS
from artcluster.store import Store
from artcluster.store.blobs import Blobs
from artcluster.store.layout import MAPS, model_map
from artcluster.store.views import read_view
from artcluster.workflows.clustering.assign import artefact_of_store, assign_by
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.housekeeping.runs_and_models import retained
from artcluster.workflows.housekeeping.status import store_status
from artcluster.workflows.housekeeping.vacuum import VacuumSummary, vacuum_store
from tests.workflows.jobs import copy_pictures, make_job
from tests.workflows.test_runs import make_record

PICTURES = 24
AT_ONCE = {"keep_files_hours": 0, "keep_unfinished_days": 0}
ALL = {"keep_runs": 1, "keep_days": 0, "merge_files": 2, **AT_ONCE}
EVERY = 1 if "ARTCLUSTER_KILLS" in os.environ else 7


def clean(store: Path | Store, *, dry: bool = False, **settings: Any) -> VacuumSummary:
    job = make_job(store, **{f"vacuum__{name}": value for name, value in settings.items()})
    return vacuum_store(job.store, job.config, Silent(), dry=dry)


def gone(summary: VacuumSummary) -> dict[str, int]:
    return {removal.why: removal.count for removal in summary.removals}


def files(store: Path) -> set[str]:
    return {str(file.relative_to(store)) for file in store.rglob("*") if file.is_file()}


def assert_whole(place: Path) -> list[dict[str, Any]]:
    """Check that a reader sees every image once, with its cluster; return what it sees."""
    store = Store.open(place)
    contents = store.table(EMBEDDINGS).read(["content_id"])["content_id"].to_pylist()
    assert len(contents) == len(set(contents)) == PICTURES
    images = store.table(IMAGES).read(["path", "scan_id"]).to_pylist()
    assert max(Counter((row["path"], row["scan_id"]) for row in images).values()) == 1
    runs = store.table(RUNS).read(["model_id", "images"]).to_pylist()
    assert runs
    for run in runs:
        mine = pc.field("model_id") == run["model_id"]
        assigned = store.table(ASSIGNMENTS).read(["content_id"], mine)["content_id"].to_pylist()
        assert set(assigned) <= set(contents)
        assert len(assigned) == len(set(assigned)) == run["images"]
        assert store.table(MODELS).read(["model_id"], mine).num_rows == 1
    seen: list[dict[str, Any]] = read_view(store, "latest", "arrow").sort_by("path").to_pylist()
    assert [row["path"] for row in seen] == sorted({row["path"] for row in images})
    assert all(row["cluster"] is not None for row in seen)
    return seen


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three nights, with three runs, a file a few pictures, and things left behind."""
    folder = tmp_path_factory.mktemp("grown")
    store = folder / "store"
    for night in range(3):
        copy_pictures(folder / "images", 8, start=8 * night)
        embed_archive(make_job(store, embed__part_images=4), str(folder / "images"))
        made = cluster_archive(make_job(store, cluster__method="kmeans", cluster__k=3), None)
        Store.open(store).write_bytes(model_map(made.model_id), b"map")
    opened = Store.open(store)
    (embedder,) = opened.table(EMBEDDINGS).distinct("embedder_id")
    orphan = f"embeddings/embedder_id={embedder}/{'0' * 32}.parquet"
    shutil.copy(next((store / "embeddings").glob("embedder_id=*/*.parquet")), store / orphan)
    opened.write_bytes("checkpoints/dec-0/checkpoint.pt", b"state")
    opened.write_bytes("pixels/ab/000000-3.npy", b"pixels")
    (store / "runs" / "ab.parquet#17").write_bytes(b"half")
    return store


@pytest.fixture
def store(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "store"))


def test_a_dry_run_writes_nothing_and_keeps_what_is_young(store: Path) -> None:
    before = files(store)
    found = clean(store, dry=True)
    assert found.dry
    assert gone(found) == {}
    assert any("among the last 30" in words for words in found.kept)
    assert any("last 24 h" in words for words in found.kept)
    found = clean(store, dry=True, **ALL)
    assert gone(found)["past their retention"] == 2
    assert files(store) == before


def test_everything_superfluous_goes_and_what_is_seen_stays(store: Path) -> None:
    before = assert_whole(store)
    (orphan,) = store.glob("embeddings/*/" + "0" * 32 + ".parquet")
    found = gone(clean(store, **ALL))
    assert found["past their retention"] == found["no run uses them"] == 2
    assert found["small files of embeddings, merged"] == 6
    assert found["small files of images, merged"] == 6
    assert found["listings before the last"] == 6
    assert found["decoded pixels of finished training"] == 1
    assert assert_whole(store) == before
    opened = Store.open(store)
    assert len(opened.table(EMBEDDINGS).paths()) == len(opened.table(IMAGES).paths()) == 1
    assert opened.table(RUNS).rows() == opened.table(MODELS).rows() == 1
    (model_id,) = opened.table(MODELS).read(["model_id"])["model_id"].to_pylist()
    assert list(opened.list(MAPS.name)) == [model_map(model_id)]
    assert not orphan.exists()
    assert not (store / "runs" / "ab.parquet#17").exists()
    clean(store, **ALL)
    assert assert_whole(store) == before
    # With the files that the first merged and the second removed, a plain glob sees rows once.
    assert len(list(store.glob("embeddings/embedder_id=*/*.parquet"))) == 1
    assert gone(clean(store, **ALL)) == {}
    # Weights and models lie beside the tables' files: they can still be used.
    job = make_job(store)
    images = [str(store.parent / "new")]
    copy_pictures(store.parent / "new", 2)
    assert all(found.cluster is not None for found in _assigned(job, images))


def _assigned(job: Any, images: list[str]) -> list[Any]:
    return list(assign_by(artefact_of_store(job.store, None), images, job.config, 1))


def test_numbers_of_listings_go_on(store: Path, grown: Path) -> None:
    clean(store, **ALL)
    done = embed_archive(make_job(store), str(grown.parent / "images"))
    assert (done.embedded, done.images) == (0, PICTURES)
    scans = sorted(file.parent.name for file in store.glob("scans/*/*/scan.json"))
    assert scans == ["00000003", "00000004"]


def test_a_reader_of_an_older_version_finds_its_files(store: Path) -> None:
    reader = Store.open(store).table(EMBEDDINGS)
    before = sorted(reader.read(["content_id"])["content_id"].to_pylist())
    clean(store, merge_files=2)
    assert sorted(reader.read(["content_id"])["content_id"].to_pylist()) == before


def test_a_job_that_goes_on_does_not_commit_what_was_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between vectors and images, merged, and begun again: vectors are there once."""
    copy_pictures(tmp_path / "images", PICTURES)
    commit = Store.commit_shards

    def die_before_images(self: Store, table: Any, *rest: Any) -> Any:
        if table is IMAGES and rest[0]:
            raise KeyboardInterrupt
        return commit(self, table, *rest)

    monkeypatch.setattr(Store, "commit_shards", die_before_images)
    with pytest.raises(KeyboardInterrupt):
        embed_archive(make_job(tmp_path / "store", embed__part_images=4), str(tmp_path / "images"))
    monkeypatch.undo()
    found = clean(tmp_path / "store", **ALL)
    assert gone(found)["small files of embeddings, merged"] == 6
    assert "shards that a job which broke off will go on with" in found.kept
    done = embed_archive(make_job(tmp_path / "store"), str(tmp_path / "images"))
    assert (done.images, done.embedded) == (PICTURES, 0)
    contents = Store.open(tmp_path / "store").table(EMBEDDINGS).read(["content_id"])
    assert len(set(contents["content_id"].to_pylist())) == contents.num_rows == PICTURES


def test_what_a_job_writes_now_is_left_alone(store: Path) -> None:
    opened = Store.open(store)
    archive = next((store / "scans").iterdir()).name
    last = opened.table(RUNS).read().sort_by("created_at").to_pylist()
    with (
        opened.lease(f"images={archive}"),
        opened.lease(f"model={last[0]['model_id']}"),
    ):
        found = clean(store, **ALL)
    assert "listings before the last" not in gone(found)
    assert gone(found)["no run uses them"] == 1
    assert f"what a job uses now: images={archive}" in found.kept
    assert any(last[0]["model_id"] in words for words in found.kept)


def test_one_cleaning_at_a_time(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(store).lease("vacuum"), pytest.raises(SystemExit) as ended:
        main(["vacuum", str(store), "--yes"])
    assert ended.value.code == 1
    assert "vacuum" in capsys.readouterr().err


class Killed(BaseException):
    pass


def mutations(monkeypatch: pytest.MonkeyPatch, last: int | None) -> Callable[[], int]:
    """Let so many changes of the store's files through, then be dead; return a counter."""
    done = 0
    originals = {name: getattr(Blobs, name) for name in ("write", "write_if_absent", "delete")}

    def one(name: str, self: Blobs, *arguments: Any) -> Any:
        nonlocal done
        if not arguments[0]:
            return None
        path = arguments[0] if name != "delete" else arguments[0][0]
        if path.startswith("leases/"):
            return originals[name](self, *arguments)
        if last is not None and done >= last:
            raise Killed
        done += 1
        return originals[name](self, *arguments)

    def one_by_one(self: Blobs, paths: Any) -> None:
        for path in paths:
            one("delete", self, [path])

    monkeypatch.setattr(Blobs, "write", lambda self, *rest: one("write", self, *rest))
    monkeypatch.setattr(
        Blobs, "write_if_absent", lambda self, *rest: one("write_if_absent", self, *rest)
    )
    monkeypatch.setattr(Blobs, "delete", one_by_one)
    return lambda: done


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_killed_at_any_step_the_store_is_whole(grown: Path, tmp_path: Path) -> None:
    """Every step in `make faults`, every seventh otherwise; then the next cleaning ends the work.

    The process is not really killed: each change of a file raises, up to the end.
    """
    seen = assert_whole(grown)

    def steps() -> Iterator[int]:
        place = Path(shutil.copytree(grown, tmp_path / "counted"))
        with pytest.MonkeyPatch.context() as patch:
            count = mutations(patch, None)
            clean(place, **ALL)
            yield from range(0, count(), EVERY)

    for step in list(steps()):
        place = Path(shutil.copytree(grown, tmp_path / f"killed-{step}"))
        with pytest.MonkeyPatch.context() as patch:
            mutations(patch, step)
            with pytest.raises(Killed):
                clean(place, **ALL)
        assert assert_whole(place) == seen
        clean(place, **ALL)
        clean(place, **ALL)
        assert assert_whole(place) == seen
        assert gone(clean(place, dry=True, **ALL)) == {}, step
        shutil.rmtree(place)


def test_a_run_is_kept_for_any_of_the_reasons() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    runs = [
        make_record(
            f"r{age}",
            parent=f"r{age + 10}",
            model_id="old" if age > 30 else f"m{age}",
            created_at=now - timedelta(days=age),
        )
        for age in range(50, -10, -10)
    ]
    runs.append(replace(runs[0], run_id="other", archive_id="b"))
    settings = VacuumSettings(keep_runs=1, keep_days=25)
    kept = retained(runs, {"r40"}, settings, now)
    assert kept == {
        "r0": "among the last 1 of an archive",
        "r10": "younger than 25 days",
        "r20": "younger than 25 days",
        "r40": "people named or edited clusters in it",
        "r50": "a run that stays has their model",
        "other": "among the last 1 of an archive",
    }
    assert retained(runs, set(), VacuumSettings(keep_runs=1, keep_days=0), now)["r10"] == (
        "the last run follows it"
    )


def test_what_nothing_names_goes_and_what_is_unknown_stays(store: Path) -> None:
    opened = Store.open(store)
    known = opened.table(IMAGES).read(["content_id"])["content_id"].to_pylist()
    sheets = {"aa": known[:2], "bb": ["0" * 64]}
    for name, contents in sheets.items():
        rows = pa.table({"content_id": contents, "sheet": [name] * len(contents)})
        stream = io.BytesIO()
        pq.write_table(rows, stream)
        opened.write_bytes(f"report-cache/thumbnails-64/index/{name}.parquet", stream.getvalue())
        opened.write_bytes(f"report-cache/thumbnails-64/{name}.webp", b"sheet")
    unnamed = (
        "trials/abc.safetensors",
        "studies/abc/parts/network.json",
        "hints/abc.json",
        "indexes/gone-embedder/000000001-ab/index.json",
    )
    for path in (*unnamed, "strangers/file"):
        opened.write_bytes(path, b"{}")
    young = clean(store, keep_runs=30)
    assert not set(gone(young)) & {"hints that no run was made with"}
    found = clean(store, **ALL)
    left = files(store)
    assert not left & {*unnamed, "report-cache/thumbnails-64/bb.webp"}
    assert left >= {
        "strangers/file",
        "report-cache/thumbnails-64/aa.webp",
        "report-cache/thumbnails-64/index/aa.parquet",
    }
    assert any(words.startswith("strangers: unknown") for words in found.kept)
    status = store_status(opened, make_job(store).config)
    assert status.unknown == ("strangers",)
    assert {each.name: each.files for each in status.folders}["report-cache"] == 2
    (store / "strangers" / "file").unlink()
    (store / "strangers").rmdir()


def test_json_says_what_would_go(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [f"vacuum.{name}={value}" for name, value in ALL.items()]
    arguments = [argument for setting in settings for argument in ("--set", setting)]
    with pytest.raises(SystemExit) as ended:
        main(["vacuum", str(store), "--json", *arguments])
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dry"]
    assert {"why": "past their retention", "count": 2, "unit": "runs", "size_bytes": 0} in (
        found["removals"]
    )
