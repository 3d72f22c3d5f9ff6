"""What a stage asks of the machines it runs on. Two executors answer: in-process, and Ray."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol, TypeVar

import numpy as np

from artcluster.training.worker import Worker

T = TypeVar("T")

Item = Any
"""A picklable value that passes from step to step; may hold large numpy arrays."""


@dataclass(frozen=True)
class Step:
    """One step of a stream: a function from item to item, made once in each worker process.

    Attributes:
        name: Names the step in progress, logs and the watchdog's message.
        make: Picklable; called once a worker process, returns the function to apply.
        cpus: CPUs that one worker of the step takes.
        gpus: GPUs that one worker takes; above zero the workers are actors.
        workers: None for tasks that spread as far as CPUs allow; (min, max) for a pool of actors,
            which keep what `make` loaded between items.
    """

    name: str
    make: Callable[[], Callable[[Item], Item]]
    cpus: float = 1.0
    gpus: float = 0.0
    workers: tuple[int, int] | None = None


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

        A part asking again (a retried task) is granted what it was granted before.

        Returns:
            int8 array of `Claim` values, one a content.
        """
        ...


@dataclass(frozen=True)
class Resources:
    """What the executor can use."""

    cpus: float
    gpus: float
    nodes: int


class Executor(Protocol):
    """Runs streams and training loops."""

    def resources(self) -> Resources:
        """Return the CPUs, GPUs and nodes at hand."""
        ...

    def stream(
        self, items: Iterable[Item], steps: Sequence[Step], *, stall_timeout_s: float
    ) -> Iterator[Item]:
        """Pass every item through the steps and yield results in the order they finish.

        Raises:
            StalledError: No step finished an item for `stall_timeout_s`; names the step.
            ArtclusterError: As raised by a step.
        """
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
        checkpoint_uri: str,
    ) -> T:
        """Run a training loop on `workers` ranks and return what rank 0 returned.

        `data` are the virtual shards: arrays, or picklable functions that load one where it is
        needed. Rank r owns shards r, r + world, r + 2·world, …, and is handed those alone.
        A loop that died is started again and finds its last checkpoint, in this job or in the
        next one of the same `name`.
        """
        ...
