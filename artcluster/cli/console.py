"""Progress for people: bars at a terminal, plain lines in a log; all of it on standard error."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from artcluster.runtime.progress import Progress as StageProgress

_LINE_EVERY_S = 10.0


class BarProgress:
    """One bar a stage, at a terminal."""

    def __init__(self) -> None:
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "BarProgress":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Show a bar for the stage."""
        self._tasks[stage] = self._bars.add_task(stage, total=total, unit=unit)

    def advance(self, stage: str, count: int) -> None:
        """Move the stage's bar."""
        self._bars.advance(self._tasks[stage], count)

    def finish(self, stage: str) -> None:
        """Fill the stage's bar."""
        task = self._bars.tasks[self._tasks[stage]]
        done = task.completed or 1
        self._bars.update(task.id, total=done, completed=done)
        self._bars.stop_task(task.id)

    def say(self, message: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(message, markup=False, highlight=False)


class LineProgress:
    """One line a stage's start and end, and one every ten seconds between, for logs."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._count: dict[str, int] = {}
        self._total: dict[str, int | None] = {}
        self._unit: dict[str, str] = {}
        self._last = 0.0

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Note the stage's start."""
        self._began[stage] = self._last = time.monotonic()
        self._count[stage], self._total[stage], self._unit[stage] = 0, total, unit

    def advance(self, stage: str, count: int) -> None:
        """Print a line where ten seconds have passed."""
        self._count[stage] += count
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY_S:
            self._last = now
            total = self._total[stage]
            of = f"/{total}" if total is not None else ""
            rate = self._count[stage] / max(now - self._began[stage], 1e-9)
            self.say(f"{stage}: {self._count[stage]}{of} {self._unit[stage]}, {rate:.1f}/s")

    def finish(self, stage: str) -> None:
        """Print what the stage did and how long it took."""
        spent = time.monotonic() - self._began[stage]
        count = self._count[stage]
        done = f"{count} {self._unit[stage]}, " if count else ""
        self.say(f"{stage}: {done}{spent:.1f} s")

    def say(self, message: str) -> None:
        """Print a line."""
        print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)  # noqa: T201


def progress_for_terminal() -> AbstractContextManager[StageProgress]:
    """Open bars where standard error is a terminal, lines otherwise."""
    return BarProgress() if sys.stderr.isatty() else nullcontext(LineProgress())
