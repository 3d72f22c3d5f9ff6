"""Removing rows for good, a commit a table: what retention no longer keeps."""

from collections.abc import Collection, Sequence
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.errors import StoreError
from artcluster.schema import Table
from artcluster.store.blobs import Blobs
from artcluster.store.fence import Fence
from artcluster.store.parquet import read_file
from artcluster.store.rewrite import replace_files
from artcluster.store.store import Store

_ATTEMPTS = 5


def remove_rows(
    store: Store, table: Table, column: str, values: Collection[str], fences: Sequence[Fence]
) -> None:
    """Remove the rows of a table without partitions that have one of some values.

    For tables whose files are small: those with such rows are written anew.

    Raises:
        FencedError: Another job holds one of the leases now.
        StoreError: The commit failed.
    """
    blobs = Blobs(store.location)
    unwanted = pa.array(sorted(values), pa.string())
    for _ in range(_ATTEMPTS):
        reader = store.table(table)
        present = Table(table.name, reader.schema)
        touched, kept = [], []
        for path in reader.paths():
            rows = read_rows(blobs, present, path)
            hit = pc.is_in(rows[column], value_set=unwanted)
            if pc.any(hit).as_py():
                touched.append(path)
                kept.append(rows.filter(pc.invert(hit)))
        if not touched:
            return
        left = pa.concat_tables(kept)
        writer = store.shard_writer(present)
        added = [writer.write(uuid4().hex, left, {})] if left.num_rows else []
        if replace_files(
            store.location, present, touched, added, fences, same_rows=False, final=False
        ):
            return
    raise StoreError(
        f"Could not remove rows of {table.name!r} in {store.location}: its files were replaced "
        f"{_ATTEMPTS} times meanwhile. Try again when fewer jobs write."
    )


def remove_partitions(
    store: Store, table: Table, values: Collection[str], fences: Sequence[Fence]
) -> None:
    """Remove whole partitions of a table with one partition column, in one commit.

    Raises:
        FencedError: Another job holds one of the leases now.
        StoreError: The commit failed.
    """
    (column,) = table.partition_by
    reader = store.table(table)
    paths = [path for value in values for path in reader.paths({column: value})]
    if paths:
        replace_files(store.location, table, paths, [], fences, same_rows=False, final=False)


def read_rows(blobs: Blobs, table: Table, path: str) -> pa.Table:
    """Read one file of a table; columns that came to the table later are null.

    Raises:
        StoreError: The file cannot be read.
    """
    schema = table.file_schema.remove_metadata()
    data = pa.py_buffer(blobs.read(f"{table.name}/{path}"))
    rows = read_file(data, None)
    columns = [
        rows[column.name].cast(column.type)
        if column.name in rows.column_names
        else pa.nulls(rows.num_rows, column.type)
        for column in schema
    ]
    return pa.table(columns, schema=schema)
