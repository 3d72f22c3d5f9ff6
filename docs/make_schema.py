"""Writes docs/schema.md from the tables' definitions and the views' columns.

Run it after a change of artcluster/schema or of the views: python docs/make_schema.py
"""

import tempfile
from pathlib import Path

from artcluster.schema import FORMAT_VERSION, METADATA, TABLES
from artcluster.store import Store
from artcluster.store.sql import Relation, relations
from artcluster.store.views import duckdb_connection

PAGE = Path(__file__).with_name("schema.md")

VIEW_ROWS = {
    "current_images": "The newest row of each path that was not removed",
    "unread_images": "The newest row of each path that could not be read when it was tried last",
    "rejects": "The files that cannot be used or could not be read, with reasons",
    "current_metadata": "The metadata of each path, merged from all its sources",
    "latest_runs": "The last run of each archive",
    "current_names": "The current names of clusters",
    "shown_clusters": "Clusters that people merged into others",
    "moved_images": "Images that people moved to another cluster",
    "latest": "Every usable image with its metadata, cluster and name in the last run, as people "
    "edited it",
    "parts": "Of a run over faces, the rows of `latest` with the box and the score of each face",
}
"""What a row of each view is."""

_HEAD = f"""# The store's tables

Format {FORMAT_VERSION}. Tables are Delta tables, views are made of them by `artcluster query`, by
`artcluster.store.views.duckdb_connection` and `artcluster.store.views.read_view`; the SQL of the
views is the same for Spark (`artcluster.store.views.spark_sql`). `artcluster query STORE --tables`
prints this page for one store, with the columns of its own metadata.

Types are SQL's: `VARCHAR` is text, `FLOAT[]` a list of float32. Times are UTC. Rows are
appended, never overwritten.

This page is written by `python docs/make_schema.py`.
"""


def page() -> str:
    """Return the page."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "store", create=True)
        with duckdb_connection(store, memory_limit="256MB") as tables:
            found = relations(tables)
    parts = [_HEAD]
    for kind, title in (("table", "## Tables"), ("view", "## Views")):
        parts.append(title)
        parts += [_section(each) for each in found if each.kind == kind]
    return "\n".join(parts)


def _section(relation: Relation) -> str:
    table = TABLES.get(relation.name) or (METADATA if relation.name == METADATA.name else None)
    lines = [
        f"### `{relation.name}`",
        f"{VIEW_ROWS[relation.name] if table is None else table.rows}.",
    ]
    if table is not None and table.partition_by:
        lines[-1] += f" A folder for each `{'`, `'.join(table.partition_by)}`."
    lines += ["", "| column | type | meaning |", "|---|---|---|"]
    lines += [f"| `{each.name}` | `{each.type}` | {each.meaning} |" for each in relation.columns]
    if relation.name in ("metadata", "current_metadata", "latest", "parts"):
        lines.append("| … | | The columns of the user's own metadata |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
