"""How many workers of which size each step gets, so that no step can starve another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from artcluster.errors import ArtclusterError
from artcluster.runtime.executor import Step, StepProgress

_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Node:
    """What one machine of the cluster has in all."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Placement:
    """What one step asks of the cluster.

    Attributes:
        cpus: Share of CPUs that one worker reserves; its threads stay those of the step.
        gpus: GPUs that one worker reserves.
        pool: Smallest and largest number of actors; None for tasks.
        tasks: Tasks at once, at most; 0 for a pool.
    """

    cpus: float
    gpus: float
    pool: tuple[int, int] | None
    tasks: int = 0


def place(steps: Sequence[Step], nodes: Sequence[Node]) -> list[Placement]:
    """Fit the steps onto the machines.

    Every machine gets an actor from the start, and every GPU; how many more there are on CPUs is
    for Ray Data to find out. On every machine a task's share of the CPUs is kept free of actors, so
    that reading goes on wherever actors land, and still does after a machine is lost. Where the
    largest machine cannot hold one worker of every step, all reserve less in the same proportion
    and share its cores.

    Args:
        steps: The steps of a stream.
        nodes: The machines with CPUs.

    Raises:
        ArtclusterError: A step asks for GPUs that no machine has.

    >>> steps = [Step("decode", list), Step("embed", list, workers=(1, 8))]
    >>> [(step.cpus, step.pool, step.tasks) for step in place(steps, [Node(4)])]
    [(0.99, None, 3), (1.0, (1, 3), 0)]
    >>> [(step.cpus, step.pool, step.tasks) for step in place(steps, [Node(1)])]
    [(0.49, None, 1), (0.5, (1, 1), 0)]
    """
    _require_gpus(steps, nodes)
    largest = max((node.cpus for node in nodes), default=1.0)
    reading = max((step.cpus for step in steps if not _is_pool(step)), default=0.0)
    acting = sum(step.cpus for step in steps if _is_pool(step))
    scale = min(1.0, largest / max(reading + acting, _LEAST_SHARE))
    # Not more tasks than fit beside the smallest pools: each process costs its start-up, and those
    # that begin before the actors are there would be too many afterwards.
    tasks = sum(
        max(1, int((node.cpus - acting * scale) / max(reading * scale, _LEAST_SHARE) + 1e-6))
        for node in nodes
    )
    placements = []
    for step in steps:
        if not _is_pool(step):
            # Tasks ask for a hair less than actors ever do: Ray fuses a task into the actor that
            # follows it where both ask for the same, and then decoding waits for the model.
            share = max(_LEAST_SHARE, _floor(step.cpus * scale) - _LEAST_SHARE)
            placements.append(Placement(share, 0.0, None, max(1, tasks)))
            continue
        share = _floor(step.cpus * scale)
        others = (reading + acting) * scale - step.cpus * scale
        rooms = [_room(node, share, step.gpus, others) for node in nodes]
        least, most = step.workers or (1, None)
        most = max(1, sum(rooms) if most is None else min(most, sum(rooms)))
        least = max(least, sum(rooms) if step.gpus else sum(room > 0 for room in rooms))
        placements.append(Placement(share, step.gpus, (min(least, most), most)))
    return placements


def smallest_machine(steps: Sequence[Step]) -> Node:
    """Return a machine that holds one worker of each step, to place on where there is none yet.

    >>> smallest_machine([Step("decode", list), Step("embed", list, gpus=0.5)])
    Node(cpus=2.0, gpus=1)
    """
    gpus = max((step.gpus for step in steps), default=0.0)
    return Node(sum(step.cpus for step in steps), math.ceil(gpus))


def bottleneck(
    steps: Sequence[Step],
    placements: Sequence[Placement],
    progress: Mapping[str, StepProgress],
) -> int | None:
    """Return the number of the step that holds up the others; None as long as that is not known.

    It is the one whose workers, all at work, finish fewest items a second.

    >>> steps = [Step("decode", list), Step("embed", list, workers=(1, None))]
    >>> seen = {"decode": StepProgress(8, 8, 16.0), "embed": StepProgress(8, 8, 4.0)}
    >>> bottleneck(steps, place(steps, [Node(4)]), seen)
    0
    """
    rates = []
    for step, placed in zip(steps, placements, strict=True):
        seen = progress[step.name]
        if not seen.finished:
            return None
        workers = placed.pool[1] if placed.pool else placed.tasks
        rates.append(workers * seen.finished / max(seen.seconds, 1e-9))
    return rates.index(min(rates))


def _is_pool(step: Step) -> bool:
    return step.workers is not None or step.gpus > 0


def _floor(cpus: float) -> float:
    return max(_LEAST_SHARE, math.floor(cpus * 100 + 1e-6) / 100)


def _room(node: Node, cpus: float, gpus: float, others: float) -> int:
    """Return how many actors a machine holds beside one worker of each other step."""
    room = math.floor((node.cpus - others) / cpus + 1e-6)
    if gpus:
        room = min(room, math.floor(node.gpus / gpus + 1e-6))
    return max(0, room)


def _require_gpus(steps: Sequence[Step], nodes: Sequence[Node]) -> None:
    most = max((node.gpus for node in nodes), default=0.0)
    for step in steps:
        if step.gpus > most:
            raise ArtclusterError(
                f"Step {step.name!r} asks for {step.gpus:g} GPU(s) a worker, and no machine of the "
                f"cluster has more than {most:g}. Run it on the CPU, or add machines with GPUs."
            )
