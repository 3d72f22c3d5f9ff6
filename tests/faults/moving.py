"""Files that change and vanish while they are read."""

import time
from dataclasses import replace
from pathlib import Path

from artcluster.runtime.progress import Silent, Timings
from artcluster.store import Store
from artcluster.workflows.embedding.embed import embed_archive
from tests.faults.outcome import Outcome, doubled, lost
from tests.workflows.jobs import copy_pictures, make_job


class Meddler(Silent):
    """Changes and removes files of an archive between its listing and the reading of them."""

    def __init__(self, images: Path) -> None:
        self.images = images
        self.changed = self.removed = 0

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Meddle once the archive is listed and planned."""
        super().start(stage, total, unit)
        if stage != "embed" or self.changed:
            return
        found = sorted(self.images.iterdir())
        for file, other in zip(found[0:12:3], found[1:12:3], strict=True):
            file.write_bytes(other.read_bytes() + b"\0")
            self.changed += 1
        for file in found[2:12:3]:
            file.unlink()
            self.removed += 1


def files_move(folder: Path, times: int) -> Outcome:
    """Meddle with an archive while it is embedded, and embed it again at rest."""
    images, store = folder / "images", folder / "store"
    count = 0
    recovery_s = 0.0
    for number in range(times):
        copy_pictures(images, 16, start=16 * number)
        job = make_job(store, embed__part_images=2, archive__max_removed_share=0.9)
        meddler = Meddler(images)
        embed_archive(replace(job, progress=meddler, timings=Timings(meddler)), str(images))
        assert meddler.changed
        count += meddler.changed + meddler.removed
        began = time.monotonic()
        embed_archive(make_job(store, archive__max_removed_share=0.9), str(images))
        recovery_s = max(recovery_s, time.monotonic() - began)
    opened = Store.open(store)
    return Outcome(
        "files change or vanish while they are read",
        count,
        lost(opened, images),
        doubled(opened),
        None,
        recovery_s,
        "the job goes on; the next one finds what it left",
    )
