"""What each step of a stream has taken up and finished: for progress bars and the watchdog."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from artcluster.runtime.executor import StepProgress


@dataclass(frozen=True)
class Snapshot:
    """The state of a stream at one moment.

    Attributes:
        steps: Counts by step.
        in_flight: Numbers of the items that a step has taken up and not finished, oldest first.
        attempts: How often each item in flight was taken up, where it was more than once.
        idle_s: Seconds since a step last finished an item or had its first worker, or since the
            stream began.
        without_worker: Steps that had no worker yet.
    """

    steps: Mapping[str, StepProgress]
    in_flight: Mapping[str, Sequence[int]]
    attempts: Mapping[tuple[str, int], int]
    idle_s: float
    without_worker: Sequence[str]


class ProgressBook:
    """Counts starts and finishes by step."""

    def __init__(self, steps: Sequence[str]) -> None:
        self._steps = {name: StepProgress() for name in steps}
        self._in_flight: dict[str, dict[int, int]] = {name: {} for name in steps}
        self._without_worker = list(steps)
        self._taken_up: set[int] = set()
        self._moved_at = time.monotonic()

    def arrive(self, step: str) -> None:
        """Record that a worker of a step is there, and begins to get ready."""
        if step in self._without_worker:
            self._without_worker.remove(step)
            self._moved_at = time.monotonic()

    def start(self, step: str, item: int) -> None:
        """Record that a worker takes up an item."""
        self.arrive(step)
        self._taken_up.add(item)
        seen = self._steps[step]
        self._steps[step] = StepProgress(seen.started + 1, seen.finished, seen.seconds)
        attempts = self._in_flight[step]
        attempts[item] = attempts.get(item, 0) + 1

    def begin_again(self) -> None:
        """Forget what was in hand: the pipeline is built anew, and no worker died of it."""
        self._in_flight = {name: {} for name in self._steps}

    def finish(self, step: str, item: int, seconds: float) -> None:
        """Record that a worker is done with an item."""
        seen = self._steps[step]
        self._steps[step] = StepProgress(seen.started, seen.finished + 1, seen.seconds + seconds)
        self._in_flight[step].pop(item, None)
        self._moved_at = time.monotonic()

    def taken_up(self) -> set[int]:
        """Return the numbers of all items that some step has taken up so far."""
        return self._taken_up

    def snapshot(self) -> Snapshot:
        """Return a copy that stays as it is."""
        return Snapshot(
            steps=dict(self._steps),
            in_flight={name: list(items) for name, items in self._in_flight.items()},
            attempts={
                (name, item): count
                for name, items in self._in_flight.items()
                for item, count in items.items()
                if count > 1
            },
            idle_s=time.monotonic() - self._moved_at,
            without_worker=list(self._without_worker),
        )
