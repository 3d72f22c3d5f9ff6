"""The coordinator: a small process beside the driver whose objects workers call.

It keeps the progress of streams, the claims on contents and the results of training.

A Ray actor is a process that takes seconds to start, so one serves all of a job's needs.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from artcluster.errors import ArtclusterError
from artcluster.executors.claim_table import ClaimTable, digests

_NAME = "claims"


class Coordinator:
    """Keeps objects by name and calls their methods, one call at a time."""

    def __init__(self) -> None:
        self._objects: dict[str, Any] = {}

    def keep(self, name: str, value: Any) -> None:
        """Take an object in; one of the same name is replaced."""
        self._objects[name] = value

    def drop(self, name: str) -> None:
        """Forget an object."""
        self._objects.pop(name, None)

    def call(self, name: str, method: str, *arguments: Any) -> Any:
        """Call a method of an object; of one that is gone (a late worker's report), nothing."""
        value = self._objects.get(name)
        return None if value is None else getattr(value, method)(*arguments)


class ResultSlot:
    """Holds what was put last."""

    def __init__(self) -> None:
        self._value: Any = None

    def put(self, value: Any) -> None:
        """Leave a value; it takes the place of an earlier one."""
        self._value = value

    def is_full(self) -> bool:
        """Return whether a value waits."""
        return self._value is not None

    def take(self) -> Any:
        """Return the value, or None, and forget it."""
        value, self._value = self._value, None
        return value


def start_coordinator() -> ActorHandle[Any]:
    """Start a coordinator on the driver's machine: it lives and dies with the job."""
    here = ray.get_runtime_context().get_node_id()
    remote: Any = ray.remote(Coordinator)
    actor: ActorHandle[Any] = remote.options(
        num_cpus=0,
        max_restarts=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
    ).remote()
    return actor


def ask(coordinator: ActorHandle[Any], name: str, method: str, *arguments: Any) -> Any:
    """Call a method of an object that a coordinator keeps and wait for its answer.

    Raises:
        ArtclusterError: The process is gone, and with it what it knew.
    """
    try:
        return ray.get(coordinator.call.remote(name, method, *arguments))
    except RayActorError as error:
        raise ArtclusterError(
            f"The process that keeps this job's {name} died. What was committed is kept: start "
            "the same command again."
        ) from error


class RayClaims:
    """A registry spread over coordinators; picklable, so that workers ask it themselves."""

    def __init__(
        self, coordinators: Sequence[ActorHandle[Any]], committed: Iterable[Sequence[str]]
    ) -> None:
        self._coordinators = list(coordinators)
        waiting: list[Any] = [each.keep.remote(_NAME, ClaimTable()) for each in self._coordinators]
        for batch in committed:
            contents = digests(batch)
            shard = self._shard(contents)
            for number, coordinator in enumerate(self._coordinators):
                mine = contents[shard == number]
                if len(mine):
                    waiting.append(coordinator.call.remote(_NAME, "add_committed", mine))
            waiting = _at_most(waiting, 4 * len(self._coordinators))
        ray.get(waiting)

    def claim(self, part_id: str, content_ids: Sequence[str]) -> np.ndarray:
        """Claim contents for a part; see `Claims.claim`."""
        contents = digests(content_ids)
        answer = np.empty(len(contents), np.int8)
        shard = self._shard(contents)
        for number in np.unique(shard):
            rows = shard == number
            answer[rows] = ask(self._coordinators[number], _NAME, "claim", part_id, contents[rows])
        return answer

    def _shard(self, contents: np.ndarray) -> np.ndarray:
        first = contents.view(np.uint8).reshape(-1, 16)[:, 0].astype(np.int64)
        return first * len(self._coordinators) // 256


def _at_most(waiting: list[Any], count: int) -> list[Any]:
    """Wait until no more than `count` calls are under way, so that batches do not pile up."""
    if len(waiting) <= count:
        return waiting
    done, rest = ray.wait(waiting, num_returns=len(waiting) - count)
    ray.get(done)
    return rest
