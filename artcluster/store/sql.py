"""SQL over a store's tables: read-only, in bounded memory, and with no way to any other file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from artcluster.errors import UsageError
from artcluster.schema import METADATA, TABLES
from artcluster.store import Store
from artcluster.store.views import VIEWS, duckdb_connection

_SOURCES = {
    "current_images": ("images",),
    "unread_images": ("images",),
    "rejects": ("images",),
    "current_metadata": (METADATA.name,),
    "latest_runs": ("runs",),
    "current_names": ("cluster_names",),
    "shown_clusters": ("edits",),
    "moved_images": ("edits",),
    "latest": ("images", "runs", "assignments"),
    "parts": ("images", "runs", "assignments"),
}
"""View → the tables whose words explain its columns, the first that has a column."""


_MEANINGS = {
    "series": "The first run of the row of runs that this one is of",
    "cluster_name": "The cluster's name; null without one",
    "model_cluster": "The cluster as the model has it, before edits by hand",
    "shown_cluster": "The cluster it is shown as",
    "region_kind": "face",
    "region_x": "The part's left side in pixels of the upright picture",
    "region_y": "Its upper side",
    "region_width": "Its width",
    "region_height": "Its height",
    "region_score": "How sure the detector is, 0 to 1",
}
"""Words for what views compute."""


_LEARNED = "A column of the user's own metadata"


@dataclass(frozen=True)
class Column:
    """One column: its name, its type in SQL, and what it means."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Relation:
    """A table or view: its name, which of the two it is, and its columns."""

    name: str
    kind: str
    columns: tuple[Column, ...]


def relations(tables: duckdb.DuckDBPyConnection) -> list[Relation]:
    """Describe every table and view of a connection from `duckdb_connection`."""
    return [
        *(_described(tables, name, "table", _comments(name)) for name in (*TABLES, METADATA.name)),
        *(_described(tables, name, "view", _sourced(name)) for name in VIEWS),
    ]


def _described(
    tables: duckdb.DuckDBPyConnection, name: str, kind: str, meanings: Mapping[str, str]
) -> Relation:
    rows = tables.execute(f"DESCRIBE {name}").fetchall()
    columns = tuple(Column(each, type_, meanings.get(each, _LEARNED)) for each, type_, *_ in rows)
    return Relation(name, kind, columns)


def _comments(name: str) -> dict[str, str]:
    schema = (TABLES.get(name) or METADATA).schema
    comments = ((each.name, each.metadata or {}) for each in schema)
    return {name: str(metadata.get(b"comment", b""), "utf-8") for name, metadata in comments}


def _sourced(view: str) -> dict[str, str]:
    meanings: dict[str, str] = {}
    for table in _SOURCES[view]:
        meanings = _comments(table) | meanings
    return meanings | _MEANINGS


_BATCH_ROWS = 8192


# What the views need is set before this; afterwards nothing can be set any more.
_SHUT = (
    "SET enable_external_access = false",
    "SET autoload_known_extensions = false",
)
_ALWAYS = (
    "SET autoinstall_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET timezone = 'UTC'",
)
_LOCK = "SET lock_configuration = true"


_SELECTS = {duckdb.StatementType.SELECT, duckdb.StatementType.MULTI}
"""Queries; MULTI is what PIVOT becomes."""


@contextmanager
def open_for_queries(
    store: Store, *, memory_bytes: int, allow_files: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a store's tables and views for queries that somebody else wrote.

    Args:
        memory_bytes: What DuckDB may use before it spills to disk.
        allow_files: Let queries read other files and web addresses, and load the extensions
            that are installed; by default neither files nor extensions can be reached.
    """
    with duckdb_connection(store, memory_limit=f"{memory_bytes}B") as tables:
        for setting in (*_ALWAYS, *(() if allow_files else _SHUT), _LOCK):
            tables.execute(setting)
        yield tables


def query(
    tables: duckdb.DuckDBPyConnection, sql: str, *, allow_files: bool = False
) -> pa.RecordBatchReader:
    """Run one query and return its rows as they are computed.

    Args:
        tables: From `open_for_queries`.
        sql: One SELECT (FROM, WITH, VALUES, PIVOT, DESCRIBE, SHOW, SUMMARIZE too), or EXPLAIN of
            one.
        allow_files: As the tables were opened.

    Raises:
        UsageError: It is no query, more than one, or DuckDB cannot answer it.
    """
    with explained(tables):
        # EXPLAIN ANALYZE runs what it explains, which may be a COPY to a file.
        allowed = _SELECTS if allow_files else _SELECTS | {duckdb.StatementType.EXPLAIN}
        statements = tables.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in allowed:
            found = ", ".join(each.type.name for each in statements) or "nothing"
            raise UsageError(
                f"query: expected one SELECT, got {found}. Stores are read-only here; results go "
                "to a file with --out."
            )
        return rows_of(tables, statements[0])


def rows_of(
    tables: duckdb.DuckDBPyConnection, sql: str | duckdb.Statement, batch_rows: int = _BATCH_ROWS
) -> pa.RecordBatchReader:
    """Return a query's rows as they are computed, in columns of distinct names."""
    return _with_distinct_names(tables.sql(sql).to_arrow_reader(batch_rows), tables)


@contextmanager
def explained(tables: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Turn what DuckDB says of a query into a short error with advice.

    Raises:
        UsageError: Instead of any error of DuckDB.
    """
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as failed:
        raise UsageError(f"query: {_words(failed)}{_advice(failed, tables)}") from None


def _with_distinct_names(
    reader: pa.RecordBatchReader, tables: duckdb.DuckDBPyConnection
) -> pa.RecordBatchReader:
    """Number columns of the same name, which neither Parquet nor JSON can hold."""
    schema = pa.schema(
        [
            column.with_name(name)
            for column, name in zip(reader.schema, distinct_names(reader.schema.names), strict=True)
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        with explained(tables):
            for batch in reader:
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def distinct_names(names: list[str]) -> list[str]:
    """Number the later ones of equal names, however they are capitalised.

    >>> distinct_names(["path", "n", "Path", "path"])
    ['path', 'n', 'Path_2', 'path_3']
    """
    taken: set[str] = set()
    distinct = []
    for name in names:
        number, free = 1, name
        while free.lower() in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free.lower())
        distinct.append(free)
    return distinct


def _words(failed: Exception) -> str:
    """Return the first paragraph of DuckDB's message, without its class of error."""
    paragraph = str(failed).strip().split("\n\n", 1)[0]
    text = " ".join(paragraph.split())
    kind, colon, rest = text.partition(" Error: ")
    return rest if colon and len(kind) < 40 else text


def _advice(failed: Exception, tables: duckdb.DuckDBPyConnection) -> str:
    if isinstance(failed, duckdb.PermissionException):
        return ". A query reaches no files and no extensions; --allow-files lets it."
    if isinstance(failed, duckdb.OutOfMemoryException):
        return " Give it more with --set store.memory_bytes=N."
    if isinstance(failed, duckdb.CatalogException) and "Table" in str(failed):
        names = sorted(row[0] for row in tables.execute("SHOW TABLES").fetchall())
        return f" There are {', '.join(names)}."
    return ""
