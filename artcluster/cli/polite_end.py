"""SIGTERM: what is in hand is finished and committed, within a time that schedulers grant."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from artcluster.errors import StoppedError
from artcluster.stages.stop import Stop

GRACE_S = 15.0
"""What is in hand may take so long. Kubernetes, Slurm and spot machines grant 30 s in all, of which
the last commit and the end of the processes take some."""


@contextmanager
def polite_end() -> Iterator[Stop]:
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
