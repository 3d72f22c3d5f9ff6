"""What runs in Ray's worker processes: a step's function, made once a process."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from ray.actor import ActorHandle

from artcluster.executors.failure import Failure
from artcluster.executors.ray_rows import pack, unpack
from artcluster.executors.threads import limit_threads
from artcluster.stages.executor import Item, Step


@dataclass(frozen=True)
class RemoteStep:
    """A step on its way to the workers.

    Attributes:
        stream: The stream's id, under which the host keeps its progress.
        step: The step.
        host: The process to report progress to.
    """

    stream: str
    step: Step
    host: ActorHandle[Any]


class StepActor:
    """A step with a pool of actors: made when the actor starts."""

    def __init__(self, remote: RemoteStep) -> None:
        self._remote = remote
        self._function: Callable[[Item], Item] | None = None
        self._failure: Failure | None = None
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
        name, stream, host = self._remote.step.name, self._remote.stream, self._remote.host
        host.call.remote(stream, "start", name, number)
        began = time.perf_counter()
        try:
            result = pack(number, self._function(item))
        except Exception as error:
            result = pack(number, Failure.of(name, error))
        host.call.remote(stream, "finish", name, number, time.perf_counter() - began)
        return result


_made: dict[tuple[str, str], StepActor] = {}


def made_here(remote: RemoteStep) -> StepActor:
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
        from artcluster.executors.ray_steps import made_here

        return made_here(remote)(row)

    apply.__name__ = apply.__qualname__ = remote.step.name
    return apply
