"""What a stage asks of the machines it runs on. Two executors answer: in-process, and Ray."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from artcluster.runtime.progress import Meters

if TYPE_CHECKING:  # torch takes seconds to import, and most worker processes never need it
    from artcluster.location import Location
    from artcluster.training.worker import Worker

_GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Hardware:
    """The machines of a job, all alike.

    Attributes:
        nodes: Machines.
        cpus: CPUs of one.
        gpus: GPUs of one.
        memory_bytes: Memory of one; None where it is not known.
    """

    nodes: int
    cpus: int
    gpus: int = 0
    memory_bytes: int | None = None


def this_machine() -> Hardware:
    """Return what this process may use, with the GPUs that torch finds."""
    import torch

    return Hardware(1, usable_cpus(), torch.cuda.device_count(), _memory_bytes())


def usable_cpus() -> int:
    """Return how many CPUs this process may use, of which a machine may have more."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> int | None:
    """Return the machine's memory, or what a control group grants of it."""
    found = []
    with contextlib.suppress(ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _GROUP_LIMITS:
        with contextlib.suppress(OSError):
            text = Path(path).read_text(encoding="ascii").strip()
            if text.isdigit():
                found.append(int(text))
    return min(found, default=None)


T = TypeVar("T")


Item = Any
"""A picklable value that passes from step to step; may hold large numpy arrays."""


@dataclass(frozen=True)
class Step:
    """One step of a stream: a function from item to item, made once in each worker process.

    Attributes:
        name: Names the step in progress, logs and the watchdog's message; distinct in a stream.
        make: Picklable; called once a worker process, returns the function to apply. Arrays in
            the item it is given may be read-only: they lie in shared memory.
        cpus: CPUs that one worker of the step takes, and the threads its libraries may use.
        gpus: GPUs that one worker takes; above zero the workers are actors.
        workers: None for tasks that spread as far as CPUs allow; (min, max) for a pool of actors,
            which keep what `make` loaded between items. A max of None is as many as have room.
    """

    name: str
    make: Callable[[], Callable[[Item], Item]]
    cpus: float = 1.0
    gpus: float = 0.0
    workers: tuple[int, int | None] | None = None


class Claim(IntEnum):
    """What the registry answers about a content."""

    YOURS = 0
    """Nobody has it: the asking part embeds it."""
    IN_FLIGHT = 1
    """Another part of this job embeds it now."""
    COMMITTED = 2
    """The store has its vector."""


class Claims(Protocol):
    """Which content is embedded already, or being embedded now. Picklable; one for a whole job."""

    def claim(self, part_id: str, content_ids: Sequence[str]) -> np.ndarray:
        """Claim contents for a part.

        A part asking again (a retried task) is granted what it was granted before. A content
        named twice by one part is granted twice: a part sorts out its own doubles.

        Returns:
            int8 array of `Claim` values, one a content.

        Raises:
            ArtclusterError: The registry was lost with the machine that held it.
        """
        ...


@dataclass(frozen=True)
class Resources:
    """What the executor can use."""

    cpus: float
    gpus: float
    nodes: int


@dataclass(frozen=True)
class StepProgress:
    """How far a step of the running stream is.

    Attributes:
        started: Items taken up; an item tried again after a crash counts again.
        finished: Items done.
        seconds: Time spent in the step's function, summed over workers.
    """

    started: int = 0
    finished: int = 0
    seconds: float = 0.0


class Executor(Protocol):
    """Runs streams and training loops. One stream at a time."""

    def start(self) -> None:
        """Begin to get ready in the background, so that listing and planning overlap with it."""
        ...

    def close(self) -> None:
        """Stop what the executor started itself; a cluster that it joined goes on."""
        ...

    def resources(self) -> Resources:
        """Return the CPUs, GPUs and nodes at hand."""
        ...

    def stream(
        self, items: Iterable[Item], steps: Sequence[Step], *, stall_timeout_s: float
    ) -> Iterator[Item]:
        """Pass every item through the steps and yield results in the order they finish.

        A crashed worker's item is tried again, so a step may see an item more than once; every
        item comes out once. Once the job is asked to end, no further item is taken up: what is in
        hand comes out, and then `StoppedError` is raised.

        Raises:
            StalledError: No step finished an item for `stall_timeout_s`; names the step.
            StepError: A step raised something unforeseen, or an item kills its workers.
            StoppedError: The job was asked to end, and items are left.
            ArtclusterError: As raised by a step.
        """
        ...

    def progress(self) -> Mapping[str, StepProgress]:
        """Return how far each step of the running (or last) stream is, by the step's name."""
        ...

    def meters(self) -> Meters:
        """Return where to put numbers for whoever watches the job."""
        ...

    def claims(self, committed: Iterable[Sequence[str]]) -> Claims:
        """Return a registry that knows the given content_ids (batches of them) as committed."""
        ...

    def train(
        self,
        loop: Callable[[Worker], T],
        data: Sequence[np.ndarray | Callable[[], np.ndarray]],
        *,
        workers: int,
        use_gpu: bool,
        name: str,
        checkpoint_uri: str | Location,
    ) -> T:
        """Run a training loop on `workers` ranks and return what rank 0 returned.

        `data` are the virtual shards: arrays, or picklable functions that load one where it is
        needed. Rank r owns shards r, r + world, r + 2·world, …, and is handed those alone.
        A loop that died is started again and finds its last checkpoint, in this job or in the
        next one of the same `name`. Checkpoints lie at `checkpoint_uri`/`name`.

        Raises:
            ArtclusterError: As raised by the loop, or the workers do not fit on the machines.
            StepError: The loop raised something unforeseen, or its workers died too often.
            StoppedError: The job was asked to end; the loop has saved a checkpoint.
        """
        ...
