"""A step's failure as a value that passes through the stream to whoever reads it.

Raising inside a Ray task costs a wall of traceback and makes Ray ask whether to try again; a value
travels like any other item and is raised where a user can read it.
"""

import pickle
import reprlib
import traceback
from dataclasses import dataclass

from artcluster.errors import ArtclusterError, StepError
from artcluster.runtime.executor import Item

_LONGEST = 160
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 80, 120


@dataclass(frozen=True)
class Failure:
    """What went wrong in a step.

    Attributes:
        step: Name of the step.
        error: The exception, or a stand-in with its text where it cannot be pickled.
        trace: The traceback as the worker process saw it.
    """

    step: str
    error: BaseException
    trace: str

    @classmethod
    def of(cls, step: str, error: BaseException) -> "Failure":
        """Describe an exception that is being handled."""
        trace = "".join(traceback.format_exception(error))
        return cls(step, _portable(error), trace)

    def exception(self, item: str) -> ArtclusterError:
        """Return the error to raise: a user's error as it was, anything else as a StepError.

        Args:
            item: Describes the item that the step worked on.
        """
        if isinstance(self.error, ArtclusterError):
            return self.error
        raised = StepError(
            f"Step {self.step!r} failed on {item}: {type(self.error).__name__}: {self.error}"
        )
        raised.__cause__ = self.error
        raised.add_note(f"In the worker process:\n{self.trace.rstrip()}")
        return raised


def _portable(error: BaseException) -> BaseException:
    """Return the error without its frames, or a stand-in if it does not survive pickling."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = None
    if type(copy) is type(error) and str(copy) == str(error):
        return error.with_traceback(None)
    if isinstance(error, ArtclusterError):
        return ArtclusterError(str(error))
    return RuntimeError(f"{type(error).__name__}: {error}")


def describe(item: Item) -> str:
    """Return what names an item to a reader, in at most 160 characters.

    >>> describe({"path": "a.jpg"})
    "{'path': 'a.jpg'}"
    """
    try:
        text = _SHORT.repr(item)
    except Exception:
        text = f"<{type(item).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
