"""Parts: fixed lists of some hundreds of files, the unit of work, of commit and of resuming."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import obstore
import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.errors import StoreError
from artcluster.location import Location, ObjectStore

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
"""A plan's files, one row group a part. `content_id` is what the path held when it could be read
last; null where that was no usable picture."""


@dataclass(frozen=True)
class Target:
    """What a plan's files are turned into.

    Attributes:
        makes: `vectors` by an embedder, or `pixels` to train on.
        name: The embedder_id, or the name of the pixels' folder.
    """

    makes: Literal["vectors", "pixels"]
    name: str

    @property
    def key(self) -> str:
        """Names the target in paths and part_ids."""
        return f"{_PIXELS}{self.name}" if self.makes == "pixels" else self.name

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> "Target":
        """Read a plan's header; versions before wrote the key as its embedder_id."""
        if "target" in header:
            return cls(**header["target"])
        key: str = header["embedder_id"]
        if key.startswith(_PIXELS):
            return cls("pixels", key.removeprefix(_PIXELS))
        return cls("vectors", key)


_PIXELS = "pixels-"


@dataclass(frozen=True)
class PartRef:
    """Names one part of a stored plan; small, and picklable.

    Attributes:
        file: The plan's file, relative to the store's root.
        index: Row group of the file.
        part: Number of the part in the plan, from 0.
        part_id: Hash of the target, the scan, the plan's round and the part's rows.
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


def part_id_of(header: Mapping[str, Any], rows: Sequence[PartRow]) -> str:
    """Return the name of a part: the same work has the same name, and so the same shard."""
    scanned = (header[key] for key in ("archive_id", "scan_id", "round"))
    identity = [Target.of(header).key, *scanned]
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


_PARTS_A_FILE = 64


_INDEX = pa.schema(
    [
        ("file", pa.int32()),
        ("index", pa.int32()),
        ("part", pa.int32()),
        ("part_id", pa.string()),
        ("images", pa.int32()),
        ("size_bytes", pa.int64()),
    ]
)


class PartWriter:
    """Writes parts as row groups, 64 a file, and the references to them as one more file."""

    def __init__(
        self, store: ObjectStore, folder: str, scratch: Path, header: dict[str, Any]
    ) -> None:
        self.files: list[str] = []
        self.index = f"{folder}/index.parquet"
        self.parts = self.images = self.size_bytes = 0
        self._store = store
        self._folder = folder
        self._local = scratch / "parts.parquet"
        self._local_index = scratch / "index.parquet"
        self._header = header
        self._schema = PARTS.with_metadata({"plan": json.dumps(header)})
        self._writer: pq.ParquetWriter | None = None
        self._index = pq.ParquetWriter(self._local_index, _INDEX, compression="zstd")
        self._refs: list[PartRef] = []

    def add(self, files: pa.Table) -> None:
        """Append a part: rows of path, uri, size_bytes, version and content_id."""
        part = pa.array([self.parts] * files.num_rows, pa.int32())
        table = pa.Table.from_arrays(
            [part, *(files[name].cast(PARTS.field(name).type) for name in PARTS.names[1:])],
            schema=self._schema,
        )
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._local,
                self._schema,
                compression="zstd",
                use_dictionary=False,
                write_statistics=False,
            )
        self._writer.write_table(table, row_group_size=table.num_rows)
        rows = rows_of(table)
        ref = PartRef(
            file=f"{self._folder}/parts-{len(self.files):05d}.parquet",
            index=len(self._refs),
            part=self.parts,
            part_id=part_id_of(self._header, rows),
            images=len(rows),
            size_bytes=sum(row.size_bytes or 0 for row in rows),
        )
        self._refs.append(ref)
        self.parts += 1
        self.images += ref.images
        self.size_bytes += ref.size_bytes
        if len(self._refs) == _PARTS_A_FILE:
            self._upload()

    def close(self) -> None:
        """Write what is left, and the index."""
        self._upload()
        self._index.close()
        obstore.put(self._store, self.index, self._local_index, mode="create")

    def _upload(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        obstore.put(self._store, self._refs[0].file, self._local, mode="create")
        rows = [asdict(ref) | {"file": len(self.files)} for ref in self._refs]
        self._index.write_table(pa.Table.from_pylist(rows, _INDEX))
        self.files.append(self._refs[0].file)
        self._refs = []
