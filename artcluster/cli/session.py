"""What every command that works on a store opens and closes: store, executor, progress."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from artcluster.cli.console import progress_for_terminal
from artcluster.config import Config
from artcluster.executors import make_executor
from artcluster.location import Location
from artcluster.stages.job import Job
from artcluster.stages.progress import Timings
from artcluster.store import Store


@contextmanager
def open_job(config: Config, store: str, executor: str, *, create: bool) -> Iterator[Job]:
    """Open a store and whatever a job needs; a polite end (SIGTERM) is treated as Ctrl-C."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        opened = Store.open(Location.parse(store, config.store.options), create=create)
        with progress_for_terminal() as progress, make_executor(executor) as machines:
            yield Job(config, opened, machines, progress, Timings(progress))
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
