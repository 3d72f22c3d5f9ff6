"""The executor without a cluster: one process, for tests and small archives. No ray."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from artcluster.errors import ArtclusterError, StalledError
from artcluster.executors.checkpoints import Checkpoints
from artcluster.executors.claim_table import ClaimTable, digests
from artcluster.executors.failure import Failure, describe
from artcluster.executors.step_progress import ProgressBook
from artcluster.runtime.cancellation import Stop
from artcluster.runtime.executor import Claims, Item, Resources, Step, StepProgress, usable_cpus
from artcluster.runtime.progress import Meters, NoMeters

if TYPE_CHECKING:
    from artcluster.location import Location
    from artcluster.training.worker import Worker


class LocalClaims:
    """A registry for the threads of one process."""

    def __init__(self, committed: Iterable[Sequence[str]]) -> None:
        self._lock = threading.Lock()
        self._table = ClaimTable()
        for batch in committed:
            self._table.add_committed(digests(batch))

    def claim(self, part_id: str, content_ids: Sequence[str]) -> np.ndarray:
        """Claim contents for a part; see `Claims.claim`."""
        with self._lock:
            return self._table.claim(part_id, digests(content_ids))


Shard = np.ndarray | Callable[[], np.ndarray]
"""A virtual shard's rows, or a picklable function that loads them where they are needed."""


class LocalWorker:
    """A `Worker` of a world of one."""

    rank = 0
    world = 1

    def __init__(
        self,
        data: Sequence[Shard],
        device: torch.device,
        checkpoints: Checkpoints,
        stop: Stop,
    ) -> None:
        self.device = device
        self.shards: Mapping[int, np.ndarray] = {
            number: shard() if callable(shard) else shard for number, shard in enumerate(data)
        }
        self.shard_rows: Sequence[int] = [len(self.shards[number]) for number in range(len(data))]
        self._checkpoints = checkpoints
        self._stop = stop

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor: there is nobody to sum with."""
        return tensor

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the state saved last under this job's name, or None at a first start."""
        return self._checkpoints.load()

    def save_checkpoint(self, state: dict[str, Any], metrics: Mapping[str, float]) -> None:
        """Save a state of tensors, numbers and strings.

        Raises:
            StoppedError: The job was asked to end: here it can go on from.
        """
        del metrics
        self._checkpoints.save(state)
        self._stop.check()

    def stop_asked(self) -> bool:
        """Return whether the job was asked to end."""
        return self._stop.asked


T = TypeVar("T")


_AHEAD = 2
"""Items that the first steps work on while the last step is busy."""


class InProcessExecutor:
    """Runs everything here. All steps but the last run in a thread ahead of it, so that decoding
    overlaps the model; `stall_timeout_s` watches over that thread.

    Args:
        stop: Ends streams and training loops politely.
    """

    def __init__(self, stop: Stop | None = None) -> None:
        self._stop = stop or Stop()
        self._book = ProgressBook([])

    def start(self) -> None:
        """There is nothing to get ready."""

    def close(self) -> None:
        """There is nothing to stop."""

    def resources(self) -> Resources:
        """Return this process's CPUs and this machine's GPUs."""
        import torch

        return Resources(cpus=float(usable_cpus()), gpus=float(torch.cuda.device_count()), nodes=1)

    def stream(
        self, items: Iterable[Item], steps: Sequence[Step], *, stall_timeout_s: float
    ) -> Iterator[Item]:
        """Pass every item through the steps, in their order; see `Executor.stream`."""
        self._book = book = ProgressBook([step.name for step in steps])
        if not steps:
            yield from items
            return
        *first, last = [_Function(step, book) for step in steps]
        ahead = _Ahead(first)
        waiting: deque[tuple[int, Future[Item]]] = deque()

        def finish() -> Item:
            number, result = waiting.popleft()
            try:
                return last(number, result.result(timeout=stall_timeout_s))
            except TimeoutError:
                if result.done():
                    raise
                raise StalledError(_stalled(book, stall_timeout_s)) from None

        try:
            with self._stop.awaited():
                whole = True
                for number, item in enumerate(items):
                    if self._stop.asked:
                        whole = False
                        break
                    waiting.append((number, ahead.submit(number, item)))
                    if len(waiting) > _AHEAD:
                        yield finish()
                while waiting:
                    yield finish()
                if not whole:
                    self._stop.check()
        finally:
            ahead.stop()

    def progress(self) -> Mapping[str, StepProgress]:
        """Return how far each step of the running (or last) stream is."""
        return self._book.snapshot().steps

    def meters(self) -> Meters:
        """Return meters that keep nothing."""
        return NoMeters()

    def claims(self, committed: Iterable[Sequence[str]]) -> Claims:
        """Return a registry that knows the given content_ids as committed."""
        return LocalClaims(committed)

    def train(
        self,
        loop: "Callable[[Worker], T]",
        data: Sequence[np.ndarray | Callable[[], np.ndarray]],
        *,
        workers: int,
        use_gpu: bool,
        name: str,
        checkpoint_uri: "str | Location",
    ) -> T:
        """Run a training loop here, on one rank whatever `workers` says; see `Executor.train`."""
        import torch

        from artcluster.executors.checkpoints import Checkpoints

        del workers
        if use_gpu and not torch.cuda.is_available():
            raise ArtclusterError(
                "Training asks for a GPU, and torch finds none here. Train on the CPU instead."
            )
        device = torch.device("cuda" if use_gpu else "cpu")
        checkpoints = Checkpoints.at(checkpoint_uri, name)
        try:
            with self._stop.awaited():
                return loop(LocalWorker(data, device, checkpoints, self._stop))
        except Exception as error:
            raise Failure.of("train", error).exception(repr(name))  # noqa: B904


class _Function:
    """A step's function, made at its first item; counts items and tells errors apart."""

    def __init__(self, step: Step, book: ProgressBook) -> None:
        self._step = step
        self._book = book
        self._function: Callable[[Item], Item] | None = None

    def __call__(self, number: int, item: Item) -> Item:
        name = self._step.name
        self._book.start(name, number)
        began = time.perf_counter()
        try:
            if self._function is None:
                self._function = self._step.make()
            result = self._function(item)
        except Exception as error:
            raise Failure.of(name, error).exception(describe(item))  # noqa: B904
        self._book.finish(name, number, time.perf_counter() - began)
        return result


class _Ahead(threading.Thread):
    """Applies steps to items one after the other, in a thread that never holds up the exit."""

    def __init__(self, functions: Sequence[_Function]) -> None:
        super().__init__(name="artcluster-ahead", daemon=True)
        self._functions = functions
        self._inbox: queue.SimpleQueue[tuple[int, Item, Future[Item]] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self.start()

    def submit(self, number: int, item: Item) -> "Future[Item]":
        result: Future[Item] = Future()
        self._inbox.put((number, item, result))
        return result

    def stop(self) -> None:
        self._stopped.set()
        self._inbox.put(None)

    def run(self) -> None:
        while (task := self._inbox.get()) is not None and not self._stopped.is_set():
            number, item, result = task
            try:
                for function in self._functions:
                    item = function(number, item)
            except BaseException as error:
                result.set_exception(error)
            else:
                result.set_result(item)
            del task, item, result


def _stalled(book: ProgressBook, stall_timeout_s: float) -> str:
    busy = [name for name, items in book.snapshot().in_flight.items() if items]
    return (
        f"No item finished for {stall_timeout_s:.0f} s. Step {busy[0] if busy else '?'!r} is at "
        "work on one and does not return. Start the same command again; where it stands still "
        "again, more than embed.stall_timeout_s is needed, or a file is to be left out (--exclude)."
    )
