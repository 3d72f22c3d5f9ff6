"""Appending rows to a table in one commit, however many files they fill."""

from collections.abc import Iterator
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.location import Location
from artcluster.schema import Table
from artcluster.store import delta
from artcluster.store.lease import Fence
from artcluster.store.shards import ShardInfo, ShardWriter

_FILE_BYTES = 128 * 1024 * 1024


def append(
    store: Location,
    table: Table,
    data: pa.Table | pa.RecordBatchReader,
    fence: Fence | None,
    *,
    file_bytes: int = _FILE_BYTES,
) -> int:
    """Append rows: all of them in one commit, or none.

    Args:
        table: The table; created where it is not there.
        data: Rows with the table's columns; a reader is read with bounded memory.
        fence: What the writer's lease gave it; None for tables that nobody leases.
        file_bytes: Rows are cut into files of about this size in memory.

    Returns:
        The number of rows appended.

    Raises:
        FencedError: Another job holds the lease now.
        StoreError: The rows do not fit the table, or could not be written.
    """
    writer = ShardWriter(store, table)
    shards: list[ShardInfo] = []
    for chunk in _chunks(data, file_bytes):
        for partition, rows in _split(chunk, table.partition_by):
            shards.append(writer.write(uuid4().hex, rows, partition))
    if not shards:
        return 0
    delta.commit(store, table, shards, fence)
    return sum(shard.rows for shard in shards)


def _chunks(data: pa.Table | pa.RecordBatchReader, file_bytes: int) -> Iterator[pa.Table]:
    batches = data.to_batches() if isinstance(data, pa.Table) else data
    held: list[pa.RecordBatch] = []
    held_bytes = 0
    for batch in batches:
        for piece in _cut(batch, file_bytes):
            held.append(piece)
            held_bytes += piece.nbytes
            if held_bytes >= file_bytes:
                yield pa.Table.from_batches(held)
                held, held_bytes = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _cut(batch: pa.RecordBatch, file_bytes: int) -> Iterator[pa.RecordBatch]:
    """Cut a batch that alone is larger than a file should be."""
    if batch.num_rows == 0:
        return
    rows = max(1, int(batch.num_rows * file_bytes / max(1, batch.nbytes)))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _split(
    rows: pa.Table, partition_by: tuple[str, ...]
) -> Iterator[tuple[dict[str, str], pa.Table]]:
    """Split rows by the values of their partition columns."""
    if not partition_by:
        yield {}, rows
        return
    first, rest = partition_by[0], partition_by[1:]
    for value in pc.unique(rows[first]).to_pylist():
        if not value:
            raise ValueError(f"{first}: expected a value in every row, got {value!r}.")
        same = rows.filter(pc.equal(rows[first], value))
        for partition, part in _split(same, rest):
            yield {first: str(value), **partition}, part
