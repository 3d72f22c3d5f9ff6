"""Squares of a study's pictures, decoded once and kept in the store.

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
from artcluster.workflows.studies.sample import Sample
from artcluster.workflows.studies.squares import Chunk, DecodeSquares, Source, Squares

_CHUNK_IMAGES = 256

_CHUNK_BYTES = 128 << 20


@dataclass(frozen=True)
class Pieces:
    """The squares of a study, numbered through all its chunks.

    Attributes:
        chunks: Where they lie.
        chunk_N: Chunk of each square.
        row_N: Its row there.
        picture_N: The row in the sample of the picture that it is of.
        faces: Pictures that are faces.
        missing: Pictures of the sample without squares, by reason.
    """

    chunks: tuple[str, ...]
    chunk_N: np.ndarray
    row_N: np.ndarray
    picture_N: np.ndarray
    faces: int
    missing: Mapping[str, int]


def decode_pieces(
    job: Job, executor: Executor, archive_id: str, sample: Sample, squares: Squares
) -> Pieces:
    """Return the squares of a sample's pictures, after decoding those that are not kept yet.

    A picture that is gone, was changed or cannot be decoded is counted, told of, and left out.

    Raises:
        UsageError: The store does not know where the archive lies, or no picture is left.
        ArchiveError: The archive cannot be read.
    """
    archive, _ = stored_scan(job, archive_id)
    policy = pixel_policy(job.config)
    with_faces = bool(squares.faces_of) and faces_installed()
    facts = [policy.pixels_id, squares.side_px, squares.slice_px, squares.max_slices]
    if with_faces:
        facts.append(detector_version())
    folder = PIXELS.path(f"study-{fingerprint(facts)}")
    sources = [
        Source(content_id, uri, size, with_faces and label.lower() in squares.faces_of)
        for content_id, uri, size, label in zip(
            sample.content_ids, sample.uris, sample.sizes, sample.labels, strict=True
        )
    ]
    most = _CHUNK_BYTES // (3 * squares.side_px**2 * squares.max_slices)
    length = max(1, min(_CHUNK_IMAGES, most))
    work = [sources[start : start + length] for start in range(0, len(sources), length)]
    step = Step(
        "decode",
        DecodeSquares(
            job.store,
            archive.location,
            folder,
            policy,
            squares,
            job.config.images,
            fetch_settings(job.config),
        ),
    )
    found: dict[int, Chunk] = {}
    with job.timings.stage("decode", len(sources)):
        for number, chunk in executor.stream(
            enumerate(work), [step], stall_timeout_s=job.config.embed.stall_timeout_s
        ):
            found[number] = chunk
            job.progress.advance("decode", len(work[number]))
    pieces = _numbered([found[number] for number in range(len(work))], sample)
    if pieces.missing:
        told = in_words(pieces.missing)
        job.progress.say(f"Pictures that could not be read again are left out: {told}.")
    return pieces


def in_words(missing: Mapping[str, int]) -> str:
    """Return how many pictures are left out, by reason.

    >>> in_words({"gone": 1200, "changed": 1})
    '1,200 gone, 1 changed'
    """
    return ", ".join(f"{count:,} {reason}" for reason, count in missing.items())


def faces_installed() -> bool:
    """Tell whether pictures can be cropped to faces."""
    return find_spec(PACKAGE) is not None


def _numbered(chunks: Sequence[Chunk], sample: Sample) -> Pieces:
    place = {content_id: row for row, content_id in enumerate(sample.content_ids)}
    chunk_N, row_N, picture_N = [], [], []
    for number, chunk in enumerate(chunks):
        pictures = np.array([place[each] for each in chunk.content_ids], np.int64)
        picture_N.append(np.repeat(pictures, np.array(chunk.squares, np.int64)))
        chunk_N.append(np.full(len(picture_N[-1]), number, np.int64))
        row_N.append(np.arange(len(picture_N[-1]), dtype=np.int64))
    missing: Counter[str] = sum((Counter(each.missing) for each in chunks), Counter())
    if not sum(map(len, row_N)):
        raise UsageError(
            f"none of {len(sample.content_ids):,} pictures can be read any more: "
            + in_words(missing)
            + ". Is the archive mounted? `artcluster embed` sees what it holds now."
        )
    return Pieces(
        tuple(chunk.array for chunk in chunks),
        np.concatenate(chunk_N),
        np.concatenate(row_N),
        np.concatenate(picture_N),
        sum(chunk.faces for chunk in chunks),
        dict(missing),
    )


@dataclass(frozen=True)
class Copy:
    """An altered copy.

    Attributes:
        piece: Number of the square.
        copy: Number of the copy of this square.
    """

    piece: int
    copy: int


@dataclass(frozen=True)
class LoadPieces:
    """Loads some squares, then copies of squares, into one mapped temporary file. Picklable.

    Attributes:
        store: Where the chunks lie.
        rows: Path of a chunk and rows of it, in the order wanted.
        copies: Path of a chunk, a row of it, and the seed of the copy.
        side_px: Side of the squares.
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
    pieces: Pieces,
    numbers: np.ndarray,
    side_px: int,
    copies: Sequence[Copy] = (),
    seed: int = 0,
) -> list[LoadPieces]:
    """Cut squares and copies into virtual shards of one length.

    Args:
        store: Where the chunks lie.
        pieces: All squares.
        numbers: Which of them, increasing.
        side_px: Their side.
        copies: Copies of some, after them, in the order of the squares.
        seed: Seeds the copies.
    """
    total = len(numbers) + len(copies)
    bounds = shard_bounds(total).tolist()
    shards = []
    for start, stop in pairwise(bounds):
        own = numbers[start:stop]
        made = copies[max(0, start - len(numbers)) : max(0, stop - len(numbers))]
        rows = []
        for chunk in np.unique(pieces.chunk_N[own]):
            here = own[pieces.chunk_N[own] == chunk]
            rows.append((pieces.chunks[chunk], tuple(pieces.row_N[here].tolist())))
        shards.append(
            LoadPieces(
                store,
                tuple(rows),
                tuple(
                    (
                        pieces.chunks[pieces.chunk_N[each.piece]],
                        int(pieces.row_N[each.piece]),
                        (seed, each.piece, each.copy),
                    )
                    for each in made
                ),
                side_px,
            )
        )
    return shards


def load_numbers(store: Store, pieces: Pieces, numbers: Sequence[int], side_px: int) -> np.ndarray:
    """Load some squares, in the order given, uint8 (N, side, side, 3)."""
    rows = tuple((pieces.chunks[pieces.chunk_N[n]], (int(pieces.row_N[n]),)) for n in numbers)
    return LoadPieces(store, rows, (), side_px)()
