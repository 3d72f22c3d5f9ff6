"""Reading embeddings: in bounded memory, or all at once into one matrix."""

import mmap
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from artcluster.errors import StoreError, UsageError
from artcluster.schema import EMBEDDINGS
from artcluster.store.blobs import Blobs
from artcluster.store.members import Ids, as_keys, from_keys, member_ids, positions, sorted_keys
from artcluster.store.parquet import read_file
from artcluster.store.store import Store

_FILES_AHEAD = 2
_KEYS = ["content_id", "region"]
_COMPACT_ROWS = 65_536


def read_vectors(
    store: Store,
    embedder_id: str,
    wanted: Ids | None = None,
    *,
    batch_rows: int = 8192,
    paths: Sequence[str] | None = None,
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield an embedder's vectors in the order of its files, a few files in memory at a time.

    Args:
        wanted: Members to choose; None for all. Those without a vector are passed over.
        batch_rows: Rows yielded at a time, at most.
        paths: Files of the table to read, as `TableReader.paths` names them; None for all.

    Yields:
        Members (content_ids, of a part with its region), and float32 (rows, dim) where possible
        without a copy; read-only.

    Raises:
        StoreError: A file cannot be read, or its vectors differ in length.
    """
    keys = None if wanted is None else sorted_keys(wanted)
    for ids, x in _files(store, embedder_id, paths, keys):
        if keys is not None:
            hit = positions(keys, as_keys(ids))[1]
            ids, x = ids.filter(pa.array(hit)), x[hit]
        for start in range(0, len(ids), batch_rows):
            yield ids.slice(start, batch_rows).to_pylist(), x[start : start + batch_rows]


def read_ids(store: Store, embedder_id: str) -> Iterator[tuple[str, pa.Array]]:
    """Yield each file's path, as `TableReader.paths` names it, and the members it holds."""
    for path, rows in _rows(store, embedder_id, _KEYS, None):
        yield path, member_ids(rows["content_id"], rows["region"])


def find_vectors(store: Store, embedder_id: str, wanted: Ids) -> dict[str, np.ndarray]:
    """Return the vectors of a few members by name; vectors of other files are not read."""
    count = len(sorted_keys(wanted))
    found: dict[str, np.ndarray] = {}
    for ids, x in read_vectors(store, embedder_id, wanted):
        found.update(zip(ids, np.array(x), strict=True))
        if len(found) == count:
            break
    return found


def gather(
    store: Store,
    embedder_id: str,
    wanted: Ids | None,
    *,
    limit_bytes: int,
) -> tuple[pa.Array, np.ndarray]:
    """Read an embedder's vectors into one matrix, sorted by member.

    Args:
        wanted: Members to choose, in any order; None for all.
        limit_bytes: The most that the matrix may take.

    Returns:
        Members (strings, sorted, those that have a vector) and float32 (len, dim).

    Raises:
        UsageError: The matrix would take more than `limit_bytes`.
        StoreError: A file cannot be read, or its vectors differ in length.
    """
    if wanted is None:
        chunks = [ids for _, ids in read_ids(store, embedder_id)]
        wanted = pa.chunked_array(chunks, pa.string()) if chunks else []
    keys = sorted_keys(wanted)
    x = np.empty((0, 0), np.float32)
    found = np.zeros(len(keys), bool)
    for ids, rows in _files(store, embedder_id, None, None):
        if x.size == 0:
            _check_size(len(keys), rows.shape[1], limit_bytes)
            x = np.empty((len(keys), rows.shape[1]), np.float32)
        if rows.shape[1] != x.shape[1]:
            raise StoreError(
                f"Vectors of {embedder_id!r} differ in length: {x.shape[1]} and {rows.shape[1]}."
            )
        position, hit = positions(keys, as_keys(ids))
        x[position[hit]] = rows[hit]
        found[position[hit]] = True
    if not found.all():
        x = _keep(x, np.flatnonzero(found))
        keys = keys[found]
    return from_keys(keys), x


def _files(
    store: Store,
    embedder_id: str,
    paths: Sequence[str] | None,
    keys: np.ndarray | None,
) -> Iterator[tuple[pa.Array, np.ndarray]]:
    for _, rows in _rows(store, embedder_id, [*_KEYS, "embedding"], paths, keys):
        if rows.num_rows:
            ids = member_ids(rows["content_id"], rows["region"])
            yield ids, matrix(rows["embedding"].combine_chunks())


def matrix(lists: pa.Array) -> np.ndarray:
    """View lists of equal length as a matrix, without a copy.

    Raises:
        StoreError: A list is null, holds a null, or has another length than the first.
    """
    offsets = lists.offsets.to_numpy()
    dims = np.diff(offsets)
    if lists.null_count or lists.values.null_count or not len(dims) or (dims != dims[0]).any():
        raise StoreError("Vectors of one file differ in length, or are null.")
    values: np.ndarray = lists.values.to_numpy(zero_copy_only=True)[offsets[0] : offsets[-1]]
    return values.reshape(len(dims), int(dims[0]))


def _rows(
    store: Store,
    embedder_id: str,
    columns: list[str],
    paths: Sequence[str] | None,
    keys: np.ndarray | None = None,
) -> Iterator[tuple[str, pa.Table]]:
    """Yield path and rows of every file, reading a few files ahead.

    Of files that hold none of the keys no rows are yielded, nor their vectors read.
    """
    if paths is None:
        paths = store.table(EMBEDDINGS).paths({"embedder_id": embedder_id})
    blobs = Blobs(store.location)

    def read(path: str) -> pa.Table:
        try:
            content = _content(blobs, f"{EMBEDDINGS.name}/{path}")
            if keys is not None:
                # A nightly update wants some dozen new ones: vectors are nearly all of a file.
                found = read_file(content, _KEYS)
                ids = member_ids(found["content_id"], found["region"])
                if not positions(keys, as_keys(ids))[1].any():
                    return EMBEDDINGS.file_schema.empty_table().select(columns)
            return read_file(content, columns)
        except StoreError as wrong:
            raise StoreError(f"{EMBEDDINGS.name}/{path} in {store.location}: {wrong}") from wrong

    with ThreadPoolExecutor(_FILES_AHEAD) as pool:
        ahead: deque[tuple[str, Future[pa.Table]]] = deque()
        for path in paths:
            ahead.append((path, pool.submit(read, path)))
            if len(ahead) > _FILES_AHEAD:
                first, rows = ahead.popleft()
                yield first, rows.result()
        for path, rows in ahead:
            yield path, rows.result()


def _content(blobs: Blobs, path: str) -> pa.Buffer:
    """Return a file's bytes, mapped where it is local."""
    if not blobs.location.is_local:
        return pa.py_buffer(blobs.read(path))
    try:
        with Path(blobs.location.uri, path).open("rb") as file:
            return pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as failed:
        raise StoreError(f"cannot be read: {failed}.") from failed


def _check_size(rows: int, dim: int, limit_bytes: int) -> None:
    need = rows * dim * 4
    if need > limit_bytes:
        raise UsageError(
            f"{rows:,} vectors of {dim} numbers take {need / 2**30:.2f} GiB in memory, and the "
            f"limit is {limit_bytes / 2**30:.2f} GiB. Raise the limit, or take a sample."
        )


def _keep(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Move the rows to keep to the front, in place: a copy might not fit."""
    for start in range(0, len(rows), _COMPACT_ROWS):
        some = rows[start : start + _COMPACT_ROWS]
        x[start : start + len(some)] = x[some]
    return x[: len(rows)]
