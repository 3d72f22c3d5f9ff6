"""Getting the pixels of an archive ready for training: what is not yet decoded is, once."""

import pyarrow as pa

from artcluster.archive.parts import PartRef
from artcluster.archive.plan import part_refs
from artcluster.archive.scan import Scan
from artcluster.archive.states import Known
from artcluster.clustering.kmeans import sample_indices
from artcluster.stages.embedder import pixel_policy
from artcluster.stages.executor import Step
from artcluster.stages.job import Job
from artcluster.stages.pixel_shards import DecodePixels, PixelShard, pixel_folder, stored_shards
from artcluster.stages.scanning import Archive, Planning, check_not_empty, fetch_settings, rows_of

_PARTS = 64
"""Parts that an archive is cut into at least, whatever machines there are: who trains with how many
workers shall find the same shards."""


def decoded(
    job: Job, archive: Archive, scan: Scan | None, side_px: int, max_images: int
) -> list[PixelShard]:
    """Return the shards of an archive's pixels, after decoding what none of them holds.

    Args:
        job: What to work with.
        archive: The archive.
        scan: Its listing; None to list it now.
        side_px: Height and width of the pixels.
        max_images: Decode no more where there are so many; else a sample of whole parts.
    """
    folder = pixel_folder(job, archive.archive_id, side_px)
    policy = pixel_policy(job.config)
    planning = Planning(
        job.store, job.config, archive, folder.replace("/", "-"), policy, job.store.location
    )
    with job.lease(folder.replace("/", "=")):
        shards = stored_shards(job.store, folder)
        contents = [content for shard in shards for content in shard.content_ids]
        if len(contents) >= max_images:
            return shards
        if scan is None:
            with job.timings.stage("list", unit="files"):
                scan = planning.scan()
        known = Known(
            rows_of(job.store, "images", {}),
            pa.table({"content_id": pa.array(contents, pa.string())}),
            policy.policy_id,
        )
        with planning.compared(scan, known) as comparison:
            check_not_empty(comparison.summary, archive)
            if not comparison.summary.todo:
                return shards
            plan = planning.write(comparison, _PARTS)
        refs = _sample(list(part_refs(job.store.location, plan)), max_images - len(contents), job)
        step = DecodePixels(
            job.store,
            archive.location,
            folder,
            policy,
            (side_px, side_px),
            job.config.images,
            fetch_settings(job.config),
            job.executor.claims([contents]),
        )
        with job.timings.stage("decode", sum(ref.images for ref in refs)):
            for files in job.executor.stream(
                refs, [Step("decode", step)], stall_timeout_s=job.config.embed.stall_timeout_s
            ):
                job.progress.advance("decode", files)
        return stored_shards(job.store, folder)


def _sample(refs: list[PartRef], left: int, job: Job) -> list[PartRef]:
    """Draw whole parts that hold some `left` images together; all parts where they fit."""
    images = sum(ref.images for ref in refs)
    if images <= left:
        return refs
    wanted = len(refs) * left // images
    job.progress.say(
        f"Networks are trained on {wanted:,} of {len(refs):,} parts of the archive: max_images "
        f"allows {left:,} of {images:,} images more."
    )
    return [refs[row] for row in sample_indices(len(refs), wanted, seed=0)]
