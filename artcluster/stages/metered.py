"""Progress that is counted, too: images a second of every stage come from it."""

from artcluster.stages.meters import IMAGES, Meters
from artcluster.stages.progress import Progress


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
