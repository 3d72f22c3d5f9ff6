"""SIGKILL between the steps of an update that refits, then two of it at once: one run, whole."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from artcluster.schema import ASSIGNMENTS, CLUSTERS, EMBEDDINGS, LINEAGE, MODELS, RUNS
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.curation.curate import Curation
from artcluster.workflows.growing.update import update_archive
from tests.workflows.growing.growing import GrowingArchive
from tests.workflows.jobs import make_job

STEPS = (
    ("after", "embeddings"),
    ("after", "images"),
    ("after", "assignments"),
    ("before", "models"),
    ("after", "models"),
    ("before", "clusters"),
    ("after", "clusters"),
    ("before", "lineage"),
    ("before", "runs"),
)
"""As they follow one another: each next start goes on where the one before died."""
KILLS = int(os.environ.get("ARTCLUSTER_KILLS", "2"))
ARCHIVE = ("--archive-id", "pictures", "--executor", "in-process")


def start(place: Path, *module: str) -> subprocess.Popen[str]:
    settings = ("--k", "6", "--set", "embed.part_images=4", "--json")
    return subprocess.Popen(
        [
            *(sys.executable, "-m", *module, "update"),
            *(str(place / "images"), str(place / "store"), *ARCHIVE, *settings),
        ],
        stdout=subprocess.PIPE,
        stderr=(place / "log").open("a"),
        text=True,
    )


def seen(store: Store) -> dict[str, Any]:
    rows = read_view(store, "latest", "arrow").to_pylist()
    return {row["path"]: (row["run_id"], row["cluster"], row["cluster_name"]) for row in rows}


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_an_update_killed_between_its_steps_and_started_twice_at_once(tmp_path: Path) -> None:
    archive = GrowingArchive(tmp_path / "images")
    names = archive.add(20)
    job = make_job(tmp_path / "store", archive__id="pictures", cluster__method="kmeans")
    first = update_archive(job, str(tmp_path / "images"))
    store = job.store
    people = Curation(store, job.config, who="Ada")
    sizes = first.run.sizes
    largest, smallest = max(sizes, key=sizes.get), min(sizes, key=sizes.get)
    people.merge(largest, smallest)
    people.name(smallest, "Sketches")
    before = seen(store)
    archive.add(8)
    archive.remove(names[:1])
    died = []
    for moment, table in STEPS if len(STEPS) <= KILLS else (STEPS[0], STEPS[-2]):
        killed = start(tmp_path, "tests.faults.killed_update", moment, table)
        killed.communicate()
        died.append(killed.returncode)
        now = seen(store)
        # What a reader sees is the first run, for the pictures that are there.
        assert {name: now[name] for name in names[1:] if name in now} == {
            name: before[name] for name in names[1:]
        }
        assert {run for run, _, _ in now.values()} == {first.run.run_id}
    assert set(died) == {-signal.SIGKILL}
    racing = [start(tmp_path, "artcluster") for _ in range(2)]
    said = [process.communicate()[0] for process in racing]
    assert [process.returncode for process in racing] == [0, 0], (tmp_path / "log").read_text()
    outcomes = Counter(json.loads(text)["outcome"] for text in said)
    assert outcomes == {"refitted": 1, "nothing new": 1}
    runs = store.table(RUNS).read().sort_by("created_at").to_pylist()
    assert [run["parent"] for run in runs] == [None, first.run.run_id]
    run_id, model_id = runs[1]["run_id"], runs[1]["model_id"]
    assert once(store, EMBEDDINGS, "embedder_id", "content_id") == 28
    assert once(store, MODELS, "model_id") == 2
    assert once(store, RUNS, "run_id") == 2
    assert once(store, CLUSTERS, "run_id", "cluster") == 8 + 6
    once(store, ASSIGNMENTS, "model_id", "content_id")
    once(store, LINEAGE, "run_id", "old_cluster", "new_cluster")
    rows = read_view(store, "latest", "arrow").to_pylist()
    assert len(rows) == 27
    assert {(row["run_id"], row["model_id"]) for row in rows} == {(run_id, model_id)}
    assert all(row["model_cluster"] is not None for row in rows)
    assert not [row for row in rows if row["cluster"] == largest]


def once(store: Store, table: Any, *columns: str) -> int:
    """Count the rows of a table, none of which is there twice."""
    found = store.table(table).read(list(columns)).to_pylist()
    keys = [tuple(row.values()) for row in found]
    assert len(keys) == len(set(keys))
    return len(keys)
