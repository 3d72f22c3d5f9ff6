"""Jobs over small archives of real pictures, run in this process."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from artcluster.config import load_config
from artcluster.executors.local import InProcessExecutor
from artcluster.runtime.executor import Item
from artcluster.runtime.progress import Silent, Timings
from artcluster.store import Store
from artcluster.workflows.job import Job

DEMO = Path(__file__).parent.parent.parent / "examples" / "demo-archive"
STORES: list[Store] = []
"""All that were opened for a job; at the end each is checked for folders that nobody knows."""
BROKEN = {"empty", "not-an-image", "truncated"}


class Strict(Silent):
    """Shows nothing, and insists that what goes on belongs to a stage that began."""

    def __init__(self) -> None:
        self._running: list[str] = []

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Note it; a stage within itself would lose count."""
        assert stage not in self._running, stage
        self._running.append(stage)

    def advance(self, stage: str, count: int) -> None:
        """Refuse what no stage counts."""
        assert stage in self._running, stage

    def finish(self, stage: str) -> None:
        """Note it."""
        self._running.remove(stage)


def make_job(store: Path | Store, **settings: Any) -> Job:
    """Return a job in this process; settings are dotted names with `__` for dots."""
    flags = {
        "embed.backbone": "color-histogram",
        "embed.part_images": 8,
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    progress = Strict()
    opened = store if isinstance(store, Store) else Store.open(store, create=True)
    STORES.append(opened)
    return Job(
        load_config(flags=flags),
        opened,
        InProcessExecutor(),
        InProcessExecutor(),
        progress,
        Timings(progress),
    )


def reverse_parts(job: Job) -> None:
    """Let a job take its parts from the last to the first, as another cluster might."""
    stream = job.executor.stream

    def reversed_stream(items: Iterable[Item], steps: Any, **more: Any) -> Iterator[Item]:
        return stream(list(items)[::-1], steps, **more)

    job.executor.stream = reversed_stream  # type: ignore[method-assign]


def copy_pictures(target: Path, count: int, start: int = 0) -> list[Path]:
    """Copy real drawings, in alphabetical order, into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    found = sorted(
        file
        for file in (DEMO / "images" / "drawings").rglob("*")
        if file.suffix in (".png", ".jpg", ".webp") and file.stat().st_size > 1000
    )[start : start + count]
    assert len(found) == count
    copies = []
    for file in found:
        copy = target / f"{file.parent.name}-{file.name}"
        shutil.copy(file, copy)
        copies.append(copy)
    return copies
