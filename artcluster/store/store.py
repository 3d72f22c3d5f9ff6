"""The store: one place for an archive's vectors, clusters and runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from artcluster.location import Location
from artcluster.schema import METADATA, TABLES, Table
from artcluster.store import append, delta, shards
from artcluster.store.blobs import Blobs
from artcluster.store.format import open_mark
from artcluster.store.lease import Fence, Lease
from artcluster.store.parquet import read_file
from artcluster.store.reader import TableReader
from artcluster.store.shards import ShardInfo, ShardWriter, never_again


class Store:
    """A store that exists. Open one with `Store.open`. Picklable.

    Attributes:
        store_id: Names it wherever it is moved to.
    """

    def __init__(self, location: Location, store_id: str) -> None:
        self.location = location
        self.store_id = store_id
        self._blobs = Blobs(location)

    @classmethod
    def open(
        cls,
        location: Location | str | Path,
        *,
        create: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> "Store":
        """Open a store.

        Args:
            location: Where it lies: a path, a URI, or a parsed location.
            create: Make a new store where there is nothing yet.
            options: Storage options, for a path or URI.

        Raises:
            StoreError: The place is no store, holds other things, has a newer format, or cannot
                be read.
        """
        place = location if isinstance(location, Location) else Location.parse(location, options)
        return cls(place, open_mark(place, create=create).store_id)

    def __repr__(self) -> str:
        return f"Store({str(self.location)!r}, {self.store_id!r})"

    def table(self, table: str | Table) -> TableReader:
        """Return a reader of the newest version of a table.

        Raises:
            ValueError: There is no table of this name.
        """
        return TableReader(self.location, _table(table))

    def append(
        self, table: Table, data: pa.Table | pa.RecordBatchReader, fence: Fence | None = None
    ) -> int:
        """Append rows in one commit and return their number; see `append.append`."""
        return append.append(self.location, table, data, fence)

    def shard_writer(self, table: Table) -> ShardWriter:
        """Return what writes shards of a table, in any process."""
        return ShardWriter(self.location, table)

    def read_shard(self, table: Table, shard: ShardInfo, columns: Sequence[str]) -> pa.Table:
        """Read columns of a shard that lies in the store, committed or not.

        Raises:
            StoreError: It cannot be read.
        """
        data = self._blobs.read(f"{table.name}/{shard.path}")
        return read_file(pa.py_buffer(data), columns)

    def existing_shards(
        self, table: Table, partition: Mapping[str, str], names: Iterable[str]
    ) -> dict[str, ShardInfo]:
        """Find shards that an earlier job wrote and never committed; see `leftover_shards`."""
        committed = set(self.table(table).paths(partition))
        committed |= never_again(self._blobs, table.name)
        return shards.leftover_shards(self._blobs, table, partition, names, committed)

    def commit_shards(
        self, table: Table, infos: Sequence[ShardInfo], fence: Fence | None
    ) -> list[ShardInfo]:
        """Make shards part of their table in one commit; return those that were not before.

        Raises:
            FencedError: Another job holds the lease now.
            StoreError: A shard has other columns than the table, or the commit failed.
        """
        return delta.commit(self.location, table, infos, fence) if infos else []

    def lease(
        self,
        name: str,
        tables: Sequence[Table] = (),
        *,
        ttl_s: float = 60,
        wait_s: float = 0,
    ) -> Lease:
        """Return a lease to hold in a `with` block while writing.

        Args:
            name: What is written; one holder a name.
            tables: Tables that the holder commits to. Where an earlier holder did not let go by
                itself, it is cut off from them before the lease is handed out.
            ttl_s: Seconds without a renewal after which a job elsewhere may take over.
            wait_s: Seconds to wait for another holder.

        Raises:
            LeaseHeldError: On entering: another job holds it.
        """

        def first_epoch() -> int:
            # Where somebody removed the lease's files, the tables still know the last holder.
            opened = [delta.open_table(self.location, table.name) for table in tables]
            app_id = Fence.of(name, 0).app_id
            return 1 + max(
                (delta.committed_epoch(each, app_id) for each in opened if each), default=0
            )

        def cut_off(fence: Fence) -> None:
            for table in tables:
                delta.commit(self.location, table, [], fence)

        return Lease(
            self._blobs,
            name,
            ttl_s=ttl_s,
            wait_s=wait_s,
            first_epoch=first_epoch,
            on_takeover=cut_off,
        )

    def read_bytes(self, path: str) -> bytes:
        """Return a small file's bytes, by its path in the store.

        Raises:
            StoreError: There is no such file, or it cannot be read.
        """
        return self._blobs.read(path)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small file whole, in the place of what may be there."""
        self._blobs.write(path, data)

    def write_bytes_if_absent(self, path: str, data: bytes) -> bool:
        """Create a small file; False, and nothing written, where there is one of this name."""
        return self._blobs.write_if_absent(path, data)

    def exists(self, path: str) -> bool:
        """Tell whether there is a file at a path in the store."""
        return self._blobs.exists(path)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the paths of all files below a folder of the store, in no order."""
        return self._blobs.list(prefix)


def _table(table: str | Table) -> Table:
    if isinstance(table, Table):
        return table
    known = TABLES | {METADATA.name: METADATA}
    if table not in known:
        raise ValueError(f"table: expected one of {sorted(known)}, got {table!r}.")
    return known[table]
