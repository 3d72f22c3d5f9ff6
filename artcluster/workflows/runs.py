"""Runs: reading them, their order, choosing one, and series of runs that share cluster numbers."""

import json
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.config import Config
from artcluster.errors import StoreError, UsageError
from artcluster.schema import (
    ASSIGNMENTS,
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
from artcluster.store.clock import warn_of_future
from artcluster.store.reader import CHECK
from artcluster.store.shards import partition_path
from artcluster.store.views import duckdb_connection
from artcluster.workflows.results import ClusterSummary


@dataclass(frozen=True)
class Run:
    """One committed run; the fields are columns of the table `runs`, JSON decoded.

    Attributes:
        series: The first run of its series; the run itself where it follows none.
        decision: What an update decided, and why; empty for runs of other commands.
        past: Whether it was asked for by its id: then the archive is shown as the run saw it.
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
    versions: Mapping[str, str]
    timings: Mapping[str, float]
    created_at: datetime
    past: bool = False


def read_runs(store: Store, archive_id: str | None = None) -> list[Run]:
    """Return the runs of an archive, or of all, in the order of their commits, oldest first."""
    mine = None if archive_id is None else pc.field("archive_id") == archive_id
    found = in_order(_read(store, mine))
    for run in found[-1:]:
        warn_of_future(run.created_at, f"Run {run.run_id}")
    return found


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Return runs in the order of their commits, oldest first.

    A run comes after its parent, whatever the clocks of their writers said: the newest is, of the
    runs that no other follows, the one of the latest time, and so on for what is left.
    """
    left = {run.run_id: run for run in runs}
    followers = Counter(run.parent for run in left.values())
    free = sorted(
        (run.created_at, run.run_id) for run in left.values() if not followers[run.run_id]
    )
    newest_first = []
    while free:
        run = left[free.pop()[1]]
        newest_first.append(run)
        followers[run.parent] -= 1
        if run.parent in left and not followers[run.parent]:
            insort(free, (left[run.parent].created_at, run.parent))
    return newest_first[::-1]


def find_run(runs: Sequence[Run], wanted: str | None = None) -> Run:
    """Return one of some runs in order: by its id or a unique prefix of it; the last by default.

    Raises:
        UsageError: There is no such run, or several begin so.
    """
    if wanted in (None, "last"):
        fitting = list(runs[-1:])
    else:
        fitting = [run for run in runs if run.run_id.startswith(str(wanted))]
        fitting = [run for run in fitting if run.run_id == wanted] or fitting
    if len(fitting) == 1:
        return fitting[0]
    problem = f"several runs begin with {wanted!r}" if fitting else f"there is no run {wanted!r}"
    known = ", ".join(run.run_id for run in (fitting or runs)[-10:])
    raise UsageError(f"{problem}; {f'choose one of {known}' if known else 'there is none yet'}")


def choose_run(store: Store, wanted: str | None = None, archive_id: str | None = None) -> Run:
    """Return the run of a store to use.

    Args:
        wanted: A run_id or a unique prefix of one; None or `last` for an archive's last run.
        archive_id: Which archive; None for the only one, or the wanted run's.

    Raises:
        UsageError: There is no such run, or there are several to choose from.
    """
    runs = read_runs(store)
    archives = sorted({run.archive_id for run in runs})
    if not runs:
        raise UsageError(
            f"the store {store.location} has no clusters yet: run `artcluster cluster` first"
        )
    if archive_id not in (None, *archives):
        raise UsageError(
            f"--archive-id: no run of {archive_id!r}; choose one of {', '.join(archives)}"
        )
    mine = [run for run in runs if archive_id in (None, run.archive_id)]
    if wanted not in (None, "last"):
        return replace(find_run(mine, wanted), past=True)
    if archive_id is None and len(archives) > 1:
        last = ", ".join(run.run_id for run in runs[-10:])
        raise UsageError(
            f"several archives: choose one of {', '.join(archives)} with --archive-id, or a run "
            f"with --run; the last ones are {last}"
        )
    return mine[-1]


def choose_pair(store: Store, old: str, new: str) -> tuple[Run, Run]:
    """Return two runs to compare; `last` is the last run of the other one's archive.

    Raises:
        UsageError: There is no such run, or there are several to choose from.
    """
    named = [choose_run(store, wanted) for wanted in (old, new) if wanted != "last"]
    archive_id = named[0].archive_id if named else None
    pair = [choose_run(store, each, archive_id if each == "last" else None) for each in (old, new)]
    return pair[0], pair[1]


def run_exists(store: Store, run_id: str) -> bool:
    """Tell whether a run is recorded, whatever is left of its results."""
    return bool(_read(store, pc.field("run_id") == run_id))


def what_is_missing(store: Store, run: Run) -> str:
    """Say what a run lacks of its results, where damaged files were taken out; '' for nothing.

    Raises:
        StoreError: A file of its assignments is missing, and was not taken out.
    """
    models = store.table(MODELS).read(["model_id"], pc.field("model_id") == run.model_id)
    if not models.num_rows:
        return f"its model {run.model_id}"
    assigned = store.table(ASSIGNMENTS).file_rows({"model_id": run.model_id})
    folder = f"{ASSIGNMENTS.name}/{partition_path(ASSIGNMENTS, {'model_id': run.model_id})}"
    lost = {f"{ASSIGNMENTS.name}/{path}" for path, _ in assigned} - set(store.list(folder))
    if lost:
        raise StoreError(
            f"{min(lost)!r}, a file of run {run.run_id}, is missing. "
            f"{CHECK.format(store=store.location)}"
        )
    rows, wanted = sum(count for _, count in assigned), run.metrics.get("contents", 0)
    if rows < wanted:
        return f"{wanted - rows:,} of {wanted:,} assignments"
    if run.metrics.get("non_empty") and not clusters_of_run(store, run.run_id).size:
        return "its clusters"
    return ""


def finished_run(store: Store, run_id: str) -> ClusterSummary | None:
    """Return a summary of a run; None where there is none of this id, or it lacks something."""
    rows = _read(store, pc.field("run_id") == run_id)
    if not rows or what_is_missing(store, rows[0]):
        return None
    (run,) = rows
    (model,) = store.table(MODELS).read(None, pc.field("model_id") == run.model_id).to_pylist()
    clusters = store.table(CLUSTERS).read(["cluster", "size"], pc.field("run_id") == run_id)
    training = json.loads(model["training"])
    return ClusterSummary(
        run_id=run_id,
        model_id=run.model_id,
        archive_id=run.archive_id,
        method=model["method"],
        k=model["k"],
        images=run.images,
        contents=run.metrics["contents"],
        sizes={row["cluster"]: row["size"] for row in clusters.to_pylist()},
        metrics=run.metrics,
        verdict=training["verdict"],
        already=True,
        merges=_numbered(store, model["path"], training.get("merges", [])),
    )


def _numbered(
    store: Store, folder: str, merges: Sequence[tuple[int, int, float]]
) -> tuple[tuple[int, int, float], ...]:
    """Return merges by the clusters' numbers, which a refit may have changed since."""
    if not merges:
        return ()
    numbers = json.loads(store.read_bytes(f"{folder}/model.json"))["numbers"]
    return tuple((numbers[one], numbers[other], height) for one, other, height in merges)


@contextmanager
def open_run(store: Store, run: Run, config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
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


def fitted_in(runs: Sequence[Run], run: Run) -> tuple[Run, int]:
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


def of_series(series: str) -> pc.Expression:
    """Return the condition for a series' rows of `edits` and `cluster_names`."""
    return pc.coalesce(pc.field("series"), pc.field("run_id")) == series


def _of_series(store: Store, table: Table, series: str) -> pa.Table:
    return store.table(table).read(None, of_series(series))


def _largest(column: pa.ChunkedArray) -> int:
    found = pc.max(column).as_py()
    return -1 if found is None else int(found)


def _read(store: Store, where: pc.Expression | None) -> list[Run]:
    rows = store.table(RUNS).read(None, where).to_pylist()
    late = _late_labels(store, rows[0]["run_id"] if len(rows) == 1 else None)
    names = [field.name for field in fields(Run) if field.name != "past"]
    return [
        Run(
            **{name: row[name] for name in names if name not in (*_JSON, "series", "metrics")},
            **{name: json.loads(row[name] or "{}") for name in _JSON},
            metrics=_with_late_labels(json.loads(row["metrics"] or "{}"), late[row["run_id"]]),
            series=row["series"] or row["run_id"],
        )
        for row in rows
    ]


_JSON = ("decision", "config", "versions", "timings")


def _late_labels(store: Store, run_id: str | None = None) -> Mapping[str, dict[str, Any]]:
    """Return the measures of labels that were asked for once a run was finished, by run."""
    mine = None if run_id is None else pc.field("run_id") == run_id
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for row in store.table(LABEL_METRICS).read(None, mine).to_pylist():
        found[row["run_id"]][row["label"]] = json.loads(row["metrics"])
    return found


def _with_late_labels(metrics: dict[str, Any], late: Mapping[str, Any]) -> dict[str, Any]:
    return {**metrics, "labels": {**metrics.get("labels", {}), **late}}


def clusters_of_run(store: Store, run_id: str) -> np.ndarray:
    """Return the numbers of a run's clusters, empty ones too."""
    rows = store.table(CLUSTERS).read(["cluster"], pc.field("run_id") == run_id)
    return np.sort(rows["cluster"].to_numpy())
