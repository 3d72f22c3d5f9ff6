"""CropSettings of a study's pictures, decoded once and kept in the store.

They lie as `pixels/<what they are>/<which pictures>.npy`, and beside each array, written after it,
a list of what is in it: a job that was killed goes on after the last list.
"""

import io
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np

from artcluster.errors import UsageError
from artcluster.images.augment import augmented
from artcluster.images.faces import PACKAGE, detector_version
from artcluster.runtime.executor import Executor, Step
from artcluster.store import Store
from artcluster.store.layout import PIXELS
from artcluster.training.batches import shard_bounds
from artcluster.workflows.archives import fetch_settings, stored_scan
from artcluster.workflows.embedding.embedder import pixel_policy
from artcluster.workflows.job import Job, fingerprint
from artcluster.workflows.studies.crop_decoding import (
    CropChunk,
    CropSettings,
    DecodeCrops,
    PictureSource,
)
from artcluster.workflows.studies.sample import LabelledSample

_CHUNK_IMAGES = 256
_CHUNK_BYTES = 128 << 20


@dataclass(frozen=True)
class Crops:
    """The crops of a study, numbered through all its chunks.

    Attributes:
        chunks: Where they lie.
        chunk_N: Chunk of each crop.
        row_N: Its row there.
        picture_N: The row in the sample of the picture that it is of.
        faces: Pictures that are faces.
        missing: Pictures of the sample without crops, by reason.
    """

    chunks: tuple[str, ...]
    chunk_N: np.ndarray
    row_N: np.ndarray
    picture_N: np.ndarray
    faces: int
    missing: Mapping[str, int]


def decode_crops(
    job: Job, executor: Executor, archive_id: str, sample: LabelledSample, cropping: CropSettings
) -> Crops:
    """Return the crops of a sample's pictures, after decoding those that are not kept yet.

    A picture that is gone, was changed or cannot be decoded is counted, told of, and left out.

    Raises:
        UsageError: The store does not know where the archive lies, or no picture is left.
        ArchiveError: The archive cannot be read.
    """
    archive, _ = stored_scan(job, archive_id)
    policy = pixel_policy(job.config)
    with_faces = bool(cropping.faces_of) and faces_installed()
    facts = [policy.pixels_id, cropping.side_px, cropping.slice_px, cropping.max_slices]
    if with_faces:
        facts.append(detector_version())
    folder = PIXELS.path(f"study-{fingerprint(facts)}")
    sources = [
        PictureSource(content_id, uri, size, with_faces and label.lower() in cropping.faces_of)
        for content_id, uri, size, label in zip(
            sample.content_ids, sample.uris, sample.sizes, sample.labels, strict=True
        )
    ]
    most = _CHUNK_BYTES // (3 * cropping.side_px**2 * cropping.max_slices)
    length = max(1, min(_CHUNK_IMAGES, most))
    work = [sources[start : start + length] for start in range(0, len(sources), length)]
    step = Step(
        "decode",
        DecodeCrops(
            job.store,
            archive.location,
            folder,
            policy,
            cropping,
            job.config.images,
            fetch_settings(job.config),
        ),
    )
    found: dict[int, CropChunk] = {}
    with job.timings.stage("decode", len(sources)):
        for number, chunk in executor.stream(
            enumerate(work), [step], stall_timeout_s=job.config.embed.stall_timeout_s
        ):
            found[number] = chunk
            job.progress.advance("decode", len(work[number]))
    crops = _numbered([found[number] for number in range(len(work))], sample)
    if crops.missing:
        told = in_words(crops.missing)
        job.progress.say(f"Pictures that could not be read again are left out: {told}.")
    return crops


def in_words(missing: Mapping[str, int]) -> str:
    """Return how many pictures are left out, by reason.

    >>> in_words({"gone": 1200, "changed": 1})
    '1,200 gone, 1 changed'
    """
    return ", ".join(f"{count:,} {reason}" for reason, count in missing.items())


def faces_installed() -> bool:
    """Tell whether pictures can be cropped to faces."""
    return find_spec(PACKAGE) is not None


def _numbered(chunks: Sequence[CropChunk], sample: LabelledSample) -> Crops:
    place = {content_id: row for row, content_id in enumerate(sample.content_ids)}
    chunk_N, row_N, picture_N = [], [], []
    for number, chunk in enumerate(chunks):
        pictures = np.array([place[each] for each in chunk.content_ids], np.int64)
        picture_N.append(np.repeat(pictures, np.array(chunk.crops, np.int64)))
        chunk_N.append(np.full(len(picture_N[-1]), number, np.int64))
        row_N.append(np.arange(len(picture_N[-1]), dtype=np.int64))
    missing: Counter[str] = sum((Counter(each.missing) for each in chunks), Counter())
    if not sum(map(len, row_N)):
        raise UsageError(
            f"none of {len(sample.content_ids):,} pictures can be read any more: "
            + in_words(missing)
            + ". Is the archive mounted? `artcluster embed` sees what it holds now."
        )
    return Crops(
        tuple(chunk.array for chunk in chunks),
        np.concatenate(chunk_N),
        np.concatenate(row_N),
        np.concatenate(picture_N),
        sum(chunk.faces for chunk in chunks),
        dict(missing),
    )


@dataclass(frozen=True)
class AugmentedCopy:
    """An altered copy.

    Attributes:
        copy: Number of the copy of this crop.
    """

    crop: int
    copy: int


@dataclass(frozen=True)
class LoadCrops:
    """Loads some crops, then copies of crops, into one mapped temporary file. Picklable.

    Attributes:
        rows: Path of a chunk and rows of it, in the order wanted.
        copies: Path of a chunk, a row of it, and the seed of the copy.
    """

    store: Store
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    copies: tuple[tuple[str, int, tuple[int, ...]], ...]
    side_px: int

    def __call__(self) -> np.ndarray:
        """Return uint8 (N, side, side, 3); the file goes with the process."""
        count = sum(len(rows) for _, rows in self.rows) + len(self.copies)
        shape = (count, self.side_px, self.side_px, 3)
        if not count:
            return np.empty(shape, np.uint8)
        opened: dict[str, np.ndarray] = {}
        with tempfile.TemporaryFile(prefix="artcluster-pixels-") as file:
            loaded = np.memmap(file, np.uint8, mode="w+", shape=shape)
        filled = 0
        for path, rows in self.rows:
            some = self._open(opened, path)[list(rows)]
            loaded[filled : filled + len(some)] = some
            filled += len(some)
        for path, row, seed in self.copies:
            loaded[filled] = augmented(self._open(opened, path)[row], seed)
            filled += 1
        return loaded

    def _open(self, opened: dict[str, np.ndarray], path: str) -> np.ndarray:
        """Return a chunk, and forget the one before: they are asked for in order."""
        if path not in opened:
            opened.clear()
            if self.store.location.is_local:
                opened[path] = np.load(Path(self.store.location.uri, path), mmap_mode="r")
            else:
                opened[path] = np.load(io.BytesIO(self.store.read_bytes(path)))
        return opened[path]


def load_shards(
    store: Store,
    crops: Crops,
    numbers: np.ndarray,
    side_px: int,
    copies: Sequence[AugmentedCopy] = (),
    seed: int = 0,
) -> list[LoadCrops]:
    """Cut crops and copies into virtual shards of one length.

    Args:
        numbers: Which of them, increasing.
        copies: Copies of some, after them, in the order of the crops.
    """
    total = len(numbers) + len(copies)
    bounds = shard_bounds(total).tolist()
    shards = []
    for start, stop in pairwise(bounds):
        own = numbers[start:stop]
        made = copies[max(0, start - len(numbers)) : max(0, stop - len(numbers))]
        rows = []
        for chunk in np.unique(crops.chunk_N[own]):
            here = own[crops.chunk_N[own] == chunk]
            rows.append((crops.chunks[chunk], tuple(crops.row_N[here].tolist())))
        shards.append(
            LoadCrops(
                store,
                tuple(rows),
                tuple(
                    (
                        crops.chunks[crops.chunk_N[each.crop]],
                        int(crops.row_N[each.crop]),
                        (seed, each.crop, each.copy),
                    )
                    for each in made
                ),
                side_px,
            )
        )
    return shards


def load_numbers(store: Store, crops: Crops, numbers: Sequence[int], side_px: int) -> np.ndarray:
    """Load some crops, in the order given, uint8 (N, side, side, 3)."""
    rows = tuple((crops.chunks[crops.chunk_N[n]], (int(crops.row_N[n]),)) for n in numbers)
    return LoadCrops(store, rows, (), side_px)()
