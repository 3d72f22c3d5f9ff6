"""The rows that every export has: images with cluster, name, place on the map and metadata."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from artcluster.config import Config
from artcluster.runtime.progress import Progress
from artcluster.store import Store
from artcluster.workflows.runs import Run

OpenFile = Callable[[Path], Any]
"""Opens a file to be written whole, as a context manager."""


@dataclass(frozen=True)
class Export:
    """What to export, and how files are opened.

    Attributes:
        config: How pictures are read, and the memory of joins.
        thumbnail_px: Side of the small copies that Embedding Atlas shows.
    """

    store: Store
    run: Run
    config: Config
    progress: Progress
    open_file: OpenFile
    thumbnail_px: int = 128


LABEL_SQL = "concat_ws(' ', cluster, cluster_name)"
_FIRST = ("cluster", "cluster_name", "confidence", "archive_id", "path", "content_id")


def image_query(
    tables: duckdb.DuckDBPyConnection, *, vectors: bool, label: bool = False, region: bool = False
) -> str:
    """Return the query of what is exported; a user's column with a name of ours is numbered."""
    columns = [row[0] for row in tables.execute("DESCRIBE shown").fetchall()]
    left = ", ".join(each for each in (*_FIRST, "uri", "region") if each in columns)
    extra = ", e.embedding" if vectors else ""
    extra += f", {LABEL_SQL} AS label" if label else ""
    extra += ", s.region" if region else ""
    joined = (
        " LEFT JOIN runs AS r ON r.run_id = s.run_id LEFT JOIN embeddings AS e ON "
        "e.embedder_id = r.embedder_id AND e.content_id = s.content_id AND e.region = s.region"
    )
    return (
        f"SELECT s.uri AS image, p.x, p.y{extra}, {', '.join(f's.{each}' for each in _FIRST)}, "
        f"s.* EXCLUDE ({left}) FROM shown AS s LEFT JOIN projections AS p ON "
        "p.model_id = s.model_id AND p.content_id = s.content_id AND p.region = s.region"
        f"{joined if vectors else ''}"
    )


def counted(rows: pa.RecordBatchReader, progress: Progress) -> pa.RecordBatchReader:
    """Show progress as rows pass."""

    def batches() -> Iterator[pa.RecordBatch]:
        progress.start("export", None, "images")
        for batch in rows:
            yield batch
            progress.advance("export", batch.num_rows)
        progress.finish("export")

    return pa.RecordBatchReader.from_batches(rows.schema, batches())
