"""One small process beside the driver that keeps objects which workers call: progress, claims.

A Ray actor is a process that takes seconds to start, so one serves all of a job's needs.
"""

from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from artcluster.errors import ArtclusterError


class Host:
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


def start_host() -> ActorHandle[Any]:
    """Start a host on the driver's machine: it lives and dies with the job."""
    here = ray.get_runtime_context().get_node_id()
    remote: Any = ray.remote(Host)
    actor: ActorHandle[Any] = remote.options(
        num_cpus=0,
        max_restarts=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
    ).remote()
    return actor


def ask(host: ActorHandle[Any], name: str, method: str, *arguments: Any) -> Any:
    """Call a method of a hosted object and wait for its answer.

    Raises:
        ArtclusterError: The process is gone, and with it what it knew.
    """
    try:
        return ray.get(host.call.remote(name, method, *arguments))
    except RayActorError as error:
        raise ArtclusterError(
            f"The process that keeps this job's {name} died. What was committed is kept: start "
            "the same command again."
        ) from error
