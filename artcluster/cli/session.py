"""What a job opens and closes: store, executors, progress, signal handlers."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

from artcluster.cli.console import progress_for_terminal
from artcluster.cli.log import JsonProgress, json_lines, wants_json_log
from artcluster.config import Config
from artcluster.errors import StoppedError
from artcluster.executors import make_executor
from artcluster.location import Location
from artcluster.runtime.cancellation import Stop
from artcluster.runtime.progress import MeteredProgress, Progress, Timings
from artcluster.store import Store
from artcluster.store.blobs import Blobs
from artcluster.store.layout import MARK
from artcluster.workflows.job import Job

GRACE_S = 15.0
"""What is in hand may take so long. Kubernetes, Slurm and spot machines grant 30 s in all, of which
the last commit and the end of the processes take some."""


@contextmanager
def graceful_shutdown() -> Iterator[Stop]:
    """Ask the job to end when SIGTERM comes; interrupt it where it cannot, or takes too long.

    A second SIGTERM changes nothing: launchers send it to a process and to its group. Ctrl-C still
    interrupts at once.

    Raises:
        StoppedError: The job ended because it was asked to.
    """
    stop = Stop()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if not stop.ends:
            stop.end()
            # Ray's core, in the middle of a call, lets this exception through and no other.
            raise KeyboardInterrupt

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            return
        if not stop.ask():
            interrupt(number, frame)
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, GRACE_S)

    before = signal.signal(signal.SIGTERM, ask), signal.getsignal(signal.SIGALRM)
    try:
        yield stop
    except KeyboardInterrupt:
        if stop.asked:
            raise StoppedError from None
        raise
    finally:
        if stop.asked:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before[1])
        signal.signal(signal.SIGTERM, before[0])


@contextmanager
def open_job(
    config: Config,
    store: str,
    executor: str,
    *,
    create: bool,
    dry: bool = False,
    signals: bool = True,
) -> Iterator[Job]:
    """Open a store and all that a job needs; close it at the end.

    Args:
        store: Path or URI of the store.
        executor: Name of the executor.
        create: Make the store if there is none.
        dry: Work on what the store holds, but make none where there is none.
        signals: End the job in order at SIGTERM, see `graceful_shutdown`.
    """
    with ExitStack() as closing:
        stop = closing.enter_context(graceful_shutdown() if signals else nullcontext(Stop()))
        place = Location.parse(store, config.store.options)
        if dry and not _is_store(place):
            place = Location.parse(closing.enter_context(tempfile.TemporaryDirectory()))
        opened = Store.open(place, create=create)
        shown = closing.enter_context(_progress())
        machines = make_executor(
            executor,
            stop,
            autoscale=config.embed.autoscale,
            queue_timeout_s=config.embed.queue_timeout_s,
        )
        local = make_executor("in-process", stop)
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
