"""Where stages run: in this process, or on a Ray cluster. The only room that imports ray."""

from collections.abc import Callable

from artcluster.errors import UsageError
from artcluster.runtime.cancellation import Stop
from artcluster.runtime.executor import Executor


def _in_process(stop: Stop) -> Executor:
    from artcluster.executors.local import InProcessExecutor

    return InProcessExecutor(stop)


def _ray(stop: Stop) -> Executor:
    from artcluster.executors.ray.executor import RayExecutor

    return RayExecutor(stop=stop)


EXECUTORS: dict[str, Callable[[Stop], Executor]] = {"in-process": _in_process, "ray": _ray}


def make_executor(name: str, stop: Stop | None = None) -> Executor:
    """Return the executor of a name.

    Args:
        name: One of `EXECUTORS`.
        stop: Ends its streams and training loops politely.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in EXECUTORS:
        raise UsageError(f"Unknown executor {name!r}. Choose one of: {', '.join(EXECUTORS)}.")
    return EXECUTORS[name](stop or Stop())
