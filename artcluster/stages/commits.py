"""Committing what is embedded, as it comes: vectors first, then the images that need them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from artcluster.schema import EMBEDDINGS, IMAGES, REGIONS
from artcluster.stages.embed_events import EmbedEvents
from artcluster.stages.embed_part import EmbeddedPart
from artcluster.stages.job import Job
from artcluster.store import Lease, ShardInfo, Store


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


class Committer:
    """Commits finished parts every so often, counts them, and tells of them."""

    def __init__(self, job: Job, leases: WriteLeases, tally: Tally, events: EmbedEvents) -> None:
        self._job = job
        self._leases = leases
        self._tally = tally
        self._events = events
        self._parts: list[EmbeddedPart] = []
        self._last = time.monotonic()

    def add(self, part: EmbeddedPart) -> None:
        """Take a finished part; commit if it is time."""
        self._parts.append(part)
        self._events.part(part)
        settings = self._job.config.embed
        images = sum(sum(each.counts.values()) for each in self._parts)
        waited_s = time.monotonic() - self._last
        if images >= settings.commit_every_images or waited_s >= settings.commit_every_s:
            self.commit()

    def commit(self) -> None:
        """Commit what is finished."""
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
