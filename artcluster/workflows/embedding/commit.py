"""Commits finished parts while the stream goes on, and reports them: log lines and meters."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from artcluster.runtime import progress as meters
from artcluster.runtime.executor import Executor
from artcluster.schema import EMBEDDINGS, IMAGES, REGIONS
from artcluster.store import Lease, ShardInfo, Store
from artcluster.workflows.embedding.embed_task import EmbeddedPart
from artcluster.workflows.job import Job

_log = logging.getLogger("artcluster.embed")


_SAMPLE_EVERY_S = 5.0


@dataclass
class Tally:
    """What a job has done so far."""

    embedded: int = 0
    adopted: int = 0
    removed: int = 0
    resumed: bool = False
    engine: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WriteLeases:
    """The right to write an embedder's vectors and an archive's images."""

    vectors: Lease
    images: Lease


@contextmanager
def write_leases(job: Job, embedder_id: str, archive_id: str) -> Iterator[WriteLeases]:
    """Hold the right to write this embedder's vectors and this archive's images."""
    vectors = job.lease(f"embeddings={embedder_id}", EMBEDDINGS, REGIONS)
    images = job.lease(f"images={archive_id}", IMAGES)
    with vectors, images:
        yield WriteLeases(vectors, images)


class Committer:
    """Collects finished parts, and commits them after enough images or seconds."""

    def __init__(
        self, job: Job, leases: WriteLeases, tally: Tally, events: "EmbedTelemetry"
    ) -> None:
        self._job = job
        self._leases = leases
        self._tally = tally
        self._events = events
        self._parts: list[EmbeddedPart] = []
        self._last = time.monotonic()

    def add(self, part: EmbeddedPart) -> None:
        """Add a finished part; commit if it is time."""
        self._parts.append(part)
        self._events.part(part)
        settings = self._job.config.embed
        images = sum(sum(each.counts.values()) for each in self._parts)
        waited_s = time.monotonic() - self._last
        if images >= settings.commit_every_images or waited_s >= settings.commit_every_s:
            self.commit()

    def commit(self) -> None:
        """Commit the parts collected so far."""
        parts, self._parts = self._parts, []
        self._last = began = time.monotonic()
        if not parts:
            return
        leases, store = self._leases, self._job.store
        leases.vectors.check()
        leases.images.check()
        commit_shards(
            store,
            leases,
            [part.vectors for part in parts if part.vectors is not None],
            [part.regions for part in parts if part.regions is not None],
            [part.images for part in parts],
        )
        self._events.committed(parts, time.monotonic() - began)
        tally, seconds = self._tally, self._job.timings.seconds
        for part in parts:
            tally.embedded += part.embedded
            tally.engine.update(part.engine)
            for name, spent in part.seconds.items():
                key = f"embed: {name}, summed over workers"
                seconds[key] = seconds.get(key, 0.0) + spent


def commit_shards(
    store: Store,
    leases: WriteLeases,
    vectors: Sequence[ShardInfo],
    regions: Sequence[ShardInfo],
    images: Sequence[ShardInfo],
) -> None:
    """Commit shards in the order that a crash between two commits is made good from."""
    store.commit_shards(EMBEDDINGS, vectors, leases.vectors.fence)
    store.commit_shards(REGIONS, regions, leases.vectors.fence)
    store.commit_shards(IMAGES, images, leases.images.fence)


class EmbedTelemetry:
    """Follows one stream of parts.

    Args:
        executor: Runs the stream.
        images: Images to do.
        gpu_workers: Embedding workers with a GPU, 0 for none.
    """

    def __init__(self, executor: Executor, images: int, gpu_workers: int) -> None:
        self._executor = executor
        self._meters = executor.meters()
        self._gpu_workers = gpu_workers
        self._gpu_s = 0.0
        self._sampled_at = time.monotonic()
        self.left = images
        """Images that are not committed."""
        self._meters.set(meters.LAST_COMMIT, time.time())
        self._meters.set(meters.IMAGES_LEFT, images)

    def part(self, part: EmbeddedPart) -> None:
        """Log a part that is embedded but not yet committed."""
        images = sum(part.counts.values())
        _log_event(
            "part",
            part=part.part_id,
            images=images,
            embedded=part.embedded,
            **part.counts,
            reasons=dict(part.rejects),
            read_bytes=part.size_bytes,
            seconds={step: round(spent, 3) for step, spent in part.seconds.items()},
        )
        for reason, count in part.rejects.items():
            self._meters.add(meters.REJECTS, count, reason=reason)
        self._meters.add(meters.READ_BYTES, part.size_bytes)
        for step, spent in part.seconds.items():
            self._meters.add(meters.STEP_SECONDS, spent, step=step)
        self._gpu_s += part.seconds["embed"]
        if time.monotonic() - self._sampled_at >= _SAMPLE_EVERY_S:
            self._sample()

    def committed(self, parts: Sequence[EmbeddedPart], seconds: float) -> None:
        """Log a commit."""
        images = sum(sum(part.counts.values()) for part in parts)
        self.left -= images
        _log_event(
            "commit",
            parts=len(parts),
            images=images,
            embedded=sum(part.embedded for part in parts),
            left=self.left,
            seconds=round(seconds, 3),
        )
        self._meters.add(meters.COMMITS, 1)
        self._meters.add(meters.COMMIT_SECONDS, seconds)
        self._meters.set(meters.LAST_COMMIT, time.time())
        self._meters.set(meters.IMAGES_LEFT, self.left)

    def ended(self) -> None:
        """Set the meters of workers to idle."""
        for step in self._executor.progress():
            self._meters.set(meters.IN_WORK, 0, step=step)
            self._meters.set(meters.QUEUE, 0, step=step)
        if self._gpu_workers:
            self._meters.set(meters.GPU_IDLE, 1.0)

    def _sample(self) -> None:
        """Set the gauges to the state of now."""
        now = time.monotonic()
        waited_s, self._sampled_at = now - self._sampled_at, now
        given = None
        for step, found in self._executor.progress().items():
            self._meters.set(meters.IN_WORK, found.started - found.finished, step=step)
            if given is not None:
                self._meters.set(meters.QUEUE, max(0, given - found.started), step=step)
            given = found.finished
        if self._gpu_workers:
            busy = self._gpu_s / (waited_s * self._gpu_workers)
            self._meters.set(meters.GPU_IDLE, max(0.0, 1.0 - busy))
        self._gpu_s = 0.0


def _log_event(event: str, **fields: Any) -> None:
    _log.info(event, extra={"fields": fields})
