"""A polite end: somebody asks the job to stop, and it ends where nothing finished is lost."""

from collections.abc import Iterator
from contextlib import contextmanager

from artcluster.errors import StoppedError


class Stop:
    """Whether the job was asked to end. Asked by a signal's handler, so it takes no lock.

    What can end by itself once its work in hand is finished (a stream, a training loop) runs
    within `awaited`; whoever asks while nothing does interrupts the job at once.
    """

    def __init__(self) -> None:
        self._asked = False
        self._ends = False
        self._awaited = 0

    @property
    def asked(self) -> bool:
        """Whether the job was asked to end."""
        return self._asked

    @property
    def ends(self) -> bool:
        """Whether it ends now: what is finished is being committed, undisturbed."""
        return self._ends

    def ask(self) -> bool:
        """Ask the job to end; return whether what runs now will do so by itself."""
        self._asked = True
        return self._awaited > 0

    def check(self) -> None:
        """End here if that was asked.

        Raises:
            StoppedError: It was.
        """
        if self._asked:
            self.end()
            raise StoppedError

    def end(self) -> None:
        """Note that the job ends now."""
        self._ends = True

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Run something that looks at `asked` by itself.

        Raises:
            StoppedError: The job was asked to end before this began.
        """
        self.check()
        self._awaited += 1
        try:
            yield
        finally:
            self._awaited -= 1
