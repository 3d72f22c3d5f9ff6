"""Views of the store: the same SQL for DuckDB and Spark, and as frames of Polars and pandas."""

from collections.abc import Sequence
from typing import Any

from artcluster.schema import ASSIGNMENTS, IMAGES, METADATA, METADATA_KEYS, TABLES
from artcluster.store.store import Store

_IMAGE_COLUMNS = ("archive_id", "path", "uri", "content_id", "width", "height", "format")
_ASSIGNMENT_COLUMNS = tuple(
    name for name in ASSIGNMENTS.schema.names if name not in ("model_id", "content_id")
)
_TAKEN = {*_IMAGE_COLUMNS, *_ASSIGNMENT_COLUMNS, "run_id", "model_id", "cluster_name"}

VIEWS = ("current_images", "rejects", "current_metadata", "latest")
"""Names of the views: the latest row of each path that was not removed; those of it that were
rejected; the metadata of each path; images with metadata, cluster and name of the latest run."""


def view_sql(
    metadata_columns: Sequence[str], *, as_of: str | None = None, quote: str = '"'
) -> dict[str, str]:
    """Return the query of each view over the tables' names, in an order they can be made in.

    Args:
        metadata_columns: The user's columns in `metadata`.
        as_of: A run's metadata_version: metadata as that run saw it; None for the newest.
        quote: What names are quoted with: '"', in Spark '`'.

    >>> list(view_sql(["genre"]))
    ['current_images', 'rejects', 'current_metadata', 'latest']
    """

    def name(text: str) -> str:
        return f"{quote}{text.replace(quote, quote * 2)}{quote}"

    def newest(table: str, columns: Sequence[str], of: str, order: str, where: str = "true") -> str:
        chosen = ", ".join(map(name, columns))
        return (
            f"SELECT {chosen} FROM (SELECT *, row_number() OVER (PARTITION BY {of} "
            f"ORDER BY {order}) AS nth FROM {table} WHERE {where}) AS numbered WHERE nth = 1"
        )

    images = newest("images", IMAGES.schema.names, "archive_id, path", "scan_id DESC, seen_at DESC")
    until = "true" if as_of is None else "metadata_version <= '" + as_of.replace("'", "''") + "'"
    sources = (
        "SELECT archive_id, metadata_source, max(metadata_version) AS metadata_version "
        f"FROM metadata WHERE {until} GROUP BY archive_id, metadata_source"
    )
    # Where several sources describe an image, each column comes from the newest that fills it.
    merged = "".join(
        f", max_by({name(each)}, CASE WHEN {name(each)} IS NOT NULL THEN metadata_version END) "
        f"AS {name(each)}"
        for each in metadata_columns
    )
    metadata = (
        f"SELECT archive_id, path{merged} FROM metadata JOIN ({sources}) AS current "
        "USING (archive_id, metadata_source, metadata_version) "
        "WHERE path IS NOT NULL GROUP BY archive_id, path"
    )
    run = newest(
        "runs", ("archive_id", "run_id", "model_id"), "archive_id", "created_at DESC, run_id"
    )
    names = newest(
        "cluster_names", ("run_id", "cluster", "name"), "run_id, cluster", "named_at DESC"
    )
    latest = ", ".join(
        [
            *(f"i.{each}" for each in _IMAGE_COLUMNS),
            *(
                f"m.{name(each)} AS {name(f'metadata_{each}' if each.lower() in _TAKEN else each)}"
                for each in metadata_columns
            ),
            "r.run_id",
            "r.model_id",
            *(f"a.{each}" for each in _ASSIGNMENT_COLUMNS),
            "n.name AS cluster_name",
        ]
    )
    return {
        "current_images": f"SELECT * FROM ({images}) AS newest WHERE status <> 'removed'",
        "rejects": "SELECT * FROM current_images WHERE status = 'rejected'",
        "current_metadata": metadata,
        "latest": f"SELECT {latest} FROM current_images AS i "
        f"LEFT JOIN ({run}) AS r ON r.archive_id = i.archive_id "
        "LEFT JOIN assignments AS a ON a.model_id = r.model_id AND a.content_id = i.content_id "
        f"LEFT JOIN ({names}) AS n ON n.run_id = r.run_id AND n.cluster = a.cluster "
        "LEFT JOIN current_metadata AS m ON m.archive_id = i.archive_id AND m.path = i.path "
        "WHERE i.status = 'ok'",
    }


def metadata_columns(store: Store) -> list[str]:
    """Return the user's columns in the `metadata` table."""
    return [each for each in store.table(METADATA).schema.names if each not in METADATA_KEYS]


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
    for view, query in view_sql(metadata_columns(store), quote="`").items():
        lines.append(f"CREATE OR REPLACE TEMPORARY VIEW {view} AS {query};")
    return "\n".join(lines) + "\n"


def read_view(store: Store, view: str, library: str = "polars", **limits: Any) -> Any:
    """Return a view as a frame of `polars`, `pandas`, or an `arrow` table.

    Raises:
        ValueError: There is no view of this name, or no such library.
    """
    from artcluster.store.duckdb import duckdb_connection

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
