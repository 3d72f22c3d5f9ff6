"""What can be asked of a store: its tables and views, and what each column means."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from artcluster.schema import METADATA, TABLES
from artcluster.store.views import VIEWS

_MEANINGS = {
    "cluster_name": "The cluster's newest name, by hand or by terms; null without one",
}
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
        *(_described(tables, name, "view", _everywhere()) for name in VIEWS),
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


def _everywhere() -> dict[str, str]:
    """Return the meaning of a column of a view, by its name; images explain theirs first."""
    meanings: dict[str, str] = {}
    for name in ("images", "assignments", "runs", METADATA.name, *TABLES):
        meanings = _comments(name) | meanings
    return meanings | _MEANINGS
