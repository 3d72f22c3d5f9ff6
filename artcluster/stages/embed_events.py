"""What an embedding job tells while it runs: a log line a part and commit, and numbers."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from artcluster.stages import meters
from artcluster.stages.embed_part import EmbeddedPart
from artcluster.stages.executor import Executor

_log = logging.getLogger("artcluster.embed")

_SAMPLE_EVERY_S = 5.0


class EmbedEvents:
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
        """Tell of a part that is embedded and not committed yet."""
        images = sum(part.counts.values())
        _tell(
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
        """Tell of a commit."""
        images = sum(sum(part.counts.values()) for part in parts)
        self.left -= images
        _tell(
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
        """Tell that no worker is at work any more."""
        for step in self._executor.progress():
            self._meters.set(meters.IN_WORK, 0, step=step)
            self._meters.set(meters.QUEUE, 0, step=step)
        if self._gpu_workers:
            self._meters.set(meters.GPU_IDLE, 1.0)

    def _sample(self) -> None:
        """Set the gauges to what is true now."""
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


def _tell(event: str, **fields: Any) -> None:
    _log.info(event, extra={"fields": fields})
