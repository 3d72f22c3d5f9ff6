"""What a job would do: counts, bytes and the time to expect, with nothing written to the store."""

import time

import pyarrow as pa

from artcluster.archive.comparison import Comparison
from artcluster.archive.parts import PartRow
from artcluster.embedders import load
from artcluster.stages.embedder import ReadyEmbedder, cache_folder
from artcluster.stages.find_faces import taker_for
from artcluster.stages.job import Job
from artcluster.stages.preview import Preview, previewed
from artcluster.stages.rate import read_rate
from artcluster.stages.summary import ArchiveCounts

_SAMPLE = 24


def plan_archive(job: Job, images: str, embedder: ReadyEmbedder | None = None) -> ArchiveCounts:
    """List an archive and say what embedding it would take.

    Args:
        job: What to work with.
        images: Where the archive lies.
        embedder: One that the store has; by default the configured one.

    Raises:
        ArchiveError: The archive cannot be listed or read.
        UsageError: There are no images, or the embedder cannot be had.
    """
    with previewed(job, images, embedder) as preview:
        seconds, reason = _expected(job, preview)
    summary = preview.comparison.summary
    return ArchiveCounts(
        listed=summary.listed,
        listed_bytes=summary.listed_bytes,
        new=summary.new,
        changed=summary.changed,
        unchanged=summary.unchanged,
        removed=summary.removed,
        todo=summary.todo,
        todo_bytes=summary.todo_bytes,
        skipped=preview.skipped,
        expected_seconds=seconds,
        expected_from=reason,
    )


def _expected(job: Job, preview: Preview) -> tuple[float, str]:
    """Return seconds to expect, at the last job's rate or one measured here, and what from."""
    summary = preview.comparison.summary
    if not summary.todo:
        return 0.0, "nothing is new"
    last = read_rate(job.store, preview.embedder.embedder_id)
    if last is not None:
        words = f"at {last.images_per_s:.1f} images/s, as in the job of {last.at[:16]}"
        return summary.estimate_s(last.images_per_s), words
    network = load(
        preview.embedder.contract,
        preview.state,
        engine=job.config.embed.engine,
        threads=max(1, int(job.local.resources().cpus)),
        batch_size=job.config.embed.batch_size,
        cache_dir=cache_folder(),
    )
    rows = _some(preview.comparison)
    take = taker_for(preview.embedder, job.config.images, preview.state)
    with take.decoder:
        began = time.perf_counter()
        files = enumerate(preview.fetcher.fetch_many(rows))
        blobs = {str(number): file.data for number, (_, file) in files}
        pixels = take(blobs, blobs.keys()).pixels_NHWC
        if len(pixels):
            network(pixels)
    rate = len(rows) / (time.perf_counter() - began)
    words = f"at {rate:.1f} images/s, measured on {len(rows)} of them on this machine alone"
    return summary.estimate_s(rate), words


def _some(comparison: Comparison) -> list[PartRow]:
    """Return some of the files to do, spread over the first thousands."""
    first: pa.Table = next(comparison.todo())
    step = max(1, first.num_rows // _SAMPLE)
    chosen = first.take(pa.array(range(0, first.num_rows, step))).slice(0, _SAMPLE)
    return [PartRow(**row) for row in chosen.to_pylist()]
