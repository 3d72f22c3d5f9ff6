"""What every verb works with."""

from dataclasses import dataclass

from artcluster.config import Config
from artcluster.stages.executor import Executor
from artcluster.stages.progress import Progress, Timings
from artcluster.store import Store


@dataclass(frozen=True)
class Job:
    """A store to write to, settings, machines to run on, and somebody who watches.

    Attributes:
        config: Every setting.
        store: Where results go.
        executor: Where the work is done.
        local: This process, for work too small to be worth a cluster's start-up.
        progress: Shown what is going on.
        timings: Seconds a stage.
    """

    config: Config
    store: Store
    executor: Executor
    local: Executor
    progress: Progress
    timings: Timings
