"""The executor over Ray: streams by Ray Data, training by Ray Train."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from artcluster.errors import ArtclusterError
from artcluster.executors.ray.cluster import RayCluster
from artcluster.executors.ray.meters import RayMeters
from artcluster.runtime.cancellation import Stop
from artcluster.runtime.executor import Claims, Item, Resources, Step, StepProgress
from artcluster.runtime.progress import Meters

if TYPE_CHECKING:
    from artcluster.executors.ray.stream import RayStream
    from artcluster.location import Location
    from artcluster.training.worker import Worker

T = TypeVar("T")


_CPUS_A_CLAIM_SHARD = 32
_MOST_CLAIM_SHARDS = 16


class RayExecutor:
    """Runs stages on a Ray cluster that is there, or on one of its own.

    Nothing of ray is imported before `start`, so that a command line answers at once.

    Args:
        address: The cluster to join; None for RAY_ADDRESS, and without that for one of our own.
        cpus: Logical CPUs of one of our own; None for those of the machine.
        gpus: Logical GPUs of one of our own; None for those of the machine.
        dashboard: Serve Ray's dashboard on the loopback interface, on one of our own.
        node_loss_grace_s: After a machine is lost, Ray has so long without progress to recover.
        autoscale: Whether more is asked of the cluster than it has, for its autoscaler to add;
            `auto` asks the cluster whether there is one.
        queue_timeout_s: How long a stream waits for its first workers; None for as long as it
            takes.
        stop: Ends streams and training loops where nothing finished is lost.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        cpus: int | None = None,
        gpus: int | None = None,
        dashboard: bool = False,
        node_loss_grace_s: float = 60.0,
        autoscale: Literal["auto", "yes", "no"] = "auto",
        queue_timeout_s: float | None = None,
        stop: Stop | None = None,
    ) -> None:
        self._cluster = RayCluster(
            address,
            cpus=cpus,
            gpus=gpus,
            dashboard=dashboard,
            prepare=lambda: self._start_coordinators(1),
        )
        self._starting = threading.Lock()
        self._grace_s = node_loss_grace_s
        self._autoscale = autoscale
        self._queue_timeout_s = queue_timeout_s
        self._stop = stop or Stop()
        self._coordinators: list[Any] = []
        self._stream: RayStream | None = None
        self._progress: Mapping[str, StepProgress] = {}
        self._meters = RayMeters(lambda: self._cluster.joined)

    def __enter__(self) -> "RayExecutor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to join or start the cluster in the background."""
        self._cluster.start()

    def close(self) -> None:
        """Leave the cluster; one that this executor started ends."""
        if self._coordinators:
            import ray

            for coordinator in self._coordinators:
                ray.kill(coordinator)
            self._coordinators.clear()
        self._cluster.close()

    def resources(self) -> Resources:
        """Return the CPUs, GPUs and machines of the cluster."""
        self._cluster.wait()
        from artcluster.executors.ray.nodes import Nodes

        return Nodes.now().resources()

    def stream(
        self, items: Iterable[Item], steps: Sequence[Step], *, stall_timeout_s: float
    ) -> Iterator[Item]:
        """Pass every item through the steps; see `Executor.stream`."""
        if not steps:
            yield from items
            return
        coordinator = self._coordinators_at_least(1)[0]
        from artcluster.executors.ray.stream import RayStream

        stream = RayStream(
            coordinator,
            steps,
            stall_timeout_s=stall_timeout_s,
            node_loss_grace_s=self._grace_s,
            autoscale=self._autoscale,
            queue_timeout_s=self._queue_timeout_s,
            stop=self._stop,
        )
        self._stream = stream
        try:
            yield from stream.run(items)
        finally:
            with contextlib.suppress(ArtclusterError):
                self._progress = self.progress()
            self._stream = None
            stream.close()

    def progress(self) -> Mapping[str, StepProgress]:
        """Return how far each step of the running (or last) stream is."""
        return self._progress if self._stream is None else self._stream.progress()

    def meters(self) -> Meters:
        """Return the cluster's meters."""
        return self._meters

    def claims(self, committed: Iterable[Sequence[str]]) -> Claims:
        """Return a registry that knows the given content_ids as committed."""
        cpus = self.resources().cpus
        shards = min(_MOST_CLAIM_SHARDS, max(1, int(cpus / _CPUS_A_CLAIM_SHARD)))
        from artcluster.executors.ray.coordinator import RayClaims

        return RayClaims(self._coordinators_at_least(shards)[:shards], committed)

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
        """Run a training loop on `workers` ranks; see `Executor.train`."""
        coordinator = self._coordinators_at_least(1)[0]
        from artcluster.executors.ray.train import train

        return train(
            loop,
            data,
            workers=workers,
            use_gpu=use_gpu,
            name=name,
            checkpoint_uri=checkpoint_uri,
            coordinator=coordinator,
            stop=self._stop,
        )

    def _coordinators_at_least(self, count: int) -> list[Any]:
        self._cluster.wait()
        self._start_coordinators(count)
        return self._coordinators

    def _start_coordinators(self, count: int) -> None:
        from artcluster.executors.ray.coordinator import start_coordinator

        with self._starting:
            while len(self._coordinators) < count:
                self._coordinators.append(start_coordinator())
