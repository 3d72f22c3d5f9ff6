"""What every verb works with."""

from dataclasses import dataclass

from artcluster.config import Config
from artcluster.stages.executor import Executor
from artcluster.stages.progress import Progress, Timings
from artcluster.store import Store


@dataclass(frozen=True)
class Job:
    """A store to write to, settings, machines to run on, and somebody who watches."""

    config: Config
    store: Store
    executor: Executor
    progress: Progress
    timings: Timings
