"""Shards: the Parquet files of a table, created once under a name that says what they hold."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import quote
from uuid import uuid4

import pyarrow as pa

from artcluster.errors import StoreError
from artcluster.location import Location
from artcluster.schema import Table
from artcluster.store.blobs import Blobs
from artcluster.store.layout import replaced
from artcluster.store.parquet import decode_footer, encode


@dataclass(frozen=True)
class Note:
    """Files of one table that a commit took out of it, or is about to.

    Attributes:
        path: Where the note lies, in the store.
        files: Paths in the table's folder.
        written_at: By the store's clock.
        final: Whether they must never be committed again: their rows lie in another file.
    """

    path: str
    files: tuple[str, ...]
    written_at: datetime
    final: bool


def write_note(blobs: Blobs, table: str, files: Sequence[str], *, final: bool) -> None:
    """Note files before the commit that takes them out of their table."""
    content = json.dumps({"files": sorted(files), "final": final})
    blobs.write(replaced(table, f"{uuid4().hex}.json"), content.encode())


def read_notes(blobs: Blobs, table: str) -> Iterator[Note]:
    """Yield a table's notes.

    Raises:
        StoreError: A note is not readable.
    """
    for entry in blobs.entries(replaced(table)):
        text = blobs.read_if_exists(entry.path)
        if text is None:
            continue
        try:
            content = json.loads(text)
            yield Note(entry.path, tuple(content["files"]), entry.modified_at, content["final"])
        except (ValueError, KeyError, TypeError) as wrong:
            raise StoreError(
                f"The note {entry.path!r} in the store {blobs.location} is not readable "
                f"({wrong!r}). Bring it back from a backup before the next job."
            ) from None


def never_again(blobs: Blobs, table: str) -> set[str]:
    """Return the paths of a table's files that must not be committed again."""
    return {file for note in read_notes(blobs, table) if note.final for file in note.files}


_NAME = re.compile(r"[0-9a-z][0-9a-z-]{7,127}")
_FOOTER_BYTES = 64 * 1024
_FOOTERS_AT_ONCE = 16


@dataclass(frozen=True)
class ShardInfo:
    """One file of a table, as the commit needs to know it.

    Attributes:
        name: The shard's name, a hash.
        path: The file, relative to the table's folder.
        size_bytes: Its size.
        rows: Its rows.
        partition: The values of the table's partition columns, the same for all its rows.
        schema: Columns of the file.
        adopted: Whether another attempt wrote it.
    """

    name: str
    path: str
    size_bytes: int
    rows: int
    partition: Mapping[str, str]
    schema: pa.Schema = field(repr=False)
    adopted: bool = field(default=False, compare=False)


def shard_name(*parts: str) -> str:
    """Return the name of a shard that holds what the parts together name.

    >>> shard_name("part-7", "densenet121-ab12")
    'c4c8825b6855bc03c00b20722ddd4ae5'
    >>> shard_name("a", "bc") == shard_name("ab", "c")
    False
    """
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def shard_path(table: Table, name: str, partition: Mapping[str, str]) -> str:
    """Return a shard's path in its table's folder.

    Raises:
        ValueError: The name is no hash, or the partition has other columns than the table's.

    >>> from artcluster.schema import EMBEDDINGS
    >>> shard_path(EMBEDDINGS, "0123456789ab", {"embedder_id": "timm:vit"})
    'embedder_id=timm%3Avit/0123456789ab.parquet'
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"name: expected a hash of 8 to 128 lower-case letters and digits, got {name!r}. "
            "Names of images are not used as names of shards; see shard_name()."
        )
    return f"{partition_path(table, partition)}{name}.parquet"


def is_shard_path(table: Table, path: str) -> bool:
    """Tell whether a path in a table's folder is one that its shards have.

    >>> from artcluster.schema import EMBEDDINGS, MODELS
    >>> is_shard_path(EMBEDDINGS, "embedder_id=timm%3Avit/0123456789ab.parquet")
    True
    >>> is_shard_path(MODELS, "kmeans-0123456789ab/model.safetensors")
    False
    """
    *folders, name = path.split("/")
    return (
        [folder.partition("=")[0] for folder in folders] == list(table.partition_by)
        and name.endswith(".parquet")
        and _NAME.fullmatch(name.removesuffix(".parquet")) is not None
    )


def partition_path(table: Table, partition: Mapping[str, str]) -> str:
    """Return a partition's folder in its table's folder, with a slash; '' without partitions.

    Raises:
        ValueError: The partition has other columns than the table's, or an empty value.
    """
    if set(partition) != set(table.partition_by) or not all(partition.values()):
        raise ValueError(
            f"partition: expected a value for each of {list(table.partition_by)} of the table "
            f"{table.name!r}, got {dict(partition)}."
        )
    return "".join(f"{each}={quote(partition[each], safe='')}/" for each in table.partition_by)


@dataclass(frozen=True)
class ShardWriter:
    """Writes shards of one table, in any process; committing them is for the driver. Picklable."""

    store: Location
    table: Table

    def write(self, name: str, rows: pa.Table, partition: Mapping[str, str]) -> ShardInfo:
        """Create a shard, or adopt the one that another attempt created under this name.

        Args:
            name: A hash of what the shard holds, see `shard_name`.
            rows: The table's columns in any order; partition columns may be left out.
            partition: The values of the partition columns.

        Returns:
            What lies in the store now, whoever wrote it.

        Raises:
            StoreError: The columns are not the table's, or the file could not be written.
        """
        path = shard_path(self.table, name, partition)
        fitting = fit(rows, self.table.file_schema, drop=self.table.partition_by)
        encoded = encode(fitting)
        blobs = Blobs(self.store)
        if not blobs.write_if_absent(f"{self.table.name}/{path}", encoded):
            return describe(blobs, self.table, path, partition, None)
        return _describe_footer(path, partition, len(encoded), encoded)


def describe(
    blobs: Blobs, table: Table, path: str, partition: Mapping[str, str], size_bytes: int | None
) -> ShardInfo:
    """Read what a shard that lies in the store holds, from its footer.

    Raises:
        StoreError: It cannot be read, or is no shard of the table.
    """
    full = f"{table.name}/{path}"
    size = blobs.size_bytes(full) if size_bytes is None else size_bytes
    tail = blobs.read_range(full, max(0, size - _FOOTER_BYTES), size) if size else b""
    try:
        if decode_footer(tail) is None:
            tail = blobs.read_range(full, 0, size)
        return replace(_describe_footer(path, partition, size, tail), adopted=True)
    except StoreError as wrong:
        raise StoreError(
            f"The file {full!r} in the store {blobs.location} was not written by this program: "
            f"{wrong} Remove it and run the job again."
        ) from wrong


def leftover_shards(
    blobs: Blobs,
    table: Table,
    partition: Mapping[str, str],
    names: Iterable[str],
    committed: set[str],
) -> dict[str, ShardInfo]:
    """Find shards that a job which ended early wrote and never committed.

    Lists the partition once; reads the footers of what it found, several at a time.

    Args:
        blobs: Files of the store.
        partition: The partition to look in.
        names: Names of the shards wanted.
        committed: Paths in the table's folder that are committed.

    Returns:
        By name, what each holds; names that do not lie there are left out.
    """
    wanted = {shard_path(table, name, partition): name for name in names}
    prefix = f"{table.name}/"
    found = [
        (path.removeprefix(prefix), size)
        for path, size in blobs.list_sizes(prefix + partition_path(table, partition))
        if path.removeprefix(prefix) in wanted and path.removeprefix(prefix) not in committed
    ]

    def read(entry: tuple[str, int]) -> ShardInfo:
        return describe(blobs, table, entry[0], partition, entry[1])

    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        return {info.name: info for info in pool.map(read, found)}


def fit(rows: pa.Table, schema: pa.Schema, drop: Iterable[str] = ()) -> pa.Table:
    """Bring rows to the columns, order and types of a schema, with no value cut or overflown.

    Raises:
        StoreError: A column is missing, too many, or cannot hold its values in the type wanted.
    """
    rows = rows.drop_columns([name for name in drop if name in rows.column_names])
    missing = [name for name in schema.names if name not in rows.column_names]
    unknown = [name for name in rows.column_names if name not in schema.names]
    if missing or unknown:
        raise StoreError(
            f"Expected the columns {schema.names}, got {rows.column_names}: missing {missing}, "
            f"unknown {unknown}."
        )
    try:
        return rows.select(schema.names).cast(schema.remove_metadata())
    except pa.ArrowInvalid as wrong:
        raise StoreError(f"The rows do not fit the table's types: {wrong}") from None
    except pa.ArrowNotImplementedError as wrong:
        raise StoreError(f"The rows have other types than the table: {wrong}") from None


def _describe_footer(
    path: str, partition: Mapping[str, str], size_bytes: int, tail: bytes
) -> ShardInfo:
    metadata = decode_footer(tail)
    assert metadata is not None
    return ShardInfo(
        name=path.rsplit("/", 1)[-1].removesuffix(".parquet"),
        path=path,
        size_bytes=size_bytes,
        rows=metadata.num_rows,
        partition=dict(partition),
        schema=metadata.schema.to_arrow_schema().remove_metadata(),
    )
