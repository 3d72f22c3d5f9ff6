"""Images with clusters, metadata and map for other programs: Embedding Atlas, FiftyOne, a table."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.archive.entries import local_file
from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.runtime.progress import Progress
from artcluster.store import Store
from artcluster.store.formats import write_csv, write_parquet
from artcluster.store.sql import rows_of
from artcluster.workflows.embedding.pictures import Picture, Pictures
from artcluster.workflows.runs import CurrentRun, open_current_run

_IMAGE = pa.struct([("bytes", pa.binary())])

_BATCH_ROWS = 512


OpenFile = Callable[[Path], Any]

"""Opens a file to be written whole, as a context manager."""


@dataclass(frozen=True)
class Export:
    """What to export, and how files are opened.

    Attributes:
        config: How pictures are read, and the memory of joins.
        progress: Told of each image.
        open_file: Opens the files to write.
        thumbnail_px: Side of the small copies that Embedding Atlas shows.
    """

    store: Store
    run: CurrentRun
    config: Config
    progress: Progress
    open_file: OpenFile
    thumbnail_px: int = 128


def export_table(export: Export, out: Path) -> str:
    """Write a CSV or Parquet file with a row an image; return what to do with it.

    Raises:
        UsageError: The file has another ending.
    """
    writers: dict[str, Callable[[pa.RecordBatchReader, BinaryIO], None]] = {
        ".csv": write_csv,
        ".parquet": write_parquet,
    }
    if out.suffix.lower() not in writers:
        raise UsageError(f"--out: expected a file ending in .csv or .parquet, got {str(out)!r}")
    with open_current_run(export.store, export.run, export.config) as tables:
        rows = rows_of(tables, _query(tables, vectors=False))
        with export.open_file(out) as file:
            writers[out.suffix.lower()](_counted(rows, export.progress), file)
    return f"{out}: one row an image"


def export_embedding_atlas(export: Export, out: Path) -> str:
    """Write a Parquet file that Embedding Atlas opens, with small copies of the pictures.

    Where the run has no map, it holds the vectors, which Embedding Atlas makes a map of.

    Raises:
        UsageError: The file has another ending.
    """
    if out.suffix.lower() != ".parquet":
        raise UsageError(f"--out: expected a file ending in .parquet, got {str(out)!r}")
    with (
        open_current_run(export.store, export.run, export.config) as tables,
        Pictures(export.config, export.thumbnail_px) as pictures,
    ):
        mapped = _is_mapped(tables)
        rows = _counted(
            rows_of(tables, _query(tables, vectors=not mapped), _BATCH_ROWS), export.progress
        )
        place = rows.schema.get_field_index("image")
        schema = rows.schema.set(place, pa.field("image", _IMAGE))
        cluster = schema.get_field_index("cluster")
        schema = schema.set(cluster, pa.field("cluster", pa.string()))
        with export.open_file(out) as file, pq.ParquetWriter(file, schema) as writer:
            for batch in rows:
                columns = list(batch.columns)
                found = pictures.many(batch.column(place).to_pylist())
                columns[place] = pa.array(map(_encoded, found), _IMAGE)
                # As words: Embedding Atlas colours numbers by a scale, words by themselves.
                columns[cluster] = columns[cluster].cast(pa.string())
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    where = "--x x --y y" if mapped else "--vector embedding"
    return f"{out}: open it with `embedding-atlas {out} {where} --image image`"


def export_fiftyone(export: Export, out: Path) -> str:
    """Write a JSON file of labels that FiftyOne imports; images stay where they are.

    Raises:
        UsageError: The file has another ending, or images are not on this machine's disks.

    Source: the documented format FiftyOneImageClassificationDataset, with absolute file paths.
    """
    if out.suffix.lower() != ".json":
        raise UsageError(f"--out: expected a file ending in .json, got {str(out)!r}")
    with open_current_run(export.store, export.run, export.config) as tables:
        named = tables.execute(
            f"SELECT DISTINCT {_LABEL} FROM shown WHERE cluster IS NOT NULL ORDER BY ALL"
        ).fetchall()
        rows = rows_of(tables, _query(tables, vectors=False, label=True))
        with export.open_file(out) as file:
            classes = json.dumps([name for (name,) in named], ensure_ascii=False)
            file.write(f'{{"classes": {classes},\n"labels": {{'.encode())
            between = "\n"
            for batch in _counted(rows, export.progress):
                for row in batch.to_pylist():
                    place = json.dumps(_local(row.pop("image")), ensure_ascii=False)
                    file.write(f"{between}{place}: {_label(row)}".encode())
                    between = ",\n"
            file.write(b"\n}}\n")
    return (
        f"{out}: import it with `fiftyone.Dataset.from_dir(labels_path={str(out)!r}, dataset_type="
        'fiftyone.types.FiftyOneImageClassificationDataset, label_field="cluster")`'
    )


EXPORTS: dict[str, Callable[[Export, Path], str]] = {
    "embedding-atlas": export_embedding_atlas,
    "fiftyone": export_fiftyone,
    "csv": export_table,
}

"""Programs by name."""


_LABEL = "concat_ws(' ', cluster, cluster_name)"

_FIFTYONE_OWN = {"id", "label", "logits", "tags"}

_FIRST = ("cluster", "cluster_name", "confidence", "archive_id", "path", "content_id")


def _query(tables: duckdb.DuckDBPyConnection, *, vectors: bool, label: bool = False) -> str:
    """Return the query of what is exported; a user's column of a name of ours is numbered."""
    columns = [row[0] for row in tables.execute("DESCRIBE shown").fetchall()]
    left = ", ".join(each for each in (*_FIRST, "uri", "region") if each in columns)
    extra = ", e.embedding" if vectors else ""
    extra += f", {_LABEL} AS label" if label else ""
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


def _is_mapped(tables: duckdb.DuckDBPyConnection) -> bool:
    query = "SELECT count(*) FROM projections WHERE model_id IN (SELECT model_id FROM shown)"
    found = tables.execute(query).fetchone()
    return bool(found and found[0])


def _counted(rows: pa.RecordBatchReader, progress: Progress) -> pa.RecordBatchReader:
    """Show progress as rows pass."""

    def batches() -> Iterator[pa.RecordBatch]:
        progress.start("export", None, "images")
        for batch in rows:
            yield batch
            progress.advance("export", batch.num_rows)
        progress.finish("export")

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def _encoded(picture: Picture) -> dict[str, bytes] | None:
    if picture.image is None:
        return None
    encoded = io.BytesIO()
    picture.image.save(encoded, "JPEG", quality=85)
    return {"bytes": encoded.getvalue()}


def _local(uri: str) -> str:
    if not Location.parse(uri).is_local:
        raise UsageError(
            f"FiftyOne reads images from disks, and {uri!r} is on none: sort them into a folder "
            "with `artcluster sort --copy`, or export to csv"
        )
    return local_file(uri)


def _label(row: dict[str, Any]) -> str:
    """Return FiftyOne's label of an image: its cluster, and all else as attributes."""
    words = row.pop("label")
    if row["cluster"] is None:
        return "null"
    fields = {
        f"metadata_{name}" if name in _FIFTYONE_OWN else name: value
        for name, value in row.items()
        if value is not None
    }
    target = {"label": words, "confidence": fields.pop("confidence", None), "attributes": fields}
    return json.dumps(target, ensure_ascii=False, default=str)
