"""A plain table of images, as CSV or Parquet."""

from pathlib import Path

from artcluster.store.formats import write_csv, write_parquet
from artcluster.store.sql import rows_of
from artcluster.workflows.runs import open_run
from artcluster.workflows.viewing.exports.rows import Export, counted, image_query


def write(export: Export, out: Path) -> str:
    """Write a CSV or Parquet file with a row per image."""
    write_rows = write_csv if out.suffix.lower() == ".csv" else write_parquet
    with open_run(export.store, export.run, export.config) as tables:
        rows = rows_of(tables, image_query(tables, vectors=False))
        with export.open_file(out) as file:
            write_rows(counted(rows, export.progress), file)
    return f"{out}: one row per image"
