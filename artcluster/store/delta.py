"""Delta's transaction log: opening a table, creating it, and committing shards to it."""

import json
import random
import time
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction

from artcluster.errors import StoreError
from artcluster.location import Location
from artcluster.location.redaction import redact
from artcluster.schema import Table
from artcluster.store.blobs import Blobs
from artcluster.store.lease import Fence
from artcluster.store.shards import ShardInfo, never_again

_ATTEMPTS = 20
_SECOND_ATTEMPT_S = 0.05


def open_table(store: Location, name: str) -> DeltaTable | None:
    """Open the newest version of a table; None where it was never created.

    Raises:
        StoreError: It cannot be read.
    """
    place = store.child(name)
    try:
        return DeltaTable(place.delta_uri(), storage_options=place.delta_options())
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as failed:
        raise _failed("open", store, name, failed) from failed


def open_for_writing(store: Location, table: Table) -> DeltaTable:
    """Open a table, created where it is not there, with every column of `table`.

    Raises:
        StoreError: It cannot be written, or a column has another type than `table` gives it.
    """
    opened = open_table(store, table.name)
    while opened is None:
        place = store.child(table.name)
        try:
            DeltaTable.create(
                place.delta_uri(),
                schema=table.schema,
                mode="ignore",
                partition_by=list(table.partition_by),
                name=table.name,
                storage_options=place.delta_options(),
            )
        except (DeltaError, OSError) as failed:
            # Another writer may have created it in the meantime.
            opened = open_table(store, table.name)
            if opened is None:
                raise _failed("create", store, table.name, failed) from failed
        else:
            opened = open_table(store, table.name)
    missing = missing_columns(arrow_schema(opened), table)
    if missing:
        try:
            opened.alter.add_columns([Field.from_arrow(column) for column in missing])
        except (DeltaError, OSError) as failed:
            opened = _reopen(store, table.name)
            if missing_columns(arrow_schema(opened), table):
                raise _failed("add columns to", store, table.name, failed) from failed
        opened = _reopen(store, table.name)
    return opened


def missing_columns(present: pa.Schema, table: Table) -> list[pa.Field]:
    """Return the columns of `table` that a table in the store lacks.

    Raises:
        StoreError: A column is there with another type.
    """
    missing = []
    for column in table.schema:
        index = present.get_field_index(column.name)
        if index < 0:
            missing.append(column)
        elif present.field(index).type != column.type:
            raise StoreError(
                f"The column {column.name!r} of the table {table.name!r} has the type "
                f"{present.field(index).type} in this store; expected {column.type}."
            )
    return missing


def arrow_schema(opened: DeltaTable) -> pa.Schema:
    """Return a table's columns as Arrow types."""
    return pa.schema(opened.schema().to_arrow())


def committed_paths(opened: DeltaTable) -> set[str]:
    """Return the paths, in the table's folder, of all its files."""
    return set(file_listing(opened)["path"].to_pylist())


def file_listing(opened: DeltaTable) -> pa.Table:
    """Return path, size_bytes, num_records, partition values and ranges of a table's files."""
    listing = pa.table(opened.get_add_actions(flatten=True))
    # The log encodes paths once more than the files' names.
    paths = pa.array([unquote(path) for path in listing["path"].to_pylist()], pa.string())
    return listing.set_column(listing.column_names.index("path"), "path", paths)


def committed_epoch(opened: DeltaTable, app_id: str) -> int:
    """Return the epoch of the last commit under a lease; 0 where there was none."""
    return Fence.epoch_of(opened.transaction_version(app_id))


def commit(
    store: Location, table: Table, shards: Sequence[ShardInfo], fence: Fence | None
) -> list[ShardInfo]:
    """Make shards part of their table, all in one commit.

    Committing shards again changes nothing.

    Args:
        table: The table; created where it is not there.
        shards: What to add; with none, and a fence, an empty commit that cuts off earlier holders.
        fence: What the writer's lease gave it; None for tables that nobody leases.

    Returns:
        The shards that were not committed when this began.

    Raises:
        FencedError: Another job holds the lease now.
        StoreError: A shard has other columns than the table, or the commit failed.
    """
    opened = open_for_writing(store, table)
    added: list[ShardInfo] | None = None
    for attempt in range(_ATTEMPTS):
        _check_schemas(arrow_schema(opened), table, shards)
        transactions = None
        if fence is not None:
            version = fence.next_version(opened.transaction_version(fence.app_id))
            transactions = [Transaction(fence.app_id, version)]
        # In this order: what is merged after the table was opened is among its files.
        known = committed_paths(opened) | (
            never_again(Blobs(store), table.name) if shards else set()
        )
        new = list({shard.path: shard for shard in shards if shard.path not in known}.values())
        added = new if added is None else added
        if shards and not new:
            return added
        try:
            opened.create_write_transaction(
                [_add(shard) for shard in new],
                mode="append",
                schema=opened.schema(),
                partition_by=list(table.partition_by),
                commit_properties=CommitProperties(app_transactions=transactions),
            )
            return added
        except CommitFailedError as conflict:
            # Another commit of this lease, by a successor or another thread, or a new column:
            # look again, and let the fence judge.
            if attempt == _ATTEMPTS - 1:
                raise _failed("commit to", store, table.name, conflict) from conflict
        except (DeltaError, OSError) as failed:
            raise _failed("commit to", store, table.name, failed) from failed
        time.sleep(random.uniform(0, _SECOND_ATTEMPT_S * 2 ** min(attempt, 5)))
        opened = _reopen(store, table.name)
    raise AssertionError


def checkpoint_log(store: Location, name: str) -> None:
    """Write a checkpoint of a table's log, and remove the entries it replaced long enough ago.

    Raises:
        StoreError: It could not be written.
    """
    opened = open_table(store, name)
    if opened is None:
        return
    try:
        opened.create_checkpoint()
        opened.cleanup_metadata()
    except (DeltaError, OSError) as failed:
        raise _failed("write a checkpoint of", store, name, failed) from failed


def _check_schemas(present: pa.Schema, table: Table, shards: Sequence[ShardInfo]) -> None:
    """Refuse files whose columns are not the table's: Delta would drop or null them unasked."""
    in_files = pa.schema([each for each in present if each.name not in table.partition_by])
    for shard in shards:
        unknown = [name for name in shard.schema.names if name not in in_files.names]
        missing = [name for name in table.file_schema.names if name not in shard.schema.names]
        other = [
            f"{column.name}: {column.type}, not {in_files.field(column.name).type}"
            for column in shard.schema
            if column.name in in_files.names and column.type != in_files.field(column.name).type
        ]
        if unknown or missing or other:
            raise StoreError(
                f"The file {shard.path!r} does not fit the table {table.name!r}: unknown columns "
                f"{unknown}, missing {missing}, of another type {other}. Nothing was committed. "
                "Was it written by another version of this program? Remove it and run again."
            )


def _add(shard: ShardInfo) -> AddAction:
    # No least and greatest values: delta-rs 1.6 takes a column without them, beside others that
    # have them, to hold no nulls, and filters of datasets give wrong rows. Hashes, which readers
    # look for, lie spread over every file anyway.
    statistics = {"numRecords": shard.rows}
    values: Mapping[str, str | None] = dict(shard.partition)
    now_ms = int(time.time() * 1000)
    return AddAction(shard.path, shard.size_bytes, values, now_ms, True, json.dumps(statistics))


def _reopen(store: Location, name: str) -> DeltaTable:
    opened = open_table(store, name)
    if opened is None:
        raise StoreError(f"The table {name!r} of the store {store} vanished while it was written.")
    return opened


def _failed(verb: str, store: Location, name: str, error: Exception) -> StoreError:
    reason = redact(str(error).strip().split("\n", 1)[0])
    advice = ""
    if verb == "open":
        advice = f". If a file of its log is damaged, `artcluster check {store}` names it"
    return StoreError(f"Could not {verb} the table {name!r} of the store {store}: {reason}{advice}")
