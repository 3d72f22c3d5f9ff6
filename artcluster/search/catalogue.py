"""What can be asked of a store: its tables and views, and what each column means."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from artcluster.schema import METADATA, TABLES
from artcluster.store.views import VIEWS

_SOURCES = {
    "current_images": ("images",),
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
