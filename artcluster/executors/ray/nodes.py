"""The machines of the cluster that this process has joined."""

from dataclasses import dataclass
from typing import Any

import ray

from artcluster.executors.ray import private
from artcluster.executors.ray.placement import Node
from artcluster.runtime.executor import Resources


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
            growing=private.has_autoscaler(),
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
