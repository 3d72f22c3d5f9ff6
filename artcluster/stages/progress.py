"""How a stage tells what it is doing. The command line shows bars, a job's log plain lines."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Told by the stages, shown by whoever started them."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins; `total` is None where it is not known beforehand."""
        ...

    def advance(self, stage: str, count: int) -> None:
        """So many units more are done."""
        ...

    def finish(self, stage: str) -> None:
        """A stage ended."""
        ...

    def say(self, message: str) -> None:
        """Something a person should know: a decision, a warning."""
        ...


class Silent:
    """Shows nothing."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Show nothing."""

    def advance(self, stage: str, count: int) -> None:
        """Show nothing."""

    def finish(self, stage: str) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Show nothing."""


class Timings:
    """Seconds spent in each stage; a stage entered again adds to what it has."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "images") -> Iterator[None]:
        """Time a stage and announce it."""
        self._progress.start(name, total, unit)
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
            self._progress.finish(name)
