"""Runs as records, and series of them: runs that follow one another and share cluster numbers."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.schema import (
    CLUSTER_NAMES,
    CLUSTERS,
    EDITS,
    LABEL_METRICS,
    LINEAGE,
    MODELS,
    RUNS,
    Table,
)
from artcluster.store import Store
from artcluster.store.views import duckdb_connection
from artcluster.workflows.results import ClusterSummary


def finished_run(store: Store, run_id: str) -> ClusterSummary | None:
    """Return a run that exists, as the store has it."""
    rows = store.table(RUNS).read(None, pc.field("run_id") == run_id).to_pylist()
    if not rows:
        return None
    run = rows[0]
    model_id = run["model_id"]
    models = store.table(MODELS).read(None, pc.field("model_id") == model_id).to_pylist()
    clusters = store.table(CLUSTERS).read(["cluster", "size"], pc.field("run_id") == run_id)
    sizes = {row["cluster"]: row["size"] for row in clusters.to_pylist()}
    metrics, training = json.loads(run["metrics"]), json.loads(models[0]["training"])
    return ClusterSummary(
        run_id=run_id,
        model_id=model_id,
        archive_id=run["archive_id"],
        method=models[0]["method"],
        k=models[0]["k"],
        images=run["images"],
        contents=metrics["contents"],
        sizes=sizes,
        metrics=_with_late_labels(metrics, _late_labels(store, run_id)[run_id]),
        verdict=training["verdict"],
        already=True,
        merges=_numbered(store, models[0]["path"], training.get("merges", [])),
    )


def _numbered(
    store: Store, folder: str, merges: Sequence[tuple[int, int, float]]
) -> tuple[tuple[int, int, float], ...]:
    """Return merges by the clusters' numbers, which a refit may have changed since."""
    if not merges:
        return ()
    numbers = json.loads(store.read_bytes(f"{folder}/model.json"))["numbers"]
    return tuple((numbers[one], numbers[other], height) for one, other, height in merges)


@dataclass(frozen=True)
class CurrentRun:
    """A run to look at.

    Attributes:
        archive_id: The archive it clustered.
        model_id: The model it applied.
        past: Whether it was asked for by name: then the archive is shown as the run saw it.
    """

    run_id: str
    archive_id: str
    model_id: str
    past: bool


def choose_run(store: Store, wanted: str | None, archive_id: str | None = None) -> CurrentRun:
    """Return the run that is meant: by its id or the beginning of it, or an archive's last one.

    Args:
        wanted: A run_id or the beginning of one; None for the last run.
        archive_id: Which archive; None for the only one, or the wanted run's.

    Raises:
        UsageError: There is no such run, or several to choose from.
    """
    columns = ["run_id", "archive_id", "model_id", "created_at"]
    runs = store.table(RUNS).read(columns).sort_by([("created_at", "descending")]).to_pylist()
    if not runs:
        raise UsageError(
            f"the store {store.location} has no clusters yet: run `artcluster cluster` first"
        )
    known = ", ".join(run["run_id"] for run in runs[:10])
    if wanted is not None:
        fitting = [run for run in runs if run["run_id"].startswith(wanted)]
        exact = [run for run in fitting if run["run_id"] == wanted]
        if len(exact or fitting) != 1:
            problem = "several runs begin with" if fitting else "there is no run"
            raise UsageError(f"--run: {problem} {wanted!r}; the last ones are {known}")
        chosen = (exact or fitting)[0]
        return CurrentRun(chosen["run_id"], chosen["archive_id"], chosen["model_id"], past=True)
    archives = sorted({run["archive_id"] for run in runs})
    if archive_id is None and len(archives) > 1:
        raise UsageError(
            f"several archives: choose one of {', '.join(archives)} with --archive-id, or a run "
            f"with --run; the last ones are {known}"
        )
    for run in runs:
        if archive_id in (None, run["archive_id"]):
            return CurrentRun(run["run_id"], run["archive_id"], run["model_id"], past=False)
    raise UsageError(f"--archive-id: no run of {archive_id!r}; choose one of {', '.join(archives)}")


@contextmanager
def open_current_run(
    store: Store, run: CurrentRun, config: Config
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the store's tables with the view `shown`: the run's rows of `latest`."""
    with duckdb_connection(
        store,
        memory_limit=f"{config.store.memory_bytes}B",
        run_id=run.run_id if run.past else None,
    ) as tables:
        tables.execute(f"CREATE VIEW shown AS FROM latest WHERE run_id = '{run.run_id}'")
        yield tables


RUN_TABLES = (RUNS, CLUSTERS, LINEAGE, EDITS)

"""What is written under the lease on an archive's runs, by a run that follows another."""


@dataclass(frozen=True)
class RunRecord:
    """One committed run; the fields are columns of the runs table, JSON read.

    Attributes:
        series: The first run of its series; the run itself where it follows none.
        decision: What an update decided, and why; empty for runs of other commands.
    """

    run_id: str
    parent: str | None
    series: str
    archive_id: str
    scan_id: int
    model_id: str
    embedder_id: str
    metadata_version: str
    images: int
    next_cluster: int | None
    decision: Mapping[str, Any]
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    created_at: datetime


def read_runs(store: Store, archive_id: str | None = None) -> list[RunRecord]:
    """Return the runs of an archive, or of all, oldest first."""
    mine = None if archive_id is None else pc.field("archive_id") == archive_id
    rows = store.table(RUNS).read(None, mine).to_pylist()
    late = _late_labels(store)
    found = [_record(row, late[row["run_id"]]) for row in rows]
    return sorted(found, key=lambda run: (run.created_at, run.run_id))


def find_run(runs: Sequence[RunRecord], wanted: str) -> RunRecord:
    """Return the run that is meant: by its id, the beginning of it, or `last`.

    Raises:
        UsageError: There is none, or several begin so.
    """
    fitting = [run for run in runs if run.run_id.startswith(wanted)]
    exact = [run for run in fitting if run.run_id == wanted]
    if wanted == "last":
        fitting = list(runs[-1:])
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    problem = f"several runs begin with {wanted!r}" if fitting else f"there is no run {wanted!r}"
    known = ", ".join(run.run_id for run in (fitting or runs)[-5:])
    raise UsageError(f"{problem}; {f'choose of {known}' if known else 'the store has none yet'}")


def fitted_in(runs: Sequence[RunRecord], run: RunRecord) -> tuple[RunRecord, int]:
    """Return the run that a run's model was fitted for, and how many runs applied it since."""
    by_id = {each.run_id: each for each in runs}
    count = 0
    while run.parent is not None:
        before = by_id.get(run.parent)
        if before is None or before.model_id != run.model_id:
            break
        run, count = before, count + 1
    return run, count


def next_cluster(store: Store, series: str) -> int:
    """Return the first cluster number that no run, name or edit of a series ever used."""
    runs = [run for run in read_runs(store) if run.series == series]
    used = [run.next_cluster - 1 for run in runs if run.next_cluster is not None]
    ids = [run.run_id for run in runs]
    for table, column in (
        (store.table(CLUSTERS).read(["cluster"], pc.field("run_id").isin(ids)), "cluster"),
        (_of_series(store, CLUSTER_NAMES, series), "cluster"),
        (_of_series(store, EDITS, series), "cluster"),
        (_of_series(store, EDITS, series), "shown_cluster"),
    ):
        used.append(_largest(table[column]))
    return max(used, default=-1) + 1


def _of_series(store: Store, table: Table, series: str) -> pa.Table:
    return store.table(table).read(None, pc.field("series") == series)


def _largest(column: pa.ChunkedArray) -> int:
    found = pc.max(column).as_py()
    return -1 if found is None else int(found)


def _record(row: Mapping[str, Any], late: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        run_id=row["run_id"],
        parent=row["parent"],
        series=row["series"] or row["run_id"],
        archive_id=row["archive_id"],
        scan_id=row["scan_id"],
        model_id=row["model_id"],
        embedder_id=row["embedder_id"],
        metadata_version=row["metadata_version"],
        images=row["images"],
        next_cluster=row["next_cluster"],
        decision=json.loads(row["decision"] or "{}"),
        config=json.loads(row["config"]),
        metrics=_with_late_labels(json.loads(row["metrics"]), late),
        created_at=row["created_at"],
    )


def _late_labels(store: Store, run_id: str | None = None) -> Mapping[str, dict[str, Any]]:
    """Return the measures of labels that were asked for once a run was finished, by run."""
    mine = None if run_id is None else pc.field("run_id") == run_id
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for row in store.table(LABEL_METRICS).read(None, mine).to_pylist():
        found[row["run_id"]][row["label"]] = json.loads(row["metrics"])
    return found


def _with_late_labels(metrics: dict[str, Any], late: Mapping[str, Any]) -> dict[str, Any]:
    return {**metrics, "labels": {**metrics["labels"], **late}}


def clusters_of_run(store: Store, run_id: str) -> np.ndarray:
    """Return the numbers of a run's clusters, empty ones too."""
    rows = store.table(CLUSTERS).read(["cluster"], pc.field("run_id") == run_id)
    return np.sort(rows["cluster"].to_numpy())
