"""Views of the store: the same SQL for DuckDB and Spark, and as frames of Polars and pandas."""

import atexit
import re
import shutil
import tempfile
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.schema import ASSIGNMENTS, IMAGES, METADATA, RUNS, TABLES
from artcluster.store.metadata import column_sql, kept_columns
from artcluster.store.store import Store

_IMAGE_COLUMNS = ("archive_id", "path", "uri", "content_id", "width", "height", "format")
_ASSIGNMENT_COLUMNS = tuple(
    name for name in ASSIGNMENTS.schema.names if name not in ("model_id", "content_id")
)
_BOX_COLUMNS = ("kind", "x", "y", "width", "height", "score")
_TAKEN = {
    *_IMAGE_COLUMNS,
    *_ASSIGNMENT_COLUMNS,
    "run_id",
    "model_id",
    "model_cluster",
    "cluster_name",
}


VIEWS = (
    "current_images",
    "unread_images",
    "rejects",
    "current_metadata",
    "latest_runs",
    "current_names",
    "shown_clusters",
    "moved_images",
    "latest",
    "parts",
)
"""Names of the views: the latest row of each path that was not removed (a picture whose file cannot
be read any more is as it was read last); the paths that could not be read when they were tried
last; the rejected ones, with those; the metadata of each path; the last run of each archive; the
clusters' names; clusters that people merged into others; images that people moved; `latest`: images
with metadata, cluster and name of the last run, as people edited it (`model_cluster` is the model's
own); and `parts`: of a run over faces, the rows of `latest` with the box and the score of each."""


def shown_name(column: str) -> str:
    """Return what the view `latest` calls a column of the metadata.

    >>> shown_name("genre"), shown_name("cluster")
    ('genre', 'metadata_cluster')
    """
    return f"metadata_{column}" if column.lower() in _TAKEN else column


def view_sql(
    metadata_columns: Mapping[str, Sequence[pa.Field]],
    *,
    as_of: str | None = None,
    run_id: str | None = None,
    quote: str = '"',
) -> dict[str, str]:
    """Return the query of each view over the tables' names, in an order they can be made in.

    Args:
        metadata_columns: The user's columns; see `kept_columns`.
        as_of: A run's metadata_version: metadata as that run saw it; None for the newest.
        run_id: A past run to show in the last one's place, with its archive alone: the images and
            the metadata that it saw, under the names and edits of today.
        quote: What names are quoted with: '"', in Spark '`'.

    >>> list(view_sql({}))[-2:]
    ['latest', 'parts']
    """

    def name(text: str) -> str:
        return f"{quote}{text.replace(quote, quote * 2)}{quote}"

    def newest(table: str, columns: str, of: str, order: str, where: str = "true") -> str:
        return (
            f"SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY {of} "
            f"ORDER BY {order}) AS nth FROM {table} WHERE {where}) AS numbered WHERE nth = 1"
        )

    past = run_id is not None
    chosen_run = "true" if run_id is None else f"run_id = {_text(run_id)}"

    def of_run(column: str) -> str:
        return f"(SELECT max({column}) FROM runs WHERE {chosen_run})"

    def newest_images(where: str) -> str:
        return newest(
            "images",
            ", ".join(map(name, IMAGES.schema.names)),
            "archive_id, path",
            "scan_id DESC, seen_at DESC",
            f"{where} AND archive_id = {of_run('archive_id')} AND scan_id <= {of_run('scan_id')}"
            if past
            else where,
        )

    # A row of a file that could not be read states the content that the path had until then.
    images = newest_images("NOT (status = 'unread' AND content_id IS NOT NULL)")
    tried = newest_images("true")
    until = of_run("metadata_version") if past else None if as_of is None else _text(as_of)
    sources = (
        "SELECT archive_id, metadata_source, max(metadata_version) AS metadata_version "
        f"FROM metadata WHERE {'true' if until is None else f'metadata_version <= {until}'} "
        "GROUP BY archive_id, metadata_source"
    )
    # Where several sources describe an image, each column comes from the newest that fills it.
    merged = "".join(
        f", max_by({value}, CASE WHEN {value} IS NOT NULL THEN metadata_version END) "
        f"AS {name(each)}"
        for each, fields in metadata_columns.items()
        for value in [column_sql(fields, name)]
    )
    metadata = (
        f"SELECT archive_id, path{merged} FROM metadata JOIN ({sources}) AS current "
        "USING (archive_id, metadata_source, metadata_version) "
        "WHERE path IS NOT NULL GROUP BY archive_id, path"
    )
    series = "coalesce(series, run_id)"
    run = newest(
        "runs",
        f"archive_id, run_id, {series} AS series, model_id, scan_id, created_at",
        "archive_id",
        "created_at DESC, run_id DESC",
        chosen_run if past else "run_id NOT IN (SELECT parent FROM runs WHERE parent IS NOT NULL)",
    )
    names = newest(
        "cluster_names", f"{series} AS series, cluster, name", f"{series}, cluster", "named_at DESC"
    )
    # What a refit's lineage calls for holds from that run on, once the run is there.
    edits = (
        "(SELECT e.* FROM edits AS e JOIN latest_runs AS r ON r.series = e.series "
        "LEFT JOIN runs AS made ON made.run_id = e.run_id "
        "WHERE e.kind <> 'inherit' OR made.created_at <= r.created_at) AS valid"
    )

    def edited(what: str) -> str:
        columns = f"series, {what}, shown_cluster"
        order = "edited_at DESC, edit_id"
        rows = newest(edits, columns, f"series, {what}", order, f"{what} IS NOT NULL")
        return f"SELECT * FROM ({rows}) AS newest WHERE shown_cluster IS NOT NULL"

    boxes = ", ".join(f"g.{each} AS region_{each}" for each in _BOX_COLUMNS)
    shown = "coalesce(mm.shown_cluster, mi.shown_cluster, sc.shown_cluster, a.cluster)"
    latest = ", ".join(
        [
            *(f"i.{each}" for each in _IMAGE_COLUMNS),
            *(f"m.{name(each)} AS {name(shown_name(each))}" for each in metadata_columns),
            "r.run_id",
            "r.model_id",
            *(
                f"{shown} AS cluster" if each == "cluster" else f"a.{each}"
                for each in _ASSIGNMENT_COLUMNS
            ),
            "a.cluster AS model_cluster",
            "n.name AS cluster_name",
        ]
    )
    return {
        "current_images": f"SELECT * FROM ({images}) AS newest WHERE status <> 'removed'",
        "unread_images": f"SELECT * FROM ({tried}) AS newest WHERE status = 'unread'",
        "rejects": "SELECT * FROM current_images WHERE status = 'rejected' "
        "UNION ALL SELECT * FROM unread_images",
        "current_metadata": metadata,
        "latest_runs": run,
        "current_names": f"SELECT * FROM ({names}) AS newest WHERE name IS NOT NULL",
        "shown_clusters": edited("cluster"),
        "moved_images": edited("content_id"),
        "latest": f"SELECT {latest} FROM current_images AS i "
        "LEFT JOIN latest_runs AS r ON r.archive_id = i.archive_id "
        "LEFT JOIN assignments AS a ON a.model_id = r.model_id AND a.content_id = i.content_id "
        "LEFT JOIN shown_clusters AS sc ON sc.series = r.series AND sc.cluster = a.cluster "
        "LEFT JOIN moved_images AS mi ON mi.series = r.series AND mi.content_id = a.content_id "
        "LEFT JOIN shown_clusters AS mm ON mm.series = r.series AND mm.cluster = mi.shown_cluster "
        "LEFT JOIN current_names AS n ON n.series = r.series AND "
        f"n.cluster = {shown} "
        "LEFT JOIN current_metadata AS m ON m.archive_id = i.archive_id AND m.path = i.path "
        "WHERE i.status = 'ok'",
        "parts": f"SELECT l.*, {boxes} FROM latest AS l JOIN runs AS r ON r.run_id = l.run_id "
        "JOIN (SELECT DISTINCT * FROM regions) AS g ON g.embedder_id = r.embedder_id "
        "AND g.content_id = l.content_id AND g.region = l.region WHERE l.region <> ''",
    }


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def metadata_columns(store: Store) -> list[str]:
    """Return the names of the user's columns, as the views have them."""
    return list(kept_columns(store))


def spark_sql(store: Store) -> str:
    """Return a script that makes the tables and views of a store in a Spark session with Delta.

    Options such as keys are for the Spark session to have; none are written here.
    """
    lines = []
    for table in (*TABLES, METADATA.name):
        uri = store.location.child(table).uri.replace("s3://", "s3a://", 1).replace("'", "\\'")
        if store.table(table).exists():
            source = f"USING delta OPTIONS (path '{uri}')"
        else:
            schema = store.table(table).schema
            empty = ", ".join(
                f"CAST(NULL AS {_spark(each.type)}) AS `{each.name}`" for each in schema
            )
            source = f"AS SELECT {empty} WHERE false"
        lines.append(f"CREATE OR REPLACE TEMPORARY VIEW {table} {source};")
    for view, query in view_sql(kept_columns(store), quote="`").items():
        lines.append(f"CREATE OR REPLACE TEMPORARY VIEW {view} AS {query};")
    return "\n".join(lines) + "\n"


def read_view(store: Store, view: str, library: str = "polars", **limits: Any) -> Any:
    """Return a view as a frame of `polars`, `pandas`, or an `arrow` table.

    Args:
        view: One of `VIEWS`.
        library: `polars`, `pandas` or `arrow`.
        **limits: What `duckdb_connection` takes, such as `run_id` for a past run.

    Raises:
        ValueError: There is no view of this name, no such library, or no such run.
    """

    convert = {"polars": "pl", "pandas": "df", "arrow": "to_arrow_table"}
    if view not in VIEWS:
        raise ValueError(f"view: expected one of {list(VIEWS)}, got {view!r}.")
    if library not in convert:
        raise ValueError(f"library: expected one of {list(convert)}, got {library!r}.")
    with duckdb_connection(store, **limits) as connection:
        return getattr(connection.table(view), convert[library])()


def _spark(kind: Any) -> str:
    text = str(kind)
    names = {"int32": "INT", "int64": "BIGINT", "float": "FLOAT", "bool": "BOOLEAN"}
    if text.startswith("list"):
        return f"ARRAY<{_spark(kind.value_type)}>"
    if text.startswith("timestamp"):
        return "TIMESTAMP"
    return names.get(text, "STRING")


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
    views = view_sql({}, as_of=as_of, run_id=run_id)
    wanted = {*_TABLES, *views} if only is None else _with_parts(only, views)
    for table in _TABLES:
        if table in wanted:
            connection.register(table, store.table(table).dataset())
    if METADATA.name in wanted:
        views = view_sql(kept_columns(store), as_of=as_of, run_id=run_id)
    for view, query in views.items():
        if view in wanted:
            connection.execute(f"CREATE VIEW {view} AS {query}")
    return connection


def _with_parts(names: Iterable[str], views: Mapping[str, str]) -> set[str]:
    """Return tables and views with those that the views are made of.

    >>> sorted(_with_parts(["rejects"], view_sql({})))
    ['current_images', 'images', 'rejects', 'unread_images']
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
