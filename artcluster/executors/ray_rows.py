"""An item as one row of an Arrow table, whose arrays are not copied on the way.

An item is pickled with its large buffers out of band (PEP 574). They become the row's `body`: Ray
copies that once into shared memory, and every reader sees it there without a copy.
"""

import pickle
from typing import Any

import numpy as np
import pyarrow as pa

from artcluster.stages.executor import Item

_IN_BAND_BELOW_BYTES = 16 * 1024
_ALIGNMENT_BYTES = 64

SCHEMA = pa.schema(
    [("number", pa.int64()), ("head", pa.large_binary()), ("body", pa.large_binary())]
)


def pack(number: int, item: Item) -> pa.Table:
    """Return a table of one row that holds an item and its number in the stream.

    A single large array is not copied; several are joined, which copies them once.
    """
    buffers: list[memoryview] = []

    def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _IN_BAND_BELOW_BYTES:
            return True
        buffers.append(raw)
        return False

    data = pickle.dumps(item, protocol=5, buffer_callback=keep_in_band)
    head = pickle.dumps((data, [buffer.nbytes for buffer in buffers]))
    body = pa.py_buffer(buffers[0] if len(buffers) == 1 else _joined(buffers))
    columns = [pa.array([number], pa.int64()), _one(pa.py_buffer(head)), _one(body)]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def unpack(row: pa.Table) -> tuple[int, Item]:
    """Return the number and the item of a row; its large arrays are read-only views of the row."""
    if row.num_rows != 1:
        raise AssertionError(f"expected one row a block, got {row.num_rows}")
    body = _bytes(row["body"])
    data, sizes = pickle.loads(_bytes(row["head"]))
    views: list[Any] = []
    start = 0
    for size in sizes:
        views.append(body[start : start + size])
        start += _aligned(size)
    return row["number"][0].as_py(), pickle.loads(data, buffers=views)


def _one(value: pa.Buffer) -> pa.Array:
    """Return an array of the single value without copying it."""
    offsets = pa.array([0, value.size], pa.int64()).buffers()[1]
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, value])


def _bytes(column: pa.ChunkedArray) -> pa.Buffer:
    """Return the single value where it lies; a scalar of Arrow would be a copy."""
    (chunk,) = (chunk for chunk in column.chunks if len(chunk))
    _, offsets, data = chunk.buffers()
    start, end = np.frombuffer(offsets, np.int64, 2, 8 * chunk.offset).tolist()
    return data.slice(start, end - start)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


def _joined(buffers: list[memoryview]) -> bytearray:
    joined = bytearray(sum(_aligned(buffer.nbytes) for buffer in buffers))
    start = 0
    for buffer in buffers:
        joined[start : start + buffer.nbytes] = buffer
        start += _aligned(buffer.nbytes)
    return joined
