"""Reading a table of a store, at one version of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.errors import StoreError
from artcluster.location import Location
from artcluster.location.redaction import redact
from artcluster.schema import Table
from artcluster.store import delta

if TYPE_CHECKING:
    # Imports pandas, which takes longer than most commands of this program.
    from pyarrow.dataset import Dataset


CHECK = "`artcluster check {store}` lists damaged files; with --repair it takes them out."
"""What to do where a file of a store cannot be read."""


@dataclass(frozen=True)
class FileInfo:
    """One file of a table, as the log tells of it.

    Attributes:
        path: In the table's folder.
        size_bytes: Its size.
        rows: Its rows.
        committed_at: By the writer's clock.
        partition: The values of the table's partition columns.
    """

    path: str
    size_bytes: int
    rows: int
    committed_at: datetime
    partition: Mapping[str, str]


class TableReader:
    """One table as it was when the reader was made; a table not yet created reads as empty.

    Args:
        table: The table; of `metadata` only the keys are known before it is created.
    """

    def __init__(self, store: Location, table: Table) -> None:
        self._store = store
        self._table = table
        self._opened = delta.open_table(store, table.name)

    @property
    def table(self) -> Table:
        """The table as this program knows it."""
        return self._table

    def exists(self) -> bool:
        """Tell whether anything was ever committed to it."""
        return self._opened is not None

    @property
    def version(self) -> int:
        """Number of the commit that is read; -1 before the first."""
        return -1 if self._opened is None else int(self._opened.version())

    @property
    def schema(self) -> pa.Schema:
        """Its columns: those of the store, then those that only a newer program writes."""
        if self._opened is None:
            return self._table.schema
        present = delta.arrow_schema(self._opened)
        missing = delta.missing_columns(present, self._table)
        return pa.schema([*present, *missing]).with_metadata(None)

    def dataset(self) -> "Dataset":
        """Return a pyarrow dataset: read in batches, or handed to DuckDB, Polars or pandas."""
        from pyarrow import dataset as ds

        if self._opened is None:
            return ds.dataset(self._table.schema.empty_table())
        found = self._opened.to_pyarrow_dataset()
        return found if self.schema == found.schema else found.replace_schema(self.schema)

    def read(
        self, columns: list[str] | None = None, where: pc.Expression | None = None
    ) -> pa.Table:
        """Read rows into memory.

        Args:
            columns: Columns wanted; None for all.
            where: A condition such as `pyarrow.compute.field("scan_id") == 3`.
        """
        with self._explained():
            return self.dataset().to_table(
                columns=columns, filter=where, fragment_scan_options=_scan_options()
            )

    def batches(
        self, columns: list[str] | None = None, where: pc.Expression | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows in batches, with bounded memory."""
        with self._explained():
            scanner = self.dataset().scanner(
                columns=columns,
                filter=where,
                batch_readahead=2,
                fragment_readahead=2,
                fragment_scan_options=_scan_options(),
            )
            yield from scanner.to_batches()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what to do where a file of the table is missing or damaged."""
        try:
            yield
        except (pa.ArrowException, OSError) as failed:
            reason = redact(str(failed).strip().split("\n", 1)[0])
            raise StoreError(
                f"The table {self._table.name!r} cannot be read: {reason}. "
                f"{CHECK.format(store=self._store)}"
            ) from failed

    def rows(self) -> int:
        """Count the rows, from the log alone."""
        if self._opened is None:
            return 0
        return int(pc.sum(delta.file_listing(self._opened)["num_records"]).as_py() or 0)

    def size_bytes(self) -> int:
        """Sum the sizes of the table's files, from the log alone."""
        if self._opened is None:
            return 0
        return int(pc.sum(delta.file_listing(self._opened)["size_bytes"]).as_py() or 0)

    def files(self, partition: Mapping[str, str] | None = None) -> list[str]:
        """Return the URIs of its files, for readers that take Parquet files.

        Args:
            partition: Values of partition columns to choose by; None for all files.
        """
        place = self._store.child(self._table.name)
        return [place.child(path).uri for path in self.paths(partition)]

    def paths(self, partition: Mapping[str, str] | None = None) -> list[str]:
        """Return the paths of its files in the table's folder, sorted."""
        return [path for path, _ in self.file_rows(partition)]

    def file_rows(self, partition: Mapping[str, str] | None = None) -> list[tuple[str, int]]:
        """Return path and rows of its files, sorted by path."""
        if self._opened is None:
            return []
        listing = delta.file_listing(self._opened)
        for column, value in (partition or {}).items():
            listing = listing.filter(pc.equal(listing[f"partition.{column}"], value))
        listing = listing.sort_by("path")
        paths: list[str] = listing["path"].to_pylist()
        rows: list[int] = listing["num_records"].to_pylist()
        return list(zip(paths, rows, strict=True))

    def file_infos(self) -> list[FileInfo]:
        """Return what the log tells of its files, sorted by path."""
        if self._opened is None:
            return []
        rows = delta.file_listing(self._opened).sort_by("path").to_pylist()
        return [
            FileInfo(
                row["path"],
                row["size_bytes"],
                row["num_records"],
                datetime.fromtimestamp(row["modification_time"] / 1000, UTC),
                {name: row[f"partition.{name}"] for name in self._table.partition_by},
            )
            for row in rows
        ]

    def distinct(self, column: str) -> list[Any]:
        """Return the values of a partition column, sorted, from the log alone."""
        if self._opened is None:
            return []
        values = delta.file_listing(self._opened)[f"partition.{column}"]
        return sorted(pc.unique(values).to_pylist())


def _scan_options() -> Any:
    from pyarrow import dataset as ds

    return ds.ParquetFragmentScanOptions(page_checksum_verification=True)
