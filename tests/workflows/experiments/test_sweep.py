"""Sweeps: every k measured and kept, resumed after a kill, one recommended without labels."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from artcluster.errors import UsageError
from artcluster.schema import EMBEDDINGS, MODELS, RUNS, SWEEPS, TRIALS
from artcluster.store import Lease, Store
from artcluster.store.vectors import gather
from artcluster.workflows.experiments import trials as making
from artcluster.workflows.experiments.sweep import Sweep, make_sweep, read_sweep, read_sweeps
from artcluster.workflows.experiments.sweep_page import sweep_findings
from artcluster.workflows.experiments.trials import MISSING, Trial, clusters_of
from artcluster.workflows.housekeeping.vacuum import vacuum_store
from tests.workflows.experiments.tried import PICTURES, quick_job

KS = [2, 3, 4]


@pytest.fixture(scope="module")
def tried(tried_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    return Path(shutil.copytree(tried_once, folder / "copy")) / "store"


@pytest.fixture(scope="module")
def sweep(tried: Path) -> Sweep:
    return make_sweep(quick_job(tried), KS, method="kmeans")


def test_every_k_is_measured(tried: Path, sweep: Sweep) -> None:
    store = Store.open(tried)
    assert [row["k"] for row in sweep.rows] == KS
    assert store.table(RUNS).rows() == store.table(MODELS).rows() == 0
    assert store.table(TRIALS).rows() == len(KS) * 3
    assert store.table(SWEEPS).rows() == len(KS)
    ids, x = gather(store, sweep.embedder_id, None, limit_bytes=1 << 30)
    assert len(ids) == PICTURES == sweep.points
    for row in sweep.rows:
        trials = store.table(TRIALS).read(None, pc.field("k") == row["k"]).to_pylist()
        whole = next(trial for trial in trials if trial["resample"] is None)
        clusters = clusters_of(store, whole)
        assert row["silhouette"] == pytest.approx(silhouette_score(x, clusters), abs=1e-5)
        assert row["silhouette_common"] == row["silhouette"]
        aris = []
        for trial in trials:
            if trial["resample"] is not None:
                part = clusters_of(store, trial)
                there = part != MISSING
                assert there.sum() == trial["points"] == round(0.8 * PICTURES)
                aris.append(adjusted_rand_score(clusters[there], part[there]))
        assert row["stability"] == pytest.approx(np.mean(aris))
        assert row["resamples"] == 2
        assert row["non_empty"] == row["k"]
        assert row["iterations"] >= 1
    inertias = [row["inertia_common"] for row in sweep.rows]
    assert inertias == sorted(inertias, reverse=True)


def test_one_k_is_recommended(tried: Path, sweep: Sweep) -> None:
    assert [row["k"] for row in sweep.rows if row["recommended"]] == [sweep.recommended]
    assert sweep.reason.startswith("best mean rank over silhouette")
    assert read_sweep(Store.open(tried), sweep.sweep_id) == Sweep(
        **{**vars(sweep), "seconds": None}
    )


def test_the_same_again_is_done_already(tried: Path, sweep: Sweep) -> None:
    before = Store.open(tried).table(TRIALS).version
    again = make_sweep(quick_job(tried), KS, method="kmeans")
    assert again.already
    assert again.sweep_id == sweep.sweep_id
    assert Store.open(tried).table(TRIALS).version == before


def test_a_killed_sweep_goes_on(tried: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real, most = making.run_trial, [4]

    def counted(trial: Trial, lease: Lease) -> dict[str, Any]:
        if len(made) == most[0]:
            raise KeyboardInterrupt
        made.append(trial.trial_id)
        return real(trial, lease)

    monkeypatch.setattr(making, "run_trial", counted)
    with pytest.raises(KeyboardInterrupt):
        make_sweep(quick_job(tried), KS, method="kmeans+scaling=unit")
    assert read_sweeps(Store.open(tried), sweep.archive_id)[0].method == "kmeans"
    kept, made[:] = list(made), []
    monkeypatch.setattr(
        making, "run_trial", lambda t, lease: made.append(t.trial_id) or real(t, lease)
    )
    found = make_sweep(quick_job(tried), KS, method="kmeans+scaling=unit")
    assert len(made) == len(KS) * 3 - 4
    assert not set(made) & set(kept)
    assert not found.already
    assert [each.method for each in read_sweeps(Store.open(tried), sweep.archive_id)] == [
        "kmeans+scaling=unit",
        "kmeans",
    ]


def test_refined_vectors_are_measured_and_not_kept(tried: Path) -> None:
    found = make_sweep(quick_job(tried, trials__resamples=1), [2], method="dcec-paint")
    (row,) = found.rows
    assert row["verdict"].startswith("kept")
    assert row["iterations"] == 4
    assert row["silhouette"] != row["silhouette_common"]
    known = Store.open(tried).table(EMBEDDINGS).distinct("embedder_id")
    assert sorted(name.rsplit("-", 1)[0] for name in known) == ["cae", "color-histogram"]


def test_vacuum_takes_what_a_refinement_left(tried: Path) -> None:
    job = quick_job(tried, vacuum__keep_unfinished_days=0)
    make_sweep(quick_job(tried, trials__resamples=1), [2], method="dcec-paint")

    def weights() -> set[str]:
        found = Store.open(tried).list("embedders/")
        return {path.split("/")[1] for path in found if path.endswith("weights.safetensors")}

    assert {name.rsplit("-", 1)[0] for name in weights()} == {"cae", "dcec-paint"}
    vacuum_store(job.store, job.config, job.progress, dry=False)
    assert {name.rsplit("-", 1)[0] for name in weights()} == {"cae"}


def test_what_it_tells(sweep: Sweep) -> None:
    told = sweep_findings(sweep)
    first, curves = told.sections
    assert first.points[0].startswith(f"Recommended: {sweep.recommended} clusters")
    assert {block.title for block in curves.blocks} >= {"Stability", "Time per fit (s)"}


@pytest.mark.parametrize(
    ("ks", "method", "words"),
    [([1, 2], "kmeans", "from 2 up"), ([2, 40], "kmeans", "only 24"), ([2], "magic", "kmeans")],
)
def test_wrong_use(tried: Path, ks: list[int], method: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_sweep(quick_job(tried), ks, method=method)
