"""Taking files out of a table, and others in for them, in one commit.

delta-rs can replace all files of a table or partition, or compact by a writer of its own, whose
files differ from ours in ways that readers notice. So the commit is written here: a file of the
log, created only if absent, as delta-rs itself does.
"""

import json
import time
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote, unquote
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from artcluster import __version__
from artcluster.errors import StoreError
from artcluster.location import Location
from artcluster.schema import Table
from artcluster.store import delta
from artcluster.store.blobs import Blobs
from artcluster.store.layout import delta_log
from artcluster.store.lease import Fence
from artcluster.store.parquet import read_file
from artcluster.store.shards import ShardInfo, write_note
from artcluster.store.store import Store

_ATTEMPTS = 20


def replace_files(
    store: Location,
    table: Table,
    removed: Sequence[str],
    added: Sequence[ShardInfo],
    fences: Sequence[Fence],
    *,
    same_rows: bool,
    final: bool,
) -> bool:
    """Take files out of a table and put others in, in one commit; readers see before or after.

    The files themselves stay, for those who read an older version.

    Args:
        removed: Paths in the table's folder.
        added: Files that lie in the store, not yet committed.
        fences: Of all the leases that the files are written under.
        same_rows: Whether the table holds the same rows afterwards.
        final: Whether the removed files must never be committed again.

    Returns:
        False, and nothing changed, where one of `removed` is not in the table (any more).

    Raises:
        FencedError: Another job holds one of the leases now.
        StoreError: The commit failed.
    """
    blobs = Blobs(store)
    noted = False
    for attempt in range(_ATTEMPTS):
        opened = delta.open_table(store, table.name)
        if opened is None:
            return False
        present = _present(opened)
        if not present.keys() >= set(removed):
            return False
        if not noted:
            write_note(blobs, table.name, removed, final=final)
            noted = True
        actions = [
            {"commitInfo": _info(same_rows)},
            *({"txn": _transaction(opened, fence)} for fence in fences),
            *({"remove": _remove(table, present[path], same_rows)} for path in removed),
            *({"add": _add(shard, same_rows)} for shard in added),
        ]
        entry = "\n".join(json.dumps(action) for action in actions)
        version = opened.version() + 1
        if blobs.write_if_absent(delta_log(table.name, f"{version:020d}.json"), entry.encode()):
            return True
        time.sleep(0.01 * 2 ** min(attempt, 6))
    raise StoreError(
        f"Could not commit to the table {table.name!r} of the store {store}: others committed "
        f"before it {_ATTEMPTS} times. Try again when fewer jobs write."
    )


def _present(opened: DeltaTable) -> dict[str, dict[str, Any]]:
    """Return the table's files by path, each as the log has it."""
    listing = pa.table(opened.get_add_actions(flatten=True))
    return {unquote(row["path"]): row for row in listing.to_pylist()}


def _info(same_rows: bool) -> dict[str, Any]:
    return {
        "timestamp": _now_ms(),
        "operation": "OPTIMIZE" if same_rows else "DELETE",
        "operationParameters": {},
        "engineInfo": f"artcluster {__version__}",
    }


def _transaction(opened: DeltaTable, fence: Fence) -> dict[str, Any]:
    version = fence.next_version(opened.transaction_version(fence.app_id))
    return {"appId": fence.app_id, "version": version}


def _remove(table: Table, row: dict[str, Any], same_rows: bool) -> dict[str, Any]:
    return {
        "path": row["path"],
        "deletionTimestamp": _now_ms(),
        "dataChange": not same_rows,
        "extendedFileMetadata": True,
        "partitionValues": {name: row[f"partition.{name}"] for name in table.partition_by},
        "size": row["size_bytes"],
    }


def _add(shard: ShardInfo, same_rows: bool) -> dict[str, Any]:
    return {
        # The log encodes paths once more than the files' names.
        "path": quote(shard.path, safe="/="),
        "partitionValues": dict(shard.partition),
        "size": shard.size_bytes,
        "modificationTime": _now_ms(),
        "dataChange": not same_rows,
        "stats": json.dumps({"numRecords": shard.rows}),
    }


def _now_ms() -> int:
    return int(time.time() * 1000)


_ROW_ATTEMPTS = 5


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
    for _ in range(_ROW_ATTEMPTS):
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
