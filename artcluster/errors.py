"""Errors that a user can act on. The command line prints their text alone, without a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """Return the known word closest to a mistyped one, to be put after it, or nothing.

    >>> did_you_mean("kmeens", ["kmeans", "hdbscan"])
    " (did you mean 'kmeans'?)"
    """
    close = get_close_matches(wanted, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


class ArtclusterError(Exception):
    """Something went wrong that the message explains and says how to mend (exit code 1)."""


class UsageError(ArtclusterError, ValueError):
    """A wrong argument, option or config value (exit code 2)."""


class ArchiveError(ArtclusterError):
    """The archive cannot be listed or read: an I/O fault, never a fault of one picture's bytes."""


class UnreadFileError(ArchiveError):
    """One file could not be read, after all retries."""


class ArchiveOutOfReachError(ArchiveError):
    """File after file cannot be read: the server, the disk or the credentials (exit code 5)."""


class StoreError(ArtclusterError):
    """The store cannot be read or written, or is not a store."""


class NoStoreError(StoreError, UsageError):
    """The place named as the store is none (exit code 2)."""


class LeaseHeldError(StoreError):
    """Another job writes what this one wants to write."""


class FencedError(StoreError):
    """This job's lease passed to a successor while it was not looking; it must not commit."""


class StalledError(ArtclusterError):
    """No progress for too long; the message names the stage that stands still."""


class StepError(ArtclusterError):
    """A step of a stream or a training loop failed in a way it did not foresee.

    The message names the step and the item; the original error is the `__cause__`, and its
    traceback in the worker process a note.
    """


class StoppedError(BaseException):
    """The job was asked to end (SIGTERM) and does so; what is finished is kept (exit code 143).

    Like KeyboardInterrupt it is no `Exception`: nothing on the way is to take it for a fault.
    """


class TooFewError(ArtclusterError):
    """There is too little to group, such as faces, and no run was made: an answer, no failure."""


class UnreadShareError(ArtclusterError):
    """More files could not be read than the set share allows (exit code 4)."""


class RejectShareError(ArtclusterError):
    """More images were rejected than the set share allows (exit code 3)."""
