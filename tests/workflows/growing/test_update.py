"""Updates of an archive that grows: what is embedded, what is decided, whose numbers go on."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.metrics import adjusted_rand_score

from artcluster.config import Config, ImageSettings
from artcluster.embedders.embedder import HistogramEmbedder
from artcluster.errors import ArchiveError, UsageError
from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder
from artcluster.lineage.matching import best_kept_share, overlap
from artcluster.schema import ASSIGNMENTS, EMBEDDINGS, LINEAGE, MODELS, RUNS
from artcluster.store import Lease, Store
from artcluster.store.views import read_view
from artcluster.workflows.clustering.assignments import load_model
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.curation.curate import Curation
from artcluster.workflows.embedding import decoding as find_faces
from artcluster.workflows.embedding.decoding import open_decoder
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.settings import inherited_settings
from artcluster.workflows.growing.update import update_archive
from artcluster.workflows.runs import choose_run
from tests.workflows.growing.growing import GrowingArchive
from tests.workflows.jobs import make_job

SETTINGS = {
    "archive__id": "pictures",
    "cluster__method": "kmeans",
    "cluster__k": 6,
    "embed__part_images": 64,
}


def update(place: Path, **settings: Any) -> Any:
    """Update the archive of a folder; `refit` and `run_id` are the verb's, the rest settings."""
    verb = {name: settings.pop(name) for name in ("refit", "run_id") if name in settings}
    job = make_job(place / "store", **SETTINGS | settings)
    return update_archive(job, str(place / "images"), **verb)


def clusters(place: Path, run_id: str | None = None) -> dict[str, int]:
    rows = read_view(Store.open(place / "store"), "latest", "arrow", run_id=run_id).to_pylist()
    return {row["path"]: row["cluster"] for row in rows}


@pytest.fixture(scope="module", autouse=True)
def one_decoder() -> Iterator[None]:
    """A decoder's process, once started, serves all jobs of this module."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as closing:

        @cache
        def kept(policy: PixelPolicy, size_px: tuple[int, int]) -> Decoder:
            return closing.enter_context(open_decoder(policy, size_px, ImageSettings()))

        def opened(policy: PixelPolicy, size_px: tuple[int, int], _: ImageSettings) -> Decoder:
            return kept(policy, size_px)

        patch.setattr(find_faces, "open_decoder", opened)
        yield


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 pictures in a first run; the tests of this module work on copies."""
    place = tmp_path_factory.mktemp("grown")
    archive = GrowingArchive(place / "images")
    archive.add(500)
    done = update(place)
    assert (done.outcome, done.embedding.embedded, done.parent) == ("first run", 500, None)
    return place


@pytest.fixture
def place(grown: Path, tmp_path: Path) -> Path:
    for name in ("images", "store"):
        shutil.copytree(grown / name, tmp_path / name)
    return tmp_path


def test_a_night_embeds_what_is_new_and_moves_nothing_else(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 pictures; then 40 new, 5 changed, 5 renamed, 10 removed."""
    store = Store.open(place / "store")
    before, known = clusters(place), store.table(EMBEDDINGS).read(["content_id"])["content_id"]
    names = sorted(before)
    changed, renamed, removed = names[:5], names[5:10], names[10:20]
    archive = GrowingArchive(place / "images", start=500)
    archive.add(40)
    archive.change(changed)
    new_names = archive.rename(renamed)
    archive.remove(removed)
    seen: list[int] = []
    embed = HistogramEmbedder.__call__

    def counting(self: HistogramEmbedder, pixels: np.ndarray) -> np.ndarray:
        seen.append(len(pixels))
        return embed(self, pixels)

    monkeypatch.setattr(HistogramEmbedder, "__call__", counting)
    done = update(place)
    assert sum(seen) == done.embedding.embedded == 45
    now = store.table(EMBEDDINGS).read(["content_id"])["content_id"].to_pylist()
    assert len(now) == len(set(now)) == 545
    assert set(known.to_pylist()) < set(now)
    assert done.outcome == "model kept"
    counts = done.changes.images
    assert (counts.new, counts.changed, counts.moved, counts.removed) == (40, 5, 5, 10)
    assert counts.untouched == counts.same_cluster == 480
    after = clusters(place)
    assert len(after) == 530
    untouched = before.keys() - {*changed, *renamed, *removed}
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    # A renamed picture is known by its content.
    assert [after[name] for name in new_names] == [before[name] for name in renamed]
    first, second = store.table(RUNS).read().sort_by("created_at").to_pylist()
    assert (second["parent"], second["series"]) == (first["run_id"], first["run_id"])
    assert (second["model_id"], second["images"]) == (first["model_id"], 530)
    kinds = store.table(LINEAGE).read().to_pylist()
    assert {(row["old_cluster"], row["new_cluster"], row["kind"]) for row in kinds} == {
        (number, number, "kept") for number in range(6)
    }
    assert sum(row["overlap"] for row in kinds) == 485
    # The first run is still read as it was.
    assert clusters(place, first["run_id"]) == before
    again = update(place)
    assert (again.outcome, again.run.run_id) == ("nothing new", second["run_id"])
    assert store.table(RUNS).rows() == 2


def by_content(place: Path, model_id: str) -> dict[str, int]:
    rows = Store.open(place / "store").table(ASSIGNMENTS)
    mine = rows.read(["content_id", "cluster"], pc.field("model_id") == model_id).to_pylist()
    return {row["content_id"]: row["cluster"] for row in mine}


def test_a_refit_by_another_seed_keeps_as_many_numbers_as_can_be(place: Path) -> None:
    first = RunFacts(place)
    done = update(place, cluster__seed=7)
    assert done.outcome == "refitted"
    assert done.reasons == ("cluster.seed was 0, is 7",)
    now = RunFacts(place)
    assert now.model_id != first.model_id
    old, new = by_content(place, first.model_id), by_content(place, now.model_id)
    assert old.keys() == new.keys()
    old_N, new_N = (np.array([each[key] for key in old]) for each in (old, new))
    assert done.changes.kept_share == (old_N == new_N).mean()
    assert done.changes.best_share == best_kept_share(overlap(old_N, new_N))
    assert done.changes.kept_share <= done.changes.best_share
    assert done.changes.ari == pytest.approx(adjusted_rand_score(old_N, new_N))
    counts = done.changes.images
    assert counts.same_cluster == (old_N == new_N).sum()
    assert counts.untouched == 500
    # Each matched pair is a cluster that goes on; a relabelling could not do better than they do.
    kept = [each for each in done.changes.clusters if each.kind == "kept"]
    assert sum(each.overlap for each in kept) == counts.same_cluster
    fresh = set(new_N.tolist()) - set(range(6))
    assert all(number >= 6 for number in fresh)
    assert now.next_cluster == 6 + len(fresh)


class RunFacts:
    """The last run of a store, and its rows in other tables."""

    def __init__(self, place: Path) -> None:
        self.store = Store.open(place / "store")
        self.run = self.store.table(RUNS).read().sort_by("created_at").to_pylist()[-1]
        self.run_id, self.model_id = self.run["run_id"], self.run["model_id"]
        self.next_cluster = self.run["next_cluster"]
        self.decision = json.loads(self.run["decision"] or "{}")

    def lineage(self) -> list[dict[str, Any]]:
        return self.store.table(LINEAGE).read(None, pc.field("run_id") == self.run_id).to_pylist()

    def training(self) -> dict[str, Any]:
        mine = pc.field("model_id") == self.model_id
        return json.loads(self.store.table(MODELS).read(["training"], mine)["training"][0].as_py())


SMALL = {"cluster__k": 4, "update__max_growth": 99, "update__max_distance_ratio": 99}


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pictures in a first run; the tests of this module work on copies."""
    place = tmp_path_factory.mktemp("small")
    GrowingArchive(place / "images").add(30)
    update(place, **SMALL)
    return place


@pytest.fixture
def small(first_night: Path, tmp_path: Path) -> Path:
    for name in ("images", "store"):
        shutil.copytree(first_night / name, tmp_path / name)
    return tmp_path


def test_ten_nights(small: Path) -> None:
    """Every third night another k refits from nothing; each change of a number has its lineage."""
    archive = GrowingArchive(small / "images", start=30)
    store = Store.open(small / "store")
    Curation(store, make_job(store).config).name(0, "Sketches")
    numbers = {0, 1, 2, 3}
    used = set(numbers)
    outcomes = []
    for night in range(10):
        before = clusters(small)
        archive.add(3)
        names = sorted(before)
        archive.change(names[:1])
        archive.remove(names[-1:])
        k = (4, 6, 3, 5)[(night + 1) // 3]
        done = update(small, **SMALL | {"cluster__k": k, "update__refit": "never"})
        outcomes.append(done.outcome)
        after = clusters(small)
        untouched = before.keys() & after.keys() - {names[0]}
        stayed = sum(before[name] == after[name] for name in untouched)
        counts = done.changes.images
        assert (counts.untouched, counts.same_cluster) == (len(untouched), stayed)
        rows = RunFacts(small).lineage()
        olds = {row["old_cluster"] for row in rows} - {None}
        news = {row["new_cluster"] for row in rows} - {None}
        # Every cluster there was and every cluster there is has its lineage.
        assert olds == numbers
        assert len(news) == k
        assert set(after.values()) <= news
        for row in rows:
            assert (row["old_cluster"] == row["new_cluster"]) == (row["kind"] == "kept")
        if done.outcome == "model kept":
            assert stayed == len(untouched)
            assert news == olds
        # A number that is not kept was never used before.
        assert not (news - olds) & used
        numbers, used = news, used | news
        rows = read_view(store, "latest", "arrow").to_pylist()
        shown = {row["cluster"] for row in rows if row["cluster_name"] == "Sketches"}
        assert shown == {0} & set(after.values())
    assert outcomes == (["model kept"] * 2 + ["refitted"]) * 3 + ["model kept"]
    assert len(used) >= 6


@pytest.mark.parametrize("method", ["kmeans", "delius"])
def test_a_refit_starts_from_the_last_model(first_night: Path, tmp_path: Path, method: str) -> None:
    shutil.copytree(first_night / "images", tmp_path / "images")
    settings = SMALL | {"cluster__method": method}
    settings |= {"cluster__pretrain__max_steps": 20, "cluster__dec__hidden": [32]}
    settings |= {"cluster__dec__max_iterations": 10, "cluster__dec__refresh_every": 5}
    update(tmp_path, **settings)
    first = load_model(Store.open(tmp_path / "store"), RunFacts(tmp_path).model_id)
    GrowingArchive(tmp_path / "images", start=30).add(5)
    done = update(tmp_path, refit=True, **settings)
    assert (done.outcome, done.reasons) == ("refitted", ("a refit was asked for",))
    now = RunFacts(tmp_path)
    assert (now.decision["model"], now.model_id != first) == ("warm", True)
    training = now.training()
    if method == "kmeans":
        # One start, from the last centroids: no seeds were drawn.
        assert len(training["kmeans"]["restart_inertias"]) == 1
    else:
        assert "pretrain" not in training
        assert training["dec"]["iterations"] <= 10
        assert training["verdict"]
    model = load_model(now.store, now.model_id)
    assert model.space.out_dim == first.space.out_dim
    assert model.fitted_on.points == 35


def test_drift_past_a_limit_refits_and_says_which(small: Path) -> None:
    GrowingArchive(small / "images", start=30).add(8)
    done = update(small, **SMALL | {"update__max_growth": 0.2})
    assert done.outcome == "refitted"
    assert done.reasons == ("growth 26.7%, past 20.0%",)
    facts = RunFacts(small)
    assert facts.decision["drift_since_fit"]["growth"] == pytest.approx(8 / 30)
    # Drift adds up since the fit, however little one night brings.
    GrowingArchive(small / "images", start=38).add(4)
    assert update(small, **SMALL | {"update__max_growth": 0.2}).outcome == "model kept"
    GrowingArchive(small / "images", start=42).add(4)
    last = update(small, **SMALL | {"update__max_growth": 0.2})
    assert (last.outcome, round(last.drift.growth, 3)) == ("refitted", 0.095)


def test_what_vanished_asks_for_a_flag(small: Path) -> None:
    names = sorted(clusters(small))
    GrowingArchive(small / "images").remove(names[:20])
    with pytest.raises(ArchiveError, match="20 of 30 known images"):
        update(small, **SMALL)
    # A listing that breaks off removes nothing, either.
    (small / "images").rename(small / "elsewhere")
    with pytest.raises((ArchiveError, UsageError), match="images"):
        update(small, **SMALL)
    (small / "elsewhere").rename(small / "images")
    assert len(clusters(small)) == 30
    done = update(small, **SMALL, archive__max_removed_share=1)
    assert (done.changes.images.removed, len(clusters(small))) == (20, 10)
    inherited = inherited_settings(Store.open(small / "store"), "nowhere", given(small))
    assert "max_removed_share" not in inherited["archive"]
    assert inherited["cluster"]["k"] == 4


def test_hints_that_got_lost_ask_for_a_flag(small: Path) -> None:
    names = sorted(file.name for file in (small / "images").iterdir())[:4]
    rows = [f"{name},{place % 2}\n" for place, name in enumerate(names)]
    hints = small / "hints.csv"
    hints.write_text("path,label\n" + "".join(rows))
    told = {"cluster__method": "guided", "cluster__hints": str(hints)}
    before = update(small, **told)
    hints.write_text("path,label\n" + "".join(rows[:2]))
    with pytest.raises(ArchiveError, match="no hint any more for 2 of the 4 images"):
        update(small, **told)
    after = update(small, metadata__max_lost_share=1, **told)
    assert after.run.run_id != before.run.run_id


def given(place: Path) -> Config:
    return make_job(place / "store", archive__id="pictures").config


def test_an_update_that_another_job_makes_meanwhile_is_made_once(small: Path) -> None:
    GrowingArchive(small / "images", start=30).add(2)
    late = make_job(small / "store", **SETTINGS | SMALL)
    enter = late.lease

    def overtaken(*names: Any) -> Lease:
        if str(names[0]).startswith("runs="):
            assert update(small, **SMALL).outcome == "model kept"
        return enter(*names)

    object.__setattr__(late, "lease", overtaken)
    done = update_archive(late, str(small / "images"))
    assert (done.outcome, done.embedding.embedded) == ("nothing new", 2)
    assert late.store.table(RUNS).rows() == 2


def test_a_run_that_is_not_there(small: Path) -> None:
    with pytest.raises(UsageError, match="no run 'ffff'"):
        update(small, run_id="ffff")


def test_an_archive_of_which_nothing_usable_is_left(small: Path) -> None:
    for file in (small / "images").iterdir():
        file.write_text("no picture")
    with pytest.raises(UsageError, match="no usable image is left"):
        update(small, **SMALL)
    assert Store.open(small / "store").table(RUNS).rows() == 1


def test_a_clustering_may_follow_a_run(small: Path) -> None:
    first = RunFacts(small)
    job = make_job(small / "store", **SETTINGS | SMALL | {"cluster__k": 5})
    alone = cluster_archive(job, "pictures")
    assert RunFacts(small).run["series"] == alone.run_id
    done = cluster_archive(job, "pictures", parent=first.run_id)
    now = RunFacts(small)
    assert done.run_id != alone.run_id
    assert (now.run["parent"], now.run["series"]) == (first.run_id, first.run_id)
    assert {row["kind"] for row in now.lineage()} >= {"kept"}
    assert max(done.sizes) == now.next_cluster - 1 >= 4


def test_an_update_follows_a_run_of_another_embedder_that_was_made_meanwhile(
    tmp_path: Path,
) -> None:
    archive = GrowingArchive(tmp_path / "images")
    archive.add(12)
    settings = SETTINGS | {"cluster__k": 2}
    other = make_job(tmp_path / "store", **settings, images__fit="crop")
    embedder_id = embed_archive(other, str(tmp_path / "images")).embedder_id
    first = update(tmp_path, cluster__k=2)
    archive.add(4)
    job = make_job(tmp_path / "store", **settings)
    stream = job.executor.stream
    made: list[str] = []

    def meanwhile(*given: Any, **named: Any) -> Iterator[Any]:
        yield from stream(*given, **named)
        if not made:
            made.append(cluster_archive(other, None, embedder_id, parent="last").run_id)

    job.executor.stream = meanwhile  # type: ignore[method-assign]
    done = update_archive(job, str(tmp_path / "images"))
    assert first.run.run_id != made[0]
    assert done.parent == made[0]
    run = choose_run(job.store)
    assert (run.run_id, run.embedder_id) == (done.run.run_id, embedder_id)
    assert len(clusters(tmp_path)) == 16
    assert None not in clusters(tmp_path).values()
