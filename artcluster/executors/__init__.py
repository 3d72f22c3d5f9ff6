"""Where stages run: in this process, or on a Ray cluster. The only room that imports ray."""

from collections.abc import Callable

from artcluster.errors import UsageError
from artcluster.stages.executor import Executor


def _in_process() -> Executor:
    from artcluster.executors.in_process import InProcessExecutor

    return InProcessExecutor()


def _ray() -> Executor:
    from artcluster.executors.ray_executor import RayExecutor

    return RayExecutor()


EXECUTORS: dict[str, Callable[[], Executor]] = {"in-process": _in_process, "ray": _ray}


def make_executor(name: str) -> Executor:
    """Return the executor of a name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in EXECUTORS:
        raise UsageError(f"Unknown executor {name!r}. Choose one of: {', '.join(EXECUTORS)}.")
    return EXECUTORS[name]()
