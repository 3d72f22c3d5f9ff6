"""Scans: complete listings of an archive, kept in the store as Parquet and numbered upwards."""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from obstore.exceptions import AlreadyExistsError

from artcluster.archive.entries import ENTRIES, LeftOut, check_archive_id
from artcluster.archive.listing import Listing
from artcluster.errors import StoreError
from artcluster.location import Location, ObjectStore
from artcluster.store.layout import SCANS

_CLAIM = "started"
_NUMBER = re.compile(r"\d{8}")


def claim_number(store: ObjectStore, folder: str) -> int:
    """Claim the next number in a folder and return it; no other job gets the same."""
    number = max(numbers(store, folder), default=0) + 1
    while True:
        try:
            obstore.put(store, f"{numbered(folder, number)}/{_CLAIM}", b"", mode="create")
        except AlreadyExistsError:
            number += 1
        else:
            return number


def numbers(store: ObjectStore, folder: str) -> list[int]:
    """Return the numbers claimed in a folder, upwards, whether finished or not."""
    prefixes = obstore.list_with_delimiter(store, folder)["common_prefixes"]
    names = (prefix.rpartition("/")[2] for prefix in prefixes)
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def numbered(folder: str, number: int) -> str:
    """Return the folder of a number.

    >>> numbered("scans/met", 3)
    'scans/met/00000003'
    """
    return f"{folder}/{number:08d}"


def finish(store: ObjectStore, path: str, content: dict[str, Any]) -> None:
    """Write the JSON that makes a numbered folder count.

    Raises:
        StoreError: It is there already.
    """
    try:
        obstore.put(store, path, json.dumps(content, indent=1).encode(), mode="create")
    except AlreadyExistsError:
        raise StoreError(f"Expected {path!r} not to exist yet, but another job wrote it.") from None


def read_finished(store: ObjectStore, path: str) -> dict[str, Any] | None:
    """Return a finished folder's JSON; None if it was never finished, or the file is damaged."""
    try:
        content: dict[str, Any] = json.loads(bytes(obstore.get(store, path).bytes()))
    except (FileNotFoundError, ValueError):
        return None
    return content


LISTED = pa.schema([pa.field("row", pa.int64(), nullable=False), *ENTRIES])
"""Rows of a scan's files: entries numbered in the order of the listing."""


LEFT_OUT = pa.schema([(name, pa.string()) for name in ("path", "uri", "reason")])
"""Rows of a scan's files of what was not listed; `uri` is empty where it is the archive's path."""


_FILE_ROWS = 1_000_000
_GROUP_ROWS = 65_536


@dataclass(frozen=True)
class Scan:
    """One complete listing.

    Attributes:
        scan_id: Its number, from 1 upwards; broken listings leave gaps.
        uri: The archive's address.
        files: Its Parquet files, relative to the store's root.
        images: Files listed.
        size_bytes: Their bytes altogether, where known.
        skipped: Reason → count of what was not listed.
        unreachable: Folders and links that could not be looked at; nothing below is removed.
        started_at: When listing began (ISO 8601).
        finished_at: When it was complete.
        left_out: Its Parquet files of what was not listed: path, uri and reason. All that a list
            names and is not there, and the first 10,000 for each other reason.
    """

    archive_id: str
    scan_id: int
    uri: str
    files: tuple[str, ...]
    images: int
    size_bytes: int
    skipped: Mapping[str, int]
    unreachable: tuple[str, ...]
    started_at: str
    finished_at: str
    left_out: tuple[str, ...] = ()


def write_scan(
    listing: Listing, root: Location, archive_id: str, *, scratch: Path | None = None
) -> Scan:
    """Stream a listing into the store.

    The scan exists once its JSON does, which is written last. A listing that breaks off leaves
    files that nothing reads.

    Args:
        listing: The archive's listing, not begun.
        root: The store's root.
        scratch: Folder for one temporary file.

    Raises:
        ArchiveError: The listing broke off.
    """
    store = root.objects(create=True)
    folder = SCANS.path(check_archive_id(archive_id))
    started_at = datetime.now(UTC)
    number = claim_number(store, folder)
    writer = _FileWriter(store, numbered(folder, number), "listing", LISTED, scratch, 1)
    left_out = _FileWriter(store, numbered(folder, number), "left-out", LEFT_OUT, scratch)
    with writer, left_out:
        size_bytes = 0
        for batch in listing:
            row = pa.array(range(writer.rows, writer.rows + batch.num_rows), pa.int64())
            writer.add(pa.record_batch([row, *batch.columns], schema=LISTED))
            size_bytes += pc.sum(batch.column("size_bytes")).as_py() or 0
            left_out.add(_rows_of(listing.tally.take()))
        left_out.add(_rows_of(listing.tally.take()))
    scan = Scan(
        archive_id=archive_id,
        scan_id=number,
        uri=str(listing.location),
        files=tuple(writer.files),
        images=writer.rows,
        size_bytes=size_bytes,
        skipped=dict(listing.tally.skipped),
        unreachable=tuple(listing.tally.unreachable),
        started_at=started_at.isoformat(),
        finished_at=datetime.now(UTC).isoformat(),
        left_out=tuple(left_out.files),
    )
    finish(store, f"{numbered(folder, number)}/scan.json", asdict(scan))
    return scan


def read_scan(root: Location, archive_id: str, scan_id: int) -> Scan | None:
    """Return a scan, or None if there is no complete one of this number."""
    store = root.objects(create=True)
    found = read_finished(store, f"{numbered(SCANS.path(archive_id), scan_id)}/scan.json")
    if found is None:
        return None
    lists = ("files", "unreachable", "left_out")
    return Scan(**found | {key: tuple(found.get(key, ())) for key in lists})


def latest_scan(root: Location, archive_id: str) -> Scan | None:
    """Return an archive's last complete scan, or None."""
    for number in reversed(numbers(root.objects(create=True), SCANS.path(archive_id))):
        scan = read_scan(root, archive_id, number)
        if scan is not None:
            return scan
    return None


def left_out_of(root: Location, scan: Scan) -> pa.Table:
    """Return what a scan did not list: path, uri and reason."""
    store = root.objects(create=True)
    tables = [
        pq.read_table(pa.BufferReader(bytes(obstore.get(store, name).bytes())))
        for name in scan.left_out
    ]
    return pa.concat_tables([LEFT_OUT.empty_table(), *tables])


def _rows_of(left_out: list[LeftOut]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([asdict(each) for each in left_out], LEFT_OUT)


class _FileWriter:
    """Writes rows to Parquet files of a million rows in the store, `least` of them in any case."""

    def __init__(
        self,
        store: ObjectStore,
        folder: str,
        name: str,
        schema: pa.Schema,
        scratch: Path | None,
        least: int = 0,
    ) -> None:
        self.files: list[str] = []
        self.rows = 0
        self._store = store
        self._name = f"{folder}/{name}"
        self._schema = schema
        self._least = least
        self._scratch = tempfile.TemporaryDirectory(prefix="artcluster-scan-", dir=scratch)
        self._local = Path(self._scratch.name, "rows.parquet")
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._file_rows = 0

    def __enter__(self) -> "_FileWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                if self._pending or len(self.files) < self._least:
                    self._write_group()
                self._upload()
        finally:
            if self._writer is not None:
                self._writer.close()
            self._scratch.cleanup()

    def add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self._pending.append(batch)
        self.rows += batch.num_rows
        self._pending_rows += batch.num_rows
        if self._pending_rows >= _GROUP_ROWS:
            self._write_group()
        if self._file_rows >= _FILE_ROWS:
            self._upload()

    def _write_group(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._local, self._schema, compression="zstd", use_dictionary=False
            )
        table = pa.Table.from_batches(self._pending, self._schema)
        self._writer.write_table(table, row_group_size=_GROUP_ROWS)
        self._file_rows += table.num_rows
        self._pending, self._pending_rows = [], 0

    def _upload(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        name = f"{self._name}-{len(self.files):05d}.parquet"
        obstore.put(self._store, name, self._local, mode="create")
        self.files.append(name)
        self._file_rows = 0
