"""Pixels of an archive, decoded once and kept in the store as arrays that training maps or reads.

A shard is an array and, written after it, a list of the contents in it: a shard is there once its
list is. Shards are added as the archive grows, never changed. All networks of one input size share
them.
"""

import io
import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from artcluster.archive.fetch import Fetcher, FetchSettings
from artcluster.archive.parts import PartRef, Target, read_part
from artcluster.archive.plan import part_refs
from artcluster.archive.scan import Scan
from artcluster.archive.states import Known
from artcluster.clustering.kmeans.kmeans import sample_indices
from artcluster.config import ImageSettings
from artcluster.images.policy import PixelPolicy
from artcluster.location import Location
from artcluster.runtime.executor import Claim, Claims, Step
from artcluster.store import Store
from artcluster.store.layout import PIXELS
from artcluster.workflows.archives import Archive, fetch_settings, rows_of
from artcluster.workflows.embedding.decoding import open_decoder
from artcluster.workflows.embedding.embedder import pixel_policy
from artcluster.workflows.embedding.scanning import Planning, check_not_empty
from artcluster.workflows.job import Job, fingerprint

_LISTS_AT_ONCE = 16


_PARTS = 64
"""Parts that an archive is cut into at least, whatever machines there are: who trains with how many
workers shall find the same shards."""


@dataclass(frozen=True)
class PixelShard:
    """An array of pictures in the store.

    Attributes:
        path: The array, uint8 (N, H, W, 3).
        content_ids: Whose pictures, in its order.
    """

    path: str
    content_ids: tuple[str, ...]


def decoded(
    job: Job, archive: Archive, scan: Scan | None, side_px: int, max_images: int
) -> list[PixelShard]:
    """Return the shards of an archive's pixels, after decoding what none of them holds.

    Args:
        archive: The archive.
        scan: Its listing; None to list it now.
        side_px: Height and width of the pixels.
        max_images: Decode no more where there are so many; else a sample of whole parts.
    """
    folder = pixel_folder(job, archive.archive_id, side_px)
    policy = pixel_policy(job.config)
    target = Target("pixels", PIXELS.below(folder)[0])
    planning = Planning(job.store, job.config, archive, target, policy, job.store.location)
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


def pixel_folder(job: Job, archive_id: str, side_px: int) -> str:
    """Return where the pixels of an archive at one size lie in the store."""
    return PIXELS.path(fingerprint([archive_id, pixel_policy(job.config).pixels_id, side_px]))


def stored_shards(store: Store, folder: str) -> list[PixelShard]:
    """Return the shards of a folder, in an order that their contents decide."""
    lists = [path for path in store.list(folder) if path.endswith(".json")]

    def read(path: str) -> PixelShard:
        found = json.loads(store.read_bytes(path))
        return PixelShard(f"{folder}/{found['array']}", tuple(found["content_ids"]))

    with ThreadPoolExecutor(_LISTS_AT_ONCE) as pool:
        shards = [shard for shard in pool.map(read, lists) if shard.content_ids]
    return sorted(shards, key=lambda shard: min(shard.content_ids))


@dataclass(frozen=True)
class DecodePixels:
    """Decodes parts into shards, each content once, unless they are there. Picklable."""

    store: Store
    archive: Location
    folder: str
    policy: PixelPolicy
    size_px: tuple[int, int]
    images: ImageSettings
    fetch: FetchSettings
    claims: Claims

    def __call__(self) -> Callable[[PartRef], int]:
        """Start a decoder and return the step: a part's reference to the number of its files."""
        decoder = open_decoder(self.policy, self.size_px, self.images)
        fetcher = Fetcher(self.archive, self.fetch)

        def decode(ref: PartRef) -> int:
            listed = f"{self.folder}/{ref.part_id}.json"
            if self.store.exists(listed):
                return ref.images
            part = read_part(self.store.location, ref)
            blobs = {
                file.content_id: file.data
                for _, file in fetcher.fetch_many(part.rows)
                if file.content_id is not None
            }
            answers = self.claims.claim(ref.part_id, list(blobs))
            mine = [c for c, a in zip(blobs, answers, strict=True) if a == Claim.YOURS]
            batch = decoder.decode([blobs[content] for content in mine])
            kept = [mine[place] for place in batch.accepted]
            content = io.BytesIO()
            np.save(content, batch.pixels_NHWC)
            # Another attempt may divide doubles among parts otherwise: its array has another name.
            array = f"{ref.part_id}-{fingerprint(kept)}.npy"
            self.store.write_bytes(f"{self.folder}/{array}", content.getvalue())
            facts = {"array": array, "content_ids": kept}
            self.store.write_bytes_if_absent(listed, json.dumps(facts).encode())
            return ref.images

        return decode


@dataclass(frozen=True)
class LoadPixels:
    """Maps a shard, or some of its rows, into memory where they are needed. Picklable.

    Of a store on a local disk the array itself is mapped; from object storage, and where rows are
    left out, it is copied to a temporary file that goes with the process.
    """

    store: Store
    path: str
    rows: tuple[int, ...] | None = None

    def __call__(self) -> np.ndarray:
        """Return uint8 (N, H, W, 3)."""
        array: np.ndarray
        if self.store.location.is_local:
            array = np.load(Path(self.store.location.uri, self.path), mmap_mode="r")
            if self.rows is None:
                return array
        else:
            array = np.load(io.BytesIO(self.store.read_bytes(self.path)))
        if self.rows is not None:
            array = array[list(self.rows)]
        if not len(array):
            return array
        with tempfile.TemporaryFile(prefix="artcluster-pixels-") as file:
            array.tofile(file)
            file.flush()
            return np.memmap(file, array.dtype, mode="r", shape=array.shape)


def loaders(
    store: Store, shards: Sequence[PixelShard], contents: frozenset[str] | None = None
) -> list[tuple[LoadPixels, list[str]]]:
    """Return how to load the rows of given contents, and which they are, shard by shard.

    Args:
        store: Where the shards lie.
        shards: The shards.
        contents: Which contents; None for all. A content that two shards hold is loaded once.
    """
    seen: set[str] = set()
    found = []
    for shard in shards:
        rows = []
        for row, content in enumerate(shard.content_ids):
            if content not in seen and (contents is None or content in contents):
                seen.add(content)
                rows.append(row)
        if rows:
            whole = len(rows) == len(shard.content_ids)
            load = LoadPixels(store, shard.path, None if whole else tuple(rows))
            found.append((load, [shard.content_ids[row] for row in rows]))
    return found
