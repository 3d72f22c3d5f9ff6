"""What every command that works on a store opens and closes: store, executors, progress."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from artcluster.cli.console import progress_for_terminal
from artcluster.config import Config
from artcluster.executors import make_executor
from artcluster.location import Location
from artcluster.stages.job import Job
from artcluster.stages.progress import Timings
from artcluster.store import Store
from artcluster.store.blobs import Blobs
from artcluster.store.format import MARK


@contextmanager
def open_job(
    config: Config, store: str, executor: str, *, create: bool, dry: bool = False
) -> Iterator[Job]:
    """Open a store and whatever a job needs; a polite end (SIGTERM) is treated as Ctrl-C.

    Args:
        config: Every setting.
        store: Path or URI of the store.
        executor: Name of the executor.
        create: Make the store if there is none.
        dry: Work on what the store holds, but make none where there is none.
    """
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ExitStack() as closing:
            place = Location.parse(store, config.store.options)
            if dry and not _is_store(place):
                place = Location.parse(closing.enter_context(tempfile.TemporaryDirectory()))
            opened = Store.open(place, create=create)
            progress = progress_for_terminal()
            closing.enter_context(progress)
            machines, local = make_executor(executor), make_executor("in-process")
            closing.callback(machines.close)
            closing.callback(local.close)
            yield Job(config, opened, machines, local, progress, Timings(progress))
    finally:
        signal.signal(signal.SIGTERM, previous)


def _is_store(place: Location) -> bool:
    if place.is_local and not Path(place.uri).is_dir():
        return False
    return Blobs(place).read_if_exists(MARK) is not None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
