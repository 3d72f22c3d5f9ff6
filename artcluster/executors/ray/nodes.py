"""The machines of the cluster that this process has joined, and when they have become others."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray

from artcluster.executors.ray.placement import Node
from artcluster.runtime.executor import Resources

_SETTLE_S = 10.0
"""Machines come one after the other: work is placed anew once none did for so long …"""

_LONGEST_S = 30.0
"""… or so long after the first."""


@dataclass(frozen=True)
class Nodes:
    """The machines with CPUs that are alive at one moment; a head without any does no work.

    Attributes:
        ids: Ray's names for them.
        sizes: CPUs and GPUs of each.
    """

    ids: frozenset[str]
    sizes: tuple[Node, ...]

    @classmethod
    def now(cls) -> "Nodes":
        """Ask the cluster."""
        sizes = {
            node["NodeID"]: _size(node["Resources"]) for node in _asked(ray.nodes) if node["Alive"]
        }
        working = {name: size for name, size in sizes.items() if size.cpus > 0}
        return cls(frozenset(working), tuple(working.values()))

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


def shortage(*, growing: bool) -> str:
    """Say what the cluster has and what of it is free.

    Args:
        growing: An autoscaler may add machines.
    """
    have, free = Nodes.now().resources(), _asked(ray.available_resources)
    text = (
        f"the cluster has {have.cpus:g} CPU(s) and {have.gpus:g} GPU(s) on {have.nodes} "
        f"machine(s), of which {free.get('CPU', 0.0):.2g} CPU(s) and "
        f"{free.get('GPU', 0.0):.2g} GPU(s) are free."
    )
    if growing:
        text += " Its autoscaler may be waiting for a machine."
    return text + " Another job may hold the rest."


class MembershipWatch:
    """Tells when machines joined or left for good, so that the work is worth placing anew.

    Args:
        placed: The machines that the work was placed on.
        clock: Seconds, for tests to set.
    """

    def __init__(self, placed: frozenset[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._placed = self._seen = placed
        self._clock = clock
        self._first_change = self._last_change = clock()

    def is_due(self, alive: frozenset[str]) -> bool:
        """Return whether the machines alive have been others for long enough."""
        now = self._clock()
        if self._seen == self._placed:
            self._first_change = now
        if alive != self._seen:
            self._seen, self._last_change = alive, now
        if alive == self._placed:
            return False
        return now - self._last_change >= _SETTLE_S or now - self._first_change >= _LONGEST_S


class MachineRequests:
    """Asks an autoscaler for machines: by tasks so large that each needs a machine to itself.

    While such a task waits the autoscaler sees it, each for itself: it starts as many machines as
    its limits allow. `ray.autoscaler.sdk.request_resources` asks for all or none of what is beyond
    them. A task that finds an empty machine ends at once.
    """

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._machine: Node | None = None

    def ask(self, machine: Node, count: int) -> None:
        """Let so many machines of a size be asked for, whatever was asked for before."""
        if machine != self._machine:
            self.withdraw()
            self._machine = machine
        if self._waiting:
            _, self._waiting = ray.wait(
                self._waiting, num_returns=len(self._waiting), timeout=0, fetch_local=False
            )
        missing = count - len(self._waiting)
        if missing > 0:
            task: Any = ray.remote(num_cpus=machine.cpus, num_gpus=machine.gpus, max_retries=0)(
                _nothing
            )
            self._waiting += [task.remote() for _ in range(missing)]

    def withdraw(self) -> None:
        """Ask for nothing more."""
        for task in self._waiting:
            ray.cancel(task)
        self._waiting, self._machine = [], None


def _nothing() -> None:
    pass


def _asked(question: Any) -> Any:
    """Call a function of ray that has no types."""
    return question()


def _size(resources: dict[str, Any]) -> Node:
    return Node(float(resources.get("CPU", 0.0)), float(resources.get("GPU", 0.0)))
