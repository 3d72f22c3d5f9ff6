"""content_ids, or members, as fixed-width bytes: numpy sorts, searches and holds them compactly."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Ids: TypeAlias = pa.Array | pa.ChunkedArray | Sequence[str]
"""content_ids or members as they come: Arrow strings, or any sequence of Python strings."""


MOST_BYTES = 2**31 - 1
"""What Arrow's strings hold in one array: some 33 million content_ids. More are large strings."""


def in_one(strings: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return strings as one array."""
    if not isinstance(strings, pa.ChunkedArray):
        return strings
    if pa.types.is_string(strings.type) and strings.nbytes > MOST_BYTES:
        strings = strings.cast(pa.large_string())
    return strings.combine_chunks()


def as_keys(ids: Ids) -> np.ndarray:
    """Return content_ids as fixed-width bytes, which numpy sorts and searches fast."""
    if not isinstance(ids, pa.Array | pa.ChunkedArray):
        ids = pa.array(ids, pa.string())
    ids = in_one(ids)
    if len(ids) == 0:
        return np.empty(0, "S64")
    lengths = pc.min_max(pc.binary_length(ids)).as_py()
    if ids.null_count:
        raise ValueError("content_ids: expected strings, got a null.")
    width = max(1, lengths["max"])
    if lengths["min"] != width:
        ids = pc.ascii_rpad(ids, width, "\0")
    fixed = ids.cast(pa.large_binary())
    data = np.frombuffer(fixed.buffers()[2], np.uint8)
    start = np.frombuffer(fixed.buffers()[1], np.int64)[fixed.offset]
    chosen = data[start : start + len(fixed) * width]
    keys: np.ndarray = chosen.view(f"S{width}")
    return keys


def from_keys(keys: np.ndarray) -> pa.Array:
    """Return fixed-width bytes as an array of strings."""
    large = keys.nbytes > MOST_BYTES
    width = keys.itemsize
    bytes_NW = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), width)
    if len(keys) and bytes_NW[:, -1].all():
        # All as long as the longest, as content_ids are: they lie as Arrow's strings do.
        offsets = np.arange(len(keys) + 1, dtype=np.int64 if large else np.int32) * width
        kind = pa.LargeStringArray if large else pa.StringArray
        return kind.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(bytes_NW))
    found = pa.array(keys.tolist(), pa.large_binary() if large else pa.binary())
    return found.cast(pa.large_string() if large else pa.string())


def sorted_keys(ids: Ids) -> np.ndarray:
    """Return the distinct content_ids as sorted keys, without a copy where they are that."""
    keys = as_keys(ids)
    return keys if (keys[:-1] < keys[1:]).all() else np.unique(keys)


def positions(keys: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each id would stand in the sorted keys, and whether it is there."""
    position = np.searchsorted(keys, ids)
    inside = position < len(keys)
    position[~inside] = 0
    hit = inside & (keys[position] == ids) if len(keys) else inside
    return position, hit
