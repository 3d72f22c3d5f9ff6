"""Numbers that a running job shows to whoever watches it; a monitoring system collects them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol


class Progress(Protocol):
    """Told by the stages, shown by whoever started them."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins; `total` is None where it is not known beforehand."""
        ...

    def advance(self, stage: str, count: int) -> None:
        """So many units more are done."""
        ...

    def finish(self, stage: str) -> None:
        """A stage ended."""
        ...

    def say(self, message: str) -> None:
        """Something a person should know: a decision, a warning."""
        ...


class Silent:
    """Shows nothing."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Show nothing."""

    def advance(self, stage: str, count: int) -> None:
        """Show nothing."""

    def finish(self, stage: str) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Show nothing."""


class Timings:
    """Seconds spent in each stage; a stage entered again adds to what it has."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "images") -> Iterator[None]:
        """Time a stage and announce it."""
        self._progress.start(name, total, unit)
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
            self._progress.finish(name)


@dataclass(frozen=True)
class Meter:
    """One number, or one for each value of its labels.

    Attributes:
        name: As monitoring systems name it, without their own prefix and suffix.
        kind: A counter only grows while the job lives; a gauge is what is true now.
        description: One sentence.
        labels: What it is told apart by.
    """

    name: str
    kind: Literal["counter", "gauge"]
    description: str
    labels: tuple[str, ...] = ()


IMAGES = Meter("artcluster_images", "counter", "Images that a stage is done with.", ("stage",))
REJECTS = Meter("artcluster_rejects", "counter", "Images rejected, by reason.", ("reason",))
READ_BYTES = Meter("artcluster_read_bytes", "counter", "Bytes read from the archive.")
STEP_SECONDS = Meter(
    "artcluster_step_seconds",
    "counter",
    "Seconds that workers spent in a step of embedding, summed over workers.",
    ("step",),
)
QUEUE = Meter("artcluster_queued_parts", "gauge", "Parts that wait for a step.", ("step",))
IN_WORK = Meter("artcluster_working_parts", "gauge", "Parts that a step is at work on.", ("step",))
GPU_IDLE = Meter(
    "artcluster_gpu_idle_share",
    "gauge",
    "Share of the last seconds in which an embedding worker's GPU had no batch, 0 to 1.",
)
IMAGES_LEFT = Meter("artcluster_images_left", "gauge", "Images that the plan still holds.")
COMMITS = Meter("artcluster_commits", "counter", "Commits of finished parts.")
COMMIT_SECONDS = Meter("artcluster_commit_seconds", "counter", "Seconds spent in commits.")
LAST_COMMIT = Meter(
    "artcluster_last_commit_timestamp_seconds",
    "gauge",
    "When parts were committed last, or embedding began, in seconds since 1970.",
)


ALL = (
    IMAGES,
    REJECTS,
    READ_BYTES,
    STEP_SECONDS,
    QUEUE,
    IN_WORK,
    GPU_IDLE,
    IMAGES_LEFT,
    COMMITS,
    COMMIT_SECONDS,
    LAST_COMMIT,
)


class Meters(Protocol):
    """Where the numbers go."""

    def add(self, meter: Meter, value: float, **labels: str) -> None:
        """Let a counter grow; by nothing where the value is not above 0."""
        ...

    def set(self, meter: Meter, value: float, **labels: str) -> None:
        """Set a gauge."""
        ...


class NoMeters:
    """Keeps nothing: nobody can ask a job that is one process of its own."""

    def add(self, meter: Meter, value: float, **labels: str) -> None:
        """Keep nothing."""

    def set(self, meter: Meter, value: float, **labels: str) -> None:
        """Keep nothing."""


class MeteredProgress:
    """Hands everything on, and counts the images of each stage.

    Args:
        progress: Who shows it.
        meters: Where the counts go.
    """

    def __init__(self, progress: Progress, meters: Meters) -> None:
        self._progress = progress
        self._meters = meters
        self._units: dict[str, str] = {}

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Hand on, and note what the stage counts."""
        self._units[stage] = unit
        self._progress.start(stage, total, unit)

    def advance(self, stage: str, count: int) -> None:
        """Hand on, and count."""
        if self._units[stage] == "images":
            self._meters.add(IMAGES, count, stage=stage)
        self._progress.advance(stage, count)

    def finish(self, stage: str) -> None:
        """Hand on."""
        self._progress.finish(stage)

    def say(self, message: str) -> None:
        """Hand on."""
        self._progress.say(message)
