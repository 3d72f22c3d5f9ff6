"""The machines of the cluster that this process has joined."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from artcluster.runtime.progress import Meter

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Gauge
from dataclasses import dataclass
from typing import Any

import ray

from artcluster.executors.placement import Node
from artcluster.runtime.executor import Resources

_REFRESH_S = 5.0

"""Ray drops a gauge that was not set for two of its reports, 20 s; the age of the last commit is
wanted most when nothing happens any more."""


class RayMeters:
    """Numbers of this driver; Ray puts `ray_` before their names.

    A cluster that this process starts for itself has no agent: there they go nowhere.

    Args:
        joined: Whether a cluster is there; until it is, numbers are dropped.
    """

    def __init__(self, joined: Callable[[], bool]) -> None:
        self._joined = joined
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self._refreshing: threading.Thread | None = None

    def add(self, meter: Meter, value: float, **labels: str) -> None:
        """Let a counter grow."""
        if value <= 0 or not self._joined():
            return
        from ray.util.metrics import Counter

        if meter.name not in self._counters:
            self._counters[meter.name] = Counter(meter.name, meter.description, meter.labels)
        self._counters[meter.name].inc(value, labels)

    def set(self, meter: Meter, value: float, **labels: str) -> None:
        """Set a gauge, which stays until it is set again."""
        if not self._joined():
            return
        from ray.util.metrics import Gauge

        if meter.name not in self._gauges:
            self._gauges[meter.name] = Gauge(meter.name, meter.description, meter.labels)
        self._gauges[meter.name].set(value, labels)
        self._values[meter.name, tuple(labels.items())] = value
        if self._refreshing is None:
            self._refreshing = threading.Thread(
                target=self._refresh, name="artcluster-meters", daemon=True
            )
            self._refreshing.start()

    def _refresh(self) -> None:
        pause = threading.Event()
        while not pause.wait(_REFRESH_S) and self._joined():
            for (name, labels), value in list(self._values.items()):
                self._gauges[name].set(value, dict(labels))


@dataclass(frozen=True)
class Nodes:
    """The machines alive at one moment.

    Attributes:
        ids: Ray's names for them.
        sizes: CPUs and GPUs of each.
        growing: An autoscaler may add more.
    """

    ids: frozenset[str]
    sizes: tuple[Node, ...]
    growing: bool

    @classmethod
    def now(cls) -> "Nodes":
        """Ask the cluster."""
        alive = [node for node in _asked(ray.nodes) if node["Alive"]]
        return cls(
            ids=frozenset(node["NodeID"] for node in alive),
            sizes=tuple(_size(node["Resources"]) for node in alive),
            growing=_growing(),
        )

    def resources(self) -> Resources:
        """Return their sum."""
        return Resources(
            cpus=sum(size.cpus for size in self.sizes),
            gpus=sum(size.gpus for size in self.sizes),
            nodes=len(self.sizes),
        )

    def lost(self) -> bool:
        """Return whether one of these is gone now."""
        return bool(self.ids - Nodes.now().ids)

    def shortage(self) -> str:
        """Say what the cluster has and what of it is free."""
        now = Nodes.now()
        have, free = now.resources(), _asked(ray.available_resources)
        text = (
            f"the cluster has {have.cpus:g} CPU(s) and {have.gpus:g} GPU(s) on {have.nodes} "
            f"machine(s), of which {free.get('CPU', 0.0):.2g} CPU(s) and "
            f"{free.get('GPU', 0.0):.2g} GPU(s) are free."
        )
        if now.growing:
            text += " Its autoscaler may be waiting for a machine."
        return text + " Another job may hold the rest."


def _asked(question: Any) -> Any:
    """Call a function of ray that has no types."""
    return question()


def _size(resources: dict[str, Any]) -> Node:
    return Node(float(resources.get("CPU", 0.0)), float(resources.get("GPU", 0.0)))


def _growing() -> bool:
    from ray._private.state import state

    try:
        return bool(state.get_max_resources_from_cluster_config())
    except Exception:
        return False
