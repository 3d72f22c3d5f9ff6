"""What runs in Ray's worker processes: a step's function, made once a process."""

import os
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from ray.actor import ActorHandle

from artcluster.executors.failure import Failure
from artcluster.runtime.executor import Item, Step

_IN_BAND_BELOW_BYTES = 16 * 1024
_ALIGNMENT_BYTES = 64

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

SCHEMA = pa.schema(
    [("number", pa.int64()), ("head", pa.large_binary()), ("body", pa.large_binary())]
)


@dataclass(frozen=True)
class RemoteStep:
    """A step on its way to the workers.

    Attributes:
        stream: The stream's id, under which the coordinator keeps its progress.
        step: The step.
        coordinator: The process to report progress to.
    """

    stream: str
    step: Step
    coordinator: ActorHandle[Any]


class StepActor:
    """A step with a pool of actors: made when the actor starts."""

    def __init__(self, remote: RemoteStep) -> None:
        self._remote = remote
        self._function: Callable[[Item], Item] | None = None
        self._failure: Failure | None = None
        report: Any = remote.coordinator.call
        report.remote(remote.stream, "arrive", remote.step.name)
        limit_threads(max(1, int(remote.step.cpus)))
        try:
            self._function = remote.step.make()
        except Exception as error:
            # Raised here it would be an actor that Ray starts again and again.
            self._failure = Failure.of(remote.step.name, error)

    def __call__(self, row: pa.Table) -> pa.Table:
        """Apply the step to a row; a failure comes out as the row's item."""
        number, item = unpack(row)
        if isinstance(item, Failure):
            return row
        if self._function is None:
            return pack(number, self._failure)
        name, stream = self._remote.step.name, self._remote.stream
        report: Any = self._remote.coordinator.call
        report.remote(stream, "start", name, number)
        began = time.perf_counter()
        try:
            result = pack(number, self._function(item))
        except Exception as error:
            result = pack(number, Failure.of(name, error))
        report.remote(stream, "finish", name, number, time.perf_counter() - began)
        return result


_made: dict[tuple[str, str], StepActor] = {}


def cached_step(remote: RemoteStep) -> StepActor:
    """Return this process's own instance of a step; those of earlier streams are let go."""
    key = (remote.stream, remote.step.name)
    if key not in _made:
        for old in [key for key in _made if key[0] != remote.stream]:
            del _made[old]
        _made[key] = StepActor(remote)
    return _made[key]


def as_task(remote: RemoteStep) -> Callable[[pa.Table], pa.Table]:
    """Return the function of a step without actors: made once in each process it comes to."""

    def apply(row: pa.Table) -> pa.Table:
        # Ray unpickles this closure for every task, with copies of the globals that it names: what
        # is to last as long as the process is reached through its module.

        return cached_step(remote)(row)

    apply.__name__ = apply.__qualname__ = remote.step.name
    return apply


def limit_threads(count: int) -> None:
    """Let this process's numeric libraries use `count` threads, loaded already or later."""
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(count)))
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
    cv2 = sys.modules.get("cv2")
    if cv2 is not None:
        cv2.setNumThreads(count)


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
