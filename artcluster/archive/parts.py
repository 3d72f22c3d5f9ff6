"""Parts: fixed lists of some hundreds of files, the unit of work, of commit and of resuming."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.errors import StoreError
from artcluster.location import Location

PARTS = pa.schema(
    [
        pa.field("part", pa.int32(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64()),
        pa.field("version", pa.string()),
        pa.field("content_id", pa.string()),
    ]
)
"""A plan's files, one row group a part. `content_id` is what the path last held, where it still
does: such a file is fetched for its vector alone."""


@dataclass(frozen=True)
class PartRef:
    """Names one part of a stored plan; small, and picklable.

    Attributes:
        file: The plan's file, relative to the store's root.
        index: Row group of the file.
        part: Number of the part in the plan, from 0.
        part_id: Hash of the embedder, the scan, the plan's round and the part's rows.
        images: Files in the part.
        size_bytes: Their bytes altogether, where known.
    """

    file: str
    index: int
    part: int
    part_id: str
    images: int
    size_bytes: int


@dataclass(frozen=True)
class PartRow:
    """One file to fetch, as its listing saw it."""

    path: str
    uri: str
    size_bytes: int | None
    version: str | None
    content_id: str | None


@dataclass(frozen=True)
class Part:
    """One part, loaded."""

    part_id: str
    archive_id: str
    scan_id: int
    rows: tuple[PartRow, ...]


def read_part(root: Location, ref: PartRef) -> Part:
    """Load one part: from object storage one request, for a file of some hundred kilobytes.

    Args:
        root: The store's root.
        ref: The part.

    Raises:
        StoreError: The plan is not there any more, or is another one.
    """
    try:
        if root.is_local:
            source: Any = f"{root.uri.rstrip('/')}/{ref.file}"
        else:
            source = pa.BufferReader(bytes(obstore.get(root.objects(), ref.file).bytes()))
        with pq.ParquetFile(source) as file:
            metadata = file.schema_arrow.metadata or {}
            table = file.read_row_group(ref.index)
    except FileNotFoundError:
        raise StoreError(
            f"The plan {ref.file!r} is not in the store any more. Start the same command again: it "
            "plans anew."
        ) from None
    header = json.loads(metadata[b"plan"])
    rows = rows_of(table)
    if part_id_of(header, rows) != ref.part_id:
        raise StoreError(
            f"Part {ref.part} of {ref.file!r} does not hold what was planned. Delete the store's "
            "folder plans/ and start the same command again."
        )
    return Part(ref.part_id, header["archive_id"], header["scan_id"], rows)


def rows_of(table: pa.Table) -> tuple[PartRow, ...]:
    """Return a part's rows."""
    columns = (table.column(name).to_pylist() for name in PARTS.names[1:])
    return tuple(PartRow(*values) for values in zip(*columns, strict=True))


def part_id_of(header: dict[str, Any], rows: Sequence[PartRow]) -> str:
    """Return the name of a part: the same work has the same name, and so the same shard."""
    identity = [header[key] for key in ("embedder_id", "archive_id", "scan_id", "round")]
    listed = [(row.path, row.size_bytes, row.version) for row in rows]
    return hashlib.sha256(json.dumps([identity, listed]).encode()).hexdigest()[:32]


def part_lengths(sizes: Sequence[int | None], images: int, size_bytes: int) -> Iterator[int]:
    """Yield the lengths of parts that follow one another in a list of files.

    Args:
        sizes: Bytes of each file.
        images: A part holds no more files than this.
        size_bytes: A part holds no more bytes than this, unless it is one file alone.

    >>> list(part_lengths([1, 1, 1, 9, 1, 1], images=2, size_bytes=8))
    [2, 1, 1, 2]
    """
    length = total = 0
    for size in sizes:
        if length == images or (length and total + (size or 0) > size_bytes):
            yield length
            length = total = 0
        length += 1
        total += size or 0
    if length:
        yield length
