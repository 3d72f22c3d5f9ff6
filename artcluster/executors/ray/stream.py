"""A stream over Ray Data: every item once, whatever dies, and never a silent standstill."""

import itertools
import logging
import time
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from ray.actor import ActorHandle

from artcluster.errors import ArtclusterError, StalledError, StepError
from artcluster.executors.failure import Failure, describe
from artcluster.executors.ray import private
from artcluster.executors.ray.coordinator import ask
from artcluster.executors.ray.nodes import MachineRequests, MembershipWatch, Nodes, shortage
from artcluster.executors.ray.pipeline import Reading, build
from artcluster.executors.ray.placement import Node, Placement, bottleneck, place, smallest_machine
from artcluster.executors.ray.steps import RemoteStep, pack, unpack
from artcluster.executors.step_progress import ProgressBook, Snapshot
from artcluster.runtime.cancellation import Stop
from artcluster.runtime.executor import Item, Step, StepProgress

_log = logging.getLogger(__name__)

_WINDOW = 10_000
"""Items given to one pipeline; the next begins when they are done, so that memory is bounded."""

_POLL_S = 0.5

_LOOK_EVERY_S = 5.0
"""How often the machines alive are looked at."""

_FEWEST_TO_COME = 3
"""An autoscaler is asked for as many machines again as there are, and for so many at least."""

_SAY_EVERY_S = 60.0
"""How often a stream that waits for its turn says so."""

_MOST_ATTEMPTS = 4
_MOST_REBUILDS = 5


class RayStream:
    """One run of items through steps.

    Args:
        coordinator: Keeps the progress that workers report.
        steps: What to apply.
        stall_timeout_s: Give up when no step finished an item for so long.
        node_loss_grace_s: After a machine is lost, Ray has so long without progress to recover by
            itself before the pipeline is built again for the items still missing.
        autoscale: Whether to ask for more workers than fit now, for an autoscaler to see.
        queue_timeout_s: Give up when a step had no worker yet for so long, as where other jobs hold
            the machines; None to wait as long as it takes.
        stop: Once it is asked for, results come as long as items taken up before then are missing.
    """

    def __init__(
        self,
        coordinator: ActorHandle[Any],
        steps: Sequence[Step],
        *,
        stall_timeout_s: float,
        node_loss_grace_s: float,
        autoscale: Literal["auto", "yes", "no"] = "auto",
        queue_timeout_s: float | None = None,
        stop: Stop,
    ) -> None:
        self._coordinator = coordinator
        self._steps = steps
        self._stall_timeout_s = stall_timeout_s
        self._grace_s = node_loss_grace_s
        self._stop = stop
        self._autoscale = autoscale
        self._queue_timeout_s = queue_timeout_s
        self._growing = False
        self._requests = MachineRequests()
        self._said_at = time.monotonic()
        self._in_hand_at_end: set[int] | None = None
        self._id = f"progress-{uuid.uuid4().hex}"
        self._pending: dict[int, Item] = {}
        self._placements: list[Placement] = []
        coordinator.keep.remote(self._id, ProgressBook([step.name for step in steps]))

    def run(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield results as they finish; see `Executor.stream`."""
        numbered = enumerate(items)
        with self._stop.awaited():
            while window := dict(itertools.islice(numbered, _WINDOW)):
                self._stop.check()
                self._pending = window
                yield from self._until_done()

    def _until_done(self) -> Iterator[Item]:
        """Yield the results of the pending items, through as many pipelines as that takes."""
        rebuilds = 0
        while self._pending:
            before = len(self._pending)
            lost = yield from self._pass()
            if self._pending:
                self._stop.check()
                if not lost:
                    continue
                rebuilds = 0 if len(self._pending) < before else rebuilds + 1
                if rebuilds > _MOST_REBUILDS:
                    raise StalledError(
                        f"Machines were lost {rebuilds} times and no item finished between. "
                        "Start the same command again on machines that stay."
                    )

    def progress(self) -> Mapping[str, StepProgress]:
        """Return how far each step is."""
        return self._snapshot().steps

    def close(self) -> None:
        """Let the coordinator forget this stream."""
        self._coordinator.drop.remote(self._id)

    def _pass(self) -> Generator[Item, None, bool]:
        """Run the pending items through one pipeline.

        Returns:
            Whether items are missing since a machine was lost; False where all is done, or where
            there are other machines to place the rest on.
        """
        nodes = Nodes.now()
        self._place(nodes)
        watch = MembershipWatch(nodes.ids)
        remote = [RemoteStep(self._id, step, self._coordinator) for step in self._steps]
        rows = [pack(number, item) for number, item in self._pending.items()]
        reading = Reading(build(rows, remote, self._placements))
        del rows
        try:
            waiting_since = looked_at = time.monotonic()
            while self._pending and not self._ended():
                if time.monotonic() - looked_at >= _LOOK_EVERY_S:
                    looked_at = time.monotonic()
                    taken: set[int] = ask(self._coordinator, self._id, "taken_up")
                    untaken = len(self._pending.keys() - taken)
                    if watch.is_due(Nodes.now().ids) and untaken:
                        _log.info("Machines joined or left; placing the work anew.")
                        ask(self._coordinator, self._id, "begin_again")
                        return False
                    self._ask_for_machines(nodes, untaken)
                try:
                    row = reading.next_within(_POLL_S)
                except TimeoutError:
                    idle_s = time.monotonic() - waiting_since
                    if self._must_rebuild(nodes, idle_s):
                        return True
                    continue
                except ArtclusterError:
                    raise
                except Exception as error:
                    # Whoever ends the job may have ended Ray with it.
                    self._stop.check()
                    if nodes.lost():
                        _log.warning("A machine was lost; building the pipeline again.")
                        return True
                    raise _gave_up(error) from error
                if row is Reading.END:
                    return bool(self._pending)
                number, item = unpack(row)
                if number not in self._pending:
                    continue
                original = self._pending.pop(number)
                if isinstance(item, Failure):
                    raise item.exception(describe(original))
                yield item
                waiting_since = time.monotonic()
            return False
        finally:
            self._requests.withdraw()
            reading.stop()

    def _place(self, nodes: Nodes) -> None:
        """Place the steps on the machines there are."""
        self._growing = self._autoscale == "yes" or (
            self._autoscale == "auto" and private.has_autoscaler()
        )
        self._placements = place(self._steps, nodes.sizes or [smallest_machine(self._steps)])

    def _ask_for_machines(self, nodes: Nodes, untaken: int) -> None:
        """Keep asking the autoscaler for more machines as long as they would have work."""
        workers = sum(
            placed.pool[1] if placed.pool else placed.tasks for placed in self._placements
        )
        slowest = bottleneck(self._steps, self._placements, self._snapshot().steps)
        if not self._growing or slowest is None or not nodes.sizes:
            return
        step, pool = self._steps[slowest], self._placements[slowest].pool
        at_most = (
            pool and step.workers and step.workers[1] is not None and pool[1] >= step.workers[1]
        )
        if untaken <= workers or at_most:
            self._requests.withdraw()
            return
        alike = [node for node in nodes.sizes if (node.gpus > 0) == (step.gpus > 0)]
        largest = max(alike or nodes.sizes, key=lambda node: (node.gpus, node.cpus))
        machine = largest if step.gpus else Node(largest.cpus)
        self._requests.ask(machine, max(_FEWEST_TO_COME, len(nodes.sizes)))

    def _ended(self) -> bool:
        """Tell whether the job is to end, and every item is out that was in hand by then.

        The pipeline goes on to take up others meanwhile; those are done again another time.
        """
        if not self._stop.asked:
            return False
        if self._in_hand_at_end is None:
            try:
                self._in_hand_at_end = ask(self._coordinator, self._id, "taken_up")
            except ArtclusterError:
                # Whoever ends the job has ended Ray with it.
                return True
        return self._in_hand_at_end.isdisjoint(self._pending)

    def _snapshot(self) -> Snapshot:
        snapshot: Snapshot = ask(self._coordinator, self._id, "snapshot")
        return snapshot

    def _must_rebuild(self, nodes: Nodes, idle_s: float) -> bool:
        """Look after a stream that gave nothing for a while.

        Raises:
            StepError: An item kills its workers.
            StalledError: Nothing moves, and no machine was lost; or no machine had room for long.
        """
        snapshot = self._snapshot()
        for (step, number), attempts in snapshot.attempts.items():
            if attempts > _MOST_ATTEMPTS and number in self._pending:
                raise StepError(
                    f"Step {step!r} lost its worker process {attempts - 1} times on "
                    f"{describe(self._pending[number])}: it crashes, or it takes more memory than "
                    "the machine has. Start the same command again with smaller embed.part_images "
                    "or on larger machines."
                )
        if snapshot.without_worker and not any(snapshot.in_flight.values()):
            self._wait_for_room(snapshot, idle_s)
            return False
        # While the reader is busy elsewhere the pipeline waits for it, and that is no standstill.
        idle_s = min(idle_s, snapshot.idle_s)
        if idle_s > min(self._grace_s, self._stall_timeout_s) and nodes.lost():
            _log.warning("A machine was lost and Ray stands still; building the pipeline again.")
            return True
        if idle_s > self._stall_timeout_s:
            raise StalledError(self._stalled(snapshot))
        return False

    def _wait_for_room(self, snapshot: Snapshot, idle_s: float) -> None:
        """Let a step wait for its first worker, and say so now and then.

        Raises:
            StalledError: It waited for longer than it was told to.
        """
        step = snapshot.without_worker[0]
        if self._queue_timeout_s is not None and idle_s > self._queue_timeout_s:
            raise StalledError(
                f"Step {step!r} has had no worker for {self._queue_timeout_s:.0f} s: "
                f"{shortage(growing=self._growing)} {self._wants()}"
            )
        if time.monotonic() - self._said_at >= _SAY_EVERY_S:
            self._said_at = time.monotonic()
            _log.warning(
                "Waiting for the first worker of step %r: %s %s",
                step,
                shortage(growing=self._growing),
                self._wants(),
            )

    def _stalled(self, snapshot: Snapshot) -> str:
        """Say which step stands still, on what, and why that may be."""
        busy = [step.name for step in self._steps if snapshot.in_flight[step.name]]
        lines = [f"No step finished an item for {self._stall_timeout_s:.0f} s."]
        if busy:
            step = busy[0]
            numbers = [n for n in snapshot.in_flight[step] if n in self._pending]
            on = f", first {describe(self._pending[numbers[0]])}" if numbers else ""
            lines.append(
                f"Step {step!r} is at work on {len(snapshot.in_flight[step])} item(s){on}, and "
                "does not return."
            )
        else:
            behind = next(
                (
                    step.name
                    for step in self._steps
                    if snapshot.steps[step.name].finished < len(self._pending)
                ),
                self._steps[-1].name,
            )
            lines.append(
                f"Step {behind!r} has no worker at work: {shortage(growing=self._growing)}"
            )
        lines.append(self._wants())
        return " ".join(lines)

    def _wants(self) -> str:
        wants = ", ".join(
            f"{step.name} {placed.cpus:g} CPU"
            + (f" and {placed.gpus:g} GPU" if placed.gpus else "")
            + (f" × {placed.pool[0]}–{placed.pool[1]} workers" if placed.pool else " a task")
            for step, placed in zip(self._steps, self._placements, strict=True)
        )
        return f"The steps ask for: {wants}."


def _gave_up(error: BaseException) -> StepError:
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return StepError(
        f"Ray could not go on: {type(error).__name__}: {first.strip()}. What was committed is "
        "kept: start the same command again."
    )
