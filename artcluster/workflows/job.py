"""Where a model trains: on the cluster, or here where the cluster's start-up costs more."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from artcluster.config import Config
from artcluster.location import Location
from artcluster.runtime.executor import Executor
from artcluster.runtime.progress import Progress, Timings
from artcluster.schema import Table
from artcluster.store import Lease, Store
from artcluster.store.layout import CHECKPOINTS
from artcluster.training.batches import cut_into_shards
from artcluster.training.worker import Worker


def fingerprint(params: object) -> str:
    """Return 12 hexadecimal digits that stand for what decides something, as JSON has it.

    >>> fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Job:
    """A store to write to, settings, machines to run on, and a display of progress.

    Attributes:
        executor: Where the work is done.
        local: This process, for work too small to be worth a cluster's start-up.
        timings: Seconds per stage.
    """

    config: Config
    store: Store
    executor: Executor
    local: Executor
    progress: Progress
    timings: Timings

    def lease(self, name: str, *tables: Table) -> Lease:
        """Return the lease on what this job writes to some tables, under the configured terms."""
        settings = self.config.store
        return self.store.lease(
            name, tables, ttl_s=settings.lease_ttl_s, wait_s=settings.lease_wait_s
        )


T = TypeVar("T")


WORTH_A_CLUSTER = 50_000
"""Vectors from which training is spread without being asked to: below, Ray Train's start-up (some
25 s) and its summing of gradients cost more than they give."""


WORTH_A_CLUSTER_PICTURES = 2_000
"""The same for pictures, each of which costs a convolutional network some 20 ms a step."""


@dataclass(frozen=True)
class TrainingPlace:
    """An executor and what to ask it for."""

    executor: Executor
    workers: int
    use_gpu: bool
    checkpoints: Location

    def train(self, loop: Callable[[Worker], T], rows: np.ndarray, name: str) -> T:
        """Run a loop on rows, cut into virtual shards."""
        return self.train_shards(loop, cut_into_shards(rows), name)

    def train_shards(
        self,
        loop: Callable[[Worker], T],
        shards: Sequence[np.ndarray | Callable[[], np.ndarray]],
        name: str,
    ) -> T:
        """Run a loop on virtual shards, or functions that load them where they are needed."""
        return self.executor.train(
            loop,
            shards,
            workers=self.workers,
            use_gpu=self.use_gpu,
            name=name,
            checkpoint_uri=self.checkpoints,
        )


def training_backend(job: Job, rows: int, worth_a_cluster: int = WORTH_A_CLUSTER) -> TrainingPlace:
    """Choose where to train on so many rows; `cluster.workers` and `use_gpu` overrule it."""
    settings = job.config.cluster
    checkpoints = job.store.location.child(CHECKPOINTS.name)
    if settings.workers is None and not settings.use_gpu and rows < worth_a_cluster:
        return TrainingPlace(job.local, 1, False, checkpoints)
    resources = job.executor.resources()
    use_gpu = resources.gpus >= 1 if settings.use_gpu is None else settings.use_gpu
    if settings.workers is not None:
        workers = settings.workers
    else:
        # On one machine's CPU one worker with all its threads is faster than several that sum.
        workers = max(1, int(resources.gpus)) if use_gpu else resources.nodes
    return TrainingPlace(job.executor, workers, use_gpu, checkpoints)
