"""A store as a DuckDB database: every table and view under its name, nothing copied."""

import atexit
import re
import shutil
import tempfile
import uuid
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

import duckdb
import pyarrow.compute as pc

from artcluster.schema import METADATA, RUNS, TABLES
from artcluster.store.store import Store
from artcluster.store.views import metadata_columns, view_sql

_TABLES = tuple(dict.fromkeys((RUNS.name, *TABLES, METADATA.name)))
"""In the order they are opened in: a run's row is written last, so all that it names is there."""


def duckdb_connection(
    store: Store,
    only: Collection[str] | None = None,
    *,
    memory_limit: str = "2GB",
    temp_directory: Path | None = None,
    threads: int | None = None,
    as_of: str | None = None,
    run_id: str | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB connection with a store's tables, as they are now, and its views.

    It reads through delta-rs, on S3, Google and Azure as on a disk.

    Args:
        store: The store.
        only: The tables and views to have, with those that they are made of; None for all. Each
            table costs a look at its log.
        memory_limit: What DuckDB may use, in its words; beyond it, it spills to disk.
        temp_directory: Where it spills to; by default a folder of its own that goes away at exit.
        threads: DuckDB's threads; None for all CPUs.
        as_of: A run's metadata_version: metadata as that run saw it; None for the newest.
        run_id: A past run, which the views then show as it was; see `view_sql`.

    Raises:
        ValueError: There is no such run.
    """
    if run_id is not None and not store.table(RUNS).read([], pc.field("run_id") == run_id).num_rows:
        raise ValueError(f"run_id: the store has no run {run_id!r}; `artcluster runs` lists them.")
    if temp_directory is None:
        # Of its own, for DuckDB's files have the same names in each; it is made when spilled to.
        temp_directory = _spill_folder() / uuid.uuid4().hex
    connection = duckdb.connect(
        config={"memory_limit": memory_limit, "temp_directory": str(temp_directory)}
    )
    if threads is not None:
        connection.execute(f"SET threads = {threads:d}")
    views = view_sql([], as_of=as_of, run_id=run_id)
    wanted = {*_TABLES, *views} if only is None else _with_parts(only, views)
    for table in _TABLES:
        if table in wanted:
            connection.register(table, store.table(table).dataset())
    if METADATA.name in wanted:
        views = view_sql(metadata_columns(store), as_of=as_of, run_id=run_id)
    for view, query in views.items():
        if view in wanted:
            connection.execute(f"CREATE VIEW {view} AS {query}")
    return connection


def _with_parts(names: Iterable[str], views: Mapping[str, str]) -> set[str]:
    """Return tables and views with those that the views are made of.

    >>> sorted(_with_parts(["rejects"], view_sql([])))
    ['current_images', 'images', 'rejects']
    """
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            words = set(re.findall(r"\w+", views.get(name, "")))
            left += words.intersection({*_TABLES, *views})
    return found


@cache
def _spill_folder() -> Path:
    """Return this process's folder, which others may not read and which goes away at exit."""
    folder = Path(tempfile.mkdtemp(prefix="artcluster-duckdb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
