"""Perceptual hashes of an archive's pictures, computed once and kept in the store."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.archive.database import quoted
from artcluster.config import Config
from artcluster.schema import PERCEPTUAL_HASHES
from artcluster.stages.executor import Step
from artcluster.stages.job import Job
from artcluster.stages.known import open_tables
from artcluster.stages.pictures import Pictures

_BOX_PX = 128
_A_BATCH = 64
_A_COMMIT = 8_192
_WORTH_A_CLUSTER = 5_000

_LACKING = """
select content_id, min(uri) from current_images anti join perceptual_hashes using (content_id)
where archive_id = {archive_id} and status = 'ok' group by content_id order by min(path)
"""

Unhashed = tuple[str, str]
"""content_id and URI."""


@dataclass(frozen=True)
class HashPictures:
    """Makes the step from batches of pictures to their hashes. Picklable."""

    config: Config

    def __call__(self) -> Callable[[Sequence[Unhashed]], list[tuple[str, str | None]]]:
        """Start a decoder and return the step; the hash of a picture it cannot read is None."""
        import imagehash

        pictures = Pictures(self.config, _BOX_PX)

        def hashes(batch: Sequence[Unhashed]) -> list[tuple[str, str | None]]:
            contents = [each for each, _ in batch]
            found = pictures.many([uri for _, uri in batch], contents)
            return [
                (each, str(imagehash.phash(picture.image)) if picture.image else None)
                for each, picture in zip(contents, found, strict=True)
            ]

        return hashes


def hash_pictures(job: Job, archive_id: str) -> int:
    """Hash the contents of an archive that have none yet; return how many could not be read.

    Raises:
        LeaseHeldError: Another job hashes.
    """
    with ExitStack() as stack:
        lease = stack.enter_context(job.lease("perceptual_hashes", PERCEPTUAL_HASHES))
        tables = stack.enter_context(
            open_tables(job.store, job.config, "current_images", "perceptual_hashes")
        )
        lacking = _LACKING.format(archive_id=quoted(archive_id))
        ((count,),) = tables.execute(f"select count(*) from ({lacking})").fetchall()
        if not count:
            return 0
        executor = job.executor if count >= _WORTH_A_CLUSTER else job.local
        unread = 0
        done: list[tuple[str, str]] = []

        def commit() -> None:
            ids, hashes = zip(*done, strict=True)
            lease.check()
            rows = pa.table([pa.array(ids), pa.array(hashes)], PERCEPTUAL_HASHES.schema.names)
            job.store.append(PERCEPTUAL_HASHES, rows, lease.fence)
            done.clear()

        with job.timings.stage("hash", count):
            found = tables.execute(lacking)
            for hashed in executor.stream(
                iter(lambda: found.fetchmany(_A_BATCH), []),
                [Step("hash", HashPictures(job.config))],
                stall_timeout_s=job.config.embed.stall_timeout_s,
            ):
                done += [(content_id, text) for content_id, text in hashed if text is not None]
                unread += sum(text is None for _, text in hashed)
                job.progress.advance("hash", len(hashed))
                if len(done) >= _A_COMMIT:
                    commit()
            if done:
                commit()
        return unread


def read_hashes(job: Job, contents: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the contents' hashes, uint64, and which of them have one."""
    hash_N, known_N = np.zeros(len(contents), np.uint64), np.zeros(len(contents), bool)
    for batch in job.store.table(PERCEPTUAL_HASHES).batches(["content_id", "phash"]):
        place = pc.index_in(batch.column("content_id"), value_set=contents)
        mine = place.is_valid().to_numpy(zero_copy_only=False)
        rows = place.drop_null().to_numpy()
        texts = batch.column("phash").filter(pa.array(mine)).to_pylist()
        hash_N[rows] = [int(text, 16) for text in texts]
        known_N[rows] = True
    return hash_N, known_N
