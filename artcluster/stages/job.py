"""What every verb works with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from artcluster.config import Config
from artcluster.schema import Table
from artcluster.stages.executor import Executor
from artcluster.stages.progress import Progress, Timings
from artcluster.store import Lease, Store


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
        caught: For a fit that only measures: takes the vectors of embedders that a method makes,
            by embedder_id with their content_ids, which go into the store otherwise.
    """

    config: Config
    store: Store
    executor: Executor
    local: Executor
    progress: Progress
    timings: Timings
    caught: dict[str, tuple[Sequence[str], np.ndarray]] | None = None

    def lease(self, name: str, *tables: Table) -> Lease:
        """Return the lease on what this job writes to some tables, under the configured terms."""
        settings = self.config.store
        return self.store.lease(
            name, tables, ttl_s=settings.lease_ttl_s, wait_s=settings.lease_wait_s
        )
