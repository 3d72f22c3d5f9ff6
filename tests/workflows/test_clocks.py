"""Jobs on machines whose clocks are wrong: what came last is what was committed last."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.curation.curate import Curation
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.runs import choose_run, read_runs
from tests.absent import absent
from tests.faults.driver import ROOT
from tests.faults.leases import NoFakeTimeError, fake_time
from tests.workflows.jobs import copy_pictures, make_job

SETTINGS = {"cluster__method": "kmeans", "embed__part_images": 8}


def cluster(place: Path, k: int, parent: str | None = "last") -> str:
    job = make_job(place / "store", cluster__k=k, **SETTINGS)
    return cluster_archive(job, None, parent=parent).run_id


def curate(place: Path, name: str, undo: bool) -> None:
    store = Store.open(place / "store")
    curation = Curation(store, make_job(store).config, who="tester")
    curation.name(0, name)
    if undo:
        curation.undo()
    else:
        curation.merge(2, 1)


def at_another_time(place: Path, clock: str, call: str) -> str:
    """Call a function of this file in a process whose clock is wrong; return what it logged."""
    try:
        (place / "clock").write_text(f"{clock}\n")
        environment = fake_time(place / "clock")
    except NoFakeTimeError:
        absent("libfaketime")
    code = (
        "import logging; logging.basicConfig(); from pathlib import Path\n"
        f"from tests.workflows.test_clocks import *\nplace = Path({str(place)!r})\n{call}"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def latest(place: Path) -> tuple[str, dict[int, str], set[int]]:
    rows = read_view(Store.open(place / "store"), "latest", "arrow").to_pylist()
    names = {row["cluster"]: row["cluster_name"] for row in rows if row["cluster_name"]}
    (run_id,) = {row["run_id"] for row in rows}
    return run_id, names, {row["cluster"] for row in rows}


def test_what_is_committed_last_is_shown_whatever_the_clocks_say(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy_pictures(tmp_path / "images", 12)
    embed_archive(make_job(tmp_path / "store", **SETTINGS), str(tmp_path / "images"))
    first = cluster(tmp_path, 3, None)
    at_another_time(tmp_path, "+3650d", "cluster(place, 4)\ncurate(place, 'Ships', False)")
    future = choose_run(Store.open(tmp_path / "store"))
    assert future.parent == first
    assert "is in the future" in caplog.text
    assert f"Run {future.run_id}" in caplog.text
    # Now with the right clock, which is ten years behind that run's.
    fifth = cluster(tmp_path, 5)
    curate(tmp_path, "Horses", True)
    assert choose_run(Store.open(tmp_path / "store")).run_id == fifth
    run_id, names, clusters = latest(tmp_path)
    assert (run_id, names.get(0)) == (fifth, "Horses")
    assert 2 in clusters, "the merge was undone"
    # And by one that is a day slow: its run begins a series of its own.
    call = "cluster(place, 6, None)\ncurate(place, 'Trees', False)"
    told = at_another_time(tmp_path, "-1d", call)
    assert told.count("is in the future") >= 1
    runs = read_runs(Store.open(tmp_path / "store"))
    assert [run.parent for run in runs] == [None, first, future.run_id, None]
    run_id, names, _ = latest(tmp_path)
    assert (run_id, names.get(0)) == (runs[-1].run_id, "Trees")
    times = [run.created_at for run in runs]
    assert times == sorted(times)
