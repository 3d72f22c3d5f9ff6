"""Where stages run: in this process, or on a Ray cluster. The only package that imports ray."""

from typing import Literal

from artcluster.errors import UsageError
from artcluster.runtime.cancellation import Stop
from artcluster.runtime.executor import Executor

EXECUTORS = ("in-process", "ray")


def make_executor(
    name: str,
    stop: Stop | None = None,
    *,
    autoscale: Literal["auto", "yes", "no"] = "auto",
    queue_timeout_s: float | None = None,
) -> Executor:
    """Return the executor of a name.

    Args:
        name: One of `EXECUTORS`.
        stop: Ends its streams and training loops where nothing finished is lost.
        autoscale: Whether more is asked of a Ray cluster than it has, for its autoscaler to add.
        queue_timeout_s: How long a stream waits for its first workers on a Ray cluster that others
            use too; None for as long as it takes.

    Raises:
        UsageError: There is none of that name.
    """
    if name == "in-process":
        from artcluster.executors.local import InProcessExecutor

        return InProcessExecutor(stop)
    if name == "ray":
        from artcluster.executors.ray.executor import RayExecutor

        return RayExecutor(stop=stop, autoscale=autoscale, queue_timeout_s=queue_timeout_s)
    raise UsageError(f"Unknown executor {name!r}. Choose one of: {', '.join(EXECUTORS)}.")
