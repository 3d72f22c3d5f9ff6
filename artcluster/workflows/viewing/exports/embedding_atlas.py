"""A Parquet file for Embedding Atlas."""

import io
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.store.sql import rows_of
from artcluster.workflows.embedding.pictures import Picture, Pictures
from artcluster.workflows.runs import open_run
from artcluster.workflows.viewing.exports.rows import Export, counted, image_query

_IMAGE = pa.struct([("bytes", pa.binary())])
_BATCH_ROWS = 512


def write(export: Export, out: Path) -> str:
    """Write a Parquet file that Embedding Atlas opens, with thumbnails.

    Where the run has no map, it holds the vectors, which Embedding Atlas makes a map of.
    """
    with (
        open_run(export.store, export.run, export.config) as tables,
        Pictures(export.config, export.thumbnail_px) as pictures,
    ):
        mapped = _is_mapped(tables)
        rows = counted(
            rows_of(tables, image_query(tables, vectors=not mapped), _BATCH_ROWS), export.progress
        )
        image = rows.schema.get_field_index("image")
        schema = rows.schema.set(image, pa.field("image", _IMAGE))
        cluster = schema.get_field_index("cluster")
        schema = schema.set(cluster, pa.field("cluster", pa.string()))
        with export.open_file(out) as file, pq.ParquetWriter(file, schema) as writer:
            for batch in rows:
                columns = list(batch.columns)
                shown = pictures.many(batch.column(image).to_pylist())
                columns[image] = pa.array(map(_encoded, shown), _IMAGE)
                # As words: Embedding Atlas colours numbers by a scale, words by themselves.
                columns[cluster] = columns[cluster].cast(pa.string())
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    options = "--x x --y y" if mapped else "--vector embedding"
    return f"{out}: open it with `embedding-atlas {out} {options} --image image`"


def _is_mapped(tables: duckdb.DuckDBPyConnection) -> bool:
    query = "SELECT count(*) FROM projections WHERE model_id IN (SELECT model_id FROM shown)"
    found = tables.execute(query).fetchone()
    return bool(found and found[0])


def _encoded(picture: Picture) -> dict[str, bytes] | None:
    if picture.image is None:
        return None
    encoded = io.BytesIO()
    picture.image.save(encoded, "JPEG", quality=85)
    return {"bytes": encoded.getvalue()}
