"""The run that a person looks at, and its images in the store's views."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.schema import RUNS
from artcluster.store import Store
from artcluster.store.duckdb import duckdb_connection


@dataclass(frozen=True)
class ShownRun:
    """A run to look at.

    Attributes:
        run_id: Its name.
        archive_id: The archive it clustered.
        model_id: The model it applied.
        past: Whether it was asked for by name: then the archive is shown as the run saw it.
    """

    run_id: str
    archive_id: str
    model_id: str
    past: bool


def choose_run(store: Store, wanted: str | None, archive_id: str | None = None) -> ShownRun:
    """Return the run that is meant: by its id or the beginning of it, or an archive's last one.

    Args:
        store: The store.
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
        return ShownRun(chosen["run_id"], chosen["archive_id"], chosen["model_id"], past=True)
    archives = sorted({run["archive_id"] for run in runs})
    if archive_id is None and len(archives) > 1:
        raise UsageError(
            f"several archives: choose one of {', '.join(archives)} with --archive-id, or a run "
            f"with --run; the last ones are {known}"
        )
    for run in runs:
        if archive_id in (None, run["archive_id"]):
            return ShownRun(run["run_id"], run["archive_id"], run["model_id"], past=False)
    raise UsageError(f"--archive-id: no run of {archive_id!r}; choose one of {', '.join(archives)}")


@contextmanager
def open_shown(store: Store, run: ShownRun, config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the store's tables with the view `shown`: the run's rows of `latest`."""
    with duckdb_connection(
        store,
        memory_limit=f"{config.store.memory_bytes}B",
        run_id=run.run_id if run.past else None,
    ) as tables:
        tables.execute(f"CREATE VIEW shown AS FROM latest WHERE run_id = '{run.run_id}'")
        yield tables
