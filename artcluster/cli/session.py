"""What every command that works on a store opens and closes: store, executors, progress."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from artcluster.cli.console import progress_for_terminal
from artcluster.cli.log import JsonProgress, json_lines, wants_json_log
from artcluster.cli.polite_end import polite_end
from artcluster.config import Config
from artcluster.executors import make_executor
from artcluster.location import Location
from artcluster.stages.job import Job
from artcluster.stages.metered import MeteredProgress
from artcluster.stages.progress import Progress, Timings
from artcluster.store import Store
from artcluster.store.blobs import Blobs
from artcluster.store.format import MARK


@contextmanager
def open_job(
    config: Config, store: str, executor: str, *, create: bool, dry: bool = False
) -> Iterator[Job]:
    """Open a store and whatever a job needs; SIGTERM ends it politely, see `polite_end`.

    Args:
        config: Every setting.
        store: Path or URI of the store.
        executor: Name of the executor.
        create: Make the store if there is none.
        dry: Work on what the store holds, but make none where there is none.
    """
    with ExitStack() as closing:
        stop = closing.enter_context(polite_end())
        place = Location.parse(store, config.store.options)
        if dry and not _is_store(place):
            place = Location.parse(closing.enter_context(tempfile.TemporaryDirectory()))
        opened = Store.open(place, create=create)
        shown = closing.enter_context(_progress())
        machines, local = make_executor(executor, stop), make_executor("in-process", stop)
        closing.callback(machines.close)
        closing.callback(local.close)
        progress = MeteredProgress(shown, machines.meters())
        yield Job(config, opened, machines, local, progress, Timings(progress))


@contextmanager
def _progress() -> Iterator[Progress]:
    if wants_json_log():
        with json_lines():
            yield JsonProgress()
    else:
        with progress_for_terminal() as shown:
            yield shown


def _is_store(place: Location) -> bool:
    if place.is_local and not Path(place.uri).is_dir():
        return False
    return Blobs(place).read_if_exists(MARK) is not None
